"""CIFAR-10's binary files."""

import numpy as np
import pytest

from tfae import data
from tfae.core import errors
from tfae.data.sets import cifar10


@pytest.fixture
def folder(tmp_path):
    inner = tmp_path / 'cifar-10-batches-bin'
    inner.mkdir()
    random = np.random.RandomState(0)
    for i in range(6):
        name = f'data_batch_{i + 1}.bin' if i < 5 else 'test_batch.bin'
        records = random.randint(0, 256, (4, 3073)).astype(np.uint8)
        records[:, 0] = (np.arange(4) + i) % 10
        (inner / name).write_bytes(records.tobytes())
    return tmp_path


def load(folder):
    return data.load(data.Config('cifar10', str(folder), validation_fraction=0))


def test_planes_become_channels(folder):
    loaded = load(folder)
    assert loaded.train.images.shape == (20, 32, 32, 3)
    assert loaded.test.images.shape == (4, 32, 32, 3)
    assert loaded.train.labels[:6].tolist() == [0, 1, 2, 3, 1, 2]
    assert loaded.class_names == cifar10.CLASSES
    raw = (folder / 'cifar-10-batches-bin' / 'data_batch_2.bin').read_bytes()[3073:]
    for channel, y, x in ((0, 0, 1), (1, 2, 0), (2, 31, 30)):
        assert loaded.train.images[5, y, x, channel] == raw[1 + 1024 * channel + 32 * y + x]


@pytest.mark.parametrize('content', [b'', bytes(3072), bytes(3074)])
def test_a_file_that_is_not_whole_is_named(folder, content):
    (folder / 'cifar-10-batches-bin' / 'data_batch_3.bin').write_bytes(content)
    with pytest.raises(errors.InputError, match='data_batch_3.bin holds .* bytes; it must hold'):
        load(folder)


def test_a_class_that_is_none_is_named(folder):
    path = folder / 'cifar-10-batches-bin' / 'test_batch.bin'
    path.write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(errors.InputError, match='test_batch.bin: record 0 is of class 10; there'):
        load(folder)
