"""Directions of attributes."""

import numpy as np

from tfae.analysis import morphing


def groups(distance, count=400):
    random = np.random.RandomState(0)
    having = random.uniform(size=count) < 0.3
    return random.normal(size=[count, 3]) + distance * having[:, None] * [2.0, 0, -1], having


def test_a_direction_leads_from_the_mean_without_to_the_mean_with():
    codes, having = groups(1)
    v = morphing.direction(codes, having)
    np.testing.assert_allclose(codes[~having].mean(0) + v, codes[having].mean(0))


def test_groups_that_lie_apart_are_told_apart_and_equal_ones_are_not():
    assert morphing.separation(*groups(5)) > 0.999
    assert abs(morphing.separation(*groups(0)) - 0.5) < 0.1


def test_a_direction_is_judged_on_examples_that_it_was_not_fitted_to():
    """In 300 dimensions 30 examples of noise lie apart, if they judge themselves."""
    random = np.random.RandomState(1)
    codes, having = random.normal(size=[30, 300]), np.arange(30) % 2 == 0
    own = codes @ morphing.direction(codes, having)
    assert own[having].min() > own[~having].max()
    assert morphing.separation(codes, having) < 0.8


def test_one_example_of_a_kind_tells_nothing():
    codes, having = groups(1)
    having[:] = False
    having[3] = True
    assert np.isnan(morphing.separation(codes, having))


def test_a_sweep_moves_each_code_by_each_strength():
    codes, v = np.array([[1.0, 2], [3, 4]]), np.array([1.0, -1])
    found = morphing.sweep(codes, v, np.array([-1.0, 0, 2]))
    want = [[[0, 3], [1, 2], [3, 0]], [[2, 5], [3, 4], [5, 2]]]
    np.testing.assert_array_equal(found, want)


def test_a_path_moves_from_the_mean_of_the_first_combination_to_that_of_each():
    codes = np.array([[1.0, 2], [3, 4], [5, 9]])
    combinations = np.array([[True, True, False], [False, True, True], [False, False, True]])
    want = [[0, 0], [2, 3.5], [3, 6]]
    np.testing.assert_array_equal(morphing.path(codes, combinations), want)
