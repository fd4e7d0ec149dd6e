"""Normalization of columns, compared with the scalers of scikit-learn."""

import numpy as np
import pytest
from sklearn import preprocessing

from tfae import data
from tfae.core import errors
from tfae.data import normalization
from tfae.data.sets.arrays import Arrays

RANDOM = np.random.RandomState(0)
ROWS = (RANDOM.standard_normal((50, 4)) * [1, 1e-3, 1e4, 0] + [0, 5, -1e3, 3]).astype(np.float32)
SCALERS = {
    'minmax': preprocessing.MinMaxScaler,
    'standard': preprocessing.StandardScaler,
    'robust': preprocessing.RobustScaler,
}


@pytest.mark.parametrize('kind', SCALERS)
def test_columns_are_scaled_as_scikit_learn_does(kind):
    fitted = normalization.fit(kind, ROWS)
    assert fitted.offset.dtype == fitted.scale.dtype == np.float32
    wanted = SCALERS[kind]().fit(ROWS.astype(np.float64))
    found = fitted.normalize(ROWS)
    np.testing.assert_allclose(found, wanted.transform(ROWS.astype(np.float64)), atol=2e-4)
    assert not found[:, 3].any()  # the constant column
    np.testing.assert_allclose(fitted.denormalize(found), ROWS, rtol=1e-5, atol=1e-5)


def test_without_normalization_there_is_none():
    assert normalization.fit('none', ROWS) is None


def test_images_are_not_normalized():
    text = '--normalize is robust; it is for tables, sequences and volumes, and data set digits'
    with pytest.raises(errors.UsageError, match=text):
        data.load(data.Config(normalize='robust'))


@pytest.mark.parametrize(
    'value, text',
    [
        (np.nan, '2 of 80 values are not finite in float32; the first is nan in row 3, column 1, '),
        (-np.inf, 'the first is -inf in row 3, column 1, from 0'),
        (1e300, r'the first is 1e\+300 in row 3, column 1, from 0'),
    ],
)
def test_values_that_are_not_finite_are_refused_with_their_place(value, text):
    rows = np.ones((20, 4))
    rows[3, 1] = rows[5, 0] = value
    with pytest.raises(errors.InputError, match=text):
        data.load(data.Config('arrays'), Arrays(rows))


@pytest.mark.parametrize('dtype', ['i8', 'u2', 'f8', '?'])
def test_numbers_of_a_table_stay_as_they_are_and_bytes_are_those_of_images(dtype):
    rows = np.arange(80).reshape(20, 4).astype(dtype)
    loaded = data.load(data.Config('arrays', validation_fraction=0), Arrays(rows, None, None, rows))
    assert loaded.train.images.dtype == np.float32
    np.testing.assert_array_equal(loaded.train.images, rows)
    bytes_of = data.load(data.Config('arrays'), Arrays(rows.astype(np.uint8)))
    assert bytes_of.train.images.dtype == np.uint8


@pytest.mark.parametrize('kind', ['minmax', 'standard', 'robust'])
@pytest.mark.parametrize('shape', [(20, 7, 3), (5, 2, 3, 4, 3)])
def test_each_channel_of_sequences_and_volumes_is_normalized_as_a_column(kind, shape):
    values = np.random.RandomState(0).gamma(2, [1, 10, 100], shape).astype(np.float32)
    fitted = normalization.fit(kind, values)
    flat = normalization.fit(kind, values.reshape(-1, 3))
    assert fitted.offset.shape == fitted.scale.shape == (3,)
    np.testing.assert_array_equal(fitted.offset, flat.offset)
    np.testing.assert_array_equal(fitted.scale, flat.scale)
    back = fitted.denormalize(fitted.normalize(values))
    np.testing.assert_allclose(back, values, rtol=1e-4, atol=1e-4)
