"""IDX files, the format of MNIST and of its successors.

Big-endian: magic number (two zero bytes, the type of a value, the number of dimensions), one
32-bit length for each dimension, then the values. http://yann.lecun.com/exdb/mnist/
"""

import gzip
import math
import pathlib
import zlib

import numpy as np

from tfae.core import bounded_files, errors
from tfae.data import dataset, splits

# uint8 values in three dimensions, and in one.
IMAGES_MAGIC = 0x0803
LABELS_MAGIC = 0x0801

# The largest ratio of deflate, which bounds the memory that a file can request.
_DEFLATE_LIMIT = 1032


def load(
    config: dataset.Config, name: str, class_names: tuple[str, ...]
) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Reads the four files of data set `name`, whose labels index `class_names`.

    Raises: InputError that names the file if one is missing, damaged or unlike the others.
    """
    folder = dataset.folder(config.data_dir, name)
    train = _split(folder, 'train', config, name, len(class_names))
    test = _split(folder, 't10k', config, name, len(class_names))
    if train.images.shape[1:] != test.images.shape[1:]:
        raise errors.InputError(
            f'{folder}: training images are {train.images.shape[1:3]}, test images are '
            f'{test.images.shape[1:3]}; they must match'
        )
    return train, test, class_names


def read(path: pathlib.Path, magic: int) -> np.ndarray:
    """Reads the uint8 values of one IDX file, gzipped or not, in the shape of its header.

    Raises: InputError that names `path` if its magic number is another, it is empty, or it holds
      fewer or more values than it declares.
    """
    with bounded_files.open_regular(path) as file:
        zipped = file.read(2) == b'\x1f\x8b'  # by content: browsers unpack but keep the name
    size = path.stat().st_size
    try:
        with gzip.open(path) if zipped else path.open('rb') as file:
            shape = _read_header(path, file.read(4 + 4 * (magic & 0xFF)), magic)
            wanted = math.prod(shape)
            limit = size * _DEFLATE_LIMIT if zipped else size
            # One byte more, which detects surplus data and makes gzip verify its checksum.
            values = file.read(wanted + 1) if wanted <= limit else b''
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise errors.InputError(f'{path}: gzip data is truncated or damaged ({error})') from error
    if len(values) != wanted:
        came = 'more' if len(values) > wanted else len(values) if wanted <= limit else 'fewer'
        raise errors.InputError(
            f'{path}: its header declares {" x ".join(map(str, shape))} = {wanted} bytes; the file '
            f'holds {came}'
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_header(path: pathlib.Path, header: bytes, magic: int) -> tuple[int, ...]:
    words = [int(word) for word in np.frombuffer(header[: len(header) // 4 * 4], '>u4')]
    if words and words[0] != magic:
        raise errors.InputError(
            f'{path}: magic number is 0x{words[0]:08x}; it must be 0x{magic:08x}, an IDX file of '
            f'{"images" if magic == IMAGES_MAGIC else "labels"}'
        )
    if len(words) < 1 + (magic & 0xFF):
        raise errors.InputError(
            f'{path}: holds {len(header)} bytes; an IDX header alone takes {4 + 4 * (magic & 0xFF)}'
        )
    if 0 in words[1:]:
        raise errors.InputError(
            f'{path}: declares {" x ".join(map(str, words[1:]))} values; the set must not be empty'
        )
    return tuple(words[1:])


def _split(
    folder: pathlib.Path, split: str, config: dataset.Config, name: str, classes: int
) -> splits.Split:
    images_path = _find(folder, f'{split}-images', 3, config, name)
    labels_path = _find(folder, f'{split}-labels', 1, config, name)
    images = read(images_path, IMAGES_MAGIC)
    labels = read(labels_path, LABELS_MAGIC)
    if len(images) != len(labels):
        raise errors.InputError(
            f'{labels_path}: holds {len(labels)} labels, {images_path.name} holds {len(images)} '
            'images; the counts must match'
        )
    if labels.max() >= classes:
        raise errors.InputError(
            f'{labels_path}: holds label {labels.max()}; labels must lie in 0 to {classes - 1}'
        )
    return splits.Split(images[..., None], labels.astype(np.int64))


def _find(
    folder: pathlib.Path, stem: str, rank: int, config: dataset.Config, name: str
) -> pathlib.Path:
    # Published with a dash; some mirrors use a dot.
    spellings = [f'{stem}-idx{rank}-ubyte', f'{stem}.idx{rank}-ubyte']
    for spelling in spellings:
        for path in (folder / spelling, folder / f'{spelling}.gz'):
            if path.is_file():
                return path
    where = f' --data_dir={config.data_dir}' if config.data_dir else ''
    raise errors.InputError(
        f'{folder}: has no {spellings[0]}, gzipped or not; `tfae fetch {name}{where}` downloads it'
    )
