"""Attribute tables: properties of images other than their classes.

A table is a CSV file with a header whose first column names the image, or has CelebA's format
(`list_attr_celeba.txt`): a line with the count, a line with the names, then `name 1 -1 ...`. For
data sets without file names, the first column is the index in the split, from 0.

N images.
"""

import contextlib
import csv
import io
import math
import pathlib
import re
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

import numpy as np

from tfae.core import bounded_files, errors
from tfae.data import splits

_MAX_LINE = 2**16  # characters
_COUNT = re.compile(r'\s*([0-9]{1,18})\s*')
_COMPARISON = re.compile(r'([^=<>]+)(?:([=<>])(.*))?')
# A minus is a sign unless it stands behind a number or a letter: 20-29 and age-20 have none.
_NUMBER = re.compile(
    r'(?P<sign>(?<![0-9A-Za-z])(?<![0-9]\s)-)?'
    r'(?P<size>(?:[0-9]{1,300}(?:\.[0-9]{1,300})?|\.[0-9]{1,300})(?:[eE][-+]?[0-9]{1,3})?)'
)
_THOUSANDS = re.compile(r'(?<![0-9.,])([0-9]{1,3})((?:,[0-9]{3})+)(?![0-9,])')
_DIGITS = re.compile(r'[0-9],[0-9]')
_POSITIVE = ('1', '1.0', 'true', 'yes')
_NEGATIVE = ('0', '0.0', '-1', '-1.0', 'false', 'no')
_NOT_FINITE = frozenset(
    sign + word for sign in ('', '+', '-') for word in ('nan', 'inf', 'infinity')
)


class Table(NamedTuple):
    """The cells of a table, as text."""

    keys: tuple[str, ...]  # of the N images, each once
    columns: Mapping[str, Sequence[str]]  # name -> N cells; empty where the value is unknown
    aliases: Mapping[str, str] = types.MappingProxyType({})  # synonyms -> values of the cells

    def having(self, attribute: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns which images have an attribute, bool `[N]`, and where it is known, bool `[N]`.

        Args:
          attribute: `name` of a boolean column (1 and 0 or -1; true and false), `name=word`,
            `name=word|word`, `name<number` or `name>number`.
        Raises: UsageError that names the attribute, if there is no such column or word, or its
          cells have another type.
        """
        found = _COMPARISON.fullmatch(attribute.strip())
        if not found:
            raise errors.UsageError(
                f'--attribute is {attribute!r}; it must be name, name=word, name<number or '
                f'name>number'
            )
        name, sign, asked = found[1].strip(), found[2], (found[3] or '').strip()
        cells = self.columns[errors.one_of('--attribute', name, list(self.columns))]
        known = np.array([cell != '' for cell in cells])
        if sign == '=':
            return self._of_words(attribute, cells, [w.strip() for w in asked.split('|')]), known
        if sign:
            numbers = _numbers(attribute, cells, asked)
            values = numbers[:-1] < numbers[-1] if sign == '<' else numbers[:-1] > numbers[-1]
            return values & known, known
        invalid = sorted({c for c in cells if c and c.lower() not in (*_POSITIVE, *_NEGATIVE)})
        if invalid:
            raise errors.UsageError(
                f'--attribute is {attribute!r}; column {name} holds {invalid[0]!r}, which is '
                f'not a boolean; use name=word, name<number or name>number'
            )
        return np.array([cell.lower() in _POSITIVE for cell in cells]), known

    def places(self, names: Sequence[str] | None, count: int) -> np.ndarray:
        """Returns the row `[count]` of each image of a split, -1 where there is none.

        Args:
          names: of the images; None where the keys are indices from 0.
          count: images of the split.
        """
        rows = {key: row for row, key in enumerate(self.keys)}
        wanted = map(str, range(count)) if names is None else names
        return np.array([rows.get(name, -1) for name in wanted], np.int64)

    def _of_words(self, attribute: str, cells: Sequence[str], words: Sequence[str]) -> np.ndarray:
        there = sorted(set(cells) - {''})
        words = [word if word in there else self.aliases.get(word, word) for word in words]
        for word in words:
            if word not in there:
                shown = ', '.join(there[:20])
                raise errors.UsageError(
                    f'--attribute is {attribute!r}; that column has no {word!r}'
                    f'{errors.nearest(word, there) or f"; it holds {shown}"}'
                )
        return np.isin(cells, words)


def quantity(text: str) -> float | None:
    """Returns the number that a text is or holds: 3.5 of "3.5", 24.5 of "20-29"; None without one.

    Several numbers give their mean, the middle of a band. A comma separates thousands; a text with
    one elsewhere between digits is not a number, since it might be a decimal point.
    """
    text = _THOUSANDS.sub(lambda found: found[0].replace(',', ''), text).replace('_', ' - ')
    with contextlib.suppress(ValueError):
        value = float(text)
        return value if math.isfinite(value) else None
    if _DIGITS.search(text):
        return None
    found = [float(f'{number["sign"] or ""}{number["size"]}') for number in _NUMBER.finditer(text)]
    value = sum(found) / len(found) if found else math.nan
    return value if math.isfinite(value) else None


def read(path: pathlib.Path) -> Table:
    """Reads a table from a file.

    Raises: InputError that names the file and the line if it is not a valid table.
    """
    try:
        with (
            bounded_files.open_regular(path) as content,
            io.TextIOWrapper(content, encoding='utf-8-sig', newline='') as file,
        ):
            return _table(path, _rows(path, _lines(path, file)))
    except FileNotFoundError:
        raise errors.InputError(f'--attributes {path} does not exist') from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise errors.InputError(f'--attributes {path} cannot be read: {reason}') from None


def of_classes(split: splits.Split, class_names: Sequence[str]) -> Table:
    """Returns the classes of a split as an attribute `class`, by name or number.

    Raises: UsageError if it has no labels.
    """
    if split.labels is None:
        raise errors.UsageError(
            '--attributes is empty and the data set has no labels; it must name a table'
        )
    words = splits.class_words(split.labels, class_names)
    numbers = {str(k): name for k, name in enumerate(class_names)}
    return Table(tuple(map(str, range(len(words)))), {'class': words}, numbers)


def _lines(path: pathlib.Path, file: TextIO) -> Iterator[str]:
    """Yields the lines of a text, none of which fills the memory."""
    for line, text in enumerate(iter(lambda: file.readline(_MAX_LINE), ''), 1):
        if len(text) == _MAX_LINE:
            raise errors.InputError(
                f'--attributes {path} line {line} is too long; it must be shorter '
                f'than {_MAX_LINE} characters'
            )
        yield text


def _rows(path: pathlib.Path, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields `(line, cells)` of a table in either form, the header first."""
    first = next(lines, '')
    if counted := _COUNT.fullmatch(first):
        yield 2, ['name', *next(lines, '').split()]
        count = 0
        for line, text in enumerate(lines, 3):
            if text.strip():
                count += 1
                yield line, text.split()
        if count != int(counted[1]):
            raise errors.InputError(
                f'--attributes {path} line 1 declares {int(counted[1])} images; the table has '
                f'{count} rows'
            )
        return
    if not first.strip():
        raise errors.InputError(f'--attributes {path} line 1 is empty; it must name the columns')
    yield 1, [cell.strip() for cell in next(csv.reader([first]))]
    reader = csv.reader(lines, strict=True)
    for row in reader:
        if row:
            yield reader.line_num + 1, [cell.strip() for cell in row]


def _table(path: pathlib.Path, rows: Iterator[tuple[int, list[str]]]) -> Table:
    where, names = next(rows)
    if len(names) < 2 or len(set(names)) < len(names) or not all(names) or _row_like(names):
        raise errors.InputError(
            f'--attributes {path} line {where} is {",".join(names)[:200]!r}; it must name at '
            'least two columns, with distinct names that are not numbers'
        )
    keys: dict[str, None] = {}
    columns: list[list[str]] = [[] for _ in names[1:]]
    for line, cells in rows:
        if len(cells) != len(names):
            raise errors.InputError(
                f'--attributes {path} line {line} has {len(cells)} cells; the header has '
                f'{len(names)}'
            )
        if cells[0] in keys:
            raise errors.InputError(f'--attributes {path} line {line} names {cells[0]} again')
        keys[cells[0]] = None
        for name, column, cell in zip(names[1:], columns, cells[1:], strict=True):
            if cell.lower() in _NOT_FINITE:
                raise errors.InputError(
                    f'--attributes {path} line {line} has {cell} as {name}; it must be finite, or '
                    'empty if unknown'
                )
            column.append(sys.intern(cell))  # few distinct values in many rows
    if not keys:
        raise errors.InputError(f'--attributes {path} has a header but no rows')
    return Table(tuple(keys), dict(zip(names[1:], columns, strict=True)))


def _row_like(names: Sequence[str]) -> bool:
    """Returns whether a header has a number among its cells, as rows have."""
    for name in names[1:]:
        with contextlib.suppress(ValueError):
            float(name)
            return True
    return False


def _numbers(attribute: str, cells: Sequence[str], asked: str) -> np.ndarray:
    """Converts the cells and the wanted number to floats `[N + 1]`, nan where unknown."""
    try:
        numbers = np.array([float(cell) if cell else math.nan for cell in (*cells, asked)])
    except ValueError as error:
        raise errors.UsageError(f'--attribute is {attribute!r}; {error}') from None
    if not math.isfinite(numbers[-1]):
        raise errors.UsageError(f'--attribute is {attribute!r}; a number must follow < or >')
    return numbers
