"""Rows of CSV files and streams for a run on a table."""

import contextlib
import csv
import io
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple, TextIO

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
    values: np.ndarray  # [D] float32, in the order of the run's columns


class Table(NamedTuple):
    """All rows of a file."""

    lines: list[int]
    values: np.ndarray  # [N, D] float32, in the order of the run's columns


class Rows:
    """An iterator over the rows of a file with the columns of a run, in any order.

    It can continue after an error about a row. The column `--target` of the run is skipped.
    """

    def __init__(
        self, experiment: Experiment, who: str, lines: Iterator[str], missing: bool = False
    ):
        """Reads the header.

        Args:
          experiment: of the run.
          who: name of the file, for errors.
          lines: of the file.
          missing: whether empty cells are read as NaN instead of refused.
        Raises: InputError if the file lacks a column of the run, or has others.
        """
        self._who, self._missing = who, missing
        with _naming(who):
            self._reader = csv_files.Reader(who, lines)
        self._names = self._reader.names
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
        self._places = [self._names.index(name) for name in known]

    def __iter__(self) -> 'Rows':
        return self

    def __next__(self) -> Row:
        with _naming(self._who):
            line, cells = next(self._reader)
        names = [self._names[place] for place in self._places]
        cells = [cells[place] for place in self._places]
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
        return Row(line, values)


def read(experiment: Experiment, path: str, missing: bool = False) -> Table:
    """Returns all rows of a file, or of standard input; see `Rows`.

    Raises: InputError if it has none, or as `Rows` does.
    """
    with _naming(path):
        lines = _standard_input() if path == STREAM else _lines(path)
        rows = list(Rows(experiment, _shown(path), lines, missing))
    if not rows:
        raise errors.InputError(f'{_shown(path)} has a header but no rows')
    return Table([row.line for row in rows], np.stack([row.values for row in rows]))


def follow(experiment: Experiment, path: str) -> Rows:
    """Returns the rows of standard input until it ends, or of a growing file, without an end."""
    return Rows(experiment, _shown(path), _standard_input() if path == STREAM else _growing(path))


def _shown(path: str) -> str:
    return 'standard input' if path == STREAM else path


def _lines(path: str) -> Iterator[str]:
    with _open(path) as file:
        yield from csv_files.lines_of(path, file)


def _standard_input() -> Iterator[str]:
    return csv_files.lines_of('standard input', sys.stdin)


def _growing(path: str) -> Iterator[str]:
    """Yields the lines of a file, and those that are appended, each once it is complete."""
    with _open(path) as file:
        begun = ''
        while True:
            for text in csv_files.lines_of(path, file):
                begun += text
                if begun.endswith('\n'):
                    yield begun
                    begun = ''
            time.sleep(_POLL)


@contextlib.contextmanager
def _open(path: str) -> Iterator[TextIO]:
    with (
        bounded_files.open_regular(path) as content,
        io.TextIOWrapper(content, encoding='utf-8-sig', newline='') as file,
    ):
        yield file


@contextlib.contextmanager
def _naming(who: str) -> Iterator[None]:
    """Turns errors of reading into one that names the file."""
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise errors.InputError(f'{who} cannot be read: {reason}') from None
