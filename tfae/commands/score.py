"""Score rows of a table by the anomaly detector of a run, from a file or a stream.

    tfae anomaly --logdir=runs/a                        # fits the detector, sets the threshold
    tfae score --logdir=runs/a --data=new.csv
    sensor | tfae score --logdir=runs/a --data=- --follow

Prints a line per row: its line in the file, anomaly score, verdict, and the columns that contribute
most to the score. The CSV file has the columns of the training table, in any order.
"""

import dataclasses
import pathlib
import sys

import numpy as np

from tfae import data
from tfae.commands.shared import command_flags, row_scores, table_rows
from tfae.core import errors, names
from tfae.core.config import option
from tfae.runs.saved_run import Run


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Look):
    """The run and the rows."""

    data: str = option('', 'CSV file of the rows; -: standard input. Required.')
    follow: bool = option(
        False,
        'Scores each row as soon as its line is complete, until standard input ends; of a file, '
        'also the lines that are appended to it, until the program is stopped. Rows that cannot '
        'be read are reported and skipped.',
        excludes=('--output',),
    )
    output: str = option(
        '', 'CSV file to which scores and the contributions of all columns are written.'
    )


def main(argv: list[str]) -> int:
    """Runs `tfae score`; returns the exit code 0, or 1 if --follow skipped a row.

    Raises: UsageError if --logdir or --data is empty; InputError if the run is not on a table, has
      no detector, or the file cannot be read or has other columns.
    """
    flags = command_flags.read('score', __doc__, Config, argv)
    if not flags.data:
        raise errors.UsageError('--data is empty; it must name a CSV file, or - for standard input')
    with flags.open(names.RECONSTRUCTION) as run:
        if not data.tabular(run.experiment.signature.image_shape):
            raise errors.InputError(_not_a_table(run))
        detector = row_scores.detector(run)
        print(
            f'threshold {float(detector.threshold):.1f} nats, quantile '
            f'{float(detector.quantile):g} of normal rows',
            flush=True,
        )
        if flags.follow:
            return _follow(flags, run)
        rows = table_rows.read(run.experiment, flags.data)
        contributions = detector.contributions(*row_scores.seen(run, rows.values))
        columns, threshold = row_scores.columns(run.experiment), float(detector.threshold)
        for line, each in zip(rows.lines, contributions, strict=True):
            print(row_scores.line(f'line {line}', columns, each, threshold))
        anomalous = int((contributions.sum(1) > threshold).sum())
        print(f'{anomalous} of {errors.counted(len(rows.lines), "row", "rows")} anomalous')
        if flags.output:
            path = pathlib.Path(flags.output)
            row_scores.write(path, columns, contributions, threshold)
            print(path)
    return 0


def _not_a_table(run: Run) -> str:
    shape = run.experiment.signature.image_shape
    hint = '; tfae anomaly --images scores image files' if data.is_image(shape) else ''
    if len(shape) == 3 and shape[0] == shape[2] == 1:
        hint += '; a table of version 0.1 must be trained again'
    return f'{run.folder.path} is a run on {data.noun(shape)}s, not on a table{hint}'


def _follow(flags: Config, run: Run) -> int:
    """Scores rows as they come; returns the exit code."""
    with table_rows.follow(run.experiment, flags.data) as rows:
        return _score(run, rows)


def _score(run: Run, rows: table_rows.Rows) -> int:
    detector, columns = row_scores.detector(run), row_scores.columns(run.experiment)
    skipped = 0
    while True:
        try:
            line, values = next(rows)
        except StopIteration:
            return 1 if skipped else 0
        except errors.InputError as error:
            skipped += 1
            print(f'tfae: skipped: {error}', file=sys.stderr, flush=True)
            continue
        (each,) = detector.contributions(*row_scores.seen(run, values[np.newaxis]))
        text = row_scores.line(f'line {line}', columns, each, float(detector.threshold))
        print(text, flush=True)
