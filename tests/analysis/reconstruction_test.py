import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from tfae.analysis import reconstruction


def pictures(seed=0, count=5):
    return np.random.RandomState(seed).uniform(size=[count, 4, 3, 2]).astype(np.float32)


def test_mse_is_that_of_scikit_learn():
    x, y = pictures(), pictures(1)
    want = sklearn.metrics.mean_squared_error(x.ravel(), y.ravel())
    np.testing.assert_allclose(reconstruction.mse(x, y), want, rtol=1e-6)


def test_mse_of_many_small_errors_loses_no_digits():
    x = np.full([100, 100, 100, 1], 1e-4, np.float32)
    want = np.float64(np.float32(1e-4)) ** 2
    np.testing.assert_allclose(reconstruction.mse(x, 0 * x), want, rtol=1e-9)


def test_bce_is_the_log_loss_of_black_and_white_pictures():
    x = np.rint(pictures())
    logits = 4 * pictures(1) - 2
    want = sklearn.metrics.log_loss(x.ravel(), scipy.special.expit(logits.astype(float)).ravel())
    np.testing.assert_allclose(reconstruction.bce(x, logits), want, rtol=1e-6)


@pytest.mark.parametrize('logit', [-1e3, 1e3])
def test_bce_is_finite_far_out(logit):
    x = np.full([1, 1, 1, 1], 0.25, np.float32)
    want = 1e3 * (0.75 if logit > 0 else 0.25)
    np.testing.assert_allclose(reconstruction.bce(x, np.full_like(x, logit)), want)


def test_no_bce_goes_below_the_entropy_and_the_pictures_own_logits_reach_it():
    x = pictures()
    floor = reconstruction.entropy(x)
    p = x.astype(np.float64)
    want = np.mean(scipy.special.entr(p) + scipy.special.entr(1 - p))
    np.testing.assert_allclose(floor, want, rtol=1e-6)
    np.testing.assert_allclose(reconstruction.bce(x, scipy.special.logit(p)), floor, rtol=1e-6)
    for seed in range(5):
        assert reconstruction.bce(x, 6 * pictures(seed) - 3) > floor


def test_black_and_white_pictures_have_no_entropy():
    assert reconstruction.entropy(np.rint(pictures())) == 0


def test_psnr_is_twenty_decibels_where_every_pixel_is_off_by_a_tenth():
    images = np.zeros([3, 2, 2, 1])
    np.testing.assert_allclose(reconstruction.psnr(images, images + 0.1), 20)
