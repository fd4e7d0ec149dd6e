"""Files that are there whole or not at all."""

import json
import math
import os
import pathlib

import numpy as np
import pytest

from tfae.core import atomic_files


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


def test_floats_that_are_not_finite_are_written_as_json_has_them(tmp_path):
    path = tmp_path / 'a.json'
    atomic_files.write_json(
        path, {'a': [math.inf, (-math.inf, 1.5)], 'b': {'c': math.nan}, 'd': None}
    )

    def refuse(text):
        raise AssertionError(text)

    found = json.loads(path.read_text(), parse_constant=refuse)
    assert found == {'a': ['Infinity', ['-Infinity', 1.5]], 'b': {'c': 'NaN'}, 'd': None}
    assert path.read_text().endswith('}\n')


def test_what_killed_programs_left_is_removed_and_what_others_write_is_not(tmp_path):
    for name in ('.a.123.tmp.txt', '.b.123.tmp.txt', '.a.txt', 'a.123.tmp.txt'):
        (tmp_path / name).write_text('left')
    (tmp_path / '.folder.123.tmp').mkdir()
    (tmp_path / '.folder.123.tmp' / 'b').touch()
    (tmp_path / '.link.123.tmp').symlink_to(tmp_path / '.a.txt')
    atomic_files.write_text(tmp_path / 'a.txt', 'new')  # which looks for its own name alone
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *('.a.txt', '.b.123.tmp.txt', 'a.123.tmp.txt', 'a.txt'),
        *('.folder.123.tmp', '.link.123.tmp'),
    }
    with (
        atomic_files.replacing(tmp_path / 'c.txt') as temporary,
        atomic_files.temporary_folder(tmp_path / 'd') as folder,
    ):
        atomic_files.sweep(tmp_path)
        assert temporary.exists()
        assert folder.exists()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ['.a.txt', 'a.123.tmp.txt', 'a.txt', 'c.txt']
    assert (tmp_path / '.a.txt').read_text() == 'left'


@pytest.mark.parametrize('how', ['file', 'folder'])
def test_a_name_is_given_after_the_content_is_flushed(tmp_path, monkeypatch, how):
    flushed = []

    def fsync(descriptor):
        path = pathlib.Path(f'/proc/self/fd/{descriptor}').resolve()
        flushed.append((path.name, sorted(p.name for p in tmp_path.iterdir())))

    monkeypatch.setattr(os, 'fsync', fsync)
    if how == 'file':
        atomic_files.write_text(tmp_path / 'a.txt', 'x')
        temporary = f'.a.{os.getpid()}.tmp.txt'
        wanted = [(temporary, [temporary])]
    else:
        with atomic_files.new_folder(tmp_path / 'a') as folder:
            (folder / 'b').touch()
        temporary = f'.a.{os.getpid()}.tmp'
        wanted = [('b', [temporary]), (temporary, [temporary]), (tmp_path.name, ['a'])]
    assert sorted(flushed) == sorted(wanted)


def test_a_new_folder_is_flushed_with_all_above_it_that_are_new(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(atomic_files, 'flush', lambda path: flushed.append(path))
    atomic_files.make_folder(tmp_path / 'a' / 'b')
    assert sorted(flushed) == [tmp_path, tmp_path / 'a']
    atomic_files.make_folder(tmp_path / 'a' / 'b')
    assert len(flushed) == 2


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    link = tmp_path / 'null'
    link.symlink_to('/dev/null')  # not the device itself: the test may fail
    with pytest.raises(OSError, match='is a device; name a file'):
        atomic_files.write_text(link, 'a')
    assert link.is_char_device()
