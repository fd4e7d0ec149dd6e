"""Planes of codes against their definition."""

import numpy as np
import pytest

from tfae.analysis import _subspace, plane
from tfae.core import errors

RANDOM = np.random.RandomState(0)
CODES = RANDOM.normal(size=[60, 5]) * [5, 3, 0.1, 0.1, 0.1] + [1, 2, 3, 4, 5]


def test_a_code_of_two_numbers_is_its_own_plane():
    seen = plane.through(CODES[:, :2])
    np.testing.assert_array_equal(seen.flatten(CODES[:, :2]), CODES[:, :2])
    np.testing.assert_array_equal(seen.lift(CODES[:, :2]), CODES[:, :2])
    assert seen.explained == 1


def test_the_plane_of_longer_codes_lies_where_they_spread_most():
    seen = plane.through(CODES)
    centerd = CODES - CODES.mean(0)
    values, vectors = np.linalg.eigh(centerd.T @ centerd)
    assert seen.explained == pytest.approx(values[-2:].sum() / values.sum())
    np.testing.assert_allclose(np.abs(seen.axes @ vectors[:, [-1, -2]]), np.eye(2), atol=1e-8)


def test_what_is_lifted_lies_where_it_was():
    seen, points = plane.through(CODES), RANDOM.normal(size=[7, 2])
    assert seen.lift(points).shape == (7, 5)
    np.testing.assert_allclose(seen.flatten(seen.lift(points)), points, atol=1e-12)


def test_a_lattice_spans_most_of_the_points_from_the_upper_left():
    points = np.stack(np.meshgrid(np.arange(101), np.arange(51)), -1).reshape(-1, 2)
    made = plane.lattice(points, 3)
    assert made.shape == (9, 2)
    np.testing.assert_allclose(made[[0, 2, -1]], [[1, 49.5], [99, 49.5], [99, 0.5]], atol=0.51)


def test_tsne_keeps_neighbors_together():
    groups = np.repeat([[0.0] * 4, [50.0] * 4], 20, axis=0) + RANDOM.normal(size=[40, 4])
    made = plane.tsne(groups, 0)
    left, right = made[:20], made[20:]
    within = np.linalg.norm(left - left.mean(0), axis=1).max()
    assert np.linalg.norm(left.mean(0) - right.mean(0)) > 2 * within


def test_few_codes_span_no_more_directions_than_they_are():
    pair = CODES[:2]
    seen = plane.through(pair)
    assert seen.explained == pytest.approx(1)
    np.testing.assert_allclose(seen.lift(seen.flatten(pair)), pair, atol=1e-8)
    assert plane.through(CODES[:3], 4).axes.shape == (3, 5)
    assert plane.through(CODES, 4).axes.shape == (4, 5)
    assert plane.through(CODES, 9).axes.shape == (5, 5)


@pytest.mark.parametrize('offset', [1e4, -3e3])
def test_codes_far_from_zero_have_the_plane_of_those_around_it(offset):
    near, far = (plane.through((CODES + by).astype(np.float32)) for by in (0, offset))
    assert far.explained == pytest.approx(near.explained, rel=1e-3)
    np.testing.assert_allclose(np.abs(far.axes), np.abs(near.axes), atol=0.01)
    moved = far.flatten((CODES + offset).astype(np.float32))
    np.testing.assert_allclose(moved.std(0), near.flatten(CODES).std(0), rtol=0.01)


def test_a_plane_of_long_codes_needs_no_covariance_matrix(monkeypatch):
    solvers, given = [], _subspace.PCA

    def recorded(components, svd_solver, **settings):
        solvers.append(svd_solver)
        return given(components, svd_solver=svd_solver, **settings)

    monkeypatch.setattr(_subspace, 'PCA', recorded)
    codes = RANDOM.normal(size=[20, 5000])
    assert plane.through(codes).axes.shape == (2, 5000)
    assert solvers == ['arpack']


@pytest.mark.filterwarnings('error')
def test_equal_codes_have_a_plane_that_explains_nothing():
    seen = plane.through(np.full([9, 4], 0.1, np.float32))
    assert seen.explained == 0
    np.testing.assert_allclose(seen.lift(np.ones([2, 2])), 0.1, rtol=1e-6)


def test_one_code_has_no_plane():
    with pytest.raises(errors.InputError, match='needs at least 2 examples; there is 1'):
        plane.through(np.zeros([1, 4]))


@pytest.mark.parametrize('count', [2, 3, 4, 7])
def test_tsne_asks_for_no_more_neighbors_than_there_are(monkeypatch, count):
    """Three times the perplexity of them are looked at, as van der Maaten's program has it."""
    asked, given = [], plane.TSNE

    def recorded(*words, perplexity, **settings):
        asked.append(perplexity)
        return given(*words, perplexity=perplexity, **settings)

    monkeypatch.setattr(plane, 'TSNE', recorded)
    assert plane.tsne(np.random.RandomState(0).normal(size=[count, 3]), 0).shape == (count, 2)
    assert 3 * asked[0] + 1 <= count


def test_tsne_of_one_code_is_refused():
    with pytest.raises(errors.InputError, match='t-SNE needs at least 2 examples; there is 1'):
        plane.tsne(np.zeros([1, 2]), 0)


def test_a_traversal_moves_the_dimensions_of_largest_variance_over_the_range_of_most_codes():
    codes = np.random.RandomState(3).normal(size=[1000, 4]) * [1, 5, 0, 3]
    found = plane.traversal(codes, codes[7], 3, 5)
    assert list(found) == [1, 3, 0]
    for k, path in found.items():
        ends = np.percentile(codes[:, k], [1, 99])
        np.testing.assert_allclose(path[:, k], np.linspace(*ends, 5))
        others = np.delete(path, k, 1)
        np.testing.assert_array_equal(others, np.tile(np.delete(codes[7], k), [5, 1]))
    assert list(plane.traversal(codes, codes[7], 9, 2)) == [1, 3, 0, 2]
