"""Activation maximization: its basis, its regularizers, and that the ascent rises."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.analysis import activation_maximization
from tfae.analysis.activation_maximization import Fourier, Settings

RANDOM = np.random.RandomState(0)
COLORS = RANDOM.normal(size=[3, 3])
WEIGHTS = RANDOM.normal(size=[3, 9, 8, 2])
PLAIN = Settings(steps=60, jitter=0, blur=0, total_variation=0)


def linear(images):
    """A score `[B]` whose unit, a number an image, is the image's place."""
    return tf.reduce_sum(images * WEIGHTS, [1, 2, 3])


def curved(images):
    kernel = np.random.RandomState(1).normal(size=[3, 3, 2, 4])
    x = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, 'SAME'))
    return tf.reduce_mean(x[..., 0] - x[..., 1], [1, 2])


def ascend(function, settings=PLAIN, numbers=(0, 1, 2), colors=None):
    images = tf.placeholder(tf.float64, [None, 9, 8, 2])
    score = function(images)
    with tf.Session() as session:
        return activation_maximization.ascend(session.run, score, images, numbers, settings, colors)


@pytest.mark.parametrize('sides', [(6, 8), (5, 7), (4, 1)])
def test_the_slope_is_the_adjoint_of_the_image(sides):
    """<g, image(z)> = <slope(g), z> for all g and z: so slopes are exact."""
    basis = Fourier(*sides, COLORS)
    z = RANDOM.normal(size=[2, sides[0], sides[1] // 2 + 1, 3, 2])
    g = RANDOM.normal(size=[2, *sides, 3])
    assert basis.image(z).shape == g.shape
    np.testing.assert_allclose(np.sum(g * basis.image(z)), np.sum(basis.gradient(g) * z))


def test_numbers_of_equal_size_make_images_whose_neighbors_are_alike():
    """Energy falls with the square of the frequency, as that of photographs does."""
    z = RANDOM.normal(size=[50, 32, 17, 1, 2])
    images = Fourier(32, 32, np.eye(1)).image(z)[..., 0]
    power = np.mean(np.abs(np.fft.rfft2(images)) ** 2, 0)
    np.testing.assert_allclose(power[0, 2:8] * np.arange(2, 8) ** 2 / power[0, 1], 1, atol=0.5)


def test_channels_are_mixed_by_the_colors():
    z = RANDOM.normal(size=[2, 6, 4, 3, 2])
    apart = Fourier(6, 6, np.eye(3)).image(z)
    np.testing.assert_allclose(Fourier(6, 6, COLORS).image(z), apart @ COLORS.T)


def test_the_blur_is_a_gaussian_of_that_width():
    basis = Fourier(33, 33, np.eye(1))
    point = np.zeros([1, 33, 33, 1])
    point[0, 16, 16] = 1
    size = np.hypot(np.fft.fftfreq(33)[:, None], np.fft.rfftfreq(33))
    scale = 33 / np.maximum(size, 1 / 33)
    waves = np.fft.rfft2(point, axes=(1, 2)) / scale[..., None]
    z = np.stack([waves.real, waves.imag], -1)
    np.testing.assert_allclose(basis.image(z), point, atol=1e-12)
    shift = np.arange(33) - 16
    want = np.exp(-np.add.outer(shift**2, shift**2) / (2 * 1.5**2)) / (2 * np.pi * 1.5**2)
    np.testing.assert_allclose(basis.image(basis.blurred(z, 1.5))[0, ..., 0], want, atol=1e-6)


def test_the_color_root_is_that_of_the_covariance():
    images = RANDOM.normal(size=[5, 6, 7, 3]) @ COLORS
    root = activation_maximization.color_root(images)
    covariance = np.cov(images.reshape(-1, 3).T)
    np.testing.assert_allclose(root @ root / (root @ root)[0, 0], covariance / covariance[0, 0])
    assert np.linalg.norm(root, axis=1).max() == pytest.approx(1)


@pytest.mark.parametrize('images', [np.ones([4, 3, 3, 2]), np.zeros([4, 3, 3, 1], np.uint8)])
def test_channels_that_never_change_are_independent(images):
    channels = images.shape[-1]
    root = activation_maximization.color_root(images)
    np.testing.assert_array_equal(root, np.eye(channels))


def test_total_variation_is_the_sum_of_steps_and_its_slope_that_of_finite_differences():
    x = RANDOM.uniform(size=[2, 4, 5, 2])
    value, slope = activation_maximization.total_variation(x)
    steps = [np.abs(np.diff(x, axis=axis)).sum((1, 2, 3)) for axis in (1, 2)]
    np.testing.assert_allclose(value, sum(steps), atol=0.01 * 2 * (3 * 5 + 4 * 4))
    moved = 1e-6 * np.eye(40).reshape(40, 4, 5, 2)
    ends = [activation_maximization.total_variation(x[0] + sign * moved)[0] for sign in (1, -1)]
    np.testing.assert_allclose(slope[0].ravel(), (ends[0] - ends[1]) / 2e-6, atol=1e-6)
    even, flat = activation_maximization.total_variation(np.full([1, 4, 5, 2], 0.3))
    assert not even.any() and not flat.any()


@pytest.mark.parametrize('settings', [PLAIN, Settings(steps=60, jitter=2)])
@pytest.mark.parametrize('function', [linear, curved])
def test_the_ascent_rises(function, settings):
    made = ascend(function, settings)
    assert made.images.shape == (3, 9, 8, 2)
    assert 0 <= made.images.min() <= made.images.max() <= 1
    assert (made.end > made.start + 0.2 * np.abs(made.start)).all()


def test_of_a_linear_score_it_nears_the_best_image_there_is():
    made = ascend(linear, Settings(steps=400, jitter=0, blur=0, total_variation=0))
    best = np.maximum(WEIGHTS, 0).sum((1, 2, 3))
    assert (made.end > 0.95 * best).all()
    assert (made.end <= best).all()
    assert (made.start < 0.7 * best).all()


def test_a_image_is_a_function_of_its_number_and_the_seed_alone():
    settings = Settings(steps=5)
    together = ascend(curved, settings).images
    np.testing.assert_allclose(ascend(curved, settings, [2]).images, together[2:], atol=1e-12)
    np.testing.assert_array_equal(ascend(curved, settings).images, together)
    other = ascend(curved, Settings(steps=5, seed=1)).images
    assert np.abs(other - together).max() > 0.01
    assert np.abs(together[0] - together[1]).max() > 0.01


@pytest.mark.parametrize('more', [{'total_variation': 2.0}, {'blur': 1.0}])
def test_regularizers_leave_smoother_images(more):
    rough = ascend(curved).images
    smooth = ascend(curved, Settings(**{**vars(PLAIN), **more})).images
    variation = activation_maximization.total_variation
    assert (variation(smooth)[0] < 0.7 * variation(rough)[0]).all()


def test_jitter_shows_the_network_windows_of_a_larger_image():
    images = tf.placeholder(tf.float64, [None, 9, 8, 2])
    score = curved(images)
    with tf.Session() as session:
        for jitter in (0, 2):
            seen = []

            def fetch(tensors, feeds, seen=seen):
                seen.append(feeds[images])
                return session.run(tensors, feeds)

            still = Settings(steps=12, rate=0, jitter=jitter, blur=0)
            activation_maximization.ascend(fetch, score, images, [0], still)
            windows = np.unique(np.stack([array.ravel() for array in seen]), axis=0)
            assert (len(windows) > 4) == (jitter > 0)
            assert len(windows) <= (2 * jitter + 1) ** 2


def test_colors_that_go_together_stay_together():
    same = ascend(curved, colors=np.full([2, 2], 0.5)).images
    np.testing.assert_allclose(same[..., 0], same[..., 1])


def test_a_unit_that_no_image_moves_leaves_the_noise():
    made = ascend(lambda images: tf.nn.relu(linear(images) - 1e6))
    np.testing.assert_array_equal(made.end, 0)
    assert np.isfinite(made.images).all()


def test_a_shift_of_half_a_side_and_a_score_of_something_else_are_refused():
    with pytest.raises(ValueError, match='jitter is 4; it must be below half of .* 9 x 8 imag'):
        ascend(curved, Settings(jitter=4))
    with pytest.raises(ValueError, match='activation maximization: .* does not depend on'):
        ascend(lambda images: tf.zeros([3], tf.float64))
