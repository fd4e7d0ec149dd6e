"""Integrated gradients: the paper's axioms, and closed forms."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.analysis import integrated_gradients

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.uniform(size=[3, 4, 4, 2])
KERNEL = RANDOM.normal(size=[3, 3, 2, 4])
HEAD = RANDOM.normal(size=[4 * 4 * 4])


def curved(images):
    x = tf.tanh(tf.nn.conv2d(images, KERNEL, 1, 'SAME'))
    return tf.linalg.matvec(tf.reshape(x, [-1, 64]), HEAD)


def attribute(function, images, base=0.0, steps=100):
    fed = tf.placeholder(tf.float64, [None, *images.shape[1:]])
    score = function(fed)
    with tf.Session() as session:
        found = integrated_gradients.attribute(session.run, score, fed, images, base, steps)
        ends = [session.run(score, {fed: np.broadcast_to(x, images.shape)}) for x in (images, base)]
    return found, ends[0] - ends[1]


@pytest.mark.parametrize('base', [0.0, 0.5, IMAGES[[1, 2, 0]]], ids=['black', 'gray', 'image'])
def test_attributions_sum_to_the_difference_of_the_scores(base):
    found, difference = attribute(curved, IMAGES, base)
    np.testing.assert_allclose(found.difference, difference)
    assert np.abs(difference).min() > 0.05
    np.testing.assert_allclose(found.pixels.sum((1, 2, 3)), difference, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.gap, found.pixels.sum((1, 2, 3)) - difference)


def test_twice_the_steps_leave_a_quarter_of_the_gap():
    coarse, fine = (attribute(curved, IMAGES, steps=steps)[0].gap for steps in (20, 40))
    np.testing.assert_allclose(coarse / fine, 4, rtol=0.05)


def test_a_linear_score_is_shared_out_by_its_weights_in_one_step():
    weights = RANDOM.normal(size=[4, 4, 2])
    found, _ = attribute(lambda x: tf.reduce_sum(x * weights, [1, 2, 3]), IMAGES, base=0.3, steps=1)
    np.testing.assert_allclose(found.pixels, (IMAGES - 0.3) * weights)
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)


def test_a_product_is_shared_out_evenly():
    """Of x y, from 0: each x y / 2."""
    found, _ = attribute(lambda x: x[:, 0, 0, 0] * x[:, 3, 2, 1], IMAGES)
    want = np.zeros(IMAGES.shape)
    want[:, 0, 0, 0] = want[:, 3, 2, 1] = IMAGES[:, 0, 0, 0] * IMAGES[:, 3, 2, 1] / 2
    np.testing.assert_allclose(found.pixels, want, atol=1e-12)


def test_pixels_that_do_not_differ_or_do_not_matter_get_nothing():
    images = IMAGES.copy()
    images[:, 1] = 0.5
    found, _ = attribute(curved, images, base=0.5)
    assert not found.pixels[:, 1].any()
    assert found.pixels[:, 0].any()
    found, _ = attribute(lambda x: curved(x * [1.0, 0.0]), IMAGES)
    assert not found.pixels[..., 1].any()
    assert found.pixels[..., 0].any()


def test_no_step_and_a_score_of_something_else_are_refused():
    with pytest.raises(ValueError, match='steps is 0; it must be 1 or more'):
        attribute(curved, IMAGES, steps=0)
    with pytest.raises(ValueError, match='integrated gradients: .* does not depend on'):
        attribute(lambda x: tf.zeros([3], tf.float64), IMAGES)
