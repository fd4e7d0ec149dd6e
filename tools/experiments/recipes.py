"""Runs recipes, measures them on the test set and writes docs/evidence/recipes.md.

    python tools/experiments/recipes.py                 all recipes, in runs/recipes/<name>
    python tools/experiments/recipes.py mlp_mnist ...   these; the others keep their results

A recipe that was evaluated is not run again; one that was stopped resumes. The first lines of a
recipe describe it:

    # System:    the network, its training and their sizes
    # Target:    `measure <= number`, `measure / measure >= number` or `measure - measure >= number`
                 in the output of the commands below; `recipe.measure` is that of another recipe.
                 There may be several
    # Peer:      the baseline or publication that it is compared with
    # After:     recipes that must be run first
    # Evaluate:  flags of `tfae evaluate`
    # Sample:    flags of `tfae sample`, which runs only if this line is there; likewise for
                 anomaly, cluster and probe
"""

import functools
import json
import operator
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = ROOT / 'tfae' / 'recipes'
RUNS = ROOT / 'runs' / 'recipes'
RESULTS = ROOT / 'docs' / 'evidence' / 'recipes.md'

# Two ways to train one network, compared at equal steps and at equal time.
PAIRS = [
    ('stacked_greedy_mnist', 'stacked_joint_mnist'),
    ('hinton_deep_mnist', 'hinton_deep_joint_mnist'),
    ('conv_greedy_mnist', 'conv_joint_mnist'),
]

# Command -> the file that it writes in a run.
_WRITTEN = {
    'sample': 'figures/samples.json',
    'anomaly': 'anomaly.json',
    'cluster': 'figures/cluster.json',
    'probe': 'figures/probe.json',
}

UPSAMPLING = 'upsampling_mnist_'

# Title of a section -> its table, written by a tool that runs recipes several times.
_TOOLS = {
    'Few labels: test error, by `tools/experiments/few_labels.py --seeds=5`': (
        'runs/few_labels/few_labels.md'
    ),
    'Anomaly detection, by `tools/experiments/anomaly.py --seeds=3`': (
        'runs/anomaly/anomaly_mnist/anomaly.md'
    ),
    'Anomaly detection, reverse protocol': 'runs/anomaly/anomaly_reverse_mnist/anomaly.md',
    'Published networks, by `tools/experiments/published.py`': 'runs/published/published.md',
}

_COMPARE = {'<=': operator.le, '>=': operator.ge}
_COMBINE = {'/': operator.truediv, '-': operator.sub}


def main(names: list[str]) -> int:
    """Runs the named recipes, or all; returns 1 if a target is missed."""
    known = sorted(path.stem for path in RECIPES.glob('*.flags'))
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f'no recipe {", ".join(unknown)}; there are {", ".join(known)}', file=sys.stderr)
        return 2
    for name in names or known:
        run(name, [])
    done = [name for name in known if (RUNS / name / 'evaluation.json').is_file()]
    rows = [row(name) for name in done]
    table = '\n'.join([_HEAD, *(line for line, _ in rows)])
    print(table)
    sections = [comparison(a, b) for a, b in PAIRS if a in done and b in done]
    if any(name.startswith(UPSAMPLING) for name in done):
        sections.append(upsampling(done))
    if sampled := [name for name in done if 'frechet' in evaluation(name)]:
        sections.append(samplers(sampled))
    for title, path in _TOOLS.items():
        if (ROOT / path).is_file():
            sections.append(f'## {title}\n\n{(ROOT / path).read_text().strip()}')
    parts = [_INTRODUCTION, table, *sections, *(epochs(name) for name in done)]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text('\n\n'.join(parts) + '\n')
    return 0 if all(reached for _, reached in rows) else 1


def header(name: str) -> dict[str, list[str]]:
    """Returns the header of a recipe: key -> its lines."""
    found: dict[str, list[str]] = {}
    text = (RECIPES / f'{name}.flags').read_text()
    for word, line in re.findall(r'^# (\w+): (.*)$', text, re.M):
        found.setdefault(word, []).append(line)
    return found


def run(name: str, waiting: list[str]) -> None:
    """Trains and evaluates a recipe after those that it depends on, unless it was evaluated."""
    if name in waiting:
        raise SystemExit(f'recipes wait for each other: {", ".join([*waiting, name])}')
    said = header(name)
    for target in said['Target']:
        for other in re.findall(r'(\w+)\.[a-z_]', target):
            run(other, [*waiting, name])
    for other in (word for line in said.get('After', []) for word in line.split()):
        run(other, [*waiting, name])
    folder = RUNS / name
    if (folder / 'evaluation.json').is_file():
        return
    tfae = [sys.executable, '-m', 'tfae']
    measuring = [word for line in said.get('Evaluate', []) for word in line.split()]
    sampling = [
        [command, '--checkpoint=last', *line.split()]
        for command in _WRITTEN
        for line in said.get(command.capitalize(), [])
    ]
    # The evaluation comes last: its file marks a recipe as complete.
    measure = ['evaluate', '--checkpoint=last', *measuring]
    for words in (['train', f'--recipe={name}'], *sampling, measure):
        subprocess.run([*tfae, *words, f'--logdir={folder}'], cwd=ROOT, check=True)
    if 'mse' in evaluation(name):
        subprocess.run([*tfae, 'reconstruct', f'--logdir={folder}'], cwd=ROOT, check=True)


def evaluation(name: str) -> dict:
    """Returns the measures of `tfae evaluate` and of the other commands that were run."""
    paths = [RUNS / name / path for path in (*_WRITTEN.values(), 'evaluation.json')]
    found: dict = {}
    for path in (path for path in paths if path.is_file()):
        found |= json.loads(path.read_text())
    return found


def value(name: str, measure: str) -> float:
    """Returns a measure of a recipe, or of the recipe before the dot."""
    other, _, key = measure.rpartition('.')
    return evaluation(other or name)[key]


def judge(name: str, target: str) -> tuple[str, bool]:
    """Returns the measured value of a target as Markdown, and whether the target is reached."""
    left, sign, bound = target.rsplit(' ', 2)
    found = figure(left, functools.partial(value, name))
    reached = within(found, f'{sign} {bound}')
    return f'**{left} = {found:.4g}**' + ('' if reached else ' (missed)'), reached


def figure(expression: str, value: Callable[[str], float]) -> float:
    """Returns the value of a measure, `mse`, or of a combination of two, `mse / pca_mse`."""
    first, *rest = expression.split()
    return _COMBINE[rest[0]](value(first), value(rest[1])) if rest else value(first)


def within(value: float, bound: str) -> bool:
    """Returns whether a value meets a bound, `<= 0.02`."""
    sign, limit = bound.split()
    return _COMPARE[sign](value, float(limit))


def row(name: str) -> tuple[str, bool]:
    """Returns a row of the table, and whether every target is reached."""
    said, measured, records = header(name), evaluation(name), metrics(name)
    judged = [judge(name, target) for target in said['Target']]
    asked = ' '.join(said['Target'])
    others = [
        f'{key} {measured[key]:.4f}'
        for key in ('mse', 'bce', 'pca_mse', 'elbo', 'error')
        if key in measured and key not in asked.split()
    ]
    cells = [
        f'`{name}`',
        said['System'][0],
        '; '.join(said['Target']),
        ', '.join([*(text for text, _ in judged), *others]),
        said['Peer'][0],
        f'{records[-1]["step"]:,}',
        f'{seconds(records):.0f}',
    ]
    return f'| {" | ".join(cells)} |', all(reached for _, reached in judged)


def metrics(name: str) -> list[dict]:
    """Returns the records of metrics.jsonl, one per epoch."""
    return [json.loads(line) for line in (RUNS / name / 'metrics.jsonl').open()]


def seconds(records: list[dict]) -> float:
    """Returns the training time of these epochs."""
    return sum(record['seconds'] for record in records)


def comparison(greedy: str, joint: str) -> str:
    """Compares layer-wise with joint training, at equal steps and at equal time."""
    records = {name: metrics(name) for name in (greedy, joint)}
    measured = {n: json.loads((RUNS / n / 'evaluation.json').read_text()) for n in records}
    lines = [
        f'## {greedy} compared with {joint}',
        '',
        '| | steps | seconds | test mse |',
        '| --- | --- | --- | --- |',
        *(
            f'| `{name}` | {found[-1]["step"]:,} | {seconds(found):.0f} | '
            f'{measured[name]["mse"]:.5f} |'
            for name, found in records.items()
        ),
    ]
    spent, limit = 0.0, seconds(records[greedy])
    within = []
    for record in records[joint]:
        spent += record['seconds']
        if spent <= limit and 'validation_loss' in record:
            within.append(record)
    if within and 'validation_loss' in records[greedy][-1]:
        lines += [
            '',
            f'At equal time, {limit:.0f} seconds: validation loss '
            f'{records[greedy][-1]["validation_loss"]:.5f} layer by layer, '
            f'{within[-1]["validation_loss"]:.5f} jointly (after step {within[-1]["step"]:,}).',
        ]
    phases = list(dict.fromkeys(record['phase'] for record in records[greedy]))
    lines += [
        '',
        f'Time of the phases of `{greedy}`:',
        '',
        '| phase | epochs | seconds per epoch |',
    ]
    lines += ['| --- | --- | --- |']
    for phase in phases:
        found = [record for record in records[greedy] if record['phase'] == phase]
        lines.append(f'| {phase} | {len(found)} | {seconds(found) / len(found):.2f} |')
    return '\n'.join(lines)


def epochs(name: str) -> str:
    """Lists the training loss of each epoch, by phase."""
    lines = [f'### {name}: training loss by epoch', '']
    records = metrics(name)
    for phase in dict.fromkeys(record['phase'] for record in records):
        of_phase = [record for record in records if record['phase'] == phase]
        for key in of_phase[0]:
            if key.endswith('loss') and not key.startswith('validation_'):
                losses = ', '.join(f'{record[key]:.4f}' for record in of_phase)
                name = f'{phase}/{key.removesuffix("loss")}'.rstrip('/')
                lines.append(f'- {name}: {losses}')
    return '\n'.join(lines)


def upsampling(done: list[str]) -> str:
    """Tabulates the upsampling methods."""
    lines = [
        '## Upsampling',
        '',
        '| method | test mse | ms per step | parameters |',
        '| --- | --- | --- | --- |',
    ]
    for name in (name for name in done if name.startswith(UPSAMPLING)):
        measured, records = evaluation(name), metrics(name)
        pace = 1e3 * seconds(records) / records[-1]['step']
        method = name.removeprefix(UPSAMPLING)
        lines.append(
            f'| {method} | {measured["mse"]:.5f} | {pace:.1f} | {measured["parameters"]:,} |'
        )
    return '\n'.join(lines)


def samplers(sampled: list[str]) -> str:
    """Tabulates the Frechet distance of generated images by classifier; training images last."""
    lines = [
        '## Samples',
        '',
        'Frechet distance between generated images and the test set, in the features of a '
        'classifier, by\n`tfae sample`:',
    ]
    found = {name: evaluation(name) for name in sampled}
    for judge in dict.fromkeys(of['classifier'] for of in found.values()):
        judged = {name: of for name, of in found.items() if of['classifier'] == judge}
        lines += [
            '',
            f'| classifier `{pathlib.Path(judge).name}` | codes from | distance | classes |',
            '| --- | --- | --- | --- |',
        ]
        for name, of in sorted(judged.items(), key=lambda pair: pair[1]['frechet']):
            cells = (f'`{name}`', of['kind'], f'{of["frechet"]:.2f}', f'{of["classes_seen"]}')
            lines.append(f'| {" | ".join(cells)} |')
        floor = next(iter(judged.values()))['real_frechet']
        lines.append(f'| as many training images | - | {floor:.2f} | - |')
    return '\n'.join(lines)


_HEAD = (
    '| recipe | system | target | test set | peer or source | steps | seconds |\n'
    '| --- | --- | --- | --- | --- | --- | --- |'
)
_INTRODUCTION = """# Recipes

Written by `make recipes` (`tools/experiments/recipes.py`); each recipe is run by
`tfae train --recipe=NAME --logdir=runs/recipes/NAME` and measured on the whole test set by
`tfae evaluate --checkpoint=last --logdir=runs/recipes/NAME`. mse is per
pixel and bce in nats per pixel. PCA has as many components as the code has dimensions. Seconds are
training time on a machine with other load; tools/bench/training.py measures speed."""


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
