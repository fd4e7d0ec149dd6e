"""Files that are there whole or not at all."""

import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from tfae.core import atomic_files, errors


def test_arrays_of_any_name_come_back_bit_for_bit_and_no_pickles_are_written(tmp_path):
    path = tmp_path / 'made.npz'
    arrays = {'file': np.arange(3), 'args': np.array(2.5), 'kwds': np.array(['é', 'b'])}
    atomic_files.write_npz(path, arrays)
    with np.load(path) as found:
        assert sorted(found.files) == sorted(arrays)
        for name, array in arrays.items():
            assert (found[name].dtype, found[name].tolist()) == (array.dtype, array.tolist())
    whole = path.read_bytes()
    with pytest.raises(ValueError, match='Object arrays cannot be saved'):
        atomic_files.write_npz(path, {'x': np.array([{}, {}])})
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ['made.npz']


def test_what_fails_on_the_way_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / 'a.txt'
    atomic_files.write_text(path, 'whole')
    with pytest.raises(RuntimeError), atomic_files.replacing(path) as temporary:
        temporary.write_text('hal')
        raise RuntimeError
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ('whole', 1)


def test_arrays_of_numbers_are_read_as_they_were_written(tmp_path):
    arrays = {'a': np.arange(6.0).reshape(2, 3), 'b c': np.array(True), 'd': np.zeros([0, 2], 'i2')}
    atomic_files.write_npz(tmp_path / 'a.npz', arrays)
    found = atomic_files.read_npz(tmp_path / 'a.npz', 'test')
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
    with pytest.raises(errors.InputError, match=rf'a\.npz is no test: .*({text})'):
        atomic_files.read_npz(tmp_path / 'a.npz', 'test')
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
        atomic_files.read_npz(tmp_path / 'a.npz', 'test')


def test_a_fifo_a_folder_and_a_large_file_are_refused_unread(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    for name in ('fifo', '.', 'missing'):
        with pytest.raises(errors.InputError, match='is no test: it is not a regular file'):
            atomic_files.read_npz(tmp_path / name, 'test')
    atomic_files.write_npz(tmp_path / 'a.npz', {'a': np.zeros(100)})
    with pytest.raises(errors.InputError, match='bytes; at most 500 are read'):
        atomic_files.read_npz(tmp_path / 'a.npz', 'test', 500)
    size = (tmp_path / 'a.npz').stat().st_size
    assert atomic_files.read_npz(tmp_path / 'a.npz', 'test', size)['a'].shape == (100,)
    with pytest.raises(errors.InputError, match=f'it has {size:,} bytes; at most {size - 1:,} are'):
        atomic_files.read_npz(tmp_path / 'a.npz', 'test', size - 1)


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
            atomic_files.read_npz(path, 'test')
        except errors.InputError as error:
            assert '\n' not in str(error)
            refused += 1
    assert refused > 50
