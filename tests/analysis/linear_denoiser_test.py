"""Reduced-rank regression against its definition: regress, then truncate the fitted values."""

import numpy as np
import pytest
import sklearn.datasets
from scipy import optimize

from tfae.analysis import pca
from tfae.analysis.linear_denoiser import LinearDenoiser


def digits():
    return (sklearn.datasets.load_digits().images / 16).astype(np.float32)[..., None]


def masked(images, seed=0):
    return images * (np.random.RandomState(seed).uniform(size=images.shape) < 0.6)


def flat(images):
    return images.reshape(len(images), -1).astype(np.float64)


@pytest.mark.parametrize('rank', [1, 7, 64])
def test_it_is_the_regression_with_its_fitted_values_truncated(rank):
    images = digits()
    clean, noisy = images[:1200], masked(images[:1200])
    queries = masked(images[1200:], 1)
    x, y = (np.column_stack([np.ones(1200), flat(a)]) for a in (clean, noisy))
    weights = np.linalg.lstsq(y, x[:, 1:], rcond=None)[0]
    fitted = y @ weights
    right = np.linalg.svd(fitted - fitted.mean(0))[2][:rank]
    made = np.column_stack([np.ones(len(queries)), flat(queries)]) @ weights
    center = fitted.mean(0)
    want = np.clip(center + (made - center) @ right.T @ right, 0, 1)
    got = LinearDenoiser(noisy, clean, rank).denoise(queries)
    np.testing.assert_allclose(flat(got), want, atol=1e-4)
    assert got.shape == queries.shape


def test_no_map_of_the_rank_has_a_smaller_error():
    """Gradient descent over two factors ends at the same error, before clipping."""
    random = np.random.RandomState(0)
    clean = random.uniform(0.4, 0.6, [200, 2, 3, 1])
    noisy = clean + 0.1 * random.normal(size=clean.shape)
    x, y = (flat(a) - flat(a).mean(0) for a in (clean, noisy))

    def error(factors):
        a, b = factors.reshape(2, 6, 2)
        return np.square(x - y @ a @ b.T).mean()

    starts = [random.normal(size=24) for _ in range(5)]
    best = min(optimize.minimize(error, start).fun for start in starts)
    made = LinearDenoiser(noisy, clean, 2).denoise(noisy)
    assert np.all((made > 0) & (made < 1))
    ours = np.square(made - clean).mean()
    assert (1 - 1e-3) * best < ours < (1 + 1e-6) * best


def test_it_denoises_better_than_pca_of_the_noisy_images():
    images = digits()
    clean, test, noisy = images[:1200], images[1200:], masked(images[1200:], 1)
    fitted = LinearDenoiser(masked(clean), clean, 16)
    projected = pca.Baseline(clean, 16).reconstruct(noisy)
    ours, theirs = (np.square(made - test).mean() for made in (fitted.denoise(noisy), projected))
    assert ours < 0.8 * theirs


def test_pixels_that_never_change_and_a_single_image_have_a_mean():
    image = np.random.RandomState(0).uniform(size=[1, 3, 2, 1]).astype(np.float32)
    fitted = LinearDenoiser(0 * image, image, 4)
    np.testing.assert_allclose(fitted.denoise(image), image, atol=1e-6)
