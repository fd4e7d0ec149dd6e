r"""Measures every family with its own defaults: only --model, --dataset and --seed are given.

    python tools/experiments/defaults.py --seeds=3

Trains each family on each data set with each seed, then measures it on the test split. Runs are
kept in --output; those that were measured are not trained again. Writes docs/evidence/defaults.md:
mean and standard deviation over the seeds, with the bound that a useful model must meet.

Defaults are chosen on the validation split.
"""

import json
import pathlib
import platform
import statistics
import subprocess
import sys

import recipes
from absl import app, flags

_SEEDS = flags.DEFINE_integer('seeds', 3, 'Seeds of each run.', lower_bound=2)
_DATASETS = flags.DEFINE_list('datasets', 'digits,mnist,fashion_mnist', 'Data sets.')
_OUTPUT = flags.DEFINE_string('output', 'runs/defaults', 'Folder of the runs.')

# Family -> figure -> data set -> bound; '' stands for every other data set.
FIGURES: dict[str, dict[str, dict[str, str]]] = {
    'classifier': {'error': {'mnist': '<= 0.02'}},
    'convolutional': {'mse / pca_mse': {'': '<= 1'}},
    'dense': {'mse / pca_mse': {'': '<= 1'}},
    'gan': {'diversity': {'': '>= 0.8'}},
    'siamese': {'knn_error': {'mnist': '<= 0.03'}},
    'variational': {'elbo': {}, 'active_units / code_size': {'': '>= 0.75'}},
}
# Samples are judged by the classifier of the same data set and seed.
SAMPLED = {'gan': {'classes_seen': {'': '>= 10'}}}

_HEAD = """# Defaults

Written by `python tools/experiments/defaults.py --seeds={seeds} --datasets={datasets}` on
{machine}. Every family was trained by
`tfae train --model=M --dataset=D --seed=S` and nothing else; mean and standard deviation over
{seeds} seeds, on the test split. PCA has as many components as the code has dimensions. The
`classes_seen` of a GAN is the number of classes that the classifier of the same seed finds in 1,000
samples. Seconds are those of training, with the data loaded.

| family | data set | figure | mean | deviation | bound | seconds |
| --- | --- | --- | --- | --- | --- | --- |"""


def main(_: list[str]) -> None:
    """Trains what is missing and writes the table."""
    datasets = ','.join(_DATASETS.value)
    lines = [_HEAD.format(seeds=_SEEDS.value, datasets=datasets, machine=_processor())]
    for dataset in _DATASETS.value:
        for model in FIGURES:  # the classifier comes first: it judges samples
            found = [measured(model, dataset, seed) for seed in range(_SEEDS.value)]
            lines += rows(model, dataset, found)
    recipes.ROOT.joinpath('docs', 'evidence', 'defaults.md').write_text('\n'.join(lines) + '\n')
    print('\n'.join(lines))


def rows(model: str, dataset: str, found: list[dict[str, float]]) -> list[str]:
    """The lines of the table of a family and a data set."""
    lines = []
    for name, bounds in (FIGURES[model] | SAMPLED.get(model, {})).items():
        values = [recipes.figure(name, seed.__getitem__) for seed in found]
        mean, bound = statistics.mean(values), bounds.get(dataset, bounds.get('', ''))
        missed = '' if not bound or recipes.within(mean, bound) else ' (missed)'
        seconds = statistics.mean(seed['seconds'] for seed in found)
        cells = [f'`{model}`', f'`{dataset}`', name, f'**{mean:.4g}**{missed}']
        cells += [f'{statistics.stdev(values):.2g}', bound, f'{seconds:.0f}']
        lines.append(f'| {" | ".join(cells)} |')
    return lines


def measured(model: str, dataset: str, seed: int) -> dict[str, float]:
    """Everything that the commands measure of a run, which is trained if it is not there."""
    folder = _folder(model, dataset, seed)
    samples, evaluation = folder / 'figures' / 'samples.json', folder / 'evaluation.json'
    if not evaluation.is_file():
        _tfae('train', folder, f'--model={model}', f'--dataset={dataset}', f'--seed={seed}')
        if model in SAMPLED:
            judge = _folder('classifier', dataset, seed)
            _tfae('sample', folder, f'--classifier={judge}', '--count=1000')
        _tfae('evaluate', folder)  # the last: where it is, all is done
    found = json.loads(evaluation.read_text())
    if model in SAMPLED:
        found |= json.loads(samples.read_text())
    records = map(json.loads, (folder / 'metrics.jsonl').read_text().splitlines())
    return found | {'seconds': sum(record['seconds'] for record in records)}


def _folder(model: str, dataset: str, seed: int) -> pathlib.Path:
    return recipes.ROOT / _OUTPUT.value / f'{model}_{dataset}_{seed}'


def _tfae(command: str, folder: pathlib.Path, *words: str) -> None:
    line = [sys.executable, '-m', 'tfae', command, f'--logdir={folder}', *words]
    subprocess.run(line, cwd=recipes.ROOT, check=True, stdout=subprocess.DEVNULL)


def _processor() -> str:
    for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(': ')[2]
    return platform.processor()


if __name__ == '__main__':
    app.run(main)
