"""Grad-CAM against its definition, by finite differences."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.analysis import gradcam

RANDOM = np.random.RandomState(0)
MAPS = RANDOM.normal(size=[2, 3, 4, 5])
HEAD = RANDOM.normal(size=[60])


def score(layer):
    """A curved score of the maps `[B, 3, 4, 5]`."""
    return tf.tanh(tf.linalg.matvec(tf.reshape(layer, [-1, 60]), HEAD) / 9)


def weights_by_differences(step=1e-6):
    """Mean slope over the places of each map: that of moving the whole map at once."""
    with tf.Session() as session:
        layer = tf.placeholder(tf.float64, [None, 3, 4, 5])
        value = score(layer)
        found = []
        for k in range(5):
            moved = step * np.eye(5)[k]
            up, down = (session.run(value, {layer: MAPS + sign * moved}) for sign in (1, -1))
            found.append((up - down) / (2 * step) / 12)
    return np.stack(found, 1)


def test_weights_are_the_mean_slopes_and_heat_is_what_they_weigh():
    layer = tf.constant(MAPS)
    maps = gradcam.build(score(layer), layer)
    with tf.Session() as session:
        weights, heat = session.run(maps)
    want = weights_by_differences()
    np.testing.assert_allclose(weights, want, atol=1e-9)
    whole = (MAPS * want[:, None, None]).sum(-1)
    np.testing.assert_allclose(heat, np.maximum(whole, 0), atol=1e-8)
    assert (whole < 0).any() and (whole > 0).any()


def test_of_a_linear_head_on_the_mean_of_the_maps_it_is_the_class_activation_map():
    """Zhou et al., CVPR 2016; the paper's own special case."""
    head = HEAD[:5]
    layer = tf.constant(MAPS)
    maps = gradcam.build(tf.linalg.matvec(tf.reduce_mean(layer, [1, 2]), head), layer)
    with tf.Session() as session:
        heat = session.run(maps.heat)
    np.testing.assert_allclose(heat, np.maximum(MAPS @ head, 0) / 12, atol=1e-12)


def test_an_example_gets_no_heat_from_the_scores_of_others():
    layer = tf.constant(MAPS)
    with tf.Session() as session:
        both = session.run(gradcam.build(score(layer), layer).heat)
        one = layer[:1]
        np.testing.assert_allclose(
            session.run(gradcam.build(score(one), one).heat), both[:1], atol=1e-12
        )


def test_heat_is_spread_between_the_middles_of_places():
    heat = np.array([[[0.0, 4.0]]], np.float32)
    with tf.Session() as session:
        spread = session.run(gradcam.upsample(tf.constant(heat), 2, 8))
    np.testing.assert_allclose(spread[0], 2 * [[0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]])


def test_other_ranks_and_scores_of_something_else_are_refused():
    layer = tf.zeros([2, 3, 4, 5])
    with pytest.raises(ValueError, match=r'Grad-CAM: score: shape is .* it must have rank 1'):
        gradcam.build(tf.reduce_sum(layer, [1, 2]), layer)
    with pytest.raises(ValueError, match=r'Grad-CAM: flat: shape is .* it must have rank 4'):
        gradcam.build(tf.zeros([2]), tf.reshape(layer, [2, -1], 'flat'))
    with pytest.raises(ValueError, match='Grad-CAM: zeros.* does not depend on maps'):
        gradcam.build(tf.zeros([2]), tf.identity(layer, 'maps'))
