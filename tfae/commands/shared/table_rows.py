"""Rows of CSV files and streams for a run on a table."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tfae.commands.shared import row_scores
from tfae.core import bounded_files, errors
from tfae.data.formats import csv_files
from tfae.training.experiment import Experiment

STREAM = '-'  # standard input
_POLL = 0.2  # seconds between looks at the end of a growing file


class Row(NamedTuple):
    """A row of a file."""

    line: int
    values: np.ndarray  # [D] of the run's dtype, in the order of its columns


class Table(NamedTuple):
    """All rows of a file."""

    lines: list[int]
    values: np.ndarray  # [N, D] of the run's dtype, in the order of its columns
    places: list[int]  # of those columns in the file
    raw: list[bytes]  # all lines of the file, with their ends

    def filled(self, values: np.ndarray) -> bytes:
        """Returns the file with `values` `[N, D]` for the missing ones, else unchanged."""
        raw = list(self.raw)
        for line, before, after in zip(self.lines, self.values, values, strict=True):
            missing = np.flatnonzero(np.isnan(before)).tolist()
            if missing:
                cells = {self.places[k]: str(np.float32(after[k])) for k in missing}
                raw[line - 1] = csv_files.replaced(raw[0], raw[line - 1], cells)
        return b''.join(raw)


class Rows:
    """An iterator over the rows of a file with the columns of a run, in any order.

    It can continue after an error about a row. The column `--target` of the run is skipped.

    Attributes:
      places: of the columns of the run in the file.
    """

    def __init__(self, experiment: Experiment, who: str, lines: Iterator[bytes]):
        """Reads the header.

        Args:
          experiment: of the run; with --missing=mask, empty cells are NaN, else refused.
          who: name of the file, for errors.
          lines: of the file.
        Raises: InputError if the file lacks a column of the run, or has others.
        """
        self._who, self._missing = who, experiment.data.missing != 'refuse'
        with _naming(who):
            self._reader = csv_files.Reader(who, lines)
        self._names = self._reader.names
        self._bytes = experiment.signature.dtype == 'uint8'
        wanted = row_scores.columns(experiment)
        named = bool(experiment.signature.columns)
        if not named and len(self._names) != len(wanted):
            raise errors.InputError(
                f'{who} has {len(self._names)} columns; the run was trained on {len(wanted)}'
            )
        known = wanted if named else self._names
        for name in known:
            if name not in self._names:
                near = errors.nearest(name, self._names)
                raise errors.InputError(
                    f'{who} lacks column {name}, which the run was trained on{near}'
                )
        for name in self._names:
            if name not in known and name != experiment.data.target:
                raise errors.InputError(
                    f'{who} has column {name}, which the run was not trained on; remove it'
                )
        self.places = [self._names.index(name) for name in known]

    def __iter__(self) -> 'Rows':
        return self

    def __next__(self) -> Row:
        with _naming(self._who):
            line, cells = next(self._reader)
        names = [self._names[place] for place in self.places]
        cells = [cells[place] for place in self.places]
        numbers = np.array(csv_files.numbers(self._who, names, cells, line))
        with np.errstate(over='ignore'):
            values = numbers.astype(np.float32)
        wrong = np.isinf(values) if self._missing else ~np.isfinite(values)
        if wrong.any():
            k = int(wrong.argmax())
            found = 'is missing' if np.isnan(values[k]) else f'is {cells[k].strip()}'
            raise errors.InputError(
                f'{self._who} line {line}: column {names[k]} {found}; it must be a finite number'
            )
        if not self._bytes:
            return Row(line, values)
        wrong = (numbers < 0) | (numbers > 255) | (numbers % 1 != 0)
        if wrong.any():
            k = int(wrong.argmax())
            raise errors.InputError(
                f'{self._who} line {line}: column {names[k]} is {cells[k].strip()}; it must be an '
                f'integer from 0 to 255, as in the uint8 table that the run was trained on'
            )
        return Row(line, values.astype(np.uint8))


def read(experiment: Experiment, path: str) -> Table:
    """Returns all rows of a file, or of standard input; see `Rows`.

    Raises: InputError if it has none, or as `Rows` does.
    """
    raw: list[bytes] = []

    def kept(lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            raw.append(line)
            yield line

    with _lines(path) as lines:
        rows = Rows(experiment, _shown(path), kept(lines))
        found = list(rows)
    if not found:
        raise errors.InputError(f'{_shown(path)} has a header but no rows')
    values = np.stack([row.values for row in found])
    return Table([row.line for row in found], values, rows.places, raw)


@contextlib.contextmanager
def follow(experiment: Experiment, path: str) -> Iterator[Rows]:
    """Opens the rows of standard input, until it ends, or of a growing file, without an end."""
    with _lines(path, _POLL) as lines:
        yield Rows(experiment, _shown(path), lines)


def _shown(path: str) -> str:
    return 'standard input' if path == STREAM else path


@contextlib.contextmanager
def _lines(path: str, poll: float = 0) -> Iterator[csv_files.Lines]:
    """Opens the lines of a file or of standard input; `poll` is for a file that grows."""
    if path == STREAM:
        with open(0, 'rb', closefd=False) as file:
            yield csv_files.Lines(_shown(path), file)
        return
    with _naming(path):
        opened = bounded_files.open_regular(path)
    with opened as file:
        yield csv_files.Lines(path, file, poll)


@contextlib.contextmanager
def _naming(who: str) -> Iterator[None]:
    """Turns errors of reading into one that names the file."""
    try:
        yield
    except OSError as error:
        raise errors.InputError(f'{who} cannot be read: {error.strerror or error}') from None
