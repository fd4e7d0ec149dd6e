"""Attribute tables: what is known of pictures beside their classes.

A table is CSV with a header, whose first column names the picture, or has CelebA's form
(`list_attr_celeba.txt`): a line with the count, one with the names, then `name 1 -1 ...`. Of a data
set whose pictures have no names, the first column holds their places in the part, from 0.

N pictures.
"""

import csv
import math
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

import numpy as np

from tfae import checks, data

_LONGEST = 2**16  # characters of a line
_COMPARISON = re.compile(r'([^=<>]+)(?:([=<>])(.*))?')
_POSITIVE = ('1', '1.0', 'true', 'yes')
_NEGATIVE = ('0', '0.0', '-1', '-1.0', 'false', 'no')


class Table(NamedTuple):
    """Cells as they were written."""

    keys: tuple[str, ...]  # of the N pictures, each once
    columns: Mapping[str, Sequence[str]]  # name -> N cells; an empty one says nothing

    def having(self, attribute: str) -> tuple[np.ndarray, np.ndarray]:
        """Which pictures have an attribute `[N]`, and of which it is known `[N]`.

        Args:
          attribute: `name` of a column of yes and no (1, and 0 or -1; true, false), `name=word`,
            `name=word|word`, `name<number` or `name>number`.
        Raises: UsageError that names the attribute, if there is no such column or word, or its
          cells are of another kind.
        """
        found = _COMPARISON.fullmatch(attribute.strip())
        if not found:
            raise checks.UsageError(
                f'--attribute is {attribute!r}; it must be name, name=word, name<number or '
                f'name>number'
            )
        name, sign, asked = found[1].strip(), found[2], (found[3] or '').strip()
        cells = self.columns[checks.one_of('--attribute', name, list(self.columns))]
        known = np.array([cell != '' for cell in cells])
        if sign == '=':
            return self._of_words(attribute, cells, asked.split('|')), known
        if sign:
            numbers = _numbers(attribute, cells, asked)
            values = numbers[:-1] < numbers[-1] if sign == '<' else numbers[:-1] > numbers[-1]
            return values & known, known
        strange = sorted({c for c in cells if c and c.lower() not in (*_POSITIVE, *_NEGATIVE)})
        if strange:
            raise checks.UsageError(
                f'--attribute is {attribute!r}; column {name} holds {strange[0]!r}, which is '
                f'neither yes nor no: name=word, name<number or name>number asks for more'
            )
        return np.array([cell.lower() in _POSITIVE for cell in cells]), known

    def places(self, names: Sequence[str] | None, count: int) -> np.ndarray:
        """The row `[count]` of each picture of a part, -1 where there is none.

        Args:
          names: of the pictures; None: the keys are places from 0.
          count: pictures of the part.
        """
        rows = {key: row for row, key in enumerate(self.keys)}
        wanted = map(str, range(count)) if names is None else names
        return np.array([rows.get(name, -1) for name in wanted], np.int64)

    def _of_words(self, attribute: str, cells: Sequence[str], words: Sequence[str]) -> np.ndarray:
        there = sorted(set(cells) - {''})
        for word in words:
            if word not in there:
                shown = ', '.join(there[:20])
                raise checks.UsageError(
                    f'--attribute is {attribute!r}; {word!r} stands nowhere in that column'
                    f'{checks.nearest(word, there) or f", which holds {shown}"}'
                )
        return np.isin(cells, words)


def read(path: pathlib.Path) -> Table:
    """The table in a file.

    Raises: InputError that names the file and the line if it is no such table.
    """
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            rows = _rows(path, file)
            names = next(rows)[1]
            return _table(path, names, rows)
    except FileNotFoundError:
        raise checks.InputError(f'--attributes {path} is not there') from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise checks.InputError(f'--attributes {path} cannot be read: {error}') from None


def of_classes(part: data.Split, class_names: Sequence[str]) -> Table:
    """The classes of a part as its one attribute, `class`; keys are places.

    Raises: UsageError if it has no labels.
    """
    if part.labels is None:
        raise checks.UsageError(
            '--attributes is empty and the data set has no labels; it must name a table'
        )
    words = [class_names[k] if class_names else str(k) for k in part.labels]
    return Table(tuple(map(str, range(len(words)))), {'class': words})


def _rows(path: pathlib.Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """`(line, cells)` of a table in either form, the header first."""
    first = file.readline(_LONGEST)
    if first.strip().isdigit():
        yield 2, ['name', *file.readline(_LONGEST).split()]
        for line, text in enumerate(file, 3):
            if text.strip():
                yield line, text.split()
        return
    if not first.strip():
        raise checks.InputError(f'--attributes {path} line 1 is empty; it must name the columns')
    yield 1, [cell.strip() for cell in next(csv.reader([first]))]
    reader = csv.reader(file, strict=True)
    for row in reader:
        if row:
            yield reader.line_num + 1, [cell.strip() for cell in row]


def _table(path: pathlib.Path, names: list[str], rows: Iterator[tuple[int, list[str]]]) -> Table:
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise checks.InputError(
            f'--attributes {path} line 1 is {",".join(names)!r}; it must name at least two '
            f'columns, each otherwise'
        )
    keys: dict[str, None] = {}
    columns: list[list[str]] = [[] for _ in names[1:]]
    for line, cells in rows:
        if len(cells) != len(names):
            raise checks.InputError(
                f'--attributes {path} line {line} has {len(cells)} cells; the header has '
                f'{len(names)}'
            )
        if cells[0] in keys:
            raise checks.InputError(f'--attributes {path} line {line} names {cells[0]} again')
        keys[cells[0]] = None
        for column, cell in zip(columns, cells[1:], strict=True):
            column.append(sys.intern(cell))  # few words stand in many rows
    if not keys:
        raise checks.InputError(f'--attributes {path} has a header and no row')
    return Table(tuple(keys), dict(zip(names[1:], columns, strict=True)))


def _numbers(attribute: str, cells: Sequence[str], asked: str) -> np.ndarray:
    """The cells `[N]` as numbers, nan where there is none, and what they are held against."""
    try:
        numbers = np.array([float(cell) if cell else math.nan for cell in (*cells, asked)])
    except ValueError as error:
        raise checks.UsageError(f'--attribute is {attribute!r}; {error}') from None
    if math.isnan(numbers[-1]):
        raise checks.UsageError(f'--attribute is {attribute!r}; a number must follow < or >')
    return numbers
