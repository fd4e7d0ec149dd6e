"""Fill the missing values of a table with the reconstructions of a run.

    tfae impute --logdir=runs/a --data=new.csv --output=filled.csv
    tfae impute --logdir=runs/a --hide=0.1                # the error on known values

The run is one on a table with --missing=mask. Empty cells of the CSV file, which has the columns of
the run in any order, become numbers in the units of the table; all other bytes stay as they are.
With --hide, known values of a split are hidden, and the error of their imputation is printed and
written to imputation.json, compared with column means, PCA and nearest neighbors.
"""

import dataclasses
import pathlib

import numpy as np
from sklearn.impute import KNNImputer

from tfae import data
from tfae.analysis import imputation, pca
from tfae.commands.shared import command_flags, row_scores, table_rows
from tfae.core import errors, names
from tfae.core.atomic_files import replacing, write_json
from tfae.core.config import option
from tfae.runs.saved_run import Run

_MEASURED = 'imputation.json'
_NEIGHBORS = 5
_MAX_NEIGHBORS_OF = 10_000  # training rows among which neighbors are searched
_MAX_COLUMNS = 10  # named in one line


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The run and the table."""

    data: str = option('', 'CSV file with missing values; -: standard input.')
    output: str = option('', 'CSV file that is written.', needs=('--data',))
    iterations: int = option(
        1,
        'Number of reconstructions; each after the first starts from the values filled in by the '
        'previous one. More than 1 helps where few latent dimensions explain the table; --hide '
        'shows whether it does.',
        within='[1, 100000] iterations',
    )
    hide: float = option(
        0.0,
        'Fraction of the known values of the split that are hidden to measure the error.',
        within='[0, 1)',
        excludes=('--data',),
    )
    seed: int = option(
        0,
        'Random seed of the values that are hidden.',
        within='[0, 4294967295]',
        needs=('--hide',),
    )


def main(argv: list[str]) -> int:
    """Runs `tfae impute`; returns the exit code 0.

    Raises: UsageError if flags are missing; InputError if the run is not on a table with
      --missing=mask, or the file cannot be read or has other columns.
    """
    flags = command_flags.read('impute', __doc__, Config, argv)
    if not flags.data and not flags.hide:
        raise errors.UsageError(
            '--data is empty; it must name a CSV file, or --hide must be above 0'
        )
    if flags.data and not flags.output:
        raise errors.UsageError('--output is empty; it must name the CSV file to write')
    with flags.open(names.RECONSTRUCTION) as run:
        shape, missing = run.experiment.signature.image_shape, run.experiment.data.missing
        if not data.tabular(shape):
            raise errors.InputError(
                f'{run.folder.path} is a run on {data.noun(shape)}s, not on a table'
            )
        if missing == 'refuse':
            raise errors.InputError(
                f'{run.folder.path} is a run with --missing={missing}; it must be trained with '
                f'--missing=mask'
            )
        return _measure(flags, run) if flags.hide else _fill(flags, run)


def _fill(flags: Config, run: Run) -> int:
    table = table_rows.read(run.experiment, flags.data)
    filled = imputation.impute(run.reconstruct, table.values, flags.iterations)
    path = pathlib.Path(flags.output)
    with replacing(path) as temporary:
        temporary.write_bytes(table.filled(filled))
    counts = np.isnan(table.values).sum(0)
    columns = row_scores.columns(run.experiment)
    gaps = [f'{columns[k]} {counts[k]}' for k in np.flatnonzero(counts).tolist()]
    more = f' and {len(gaps) - _MAX_COLUMNS} more' if len(gaps) > _MAX_COLUMNS else ''
    print(
        f'filled {errors.counted(int(counts.sum()), "cell", "cells")} of '
        f'{errors.counted(len(table.lines), "row", "rows")}'
        f'{": " if gaps else ""}{", ".join(gaps[:_MAX_COLUMNS])}{more}'
    )
    print(path)
    return 0


def _measure(flags: Config, run: Run) -> int:
    """Hides known values, and prints and writes the errors of their imputation."""
    loaded, part = flags.load(run)
    rows = data.pixels(part.images)
    hidden = imputation.hide(rows, flags.hide, flags.seed)
    count = int((np.isnan(hidden) & ~np.isnan(rows)).sum())
    if not count:
        raise errors.UsageError(f'--hide is {flags.hide}, which hides none of {rows.size} values')

    # By the run, in the units of the table.
    filled = imputation.impute(run.reconstruct, hidden, flags.iterations)

    # By baselines, in normalized units; PCA is fitted to rows with column means for gaps.
    known, gaps = run.judged(loaded.train.images), run.judged(hidden)
    means = np.nanmean(known, 0)
    baseline = pca.Baseline(np.where(np.isnan(known), means, known), run.built.model.code_size)

    def projected(made: np.ndarray) -> np.ndarray:
        return baseline.reconstruct(np.where(np.isnan(made), means, made))

    neighbors = KNNImputer(n_neighbors=_NEIGHBORS, keep_empty_features=True)
    neighbors.fit(data.sample(known, _MAX_NEIGHBORS_OF, 0))
    made = {
        'rmse': run.normalized(filled),
        'mean_rmse': np.where(np.isnan(gaps), means, gaps),
        'pca_rmse': imputation.impute(projected, gaps, flags.iterations),
        'knn_rmse': neighbors.transform(gaps),
    }
    wanted = run.judged(rows)
    found = {name: imputation.rmse(wanted, gaps, each) for name, each in made.items()}
    measured = {'split': flags.split, 'hidden': count, **found, 'step': run.step}
    for name, value in measured.items():
        print(f'{name:9} {value:.5f}' if isinstance(value, float) else f'{name:9} {value}')
    write_json(run.folder.place(_MEASURED), measured)
    return 0
