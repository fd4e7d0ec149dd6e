"""Files that are there whole or not at all."""

import json
import math

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
