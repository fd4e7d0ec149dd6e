"""Runs recipes, measures them on the test set and writes docs/RESULTS.md and the README's table.

    python tools/recipes.py                     all recipes, in runs/recipes/<name>
    python tools/recipes.py mlp_mnist ...       these; the others keep the results they have

A recipe that was run before is not run again; one that was stopped goes on where it stood. The
first lines of a recipe say what it is: `# System:`, `# Target: <measure> <= <number>`, `# Peer:`.
"""

import json
import operator
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECIPES = ROOT / 'tfae' / 'recipes'
RUNS = ROOT / 'runs' / 'recipes'
RESULTS = ROOT / 'docs' / 'RESULTS.md'
README = ROOT / 'README.md'

# Two ways to train one network, compared at equal steps and at equal time.
PAIRS = [
    ('stacked_greedy_mnist', 'stacked_joint_mnist'),
    ('hinton_deep_mnist', 'hinton_deep_joint_mnist'),
]

_COMPARE = {'<=': operator.le, '>=': operator.ge}


def main(names: list[str]) -> int:
    """Runs the recipes of these names, or all; returns 1 if a target is missed."""
    known = sorted(path.stem for path in RECIPES.glob('*.flags'))
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f'no recipe {", ".join(unknown)}; there are {", ".join(known)}', file=sys.stderr)
        return 2
    for name in names or known:
        run(name)
    done = [name for name in known if (RUNS / name / 'evaluation.json').is_file()]
    rows = [row(name) for name in done]
    table = '\n'.join([_HEAD, *(line for line, _ in rows)])
    print(table)
    sections = [comparison(a, b) for a, b in PAIRS if a in done and b in done]
    parts = [_INTRODUCTION, table, *sections, *(epochs(name) for name in done)]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text('\n\n'.join(parts) + '\n')
    text = README.read_text()
    README.write_text(
        re.sub(
            r'(<!-- recipes -->\n).*?(<!-- /recipes -->)',
            lambda found: f'{found[1]}{table}\n{found[2]}',
            text,
            flags=re.DOTALL,
        )
    )
    return 0 if all(reached for _, reached in rows) else 1


def run(name: str) -> None:
    """Trains and evaluates a recipe, unless its evaluation is there."""
    folder = RUNS / name
    if (folder / 'evaluation.json').is_file():
        return
    tfae = [sys.executable, '-m', 'tfae']
    for words in (
        ['train', f'--recipe={name}'],
        ['evaluate', '--checkpoint=last'],
        ['reconstruct'],
    ):
        subprocess.run([*tfae, *words, f'--logdir={folder}'], cwd=ROOT, check=True)


def row(name: str) -> tuple[str, bool]:
    """A line of the table, and whether the target is reached."""
    header = dict(re.findall(r'^# (\w+): (.*)$', (RECIPES / f'{name}.flags').read_text(), re.M))
    measured = json.loads((RUNS / name / 'evaluation.json').read_text())
    measure, sign, bound = header['Target'].split()
    reached = _COMPARE[sign](measured[measure], float(bound))
    records = metrics(name)
    figure = f'**{measure} {measured[measure]:.4f}**' + ('' if reached else ' (missed)')
    others = ', '.join(f'{k} {measured[k]:.4f}' for k in ('mse', 'bce') if k != measure)
    cells = [
        f'`{name}`',
        header['System'],
        f'{measure} {sign} {bound}',
        f'{figure}, {others}',
        f'{measured["pca_mse"]:.4f}',
        header['Peer'],
        f'{records[-1]["step"]:,}',
        f'{seconds(records):.0f}',
    ]
    return f'| {" | ".join(cells)} |', reached


def metrics(name: str) -> list[dict]:
    """The epochs of a run."""
    return [json.loads(line) for line in (RUNS / name / 'metrics.jsonl').open()]


def seconds(records: list[dict]) -> float:
    """Time that these epochs took."""
    return sum(record['seconds'] for record in records)


def comparison(greedy: str, joint: str) -> str:
    """Layer by layer against all at once, at equal steps and at equal time."""
    records = {name: metrics(name) for name in (greedy, joint)}
    measured = {n: json.loads((RUNS / n / 'evaluation.json').read_text()) for n in records}
    lines = [
        f'## {greedy} against {joint}',
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
        f'What the phases of `{greedy}` cost:',
        '',
        '| phase | epochs | seconds an epoch |',
    ]
    lines += ['| --- | --- | --- |']
    for phase in phases:
        found = [record for record in records[greedy] if record['phase'] == phase]
        lines.append(f'| {phase} | {len(found)} | {seconds(found) / len(found):.2f} |')
    return '\n'.join(lines)


def epochs(name: str) -> str:
    """Training loss of each epoch, by phase."""
    lines = [f'### {name}: training loss by epoch', '']
    records = metrics(name)
    for phase in dict.fromkeys(record['phase'] for record in records):
        found = [f'{r["loss"]:.4f}' for r in records if r['phase'] == phase]
        lines.append(f'- {phase}: {", ".join(found)}')
    return '\n'.join(lines)


_HEAD = (
    '| recipe | system | target | test set | PCA mse | peer or source | steps | seconds |\n'
    '| --- | --- | --- | --- | --- | --- | --- | --- |'
)
_INTRODUCTION = """# Results

Written by `make recipes` (`tools/recipes.py`); each recipe is run by
`tfae train --recipe=NAME --logdir=runs/recipes/NAME` and measured on the whole test set by
`tfae evaluate --checkpoint=last --logdir=runs/recipes/NAME`. mse is per pixel, bce in nats per
pixel, PCA has as many components as the code has numbers, seconds are those of training."""


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
