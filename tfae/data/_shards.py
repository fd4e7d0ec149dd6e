"""Shards: picture files in few large ones, each picture found by its place.

    index.json                      what there is: counts, classes, and each shard's length and sums
    pictures-00000-of-00012.tfrecord  TFRecord of tf.train.Example with `image/encoded`,
                                    `image/filename` and, where there are classes,
                                    `image/class/label`
    pictures-00000-of-00012.json    of each picture its name, part, class, offset, length and CRC-32

Pictures are read one by one at their offsets, so the order of the examples is free; each is held to
its CRC-32 when it is read. Any other program reads the shards as TFRecord files.
"""

import hashlib
import json
import os
import pathlib
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae import checks
from tfae.data import _pictures

INDEX = 'index.json'
VERSION = 1
_CHUNK = 2**20
# Of a shard's own file: one value a picture.
COLUMNS = ('names', 'parts', 'labels', 'offsets', 'lengths', 'crc32', 'sizes', 'grey', 'jpeg')


class Shard(NamedTuple):
    """A line of the index."""

    file: str
    examples: int
    bytes: int
    sha256: str
    table_sha256: str  # of the file beside it


class Index(NamedTuple):
    """What a folder of shards holds."""

    folder: pathlib.Path
    class_names: tuple[str, ...]
    shards: tuple[Shard, ...]


class ShardFiles:
    """Pictures in shards. See `_pictures.Files`."""

    def __init__(self, index: Index, tables: Sequence[dict[str, list]]):
        """Opens the shards; `tables` are those beside them."""
        self._index = index
        self._open = [os.open(index.folder / shard.file, os.O_RDONLY) for shard in index.shards]
        self._shard = np.repeat(np.arange(len(tables)), [len(t['names']) for t in tables])
        self.names: Sequence[str] = [name for table in tables for name in table['names']]
        self._offsets, self._lengths, self._sums = (
            np.concatenate([np.array(table[name], np.int64) for table in tables])
            for name in ('offsets', 'lengths', 'crc32')
        )

    def __del__(self) -> None:
        for descriptor in getattr(self, '_open', ()):
            os.close(descriptor)

    def where(self, place: int) -> str:
        """See `_pictures.Files`."""
        path = self._index.folder / self._index.shards[self._shard[place]].file
        return f'{path}: picture {self.names[place]!r}'

    def read(self, place: int) -> bytes:
        """See `_pictures.Files`."""
        shard, length = self._shard[place], int(self._lengths[place])
        content = os.pread(self._open[shard], length, int(self._offsets[place]))
        if len(content) != length or zlib.crc32(content) != self._sums[place]:
            raise checks.InputError(
                f'{self.where(place)} is not as it was written; `tfae verify` says what is damaged'
            )
        return content

    def identity(self, places: np.ndarray) -> bytes:
        """See `_pictures.Files`: the sums of the pictures."""
        columns = (self._sums[places], self._lengths[places])
        return hashlib.blake2b(np.stack(columns).tobytes(), digest_size=16).digest()


def table_of(path: pathlib.Path) -> pathlib.Path:
    """The file beside a shard that says where its pictures lie."""
    return path.with_suffix('.json')


def read_index(folder: pathlib.Path) -> Index:
    """The index of a folder of shards.

    Raises: InputError that names the file if there is none, or it is not as `tfae convert` writes.
    """
    path = folder / INDEX
    if not path.is_file():
        raise checks.InputError(f'{path} is missing; `tfae convert` writes it last of all')
    try:
        content = json.loads(path.read_bytes())
        if content['version'] != VERSION:
            raise checks.InputError(f'{path} is of version {content["version"]}, not {VERSION}')
        shards = tuple(Shard(**line) for line in content['shards'])
        return Index(folder, tuple(content['classes']), shards)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, checks.InputError):
            raise
        raise checks.InputError(f'{path} is no index of shards: {error!r}') from None


def read_tables(index: Index) -> list[dict[str, list]]:
    """What lies where in each shard, after a look at its length.

    Raises: InputError that names a shard that is missing or cut short, or a damaged table.
    """
    tables = []
    for shard in index.shards:
        path = index.folder / shard.file
        if problem := _length_problem(path, shard):
            raise checks.InputError(problem)
        content = _read(table_of(path))
        if hashlib.sha256(content).hexdigest() != shard.table_sha256:
            raise checks.InputError(f'{table_of(path)} is not as it was written')
        tables.append(json.loads(content))
    return tables


def column(tables: Sequence[dict[str, list]], name: str, dtype: Any) -> np.ndarray:
    """One value a picture, over all shards."""
    return np.concatenate([np.array(table[name], dtype) for table in tables])


def problem(index: Index, shard: Shard) -> str:
    """What is wrong with a shard, in words that name it, after a look at every byte; else ''."""
    path = index.folder / shard.file
    if said := _length_problem(path, shard):
        return said
    table = table_of(path)
    if not table.is_file() or sha256(table) != shard.table_sha256:
        return f'{table} is not as it was written'
    if sha256(path) == shard.sha256:
        return ''
    rows = json.loads(table.read_bytes())
    with path.open('rb') as file:
        for name, offset, length, crc32 in zip(
            *(rows[key] for key in ('names', 'offsets', 'lengths', 'crc32')), strict=True
        ):
            file.seek(offset)
            if zlib.crc32(file.read(length)) != crc32:
                return f'{path}: picture {name!r}, {length:,} bytes at {offset:,}, has changed'
    return f'{path} has changed between its pictures'


def sha256(path: pathlib.Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def open_pictures(folder: pathlib.Path, flags: Any) -> tuple[_pictures.Files, _pictures.Form, dict]:
    """The pictures of a folder of shards, how they are decoded, and `parts`, `labels`, `classes`.

    Raises: InputError that names what is missing or damaged.
    """
    index = read_index(folder)
    if not index.shards:
        raise checks.InputError(f'{folder / INDEX} names no shard')
    tables = read_tables(index)
    files = ShardFiles(index, tables)
    form = _pictures.form(
        column(tables, 'sizes', np.int32),
        bool(column(tables, 'grey', bool).all()),
        bool(column(tables, 'jpeg', bool).all()),
        flags,
        files.where,
    )
    labels = column(tables, 'labels', np.int64) if index.class_names else None
    parts = column(tables, 'parts', np.int64)
    return files, form, {'parts': parts, 'labels': labels, 'classes': index.class_names}


def _length_problem(path: pathlib.Path, shard: Shard) -> str:
    if not path.is_file():
        return f'{path} is missing'
    came = path.stat().st_size
    if came == shard.bytes:
        return ''
    what = 'cut short' if came < shard.bytes else 'too long'
    return f'{path} is {what}: {came:,} bytes of {shard.bytes:,}'


def _read(path: pathlib.Path) -> bytes:
    if not path.is_file():
        raise checks.InputError(f'{path} is missing')
    return path.read_bytes()
