"""CIFAR-10: small photographs, 32x32 RGB, 50,000 for training and 10,000 for test.

Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html, in its binary version: six files of
records, each a class and 3072 bytes of red, green and blue planes.
"""

import pathlib

import numpy as np

from tfae.core import bounded_files, errors
from tfae.data import dataset, splits

FIELDS = ('data_dir',)

CLASSES = (
    'airplane',
    'automobile',
    'bird',
    'cat',
    'deer',
    'dog',
    'frog',
    'horse',
    'ship',
    'truck',
)
_FOLDER = 'cifar-10-batches-bin'  # as the published archive unpacks
_TRAIN = tuple(f'data_batch_{i}.bin' for i in range(1, 6))
_TEST = 'test_batch.bin'
_RECORD = 1 + 3 * 32 * 32
_MAX_BYTES = 2**28  # of a file; the published ones have 31 MB


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Train split [50000, 32, 32, 3], test split [10000, 32, 32, 3], both uint8.

    Raises: InputError that names the file if one is missing or truncated.
    """
    folder = dataset.folder(config.data_dir, 'cifar10')
    folder = folder / _FOLDER if (folder / _FOLDER).is_dir() else folder
    parts = [_read(folder / name) for name in _TRAIN]
    train = splits.Split(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    return train, splits.Split(*_read(folder / _TEST)), CLASSES


def _read(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    content = np.frombuffer(bounded_files.read_bytes(path, _MAX_BYTES), np.uint8)
    if not len(content) or len(content) % _RECORD:
        raise errors.InputError(
            f'{path} holds {len(content):,} bytes; it must hold a positive multiple of {_RECORD:,}'
        )
    records = content.reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        i = int(labels.argmax())
        raise errors.InputError(
            f'{path}: record {i} is of class {labels[i]}; there are {len(CLASSES)}'
        )
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), labels
