"""Measures anomaly detection over all classes and several seeds, next to baselines.

    python tools/experiments/anomaly.py --seeds=3 anomaly_mnist anomaly_reverse_mnist

A recipe with --only_classes is run with each class in turn as the normal class, one with
--without_classes with each class in turn as the anomalous class. The recipe sets the number of
epochs and the last checkpoint is measured: nothing is chosen on the test set. Runs go to --output;
a measured run is kept, a stopped one resumes. Prints a table of AUROC, mean and standard deviation
over the seeds, and writes it to --output with all measures as JSON.
"""

import json
import pathlib
import re
import statistics
import subprocess
import sys

import recipes
from absl import app, flags

_SEEDS = flags.DEFINE_integer(
    'seeds', 3, 'Number of seeds: each sets the initial variables, the order and the noise.', 1
)
_CLASSES = flags.DEFINE_list('classes', list('0123456789'), 'Classes to run, by number or name.')
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
    """Returns the flag by which a recipe selects its normal classes."""
    text = (recipes.RECIPES / f'{name}.flags').read_text()
    found = [flag for flag in _PROTOCOLS if re.search(rf'^--{flag}=', text, re.M)]
    if not found:
        raise app.UsageError(f'recipe {name} has none of --{", --".join(_PROTOCOLS)}')
    return found[0]


def measured(name: str, logdir: pathlib.Path, arguments: list[str]) -> dict:
    """Trains a recipe with these additional flags and returns the result of `tfae anomaly`."""
    path = logdir / 'anomaly.json'
    if not path.is_file():
        judging = [word for line in recipes.header(name)['Anomaly'] for word in line.split()]
        # The baselines do not depend on the seed of the network.
        judging += [] if arguments[-1] == '--seed=0' else ['--nobaselines']
        for argv in (
            ['train', f'--recipe={name}', *arguments],
            ['anomaly', '--checkpoint=last', *judging],
        ):
            command = [sys.executable, '-m', 'tfae', *argv, f'--logdir={logdir}']
            subprocess.run(command, cwd=recipes.ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def table(name: str, flag: str, found: dict[str, list[dict]]) -> str:
    """Returns the AUROC by class, and the means, as Markdown."""
    seeds = len(next(iter(found.values())))
    lines = [
        f'`{name}`: AUROC on the test set, seeds: {seeds}',
        '',
        f'| {_PROTOCOLS[flag]} | tfae | {" | ".join(_BASELINES.values())} | '
        'blank image is anomalous |',
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
    """Formats the mean and, if there are several values, the standard deviation."""
    text = f'{statistics.mean(values):.4f}'
    return f'{text} (± {statistics.stdev(values):.4f})' if len(values) > 1 else text


if __name__ == '__main__':
    app.run(main)
