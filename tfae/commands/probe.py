"""Classify from frozen codes: linear probe, k-nearest neighbors, and probes with few labels.

The baselines are PCA of the same code size and pixels. Prints the classification errors on a split
in %, and writes them as JSON with a chart, which TensorBoard shows too.
"""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np

from tfae import data
from tfae.analysis import classification, pca, probe
from tfae.commands.shared import command_flags, figures
from tfae.core import errors as checks
from tfae.core import names, terminal
from tfae.core.atomic_files import write_json
from tfae.core.config import option
from tfae.plots import charts
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run


class Space(NamedTuple):
    """The inputs of a probe, in the order of its arguments."""

    codes: np.ndarray  # [N, D], of training examples
    labels: np.ndarray  # [N]
    queries: np.ndarray  # [M, D], of the examples to classify
    wanted: np.ndarray  # [M], their labels


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The probes."""

    neighbors: tuple[int, ...] = option(
        (1, 5),
        'Numbers of neighbors (k) of the k-nearest-neighbor classifiers, one row of the table '
        'each. Default values larger than the training set are skipped.',
        within='[1, inf) neighbors',
        formerly='neighbours',
    )
    labels: tuple[int, ...] = option(
        (100, 300, 1000, 3000),
        'Numbers of labels on which linear probes are trained, one row of the table each. '
        'Default values larger than the training set are skipped.',
        within='[2, inf) labels',
    )
    repeats: int = option(
        5,
        'Number of random subsets of labels over which the errors are averaged.',
        within='[1, 1000]',
        formerly='draws',
    )
    baselines: bool = option(True, 'Also probe PCA scores and pixels, as baselines.')
    output: str = option('', 'Output folder (default: figures/ in the run).')

    def __post_init__(self):
        super().__post_init__()
        if self.split == 'train':
            raise checks.UsageError('--split is train, which the probes are trained on')


def main(argv: list[str]) -> int:
    """Runs `tfae probe`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, or where there are no
      labels or fewer than requested.
    """
    flags = command_flags.read('probe', __doc__, Config, argv)
    with flags.open(names.CODE) as run:
        loaded, part = flags.load(run)
        _refuse_labels(loaded, part)
        flags = _fitted(flags, len(loaded.train.images))
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        paths = _probed(flags, run, loaded, part, folder)
        figures.show([path for path in paths if path.suffix == '.png'], run.step)
    for path in paths:
        print(path)
    return 0


def _refuse_labels(loaded: data.DataSet, part: data.Split) -> None:
    train = loaded.train
    if train.labels is None or part.labels is None:
        raise checks.InputError(f'data set {loaded.name} has no labels; probes need them')
    if len(np.unique(train.labels)) < 2:
        raise checks.InputError(
            f'data set {loaded.name} has training examples of one class; a probe needs two'
        )


def _fitted(flags: Config, count: int) -> Config:
    """Returns the flags with the defaults that `count` training examples allow.

    Raises: UsageError if a number that was given is larger.
    """
    for name in ('neighbors', 'labels'):
        numbers = getattr(flags, name)
        if numbers == getattr(Config, name):
            numbers = tuple(number for number in numbers if number <= count)
            changed: dict[str, Any] = {name: numbers}
            flags = dataclasses.replace(flags, **changed)
        if max(numbers, default=0) > count:
            raise checks.UsageError(
                f'--{name} is {max(numbers)}; there are only {count} training examples'
            )
    return flags


def _probed(
    flags: Config,
    run: Run,
    loaded: data.DataSet,
    part: data.Split,
    folder: pathlib.Path,
) -> list[pathlib.Path]:
    """Trains and evaluates the probes, prints and writes; returns the paths of files."""
    bars: dict[str, dict[str, float]] = {}
    curves: list[charts.Curve] = []
    found: dict[str, Any] = {'split': flags.split, 'examples': len(part.images)}
    spaces = _spaces(flags, run, loaded.train, part)
    rows = ['linear probe', *(_nearest(k) for k in flags.neighbors)]
    for name, space in terminal.progress(list(spaces.items()), ' spaces'):
        errors = [probe.linear_error(*space)]
        errors += classification.knn_errors(*space, flags.neighbors)
        bars[name] = {row: 100 * error for row, error in zip(rows, errors, strict=True)}
        means, spreads = _few(flags, loaded.name, space)
        x = np.array(sorted(flags.labels))
        if len(x):
            curves.append(charts.Curve(name, x, 100 * means, 100 * spreads))
        found |= _keys(name, flags, errors, means, spreads)
    found['step'] = run.step
    _print(bars, curves)
    paths = [folder / 'probe.json', folder / 'probe.png']
    write_json(paths[0], found)
    size = spaces['code'].codes.shape[1]
    title = f'{loaded.name}, {flags.split}: classification from {size} latent dimensions'
    charts.save_errors(paths[1], bars, curves, title)
    return paths


def _spaces(flags: Config, run: Run, train: data.Split, asked: data.Split) -> dict[str, Space]:
    """Returns the spaces that are probed: codes, PCA scores and pixels, or columns of a table."""
    seen = {'code': (run.encode(train.images), run.encode(asked.images))}
    if flags.baselines:
        known, new = run.normalized(train.images), run.normalized(asked.images)
        baseline = pca.Baseline(known, run.built.model.code_size)
        seen[f'PCA-{baseline.components}'] = baseline.encode(known), baseline.encode(new)
        values = data.values(known.shape[1:])
        seen[values] = data.flat(known), data.flat(new)
    assert train.labels is not None and asked.labels is not None  # else refused
    labels, wanted = train.labels, asked.labels
    return {name: Space(known, labels, new, wanted) for name, (known, new) in seen.items()}


def _few(flags: Config, name: str, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of the errors `[labels]` over the repeats."""
    labeled = data.Split(space.codes, space.labels)
    errors = []
    for count in sorted(flags.labels):
        for seed in range(flags.repeats):
            few = data.few(labeled, count, seed, name)
            assert few.labels is not None
            known = Space(few.images, few.labels, space.queries, space.wanted)
            errors.append(probe.linear_error(*known))
    found = np.array(errors).reshape(-1, flags.repeats)
    return found.mean(1), found.std(1)


def _keys(
    name: str, flags: Config, errors: list[float], means: np.ndarray, spreads: np.ndarray
) -> dict[str, Any]:
    """Returns the errors by JSON key, as `probe_error` or `pixels_1_nearest_error`."""
    prefix = '' if name == 'code' else f'{name.partition("-")[0].lower()}_'
    words = ['probe', *(f'{k}_nearest' for k in flags.neighbors)]
    found: dict[str, Any] = {
        f'{prefix}{word}_error': error for word, error in zip(words, errors, strict=True)
    }
    for count, mean, spread in zip(sorted(flags.labels), means, spreads, strict=True):
        found[f'{prefix}probe_error_{count}_labels'] = [float(mean), float(spread)]
    return found


def _nearest(k: int) -> str:
    return f'{k} nearest neighbors' if k > 1 else 'nearest neighbor'


def _print(bars: dict[str, dict[str, float]], curves: list[charts.Curve]) -> None:
    print(f'{"error, %":24}' + ''.join(f'{name:>16}' for name in bars))
    for row in next(iter(bars.values())):
        print(f'{row:24}' + ''.join(f'{errors[row]:16.2f}' for errors in bars.values()))
    for i in range(len(curves[0].x) if curves else 0):
        cells = [f'{c.y[i]:.2f} ± {c.spread[i]:.2f}' for c in curves if c.spread is not None]
        label = f'probe, {curves[0].x[i]:,} labels'
        print(f'{label:24}' + ''.join(f'{cell:>16}' for cell in cells))
