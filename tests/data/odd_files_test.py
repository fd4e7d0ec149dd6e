"""Data sets of files that are none: FIFOs and devices are refused at once, never waited for."""

import contextlib
import os
import signal

import pytest

from tfae import data
from tfae.core import errors
from tfae.data import attributes

FILES = {
    'mnist': 'train-images-idx3-ubyte',
    'cifar10': 'data_batch_1.bin',
    'npz': 'set.npz',
    'celeba': 'list_eval_partition.txt',
    'images': 'a.png',
    'records': 'index.json',
}


def fifo(path):
    os.mkfifo(path)


def zeros(path):
    path.symlink_to('/dev/zero')


@contextlib.contextmanager
def at_once():
    """Fails what waits, or reads without an end, after some seconds."""

    def late(*_):
        raise AssertionError('it does not end')

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(8)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize('place', [fifo, zeros])
@pytest.mark.parametrize('name', FILES)
def test_a_set_of_no_regular_files_is_refused_at_once(tmp_path, name, place):
    path = tmp_path / FILES[name]
    place(path)
    with at_once(), pytest.raises((errors.InputError, OSError)) as caught:
        data.load(data.Config(name, str(path if name == 'npz' else tmp_path)))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize('place', [fifo, zeros])
def test_attributes_in_no_regular_file_are_refused_at_once(tmp_path, place):
    place(tmp_path / 'a.csv')
    with (
        at_once(),
        pytest.raises(errors.InputError, match='cannot be read: it is not a regular file$'),
    ):
        attributes.read(tmp_path / 'a.csv')
