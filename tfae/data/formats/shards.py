"""Shards: image files in a few large TFRecord files, with random access to each image.

    index.json                      counts, classes, and the length and checksums of each shard
    images-00000-of-00012.tfrecord  TFRecord of tf.train.Example with `image/encoded`,
                                    `image/filename` and, where there are classes,
                                    `image/class/label`
    images-00000-of-00012.json      of each image its name, split, class, offset, length and CRC-32

Images are read one by one at their offsets, in any order, and each is verified by its CRC-32. Other
programs can read the shards as TFRecord files.
"""

import hashlib
import json
import os
import pathlib
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae.core import errors
from tfae.data import lazy_images
from tfae.data.formats import image_files

INDEX = 'index.json'
VERSION = 1
_CHUNK = 2**20  # bytes per read
# Columns of the table of a shard: one value per image.
COLUMNS = ('names', 'parts', 'labels', 'offsets', 'lengths', 'crc32', 'sizes', 'grey', 'jpeg')


class Shard(NamedTuple):
    """An entry of the index."""

    file: str
    examples: int
    bytes: int
    sha256: str
    table_sha256: str  # of its table


class Index(NamedTuple):
    """The content of a folder of shards."""

    folder: pathlib.Path
    class_names: tuple[str, ...]
    shards: tuple[Shard, ...]


class ShardFiles:
    """Images in shards. See `lazy_images.Files`."""

    def __init__(self, index: Index, tables: Sequence[dict[str, list]]):
        """Opens the shards of an index, with their tables."""
        self._index = index
        self._open: list[int] = []
        for shard in index.shards:  # one by one: those before one that fails are closed
            self._open.append(os.open(index.folder / shard.file, os.O_RDONLY))
        self._shard = np.repeat(np.arange(len(tables)), [len(t['names']) for t in tables])
        self.names: Sequence[str] = [name for table in tables for name in table['names']]
        self._offsets, self._lengths, self._sums = (
            column(tables, name, np.int64) for name in ('offsets', 'lengths', 'crc32')
        )

    def __del__(self) -> None:
        for descriptor in getattr(self, '_open', ()):
            os.close(descriptor)

    def where(self, place: int) -> str:
        """See `lazy_images.Files`."""
        path = self._index.folder / self._index.shards[self._shard[place]].file
        return f'{path}: image {self.names[place]!r}'

    def read(self, place: int) -> bytes:
        """See `lazy_images.Files`."""
        shard, length = self._shard[place], int(self._lengths[place])
        content = os.pread(self._open[shard], length, int(self._offsets[place]))
        if len(content) != length or zlib.crc32(content) != self._sums[place]:
            raise errors.InputError(
                f'{self.where(place)} has changed since it was written; run `tfae verify`'
            )
        # Shards of earlier versions may hold transparent images.
        who = self.where(place)
        return image_files.plain(content, who) if image_files.transparent(content) else content

    def identity(self, places: np.ndarray) -> bytes:
        """See `lazy_images.Files`: the checksums of the images."""
        columns = (self._sums[places], self._lengths[places])
        return hashlib.blake2b(np.stack(columns).tobytes(), digest_size=16).digest()


def table_of(path: pathlib.Path) -> pathlib.Path:
    """Returns the path of the table of a shard, which locates its images."""
    return path.with_suffix('.json')


def read_index(folder: pathlib.Path) -> Index:
    """Reads the index of a folder of shards.

    Raises: InputError that names the file if it is missing, or invalid.
    """
    path = folder / INDEX
    if not path.is_file():
        raise errors.InputError(f'{path} is missing; `tfae convert` writes it last')
    try:
        content = json.loads(path.read_bytes())
        if content['version'] != VERSION:
            raise errors.InputError(
                f'{path} has version {content["version"]!r}; it must be {VERSION}'
            )
        shards = tuple(Shard(**line) for line in content['shards'])
        classes = tuple(content['classes'])
    except errors.InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.InputError(f'{path} is not an index of shards: {error!r}') from None
    if not all(isinstance(name, str) for name in classes):
        raise errors.InputError(f'{path}: its classes must be strings')
    for shard in shards:
        _check_shard(path, shard)
    return Index(folder, classes, shards)


def read_tables(index: Index) -> list[dict[str, list]]:
    """Reads the tables of all shards, after checking the lengths of the shards.

    Raises: InputError that names a shard that is missing or truncated, or a damaged table.
    """
    tables = []
    for shard in index.shards:
        path = index.folder / shard.file
        if problem := _length_problem(path, shard):
            raise errors.InputError(problem)
        content = _read(table_of(path))
        if hashlib.sha256(content).hexdigest() != shard.table_sha256:
            raise errors.InputError(f'{table_of(path)} has changed since it was written')
        tables.append(_table(table_of(path), content, shard, len(index.class_names)))
    return tables


def column(tables: Sequence[dict[str, list]], name: str, dtype: Any) -> np.ndarray:
    """Concatenates a column over all shards."""
    # A shard whose images were all left out has no sizes: `[0]`, which joins no `[N, 2]`.
    return np.concatenate([np.array(table[name], dtype) for table in tables if table[name]])


def problem(index: Index, shard: Shard) -> str:
    """Verifies every byte of a shard; returns a description of the first damage, or ''."""
    path = index.folder / shard.file
    if found := _length_problem(path, shard):
        return found
    table = table_of(path)
    if not table.is_file() or sha256(table) != shard.table_sha256:
        return f'{table} has changed since it was written'
    if sha256(path) == shard.sha256:
        return ''
    rows = _table(table, table.read_bytes(), shard, len(index.class_names))
    with path.open('rb') as file:
        for name, offset, length, crc32 in zip(
            *(rows[key] for key in ('names', 'offsets', 'lengths', 'crc32')), strict=True
        ):
            file.seek(offset)
            if zlib.crc32(file.read(length)) != crc32:
                return f'{path}: image {name!r}, {length:,} bytes at {offset:,}, has changed'
    return f'{path} has changed between its images'


def sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def open_images(
    folder: pathlib.Path, flags: Any
) -> tuple[lazy_images.Files, lazy_images.Form, dict]:
    """Opens a folder of shards: returns its files, their form, and `parts`, `labels`, `classes`.

    Raises: InputError that names what is missing or damaged.
    """
    index = read_index(folder)
    if not index.shards:
        raise errors.InputError(f'{folder / INDEX} lists no shard')
    tables = read_tables(index)
    if not any(table['names'] for table in tables):
        raise errors.InputError(f'{folder / INDEX}: its shards hold no image')
    files = ShardFiles(index, tables)
    form = lazy_images.form(
        column(tables, 'sizes', np.int32),
        bool(column(tables, 'grey', bool).all()),
        bool(column(tables, 'jpeg', bool).all()),
        flags,
        files.where,
    )
    labels = column(tables, 'labels', np.int64) if index.class_names else None
    parts = column(tables, 'parts', np.int64)
    return files, form, {'parts': parts, 'labels': labels, 'classes': index.class_names}


def _check_shard(path: pathlib.Path, shard: Shard) -> None:
    """Refuses an entry of the index without a file in its folder, lengths and checksums."""
    name = shard.file
    if not isinstance(name, str) or pathlib.PurePath(name).name != name or name[-9:] != '.tfrecord':
        raise errors.InputError(
            f'{path} names the shard {name!r}; it must be a .tfrecord in the same folder'
        )
    sums = (shard.sha256, shard.table_sha256)
    if not _within((shard.examples, shard.bytes), 0, 2**62) or not _all(str, sums):
        raise errors.InputError(f'{path}: shard {name!r} lacks lengths or checksums')


def _table(path: pathlib.Path, content: bytes, shard: Shard, classes: int) -> dict[str, list]:
    """Parses the table of a shard, which is untrusted: its rows must lie within the shard."""
    try:
        rows = json.loads(content)
        columns = {name: rows[name] for name in COLUMNS}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise errors.InputError(f'{path} is not a table of images: {error!r}') from None
    if not _all(list, columns.values()) or len({len(c) for c in columns.values()}) > 1:
        raise errors.InputError(f'{path}: its columns must be lists of one length')
    sizes = columns['sizes']
    sound = {
        'names': _all(str, columns['names']),
        'parts': _within(columns['parts'], 0, 2),
        'labels': _within(columns['labels'], -1, max(classes, 1) - 1),
        'offsets': _within(columns['offsets'], 0, shard.bytes),
        'lengths': _within(columns['lengths'], 0, shard.bytes),
        'crc32': _within(columns['crc32'], 0, 2**32 - 1),
        'sizes': _all(list, sizes) and all(len(s) == 2 and _within(s, 1, 2**16) for s in sizes),
        'grey': _all(bool, columns['grey']),
        'jpeg': _all(bool, columns['jpeg']),
    }
    wrong = [name for name in COLUMNS if not sound[name]]
    if wrong:
        raise errors.InputError(f'{path}: invalid values of {", ".join(wrong)}')
    return columns


def _all(kind: type, values: Iterable[Any]) -> bool:
    return all(isinstance(value, kind) for value in values)


def _within(values: Iterable[Any], low: int, high: int) -> bool:
    """Returns whether these are integers from `low` to `high`."""
    return all(type(value) is int and low <= value <= high for value in values)


def _length_problem(path: pathlib.Path, shard: Shard) -> str:
    if not path.is_file():
        return f'{path} is missing'
    came = path.stat().st_size
    if came == shard.bytes:
        return ''
    what = 'truncated' if came < shard.bytes else 'too long'
    return f'{path} is {what}: {came:,} bytes of {shard.bytes:,}'


def _read(path: pathlib.Path) -> bytes:
    if not path.is_file():
        raise errors.InputError(f'{path} is missing')
    return path.read_bytes()
