"""Anomaly detection over all classes and several seeds, beside what knows no network.

    python tools/experiments/anomaly.py --seeds=3 anomaly_mnist anomaly_reverse_mnist

A recipe that has --only_classes is run with each class alone as what is normal, one that has
--without_classes with each class in turn as what is anomalous. Epochs are those of the recipe, and
the last checkpoint is the one that is measured: nothing is chosen by the test set. Folders lie in
--output; a run that was measured is kept, one that was stopped goes on. Prints a table of areas
under the curve, mean and standard deviation over the seeds, and writes it, with all figures as
JSON, beside the runs.
"""

import json
import pathlib
import re
import statistics
import subprocess
import sys

import recipes
from absl import app, flags

_SEEDS = flags.DEFINE_integer('seeds', 3, 'Of the variables, the order and the noise.', 1)
_CLASSES = flags.DEFINE_list('classes', list('0123456789'), 'Which, by number or name.')
_OUTPUT = flags.DEFINE_string('output', 'runs/anomaly', 'Folder for the runs.')

_BASELINES = {
    'pca_auroc': 'PCA-32',
    'neighbor_auroc': 'nearest neighbor',
    'mean_auroc': 'distance to the mean',
}
_PROTOCOLS = {'only_classes': 'normal class', 'without_classes': 'anomalous class'}


def main(argv: list[str]) -> None:
    """Runs what is missing, prints the tables and writes them."""
    if not argv[1:]:
        raise app.UsageError('the names of recipes are missing, such as anomaly_mnist')
    for name in argv[1:]:
        folder = recipes.ROOT / _OUTPUT.value / name
        flag = protocol(name)
        found = {
            word: [
                measured(name, folder / f'{word}_{seed}', [f'--{flag}={word}', f'--seed={seed}'])
                for seed in range(_SEEDS.value)
            ]
            for word in _CLASSES.value
        }
        text = table(name, flag, found)
        (folder / 'anomaly.md').write_text(text + '\n')
        (folder / 'anomaly.json').write_text(json.dumps(found, indent=2) + '\n')
        print(text)


def protocol(name: str) -> str:
    """The flag by which a recipe says which classes are normal."""
    text = (recipes.RECIPES / f'{name}.flags').read_text()
    found = [flag for flag in _PROTOCOLS if re.search(rf'^--{flag}=', text, re.M)]
    if not found:
        raise app.UsageError(f'recipe {name} has none of --{", --".join(_PROTOCOLS)}')
    return found[0]


def measured(name: str, logdir: pathlib.Path, words: list[str]) -> dict:
    """What `tfae anomaly` finds of a recipe trained with these words more."""
    path = logdir / 'anomaly.json'
    if not path.is_file():
        judging = [word for line in recipes.header(name)['Anomaly'] for word in line.split()]
        # They do not depend on the seed of the network.
        judging += [] if words[-1] == '--seed=0' else ['--nobaselines']
        for argv in (
            ['train', f'--recipe={name}', *words],
            ['anomaly', '--checkpoint=last', *judging],
        ):
            command = [sys.executable, '-m', 'tfae', *argv, f'--logdir={logdir}']
            subprocess.run(command, cwd=recipes.ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def table(name: str, flag: str, found: dict[str, list[dict]]) -> str:
    """Areas under the curve by class, and their means, as Markdown."""
    seeds = len(next(iter(found.values())))
    lines = [
        f'`{name}`: area under the ROC curve on the test set, seeds: {seeds}',
        '',
        f'| {_PROTOCOLS[flag]} | this | {" | ".join(_BASELINES.values())} | blank is anomalous |',
        f'| {" | ".join(["---"] * (len(_BASELINES) + 3))} |',
    ]
    for word, runs in found.items():
        own = [run['auroc'] for run in runs]
        blanks = sum(run['blank_is_anomalous'] for run in runs)
        cells = [word, spread(own), *(f'{runs[0][key]:.3f}' for key in _BASELINES)]
        lines.append(f'| {" | ".join(cells)} | {blanks} of {len(runs)} |')
    means = [statistics.mean(runs[i]['auroc'] for runs in found.values()) for i in range(seeds)]
    others = [statistics.mean(runs[0][key] for runs in found.values()) for key in _BASELINES]
    blanks = sum(run['blank_is_anomalous'] for runs in found.values() for run in runs)
    cells = ['**mean**', f'**{spread(means)}**', *(f'{other:.3f}' for other in others)]
    lines.append(f'| {" | ".join(cells)} | {blanks} of {seeds * len(found)} |')
    return '\n'.join(lines)


def spread(values: list[float]) -> str:
    """Mean and, of several, standard deviation."""
    text = f'{statistics.mean(values):.4f}'
    return f'{text} (± {statistics.stdev(values):.4f})' if len(values) > 1 else text


if __name__ == '__main__':
    app.run(main)
