"""A table in a CSV file: a line with the names of the columns, then a row of numbers per line.

Cells are separated by the comma, semicolon or tab of which the first line has the most. One column
may hold labels of any text. N rows, D columns.
"""

import array
import csv
import io
import math
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from tfae.core import bounded_files, errors

_MAX_LINE = 2**24  # characters
_MAX_BYTES = 2**33
_SEPARATORS = ',;\t'
_MISSING = ('', 'na', 'n/a', 'nan', 'null', 'none')


class Table(NamedTuple):
    """The numbers of a table, and the column of its labels."""

    columns: tuple[str, ...]  # names, without that of the labels
    rows: np.ndarray  # [N, D] float32
    labels: list[str] | None  # N texts, empty where unknown


def read(path: pathlib.Path, target: str = '', missing: bool = False) -> Table:
    """Reads a table.

    Args:
      path: of the file.
      target: name of the column of the labels; empty: there is none.
      missing: whether empty cells are read as NaN instead of refused.
    Raises: UsageError if there is no such column; InputError that names the file and the line or
      the column, if it is not a table of finite numbers.
    """
    try:
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise errors.InputError(
                f'{path} has {size:,} bytes; it must have at most {_MAX_BYTES:,}'
            )
        with bounded_files.open_regular(path) as file:
            return _read(path, Lines(path, file), target, missing)
    except OSError as error:
        raise errors.InputError(f'{path} cannot be read: {error.strerror or error}') from None


class Lines:
    """An iterator over the lines of a file, as bytes, none of which fills the memory.

    It can continue after an error about a line, and reads no further than the line it returns.
    """

    def __init__(self, who: pathlib.Path | str, file: BinaryIO, poll: float = 0):
        """Takes an open file.

        Args:
          who: its name, for errors.
          file: the caller closes it.
          poll: seconds between looks at the end of a file that grows; 0: the file ends there.
        """
        self._who, self._file, self._poll = who, file, poll
        self._count = 0
        self._split: list[bytes] = []  # the last first
        self._too_long = False  # whether the rest of such a line is still to be skipped

    def __iter__(self) -> 'Lines':
        return self

    def __next__(self) -> bytes:
        if not self._split:
            self._split = self._line().splitlines(keepends=True)[::-1]  # \r ends a line too
        self._count += 1
        return self._split.pop()

    def _line(self) -> bytes:
        while self._too_long:
            self._too_long = not self._piece().endswith(b'\n')
        text = self._piece()
        while self._poll and not text.endswith(b'\n') and len(text) < _MAX_LINE:
            text += self._piece()
        if len(text) >= _MAX_LINE:
            self._count += 1
            self._too_long = not text.endswith(b'\n')
            raise errors.InputError(
                f'{self._who} line {self._count} is too long; it must be shorter than {_MAX_LINE} '
                f'bytes'
            )
        return text

    def _piece(self) -> bytes:
        """Returns bytes to the end of a line or of the file, at most `_MAX_LINE`."""
        try:
            while not (found := self._file.readline(_MAX_LINE)):
                if not self._poll:
                    raise StopIteration
                time.sleep(self._poll)
        except OSError:
            self._file, self._poll = io.BytesIO(), 0  # the caller must not ask again and again
            raise
        return found


def _read(path: pathlib.Path, lines: Iterator[bytes], target: str, missing: bool) -> Table:
    reader = Reader(path, lines)
    names = reader.names
    place = names.index(errors.one_of(f'{path}: --target', target, names)) if target else -1
    columns = [name for i, name in enumerate(names) if i != place]
    if not columns:
        raise errors.InputError(
            f'{path} has only the column --target {target}; it must have others'
        )
    labels: list[str] = []
    values = array.array('d')
    refused: dict[str, list[int]] = {}  # column -> lines
    sound = _finite_or_missing if missing else math.isfinite
    for line, cells in reader:
        if target:
            label = cells.pop(place).strip()
            labels.append('' if label.lower() in _MISSING else label)
        row = numbers(path, columns, cells, line)
        values.extend(row)
        if not all(map(sound, row)):
            for name, value in zip(columns, row, strict=True):
                if not sound(value):
                    refused.setdefault(name, []).append(line)
    if not values:
        raise errors.InputError(f'{path} has a header but no rows')
    _refuse_not_finite(path, refused, missing)
    with np.errstate(over='ignore'):
        rows = np.frombuffer(values, np.float64).reshape(-1, len(columns)).astype(np.float32)
    if (wide := np.argwhere(np.isinf(rows))).size:
        raise errors.InputError(
            f'{path}: column {columns[wide[0, 1]]} holds numbers that exceed float32'
        )
    return Table(tuple(columns), rows, labels if target else None)


class Reader:
    """An iterator over the rows of a table, `(line, cells)`; the header is line 1.

    A row is one line: a quote that is not closed is an error there, and does not take the rows
    below it. The iterator can continue after an error about a row, and reads no further than the
    row that it returns.

    Attributes:
      names: of the columns.
    """

    def __init__(self, who: pathlib.Path | str, lines: Iterator[bytes]):
        """Reads the header from the lines of `who`. Raises: InputError if it is not a header."""
        self._who, self._lines, self._line = who, lines, 0
        first = self._text(next(lines, b''))
        self._separator = _separator(first)
        self.names = [cell.strip() for cell in self._cells(first)]
        _refuse_header(who, self.names)

    def __iter__(self) -> 'Reader':
        return self

    def __next__(self) -> tuple[int, list[str]]:
        cells: list[str] = []
        while not cells:
            cells = self._cells(self._text(self._next()))
        if len(cells) != len(self.names):
            raise errors.InputError(
                f'{self._who} line {self._line} has {len(cells)} cells; the header has '
                f'{len(self.names)}'
            )
        return self._line, cells

    def _next(self) -> bytes:
        try:
            return next(self._lines)
        except errors.InputError:
            self._line += 1
            raise

    def _text(self, line: bytes) -> str:
        """Returns the text of the next line."""
        self._line += 1
        try:
            return line.decode('utf-8-sig' if self._line == 1 else 'utf-8')
        except UnicodeDecodeError as error:
            raise errors.InputError(
                f'{self._who} line {self._line} cannot be read: {error}; it must be UTF-8'
            ) from None

    def _cells(self, text: str) -> list[str]:
        """Returns the cells of the line, none if it is blank."""
        try:
            return next(csv.reader([text], delimiter=self._separator, strict=True), [])
        except csv.Error as error:
            ended = 'unexpected end' in str(error)
            reason = 'a quote is not closed' if ended else error
            raise errors.InputError(
                f'{self._who} line {self._line} cannot be read: {reason}'
            ) from None


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def replaced(header: bytes, line: bytes, cells: Mapping[int, str]) -> bytes:
    """Returns a line with other texts in some cells, and all other bytes as they were.

    Args:
      header: the first line of the file.
      line: of as many cells.
      cells: number of a cell, from 0 -> its text, without quotes and separators.
    """
    separator, text = _separator(header.decode('utf-8-sig')), line.decode()
    body = text.rstrip('\r\n')
    found, start, quoted = [], 0, False
    for i, character in enumerate(body):
        if character == '"' and body[start] == '"':  # in a cell that begins with a quote
            quoted = not quoted
        elif character == separator and not quoted:
            found.append(body[start:i])
            start = i + 1
    found.append(body[start:])
    made = [cells.get(place, cell) for place, cell in enumerate(found)]
    return (separator.join(made) + text[len(body) :]).encode()


def numbers(
    who: pathlib.Path | str, columns: Sequence[str], cells: Sequence[str], line: int
) -> list[float]:
    """Returns the numbers in the cells of a row, NaN where one is missing.

    Raises: InputError that names the column and the line of a text.
    """
    try:
        return list(map(_float, cells))
    except ValueError:
        return [_number(who, name, cell, line) for name, cell in zip(columns, cells, strict=True)]


def _refuse_header(path: pathlib.Path | str, names: Sequence[str]) -> None:
    unique = len(set(names)) == len(names)
    if not names or not unique or not all(names) or any(map(_is_number, names)):
        raise errors.InputError(
            f'{path} line 1 is {",".join(names)[:200]!r}; it must name the columns, '
            f'with distinct names that are not numbers'
        )


def _is_number(cell: str) -> bool:
    try:
        _float(cell)
    except ValueError:
        return False
    return True


def _float(cell: str) -> float:
    if '_' in cell:  # Python reads 12_34 as 1234
        raise ValueError(cell)
    return float(cell)


def _number(path: pathlib.Path | str, name: str, cell: str, line: int) -> float:
    """Returns the number in a cell, NaN where it is empty; refuses other texts."""
    if cell.strip().lower() in _MISSING:
        return math.nan
    if not _is_number(cell):
        raise errors.InputError(
            f'{path}: column {name} holds text, {cell.strip()[:100]!r} in line {line}; the columns '
            f'must be numbers, except the labels that --target names'
        )
    return float(cell)


def _finite_or_missing(value: float) -> bool:
    return not math.isinf(value)


def _refuse_not_finite(path: pathlib.Path, refused: dict[str, list[int]], missing: bool) -> None:
    if refused:
        name, lines = next(iter(refused.items()))
        cells = errors.counted(sum(map(len, refused.values())), 'cell is', 'cells are')
        what = 'infinite' if missing else 'empty or not finite'
        others = f' and {len(lines) - 1} more' if len(lines) > 1 else ''
        more = f', {len(refused) - 1} columns more' if len(refused) > 1 else ''
        raise errors.InputError(
            f'{path}: {cells} {what}: column {name} in line {lines[0]}{others}{more}; remove these '
            f'rows or fill in numbers{"" if missing else ", or mask empty cells: --missing=mask"}'
        )
