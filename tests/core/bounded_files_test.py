"""Files of a run as they are read: regular ones, within bounds, refused in one line."""

import io
import json
import math
import os
import pathlib
import struct
import threading
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from tfae.core import atomic_files, bounded_files, errors, json_text

WAYS = {
    'bytes': lambda path: bounded_files.read_bytes(path, 1000),
    'json': lambda path: bounded_files.read_json(path, 1000),
    'npz': lambda path: bounded_files.read_npz(path, 'a test', 1000),
}


def place_fifo(path):
    os.mkfifo(path)


def place_folder(path):
    path.mkdir()


def place_link_to_itself(path):
    path.symlink_to(path.name)


def place_device(path):
    path.symlink_to('/dev/zero')


def place_large(path):
    with path.open('wb') as file:
        file.truncate(3 * 2**30)


ODD = {
    'fifo': (place_fifo, 'it is not a regular file'),
    'folder': (place_folder, 'it is not a regular file'),
    'loop': (place_link_to_itself, 'Too many levels of symbolic links'),
    'device': (place_device, 'it is not a regular file'),
    'large': (place_large, 'it has 3,221,225,472 bytes; at most 1,000 are read'),
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('kind', ODD)
def test_what_is_no_small_regular_file_is_refused_at_once_by_its_name(tmp_path, kind, way):
    place, why = ODD[kind]
    path = tmp_path / 'a.json'
    place(path)
    began = time.monotonic()
    tracemalloc.start()
    with pytest.raises(errors.InputError) as caught:
        WAYS[way](path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < 5 and peak < 2**20
    assert str(path) in str(caught.value) and why in str(caught.value)


def test_a_file_that_is_not_there_is_told_from_one_that_cannot_be_read(tmp_path):
    for way in ('bytes', 'json'):
        with pytest.raises(FileNotFoundError):
            WAYS[way](tmp_path / 'none')


def test_a_file_whose_length_the_system_does_not_know_is_read_up_to_the_bound():
    assert bounded_files.read_bytes('/proc/self/status', 2**20).startswith(b'Name:')
    with pytest.raises(errors.InputError, match='it has more than 10 bytes'):
        bounded_files.read_bytes('/proc/self/status', 10)


def test_a_fifo_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / 'a'
    os.mkfifo(path)
    sound = pathlib.Path(__file__).stat()
    monkeypatch.setattr(bounded_files.pathlib.Path, 'stat', lambda _: sound)
    ended = threading.Timer(5, lambda: os.close(os.open(path, os.O_WRONLY)))
    ended.start()
    began = time.monotonic()
    with pytest.raises(OSError, match='not a regular file'):
        bounded_files.open_regular(path)
    ended.cancel()
    assert time.monotonic() - began < 4


BAD_JSON = {
    'deep': (b'{"a": ' + b'[' * 100_000 + b']' * 100_000 + b'}', 'nests too deeply'),
    'rather deep': (json.dumps({'a': [[[[[[[1]]]]]]]}).encode(), 'nests deeper than 8 levels'),
    'a long key': (json.dumps({'k' * 1001: 1}).encode(), 'a key of more than 1000 characters'),
    'no text': (b'\xff\x00{', 'codec|Expecting'),
    'half': (b'{"a": 1', 'delimiter|Expecting'),
    'nothing': (b'', 'Expecting value'),
}


@pytest.mark.parametrize('name', BAD_JSON)
def test_json_that_no_command_writes_is_refused_by_the_name_of_its_file(tmp_path, name):
    content, why = BAD_JSON[name]
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(errors.InputError, match=rf'a\.json cannot be read: .*({why})') as caught:
        bounded_files.read_json(tmp_path / 'a.json')
    assert '\n' not in str(caught.value)


def test_json_within_the_bounds_is_read():
    assert json_text.loads(json.dumps({'a': [[[[[[1]]]]]]}))
    assert json_text.loads(json.dumps({'k' * 1000: 1}))
    found = json_text.loads('{"a": 1' + '0' * 400 + ', "b": 12, "c": NaN, "d": 1' + '0' * 298 + '}')
    assert found['a'] == math.inf and found['b'] == 12 and math.isnan(found['c'])
    assert found['d'] == 10**298
    assert json_text.loads('1' + '0' * 300) == 1e300


def test_what_is_written_is_read_back_with_its_floats():
    value = {'a': [math.inf, {'b': -math.inf}], 'c': 1.5, 'd': 'NaN!', 'e': None, 'f': True}
    assert json_text.numbers(json_text.loads(json_text.dumps(value))) == value
    assert math.isnan(json_text.numbers(json_text.loads(json_text.dumps(math.nan))))


def test_a_long_list_of_empty_arrays_takes_no_memory(tmp_path):
    path = tmp_path / 'a.npz'
    with zipfile.ZipFile(path, 'w') as made:
        for i in range(20_000):
            made.writestr(f'{i}.npy', b'')
    tracemalloc.start()
    with pytest.raises(errors.InputError, match='its list of arrays has 1,'):
        bounded_files.read_npz(path, 'a test')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_arrays_of_numbers_are_read_as_they_were_written(tmp_path):
    arrays = {'a': np.arange(6.0).reshape(2, 3), 'b c': np.array(True), 'd': np.zeros([0, 2], 'i2')}
    atomic_files.write_npz(tmp_path / 'a.npz', arrays)
    found = bounded_files.read_npz(tmp_path / 'a.npz', 'a test')
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(found[name], array)


def header(shape):
    """An .npy of that shape without its numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {'descr': '<f8', 'fortran_order': False, 'shape': shape}
    )
    return file.getvalue()


def archive(content, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', compression) as made:
        made.writestr('a.npy', content)
    return file.getvalue()


LARGE = header((2**24,)) + bytes(2**27)
HOSTILE = {
    'a bomb': (archive(LARGE, zipfile.ZIP_DEFLATED), 'its arrays are compressed'),
    'a header alone': (archive(header((2**40,))), r'declares float64 \(1099511627776,\), which'),
    'a negative shape': (archive(header((-1, 8))), 'declares'),
    'objects': (archive(header((1,)).replace(b'<f8', b'|O ') + bytes(8)), 'Cannot|valid|declares'),
    'a text': (b'hello', 'not a zip file'),
    'nothing': (b'', 'not a zip file'),
    'half a file': (archive(header((4,)) + bytes(32))[:150], 'not a zip file'),
    'another format': (archive(b'{}'), 'EOF|magic|expected'),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_what_is_no_file_of_arrays_is_refused_in_little_memory(tmp_path, name):
    content, text = HOSTILE[name]
    (tmp_path / 'a.npz').write_bytes(content)
    tracemalloc.start()
    with pytest.raises(errors.InputError, match=rf'a\.npz is not a test: .*({text})'):
        bounded_files.read_npz(tmp_path / 'a.npz', 'a test')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_a_member_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    content = bytearray(archive(header((4,)) + bytes(32)))
    at = content.index(b'PK\x01\x02') + 20  # sizes in the central directory
    content[at : at + 8] = struct.pack('<II', 2**30, 2**30)
    (tmp_path / 'a.npz').write_bytes(content)
    with pytest.raises(
        errors.InputError, match='it declares 1,073,741,824 bytes, more than it has'
    ):
        bounded_files.read_npz(tmp_path / 'a.npz', 'a test')


def test_a_fifo_a_folder_and_a_large_file_are_refused_unread(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    for name, why in (
        ('fifo', 'it is not a regular file'),
        ('.', 'it is not a regular file'),
        ('missing', 'No such file'),
    ):
        with pytest.raises(errors.InputError, match=f'is not a test: {why}'):
            bounded_files.read_npz(tmp_path / name, 'a test')
    atomic_files.write_npz(tmp_path / 'a.npz', {'a': np.zeros(100)})
    with pytest.raises(errors.InputError, match='bytes; at most 500 are read'):
        bounded_files.read_npz(tmp_path / 'a.npz', 'a test', 500)
    size = (tmp_path / 'a.npz').stat().st_size
    assert bounded_files.read_npz(tmp_path / 'a.npz', 'a test', size)['a'].shape == (100,)
    with pytest.raises(errors.InputError, match=f'it has {size:,} bytes; at most {size - 1:,} are'):
        bounded_files.read_npz(tmp_path / 'a.npz', 'a test', size - 1)


def test_a_damaged_file_of_arrays_is_read_or_refused_in_one_line(tmp_path):
    path, random = tmp_path / 'a.npz', np.random.RandomState(0)
    whole = archive(header((4,)) + bytes(32))
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for at in random.randint(0, len(content), 3):
            content[at] = random.randint(256)
        path.write_bytes(content)
        try:
            bounded_files.read_npz(path, 'a test')
        except errors.InputError as error:
            assert '\n' not in str(error)
            refused += 1
    assert refused > 50
