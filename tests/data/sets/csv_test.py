"""Tables in CSV files, and those of scikit-learn."""

import numpy as np
import pytest
from sklearn import datasets

from tfae import data
from tfae.core import errors
from tfae.data.formats import csv_files

RANDOM = np.random.RandomState(0)
ROWS = RANDOM.standard_normal((30, 3)).round(4)
CITIES = [('Bern', 'Ulm', 'Aix')[k % 3] for k in range(30)]


def text(rows=ROWS, cities=CITIES, separator=',', header=('age', 'city', 'height', 'mass')):
    lines = [separator.join(header)]
    lines += [
        separator.join([repr(float(a)), city, repr(float(b)), repr(float(c))])
        for (a, b, c), city in zip(rows, cities, strict=True)
    ]
    return '\n'.join(lines) + '\n'


def load(tmp_path, content, target='city', **more):
    path = tmp_path / 'set.csv'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.load(data.Config('csv', data_dir=str(path), target=target, **more))


def joined(loaded, field):
    splits = (loaded.train, loaded.validation, loaded.test)
    return np.concatenate([getattr(split, field) for split in splits])


def in_order(rows):
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize('separator', [',', ';', '\t'])
def test_columns_are_numbers_and_the_target_gives_labels(tmp_path, separator):
    loaded = load(tmp_path, text(separator=separator))
    assert loaded.columns == ('age', 'height', 'mass')
    assert loaded.class_names == ('Aix', 'Bern', 'Ulm')
    assert loaded.image_shape == (3,)
    found = np.column_stack([joined(loaded, 'images'), joined(loaded, 'labels')])
    numbers = [loaded.class_names.index(city) for city in CITIES]
    wanted = np.column_stack([ROWS.astype(np.float32), numbers])
    np.testing.assert_array_equal(in_order(found), in_order(wanted))
    assert [len(split.images) for split in loaded[1:4]] == [22, 2, 6]


def test_without_a_target_there_are_no_labels(tmp_path):
    lines = [line.split(',') for line in text().splitlines()]
    content = '\r\n'.join(','.join([a, b, c]) for a, _, b, c in lines)
    loaded = load(tmp_path, b'\xef\xbb\xbf' + content.encode(), target='')
    assert loaded.train.labels is None
    assert loaded.columns == ('age', 'height', 'mass')
    np.testing.assert_array_equal(in_order(joined(loaded, 'images')), in_order(ROWS.astype('f4')))


def test_quantities_are_classes_in_their_order_and_rows_without_one_are_left_out(tmp_path):
    ages = [('10', '9.5', '-2', '')[k % 4] for k in range(30)]
    loaded = load(tmp_path, text(cities=ages))
    assert loaded.class_names == ('-2', '9.5', '10')
    assert len(joined(loaded, 'labels')) == 23
    assert loaded.notes == ('skipped: 7 rows without city',)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda t: t.replace('Ulm,', 'Ulm,1,', 1), 'line 3 has 5 cells; the header has 4'),
        (
            lambda t: t.replace('mass', 'age'),
            "line 1 is 'age,city,height,age'; it must name the co",
        ),
        (lambda t: t.replace('mass', '3.5'), 'with distinct names that are not numbers'),
        (lambda t: t.split('\n', 1)[0], 'has a header but no row'),
        (lambda t: '', "line 1 is ''; it must name the columns"),
        (
            lambda t: t.replace(f'{ROWS[4, 0]}', 'old'),
            "column age holds text, 'old' in line 6; the columns must be numbers, except",
        ),
        (
            lambda t: t.replace(f'{ROWS[4, 0]}', '').replace(f'{ROWS[7, 0]}', 'NA'),
            '2 cells are empty or not finite: column age in line 6 and 1 more; remove these rows',
        ),
        (
            lambda t: t.replace(f'{ROWS[4, 2]}', '-inf').replace(f'{ROWS[9, 1]}', 'nan'),
            '2 cells are .*: column mass in line 6, 1 columns more;',
        ),
        (lambda t: t.replace(f'{ROWS[4, 2]}', '1e99'), 'column mass holds numbers that exceed flo'),
        (
            lambda t: t.encode() + b'\xff',
            "line 32 cannot be read: 'utf-8' codec can't decode byte 0xff",
        ),
        (lambda t: t + '"1,2,3,4', 'line 32 cannot be read: a quote is not closed'),
        (lambda t: t.replace('Bern', '').replace('Ulm', '').replace('Aix', ''), 'city is empty in'),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_with_its_place(tmp_path, change, message):
    with pytest.raises(errors.InputError, match=message):
        load(tmp_path, change(text()))


def test_a_text_column_and_an_unknown_target_are_refused_by_name(tmp_path):
    with pytest.raises(errors.InputError, match="column city holds text, 'Bern' in line 2"):
        load(tmp_path, text(), target='')
    text_of = r"set.csv: --target is 'town'; it must be one of age, city, height, mass"
    with pytest.raises(errors.UsageError, match=text_of):
        load(tmp_path, text(), target='town')
    with pytest.raises(errors.UsageError, match='--data_dir is empty; data set csv needs'):
        data.load(data.Config('csv'))
    with pytest.raises(errors.InputError, match='no such file; data set csv needs a .csv file'):
        data.load(data.Config('csv', data_dir=str(tmp_path / 'other.csv')))
    with pytest.raises(errors.UsageError, match='^--target needs --attributes$'):
        data.load(data.Config('digits', target='city'))


def test_a_constant_column_is_warned_of_by_name(tmp_path):
    rows = ROWS * [1, 0, 1] + [0, 7, 0]
    lines = data.described(load(tmp_path, text(rows)))
    assert 'data set csv: warning: constant in training: column height (7)' in lines


@pytest.mark.parametrize('name', ['breast_cancer', 'digits', 'iris', 'wine'])
def test_tables_of_scikit_learn_have_their_columns_and_classes(name):
    loaded = data.load(data.Config(f'sklearn:{name}'))
    bunch = getattr(datasets, f'load_{name}')()
    assert loaded.name == f'sklearn:{name}'
    assert loaded.columns == tuple(bunch.feature_names)
    assert loaded.class_names == tuple(map(str, bunch.target_names))
    found = np.column_stack([joined(loaded, 'images'), joined(loaded, 'labels')])
    wanted = np.column_stack([bunch.data.astype(np.float32), bunch.target])
    np.testing.assert_array_equal(in_order(found), in_order(wanted))


def test_the_quantities_of_diabetes_are_classes_named_by_them():
    loaded = data.load(data.Config('sklearn:diabetes'))
    bunch = datasets.load_diabetes(scaled=False)
    values = np.array(loaded.class_names, float)[joined(loaded, 'labels')]
    found = np.column_stack([joined(loaded, 'images'), values])
    wanted = np.column_stack([bunch.data.astype(np.float32), bunch.target])
    np.testing.assert_array_equal(in_order(found), in_order(wanted))


def test_an_unknown_table_of_scikit_learn_is_refused_with_the_nearest():
    with pytest.raises(errors.UsageError, match="'sklearn:wines'; .* did you mean sklearn:wine"):
        data.load(data.Config('sklearn:wines'))


def test_a_missing_label_is_no_class(tmp_path):
    cities = [('Bern', 'Ulm', 'NA', 'nan', '')[k % 5] for k in range(30)]
    loaded = load(tmp_path, text(cities=cities))
    assert loaded.class_names == ('Bern', 'Ulm')
    assert 'skipped: 18 rows without city' in loaded.notes


def test_an_identifier_is_no_number(tmp_path):
    content = text().replace(repr(float(ROWS[0, 0])), '12_34', 1)
    with pytest.raises(errors.InputError, match="column age holds text, '12_34' in line 2"):
        load(tmp_path, content)


def test_a_line_of_a_growing_file_is_read_when_it_is_whole(monkeypatch):
    pieces = [b'1,2\n', b'3,', b'', b'4', b'', b'\n', b'5,6\n']  # as `readline` finds them

    class Growing:
        def readline(self, limit):
            return pieces.pop(0)

    waits = []
    monkeypatch.setattr(csv_files.time, 'sleep', waits.append)
    lines = csv_files.Lines('growing.csv', Growing(), poll=0.5)
    assert [next(lines) for _ in range(3)] == [b'1,2\n', b'3,4\n', b'5,6\n']
    assert waits == [0.5, 0.5]
