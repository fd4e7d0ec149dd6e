"""Frechet distance against closed forms and scipy."""

import numpy as np
import pytest
import scipy.linalg

from tfae.analysis import frechet
from tfae.analysis.frechet import Moments
from tfae.core import errors


def drawn(seed, count=40, size=5):
    random = np.random.RandomState(seed)
    return random.normal(size=[count, size]) @ random.normal(size=[size, size]) + seed


def rotation(size=5):
    return np.linalg.qr(np.random.RandomState(7).normal(size=[size, size]))[0]


def test_moments_are_those_of_numpy():
    features = drawn(1)
    found = frechet.moments(features.astype(np.float32))
    centerd = features - features.mean(0)
    np.testing.assert_allclose(found.mean, features.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.covariance, centerd.T @ centerd / 39, rtol=1e-5)


def test_a_single_feature_has_a_covariance_of_one_number():
    found = frechet.moments(np.array([[1.0], [3.0]]))
    assert found.mean.tolist() == [2]
    assert found.covariance.tolist() == [[2]]


def test_of_one_feature_it_is_the_distance_of_means_and_deviations():
    a = Moments(np.array([1.0]), np.array([[9.0]]))
    b = Moments(np.array([-1.0]), np.array([[4.0]]))
    assert frechet.distance(a, b) == pytest.approx(4 + (3 - 2) ** 2)


def test_of_covariances_with_common_axes_it_is_the_sum_over_the_axes():
    turn, c, d = rotation(), np.array([4.0, 1, 9, 0, 2]), np.array([1.0, 1, 4, 3, 0])
    a, b = (Moments(np.zeros(5), turn @ np.diag(values) @ turn.T) for values in (c, d))
    want = np.square(np.sqrt(c) - np.sqrt(d)).sum()
    assert frechet.distance(a, b) == pytest.approx(want)


def test_it_is_that_of_the_root_of_the_product_of_the_covariances():
    a, b = frechet.moments(drawn(1)), frechet.moments(drawn(2))
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance).real
    want = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet.distance(a, b) == pytest.approx(want, rel=1e-9)
    assert frechet.distance(b, a) == pytest.approx(want, rel=1e-9)


def test_a_set_has_no_distance_from_itself_and_a_shift_is_counted_squared():
    features = drawn(3)
    a, b = frechet.moments(features), frechet.moments(features + 2)
    assert frechet.distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet.distance(a, b) == pytest.approx(5 * 2**2)


def test_turning_both_sets_changes_nothing():
    a, b, turn = drawn(4), drawn(5), rotation()
    plain = frechet.distance(frechet.moments(a), frechet.moments(b))
    turned = frechet.distance(frechet.moments(a @ turn), frechet.moments(b @ turn))
    assert turned == pytest.approx(plain)


def test_fewer_examples_than_features_give_a_finite_distance():
    a, b = (frechet.moments(drawn(seed, count=3, size=20)) for seed in (1, 2))
    assert 0 < frechet.distance(a, b) < np.inf


def test_what_is_no_set_of_features_is_refused():
    with pytest.raises(errors.InputError, match='needs at least 2 images in each set; there is 1'):
        frechet.moments(np.zeros([1, 4]))
    with pytest.raises(ValueError, match=r'features have shape \(4,\)'):
        frechet.moments(np.zeros(4))
    three, two = (frechet.moments(np.eye(n)) for n in (3, 2))
    with pytest.raises(ValueError, match='3 and 2 features; the numbers must be equal'):
        frechet.distance(three, two)
