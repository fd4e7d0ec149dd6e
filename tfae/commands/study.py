"""Train a run for each of several values of a flag, and plot their losses by examples seen.

    tfae study --logdir=runs/study --optimizer=sgd --learning_rate=1 --vary=batch_size=1,16,128

--vary takes several flags that vary together, as a learning rate that grows with the batch:

    --vary='batch_size=1,16,128; learning_rate=0.2,4,30'

All other flags are those of `tfae train`, the same for all runs. Each run is in a folder of its own
below --logdir, such as runs/study/batch_size=16. The same command resumes a study that was stopped;
finished runs are not trained again. Prints a table of the last losses, and writes study.png, with
the losses by examples seen and by seconds of training, and study.json.
"""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from tfae.commands.shared import command_flags, training
from tfae.core import config, errors, names
from tfae.core.atomic_files import write_json
from tfae.core.config import Part, option
from tfae.distributed import cluster
from tfae.plots import charts
from tfae.runs.directory import METRICS, Folder
from tfae.runs.trainer import Diverged


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The runs, and the measure that is plotted."""

    logdir: str = option('', 'Folder of the runs and of the plot. Required.')
    vary: str = option(
        '',
        'Flag of `tfae train` and its values, one for each run: name=value,value. Further flags '
        'after a semicolon must have as many values, and vary along with it. Required.',
    )
    measure: str = option(
        names.LOSS,
        'Measure to plot, by its name in metrics.jsonl, such as generator/diversity of a GAN.',
    )


def main(argv: list[str]) -> int:
    """Runs `tfae study`; returns 0, or the exit code of a run that a signal stopped.

    Raises: UsageError for a wrong flag, and the errors of `tfae train` except `Diverged`.
    """
    flags, words = command_flags.read_words(
        'study', __doc__, Config, argv, '[flags of tfae train]', known_only=True
    )
    if not flags.logdir:
        raise errors.UsageError('--logdir is empty; it must name the folder of the study')
    if command_flags.peek(words, 'cluster')['cluster'] or cluster.Config().members():
        raise errors.UsageError('tfae study has no --cluster: it trains in one process')
    folder = pathlib.Path(flags.logdir)
    diverged: dict[str, bool] = {}
    for varied in _combinations(flags.vary):
        name = re.sub(r'[^\w.=,+-]', '_', ','.join(varied))
        print(name, flush=True)
        line = [*words, *(f'--{each}' for each in varied), f'--logdir={folder / name}']
        try:
            code = training.run(line, None)
        except Diverged as error:
            print(error)
            diverged[name] = True
        else:
            if code:
                return code
            diverged[name] = False
    if not all(Folder(folder / name).exists() for name in diverged):  # --dry_run
        return 0
    curves = [_curve(folder / name, flags.measure, bad) for name, bad in diverged.items()]
    _print(curves, flags.measure)
    paths = [folder / f'study.{kind}' for kind in ('png', 'json')]
    charts.save_losses(paths[0], curves, flags.measure, f'{flags.measure} by {flags.vary}')
    write_json(paths[1], [curve.plain() for curve in curves])
    for path in paths:
        print(path)
    return 0


def _combinations(vary: str) -> list[tuple[str, ...]]:
    """Returns the varied flags of each run, as `('batch_size=1', 'learning_rate=0.2')`.

    Raises: UsageError if `vary` has another form, or flags with different numbers of values.
    """
    values: dict[str, list[str]] = {}
    for text in vary.split(';'):
        name, _, found = text.strip().removeprefix('--').partition('=')
        if name in values:
            raise errors.UsageError(f'--vary has {name} twice; it must name each flag once')
        values[name] = config.split(found)
    counts = {len(found) for found in values.values()}
    if not all(values) or 0 in counts:
        raise errors.UsageError(f'--vary is {vary!r}; it must be name=value,value')
    if 'logdir' in values:
        raise errors.UsageError('--vary has logdir; each run has a folder of its own')
    if len(counts) > 1:
        listed = ' and '.join(f'{len(found)} values of {name}' for name, found in values.items())
        raise errors.UsageError(f'--vary has {listed}; each flag must have as many')
    rows = zip(*([f'{name}={v}' for v in found] for name, found in values.items()), strict=True)
    return list(dict.fromkeys(rows))


def _curve(path: pathlib.Path, measure: str, diverged: bool) -> charts.Losses:
    """Reads a measure of the last phase of a run, by epoch.

    Raises: InputError if the run has no such measure.
    """
    folder = Folder(path)
    experiment, records = folder.read_config(), folder.metrics()
    records = [record for record in records if record['phase'] == records[-1]['phase']]
    if records and measure not in records[0]:
        raise errors.InputError(
            f'--measure is {measure}; {path / METRICS} has {", ".join(records[0])}'
        )
    held_out = f'{names.VALIDATION}_{measure}'
    size = experiment.training.batch(experiment.signature.train)
    return charts.Losses(
        path.name,
        size * np.array([record['step'] for record in records], np.int64),
        np.cumsum([record['seconds'] for record in records]),
        np.array([record[measure] for record in records]),
        np.array([record[held_out] for record in records if held_out in record]),
        diverged,
    )


def _print(curves: Sequence[charts.Losses], measure: str) -> None:
    """Prints a row for each run: where it ended."""
    width = max(len(curve.label) for curve in curves)
    heads = ('examples', measure, f'{names.VALIDATION}_{measure}', 'seconds')
    print('  '.join([' ' * width, *(f'{head:>15}' for head in heads)]))
    for curve in curves:
        cells = ['diverged']
        if not curve.diverged:
            ends = [f'{values[-1]:.5f}' if len(values) else '-' for values in curve.of_splits]
            cells = ['-', *ends, '-']  # without an epoch
            if len(curve.examples):
                cells = [f'{curve.examples[-1]:,}', *ends, f'{curve.seconds[-1]:.1f}']
        print('  '.join([f'{curve.label:{width}}', *(f'{cell:>15}' for cell in cells)]))
