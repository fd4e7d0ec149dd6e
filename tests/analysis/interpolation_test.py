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
