"""Windows of series in CSV files."""

import re

import numpy as np
import pytest

from tfae import data
from tfae.core import errors
from tfae.data import description

LENGTHS = {'a': 100, 'b': 61}


@pytest.fixture
def folder(tmp_path):
    """Two series of two channels: 1000 times the number of the series plus the step, and -step."""
    for k, (name, steps) in enumerate(LENGTHS.items()):
        lines = [f'{1000 * k + i},{-i}' for i in range(steps)]
        (tmp_path / f'{name}.csv').write_text('\n'.join(['current,speed', *lines]) + '\n')
    return tmp_path


def load(folder, window='8:3', **more):
    return data.load(data.Config('windows', data_dir=str(folder), window=window, **more))


def test_windows_lie_in_one_block_of_one_series(folder):
    loaded = load(folder, test_fraction=0.25, validation_fraction=0.2)
    assert loaded.columns == ('current', 'speed')
    for name in ('train', 'validation', 'test'):
        wanted = []
        for k, steps in enumerate(LENGTHS.values()):
            stop = steps - round(0.25 * steps)
            middle = stop - round(0.2 * stop)
            start, end = {
                'train': (0, middle),
                'validation': (middle, stop),
                'test': (stop, steps),
            }[name]
            for first in range(start, end - 8 + 1, 3):
                steps_of = np.arange(first, first + 8)
                wanted.append(np.stack([1000 * k + steps_of, -steps_of], 1))
        found = getattr(loaded, name)
        assert found.images.dtype == np.float32
        assert found.labels is None
        np.testing.assert_array_equal(found.images, wanted)


def test_no_step_is_in_two_splits(folder):
    loaded = load(folder, '9:1', validation_fraction=0.3)
    steps = [set(x.images[..., 0].ravel()) for x in (loaded.train, loaded.validation, loaded.test)]
    assert all(not steps[i] & steps[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    assert all(steps)


def test_the_description_names_files_and_channels(folder):
    lines = description.described(load(folder, '8:10', validation_fraction=0.2))
    assert lines[0].endswith('test sequences of 8 x 2 (steps x channels)')
    assert lines[-1] == 'data set windows: windows of 8 steps, 10 apart, of 2 files'


def test_short_blocks_have_no_validation_windows(folder):
    loaded = load(folder, '12:1', validation_fraction=0.1)
    assert len(loaded.validation.images) == 0
    assert loaded.notes[1:] == (
        'no validation windows of 2 files, whose validation blocks are shorter than 12 steps',
    )
    assert load(folder, '15:1', validation_fraction=0).notes[1:] == (
        'no test windows of 1 file, whose test blocks are shorter than 15 steps',
    )
    assert load(folder, '12:1', validation_fraction=0).notes == loaded.notes[:1]


def test_hidden_files_are_no_series(folder):
    (folder / '._a.csv').write_bytes(b'\0\1 of an archive of macOS')
    assert load(folder).notes[0].endswith('of 2 files')


def test_gaps_are_masked_where_asked(folder):
    path = folder / 'a.csv'
    path.write_text(path.read_text().replace('\n7,-7\n', '\n7,\n'))
    text = r'a\.csv: 1 cell is empty or not finite: column speed in line 9; '
    with pytest.raises(errors.InputError, match=text):
        load(folder)
    assert np.isnan(load(folder, '8:8', missing='mask').train.images[0, 7, 1])


@pytest.mark.parametrize(
    'edit, text',
    [
        (
            ('current,speed', 'current,torque'),
            r"line 1 names 'current,torque'; it must name '.*a.csv",
        ),
        (('\n1007,-7\n', '\n1007\n'), 'b.csv line 9 has 1 cells; the header has 2'),
        (('\n1007,-7\n', '\n1007,fast\n'), "column speed holds text, 'fast' in line 9"),
        (('\n1007,-7\n', '\n1007,inf\n'), 'b.csv: 1 cell is .*: column speed in line 9'),
    ],
)
def test_a_wrong_file_is_named_with_its_line(folder, edit, text):
    path = folder / 'b.csv'
    path.write_text(path.read_text().replace(*edit))
    with pytest.raises(errors.InputError, match=text) as caught:
        load(folder)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    'window, more, text',
    [
        ('46:1', {}, r'b\.csv has 61 steps, of which 44 are for training; --window=46:1 needs 46'),
        (
            '30:1',
            {},
            'no series has 30 steps in its test block; --test_fraction=0.2 must be larger',
        ),
    ],
)
def test_windows_longer_than_a_block_are_refused(folder, window, more, text):
    with pytest.raises(errors.InputError, match=text):
        load(folder, window, **more)


@pytest.mark.parametrize(
    'window',
    ['8', '8:', '8:0', '0:1', '8:1:1', 'a:b', '-8:1', '8.0:1', '1e3:1', '8:100000000', '٣:1'],
)
def test_a_window_is_two_integers(window):
    text = re.escape(f'--window is {window!r}; it must be LENGTH:STEP, such as 256:64, ')
    with pytest.raises(errors.UsageError, match=text):
        data.Config('windows', window=window)


def test_what_is_needed_is_named(tmp_path, folder):
    with pytest.raises(errors.UsageError, match='--window is empty; data set windows needs'):
        load(folder, '')
    with pytest.raises(errors.UsageError, match='--data_dir is empty; data set windows needs'):
        load('')
    with pytest.raises(errors.InputError, match='none: no such folder; data set windows needs one'):
        load(tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(errors.InputError, match=r'empty: holds no \.csv files'):
        load(tmp_path / 'empty')
    with pytest.raises(errors.UsageError, match="--window is '8:1', but data set digits does not"):
        data.load(data.Config('digits', window='8:1'))


def test_a_constant_channel_is_warned_of(folder):
    for path in folder.glob('*.csv'):
        lines = path.read_text().splitlines()
        rows = [line.split(',')[0] + ',5' for line in lines[1:]]
        path.write_text('\n'.join([lines[0], *rows]) + '\n')
    lines = description.described(load(folder))
    assert 'data set windows: warning: constant in training: channel speed (5)' in lines
