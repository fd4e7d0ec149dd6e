"""Saliency maps against closed forms and finite differences."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.analysis import saliency

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.uniform(size=[2, 3, 4, 2])
WEIGHTS = RANDOM.normal(size=[3, 4, 2])


def score(images):
    return tf.tanh(tf.reduce_sum(images * WEIGHTS, [1, 2, 3]))


def test_of_a_linear_score_it_is_the_largest_weight_of_each_pixel():
    images = tf.constant(IMAGES)
    maps = saliency.build(tf.reduce_sum(images * WEIGHTS, [1, 2, 3]), images)
    with tf.Session() as session:
        found = session.run(maps.map)
    np.testing.assert_allclose(found, np.stack([np.abs(WEIGHTS).max(-1)] * 2))


def test_slopes_are_those_of_finite_differences():
    images = tf.placeholder(tf.float64, [None, 3, 4, 2])
    value = score(images)
    maps = saliency.build(value, images)
    with tf.Session() as session:
        slope, shown = session.run(maps, {images: IMAGES})
        step = 1e-6 * np.eye(24).reshape(24, 3, 4, 2)
        for k, image in enumerate(IMAGES):
            up, down = (session.run(value, {images: image + s * step}) for s in (1, -1))
            want = ((up - down) / 2e-6).reshape(3, 4, 2)
            np.testing.assert_allclose(slope[k], want, atol=1e-8)
            np.testing.assert_allclose(shown[k], np.abs(want).max(-1), atol=1e-8)


def test_a_score_of_something_else_is_refused():
    images = tf.zeros([2, 3, 4, 1], name='images')
    with pytest.raises(ValueError, match='saliency: .* does not depend on images'):
        saliency.build(tf.zeros([2]), images)
    with pytest.raises(ValueError, match='saliency: score: .* it must have rank 1'):
        saliency.build(tf.reduce_sum(images, [1, 2]), images)
