"""A table in a CSV file: a line with the names of the columns, then a row of numbers per line.

Cells are separated by the comma, semicolon or tab of which the first line has the most. One column
may hold labels of any text. N rows, D columns.
"""

import array
import csv
import io
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

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


def read(path: pathlib.Path, target: str = '') -> Table:
    """Reads a table.

    Args:
      path: of the file.
      target: name of the column of the labels; empty: there is none.
    Raises: UsageError if there is no such column; InputError that names the file and the line or
      the column, if it is not a table of finite numbers.
    """
    try:
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise errors.InputError(
                f'{path} has {size:,} bytes; it must have at most {_MAX_BYTES:,}'
            )
        with (
            bounded_files.open_regular(path) as content,
            io.TextIOWrapper(content, encoding='utf-8-sig', newline='') as file,
        ):
            return _read(path, lines_of(path, file), target)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise errors.InputError(f'{path} cannot be read: {reason}') from None


def lines_of(path: pathlib.Path | str, file: TextIO) -> Iterator[str]:
    """Yields the lines of a text, none of which fills the memory."""
    for line, text in enumerate(iter(lambda: file.readline(_MAX_LINE), ''), 1):
        if len(text) == _MAX_LINE:
            raise errors.InputError(
                f'{path} line {line} is too long; it must be shorter than {_MAX_LINE} characters'
            )
        yield text


def _read(path: pathlib.Path, lines: Iterator[str], target: str) -> Table:
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
    missing: dict[str, list[int]] = {}  # column -> lines
    for line, cells in reader:
        if target:
            label = cells.pop(place).strip()
            labels.append('' if label.lower() in _MISSING else label)
        row = numbers(path, columns, cells, line)
        values.extend(row)
        if not all(map(math.isfinite, row)):
            for name, value in zip(columns, row, strict=True):
                if not math.isfinite(value):
                    missing.setdefault(name, []).append(line)
    if not values:
        raise errors.InputError(f'{path} has a header but no rows')
    _refuse_not_finite(path, missing)
    with np.errstate(over='ignore'):
        rows = np.frombuffer(values, np.float64).reshape(-1, len(columns)).astype(np.float32)
    if (wide := np.argwhere(np.isinf(rows))).size:
        raise errors.InputError(
            f'{path}: column {columns[wide[0, 1]]} holds numbers that exceed float32'
        )
    return Table(tuple(columns), rows, labels if target else None)


class Reader:
    """An iterator over the rows of a table, `(line, cells)`; the header is line 1.

    It can continue after an error about a row, and reads no further than the row that it returns.

    Attributes:
      names: of the columns.
    """

    def __init__(self, who: pathlib.Path | str, lines: Iterator[str]):
        """Reads the header from the lines of `who`. Raises: InputError if it is not a header."""
        first = next(lines, '')
        separator = max(_SEPARATORS, key=first.count)
        self.names = [cell.strip() for cell in next(csv.reader([first], delimiter=separator), [])]
        _refuse_header(who, self.names)
        self._who = who
        self._rows = csv.reader(lines, delimiter=separator, strict=True)

    def __iter__(self) -> 'Reader':
        return self

    def __next__(self) -> tuple[int, list[str]]:
        cells = next(self._rows)
        while not cells:
            cells = next(self._rows)
        line = self._rows.line_num + 1
        if len(cells) != len(self.names):
            raise errors.InputError(
                f'{self._who} line {line} has {len(cells)} cells; the header has {len(self.names)}'
            )
        return line, cells


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


def _refuse_not_finite(path: pathlib.Path, missing: dict[str, list[int]]) -> None:
    if missing:
        name, lines = next(iter(missing.items()))
        cells = sum(map(len, missing.values()))
        more = f', {len(missing) - 1} columns more' if len(missing) > 1 else ''
        raise errors.InputError(
            f'{path}: {errors.counted(cells, "cell is", "cells are")} empty or not finite: column '
            f'{name} in line {lines[0]}{f" and {len(lines) - 1} more" if len(lines) > 1 else ""}'
            f'{more}; remove these rows or fill in numbers'
        )
