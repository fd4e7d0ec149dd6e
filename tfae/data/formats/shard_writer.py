"""Writes image files to one shard and its table, in a worker process.

TensorFlow writes the TFRecord file; it is imported when the first shard is written.
"""

import hashlib
import io
import json
import os
import pathlib
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tfae.core import atomic_files, bounded_files, errors
from tfae.data.formats import image_files, shards

_SUM = 'sum'  # key of the checksum of a table
_FRAME = 12  # bytes before a record: its length and the checksum of the length


class Plan(NamedTuple):
    """The images of one shard, and how they are stored."""

    path: pathlib.Path  # of the shard
    root: pathlib.Path  # of the images
    names: list[str]
    parts: list[int]
    labels: list[int] | None
    size: tuple[int, int] | None  # height and width of all images; None keeps their own
    quality: int  # of JPEG, in [1, 100]; 0 keeps files that TensorFlow can decode
    skip_corrupt: bool

    def digest(self) -> str:
        """Returns a digest of the settings, and of each file's length and time of change."""
        found = [(self.root / name).stat() for name in self.names]
        files = [(each.st_size, each.st_mtime_ns) for each in found]
        what = [self.names, files, self.parts, self.labels, self.size, self.quality]
        return hashlib.sha256(json.dumps([*what, self.skip_corrupt]).encode()).hexdigest()


class Written(NamedTuple):
    """A complete shard."""

    shard: shards.Shard
    skipped: list[str]  # the error of each image that was left out
    remarks: list[str]  # unusual properties of images
    kept: bool  # whether it existed before


def write(plan: Plan) -> Written:
    """Writes a shard and its table, unless both exist and are intact.

    Raises: InputError that names an image that cannot be read, unless those are skipped.
    """
    digest = plan.digest()  # before the images are read: they may change meanwhile
    if existing := _existing(plan, digest):
        return existing
    table: dict[str, Any] = {name: [] for name in (*shards.COLUMNS, 'skipped', 'remarks')}
    with atomic_files.replacing(plan.path) as temporary:
        _write_records(plan, temporary, table)
        _add_offsets(temporary, table)
        sha256 = shards.sha256(temporary)
    length = plan.path.stat().st_size
    count = len(table['names'])
    made = shards.Shard(plan.path.name, count, length, sha256, '')
    content = _summed(table | {'plan': digest, 'shard': made._asdict()})
    atomic_files.write_text(shards.table_of(plan.path), content)
    table_sha256 = hashlib.sha256(content.encode()).hexdigest()
    shard = made._replace(table_sha256=table_sha256)
    return Written(shard, table['skipped'], table['remarks'], False)


def _existing(plan: Plan, digest: str) -> Written | None:
    """Returns the shard, if it exists as this plan would write it."""
    table_path = shards.table_of(plan.path)
    if not (plan.path.is_file() and table_path.is_file()):
        return None
    try:
        content = table_path.read_text()
        table = json.loads(content)
        del table[_SUM]
        if _summed(table) != content:  # the table was changed
            return None
        shard = shards.Shard(**table['shard'])
        reported = table['skipped'], table['remarks']
        same = table['plan'] == digest and shards.sha256(plan.path) == shard.sha256
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not same:
        return None
    return Written(shard._replace(table_sha256=shards.sha256(table_path)), *reported, True)


def _summed(table: dict[str, Any]) -> str:
    """Returns a table as JSON, with a checksum of the rest of it."""
    return json.dumps(table | {_SUM: hashlib.sha256(json.dumps(table).encode()).hexdigest()})


def _write_records(plan: Plan, path: pathlib.Path, table: dict[str, Any]) -> None:
    # Here, because importing takes seconds, and an existing shard does not need it.
    import tensorflow.compat.v1 as tf

    try:
        with tf.io.TFRecordWriter(os.fsencode(path)) as writer:
            _add_records(tf, writer, plan, table)
    except tf.errors.OpError as error:  # for example a full disk
        raise errors.InputError(f'{plan.path} cannot be written: {error.message}') from None


def _add_records(tf: Any, writer: Any, plan: Plan, table: dict[str, Any]) -> None:
    for i, name in enumerate(plan.names):
        try:
            content, found, remark = converted(plan, name)
        except errors.InputError as error:
            if not plan.skip_corrupt:
                raise
            table['skipped'].append(str(error))
            continue
        table['remarks'] += [remark] * bool(remark)
        record = _record(tf, name, content, None if plan.labels is None else plan.labels[i])
        writer.write(record)
        row = {
            'names': name,
            'parts': plan.parts[i],
            'labels': -1 if plan.labels is None else plan.labels[i],
            'offsets': record.index(content),  # within the record, for now
            'lengths': len(content),
            'crc32': zlib.crc32(content),
            'sizes': [found.height, found.width],
            'grey': found.gray,
            'jpeg': found.format == 'JPEG',
        }
        for key, value in row.items():
            table[key].append(value)


def _record(tf: Any, name: str, content: bytes, label: int | None) -> bytes:
    """Returns a serialized tf.train.Example."""
    features = {
        'image/encoded': _bytes(tf, content),
        'image/filename': _bytes(tf, name.encode('utf-8', 'surrogateescape')),
    }
    if label is not None:
        whole = tf.train.Int64List(value=[label])
        features['image/class/label'] = tf.train.Feature(int64_list=whole)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _add_offsets(path: pathlib.Path, table: dict[str, Any]) -> None:
    """Converts offsets within the records to offsets within the file."""
    place = 0
    with path.open('rb') as file:
        for i, inner in enumerate(table['offsets']):
            file.seek(place)
            length = int.from_bytes(file.read(8), 'little')
            table['offsets'][i] = place + _FRAME + inner
            place += _FRAME + length + 4  # with the checksum of the record


def converted(plan: Plan, name: str) -> tuple[bytes, image_files.Header, str]:
    """Decodes an image once; returns the bytes to store, their header, and a remark.

    Raises: InputError that names the file.
    """
    path = plan.root / name
    who = image_files.shown(path)
    try:
        with bounded_files.open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise errors.InputError(f'{who} cannot be read: {error.strerror or error}') from None
    found = image_files.header(content, who)
    remark = f'{who} {found.remark}' if found.remark else ''
    image = image_files.eight_bits(content, who)
    if plan.size:
        image = _scaled(image, plan.size)
    if found.plain and not plan.size and not plan.quality:
        return content, found, remark
    kind = 'JPEG' if plan.quality or found.format == 'JPEG' else 'PNG'
    buffer = io.BytesIO()
    image.save(buffer, kind, **({'quality': plan.quality or 95} if kind == 'JPEG' else {}))
    stored = buffer.getvalue()
    return stored, image_files.header(stored, who), remark


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Crops an image to the aspect ratio of `size` and scales it to that size."""
    height, width = size
    part = min(image.width / width, image.height / height)
    kept = np.array([width * part, height * part])
    low = (np.array(image.size) - kept) / 2
    box = tuple(np.concatenate([low, low + kept]).tolist())
    return image.resize((width, height), Image.Resampling.LANCZOS, box)


def _bytes(tf: Any, value: bytes) -> Any:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
