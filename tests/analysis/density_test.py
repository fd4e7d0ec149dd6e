"""Distributions fitted to codes."""

import numpy as np
import pytest
import scipy.stats

from tfae.analysis import density
from tfae.analysis.density import Density
from tfae.core import errors

MEANS = np.array([[-5.0, 0], [5, 0], [0, 8]])


def codes(count=600, seed=0):
    random = np.random.RandomState(seed)
    return MEANS[np.arange(count) % 3] + random.normal(size=[count, 2]) * [1, 0.5]


def test_one_component_has_the_moments_of_the_codes():
    fitted, x = Density(codes(), 1, seed=0), codes()
    known = scipy.stats.multivariate_normal(x.mean(0), np.cov(x.T, bias=True))
    assert np.isclose(fitted.log_likelihood(x), known.logpdf(x).mean(), rtol=1e-5)
    made = fitted.sample(20_000, seed=1)
    np.testing.assert_allclose(made.mean(0), x.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(made.T), np.cov(x.T), rtol=0.05, atol=0.3)


@pytest.mark.parametrize('scale', [1e-4, 1e6])
def test_the_spread_of_codes_of_any_scale_is_kept(scale):
    x = codes() * scale
    x = np.column_stack([x, x[:, 0]])  # a redundant dimension
    made = Density(x, 1, seed=0).sample(20_000, seed=1)
    np.testing.assert_allclose(made.std(0), x.std(0), rtol=0.03)


def test_a_mixture_finds_the_places_where_codes_lie():
    made = Density(codes(), 3, seed=0).sample(3000, seed=1)
    nearest = np.linalg.norm(made[:, None] - MEANS, axis=2)
    assert (nearest.min(1) < 4).all()
    np.testing.assert_allclose(np.bincount(nearest.argmin(1)) / 3000, 1 / 3, atol=0.03)


def test_codes_come_in_no_order_and_as_the_seed_decides():
    fitted = Density(codes(), 3, seed=0)
    made, again, other = (fitted.sample(300, seed) for seed in (1, 1, 2))
    assert made.shape == (300, 2)
    assert made.dtype == np.float32
    assert np.array_equal(made, again)
    assert not np.array_equal(made, other)
    first = np.linalg.norm(made[:60, None] - MEANS, axis=2).argmin(1)
    assert np.bincount(first, minlength=3).min() > 5


def test_a_dead_unit_of_the_code_stays_about_its_value():
    x = codes()
    x[:, 1] = 7
    np.testing.assert_allclose(Density(x, 2, seed=0).sample(100, seed=0)[:, 1], 7, atol=0.01)


def test_a_density_of_one_code_is_refused():
    with pytest.raises(errors.InputError, match='has 1 example; fitting a density of codes'):
        Density(np.zeros([1, 4]), 1, 0)


def test_small_sets_get_fewer_components_and_large_ones_are_sampled(monkeypatch):
    small = Density(codes(11), 10, seed=0)  # 11 codes, 2 dimensions, 4 codes a component
    assert len(small._mixture.weights_) == 2
    full = Density(codes(), 3, seed=0).log_likelihood(codes())
    monkeypatch.setattr(density, '_MAX_FITTED', 300)
    sampled = Density(codes(), 3, seed=0).log_likelihood(codes())
    assert sampled != full
    assert sampled == pytest.approx(full, abs=0.05)
    # Each component has 4 of the codes that are left.
    assert len(Density(codes(), 100, seed=0)._mixture.weights_) == 75
