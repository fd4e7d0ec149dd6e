"""Ways between codes against their formulas."""

import numpy as np
import pytest

from tfae.analysis import interpolation

RANDOM = np.random.RandomState(0)
A, B, C, D = RANDOM.normal(size=[4, 5])
PARTS = np.linspace(0, 1, 7)
WAYS = [interpolation.linear, interpolation.spherical]


@pytest.mark.parametrize('way', WAYS)
def test_a_way_begins_and_ends_at_its_keys(way):
    made = way(A, B, PARTS)
    assert made.shape == (7, 5)
    np.testing.assert_allclose(made[[0, -1]], [A, B])


def test_the_straight_line_is_the_weighted_mean():
    np.testing.assert_allclose(interpolation.linear(A, B, np.array([0.25])), [0.75 * A + 0.25 * B])


def test_the_great_circle_turns_evenly_in_the_plane_of_its_ends():
    made = interpolation.spherical(A / np.linalg.norm(A), B / np.linalg.norm(B), PARTS)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1)
    angles = np.arccos(np.clip((made[:-1] * made[1:]).sum(1), -1, 1))
    np.testing.assert_allclose(angles, angles[0])
    assert np.linalg.matrix_rank(np.concatenate([made, [A, B]]), tol=1e-9) == 2


def test_lengths_change_evenly_on_the_great_circle():
    lengths = np.linalg.norm(interpolation.spherical(A, B, PARTS), axis=1)
    ends = np.linalg.norm(A), np.linalg.norm(B)
    np.testing.assert_allclose(lengths, ends[0] + PARTS * (ends[1] - ends[0]))


@pytest.mark.parametrize('other', [2 * A, -A, 0 * A])
def test_where_there_is_no_one_great_circle_the_line_is_straight(other):
    want = interpolation.linear(A, other, PARTS)
    np.testing.assert_allclose(interpolation.spherical(A, other, PARTS), want)


def test_a_strip_passes_its_keys_once_each():
    made = interpolation.strip(np.stack([A, B, C]), 4, interpolation.linear)
    assert made.shape == (7, 5)
    np.testing.assert_allclose(made[[0, 3, 6]], [A, B, C])


def test_a_loop_comes_back_without_repeating_its_first_code():
    made = interpolation.loop(np.stack([A, B, C]), 4, interpolation.linear)
    assert made.shape == (9, 5)
    np.testing.assert_allclose(made[[0, 3, 6]], [A, B, C])
    np.testing.assert_allclose(made[-1] + (made[-1] - made[-2]), A)


@pytest.mark.parametrize('way', WAYS)
def test_a_square_has_its_keys_at_its_corners(way):
    made = interpolation.square(np.stack([A, B, C, D]), 3, way)
    assert made.shape == (3, 3, 5)
    corners = made[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_allclose(corners, [A, B, C, D])


def blurred(codes):
    """Images of the first number of a code, whose change is fast in the middle, and curved."""
    x = np.tanh(4 * codes[:, :1])
    return ((1 + np.concatenate([x, x**2], 1)) / 2).reshape(-1, 1, 2, 1)


def test_the_path_length_and_the_variation_of_steps_are_their_formulas():
    images = np.array([0.1, 0.2, 0.5, 0.6, 0.4, 0.4]).reshape(6, 1, 1, 1)[[0, 1, 2, 3, 4]]
    found = interpolation.smoothness(images, 3)  # steps 0.1, 0.3 and 0.1, 0.2
    np.testing.assert_allclose(found.path_length, np.mean([0.01, 0.09, 0.01, 0.04]) * 4, rtol=1e-5)
    np.testing.assert_allclose(found.variation, (0.1 / 0.2 + 0.05 / 0.15) / 2, rtol=1e-5)
    still = interpolation.smoothness(np.full([5, 2, 2, 1], 0.3), 3)
    assert still == (0, 0)


def test_the_path_length_of_a_line_at_constant_speed_is_the_squared_error_of_its_ends():
    ends = np.random.RandomState(1).uniform(size=[2, 3, 3, 1])
    images = ends[0] + np.linspace(0, 1, 8)[:, None, None, None] * (ends[1] - ends[0])
    found = interpolation.smoothness(images, 8)
    np.testing.assert_allclose(found.path_length, np.mean((ends[1] - ends[0]) ** 2), rtol=1e-5)
    assert found.variation < 1e-5


@pytest.mark.parametrize('way', WAYS)
def test_at_constant_speed_images_are_equally_far_apart_on_the_same_path(way):
    keys = np.array([[-1.0, 0.5], [1.0, 0.2], [0.1, -0.3]])
    constant = interpolation.at_constant_speed(way, blurred)
    before, after = (interpolation.strip(keys, 33, path) for path in (way, constant))
    np.testing.assert_allclose(after[[0, 32, 64]], keys, atol=1e-12)
    measured = [interpolation.smoothness(blurred(codes), 33) for codes in (before, after)]
    assert measured[0].variation > 0.5 and measured[1].variation < 0.02
    assert measured[1].path_length < 0.8 * measured[0].path_length
    dense = way(keys[0], keys[1], np.linspace(0, 1, 20001))
    gaps = np.linalg.norm(dense[:, None] - after[None, :33], axis=-1).min(0)
    assert gaps.max() < 1e-3


def test_where_nothing_changes_a_path_keeps_its_codes():
    constant = interpolation.at_constant_speed(interpolation.linear, lambda z: 0 * blurred(z))
    np.testing.assert_array_equal(constant(A, B, PARTS), interpolation.linear(A, B, PARTS))
