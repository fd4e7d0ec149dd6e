import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import sklearn.metrics

from tfae.analysis import reconstruction


def images(seed=0, count=5):
    return np.random.RandomState(seed).uniform(size=[count, 4, 3, 2]).astype(np.float32)


def test_mse_is_that_of_scikit_learn():
    x, y = images(), images(1)
    want = sklearn.metrics.mean_squared_error(x.ravel(), y.ravel())
    np.testing.assert_allclose(reconstruction.mse(x, y), want, rtol=1e-6)


def test_mse_of_many_small_errors_loses_no_digits():
    x = np.full([100, 100, 100, 1], 1e-4, np.float32)
    want = np.float64(np.float32(1e-4)) ** 2
    np.testing.assert_allclose(reconstruction.mse(x, 0 * x), want, rtol=1e-9)


def test_bce_is_the_log_loss_of_black_and_white_images():
    x = np.rint(images())
    logits = 4 * images(1) - 2
    want = sklearn.metrics.log_loss(x.ravel(), scipy.special.expit(logits.astype(float)).ravel())
    np.testing.assert_allclose(reconstruction.bce(x, logits), want, rtol=1e-6)


@pytest.mark.parametrize('logit', [-1e3, 1e3])
def test_bce_is_finite_far_out(logit):
    x = np.full([1, 1, 1, 1], 0.25, np.float32)
    want = 1e3 * (0.75 if logit > 0 else 0.25)
    np.testing.assert_allclose(reconstruction.bce(x, np.full_like(x, logit)), want)


def test_no_bce_goes_below_the_entropy_and_the_images_own_logits_reach_it():
    x = images()
    floor = reconstruction.entropy(x)
    p = x.astype(np.float64)
    want = np.mean(scipy.special.entr(p) + scipy.special.entr(1 - p))
    np.testing.assert_allclose(floor, want, rtol=1e-6)
    np.testing.assert_allclose(reconstruction.bce(x, scipy.special.logit(p)), floor, rtol=1e-6)
    for seed in range(5):
        assert reconstruction.bce(x, 6 * images(seed) - 3) > floor


def test_black_and_white_images_have_no_entropy():
    found = reconstruction.entropy(np.rint(images()))
    assert found == 0 and not np.signbit(found)  # which would be printed as -0.00000


def test_psnr_is_twenty_decibels_where_every_pixel_is_off_by_a_tenth():
    images = np.zeros([3, 2, 2, 1])
    np.testing.assert_allclose(reconstruction.psnr(images, images + 0.1), 20)


def test_images_are_as_sharp_as_themselves_and_as_their_mirror_images():
    x = images()
    assert reconstruction.sharpness(x, x) == 1
    np.testing.assert_allclose(reconstruction.sharpness(x, 1 - x), 1, rtol=1e-6)


def test_sharpness_is_the_ratio_of_mean_gradient_magnitudes():
    images, restored = np.zeros([1, 4, 4, 1]), np.zeros([1, 4, 4, 1])
    images[:, 2:] = 1  # an edge of height 1 across four columns
    restored[0, 3, 3] = 0.5  # a slope above it and one to its left
    np.testing.assert_allclose(reconstruction.sharpness(images, restored), 2 * 0.5 / 4)
    restored[0, 3, 3], restored[0, 1, 1] = 0, 1  # 1 above, 1 to the left, root of 2 in its place
    want = (2 + np.sqrt(2)) / 4
    np.testing.assert_allclose(reconstruction.sharpness(images, restored), want)


def test_blurred_images_are_less_sharp():
    x = images(count=20)
    blurred = scipy.ndimage.uniform_filter(x, (0, 2, 2, 0))
    assert reconstruction.sharpness(x, blurred) < 0.7


def test_images_without_an_edge_do_not_divide_by_zero():
    blank = np.full([2, 1, 1, 1], 0.5)
    assert reconstruction.sharpness(blank, blank) == 0
    assert np.isfinite(reconstruction.sharpness(np.zeros([1, 2, 2, 1]), np.eye(2)[None, ..., None]))


def test_psnr_of_equal_images_is_infinite():
    assert reconstruction.psnr(images(), images()) == np.inf
