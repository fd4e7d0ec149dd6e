"""Facts about batch normalization, against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def images(*shape, dtype=np.float32):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


def variable_names():
    return [v.op.name for v in tf.global_variables()]


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('axis', [-1, 1])
def test_batch_normalization_uses_the_batch_and_then_the_moving_moments(axis, fused):
    x = 3 + 2 * images(6, 5, 4, 3)
    training = tf.placeholder(tf.bool, [])
    layer = layers.BatchNormalization(axis, momentum=0.9, fused=fused)
    y = layer(x, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    others = tuple(i for i in range(4) if i != axis % 4)
    shape = [-1 if i == axis % 4 else 1 for i in range(4)]
    mean, variance = x.mean(others), x.var(others)
    count = x.size / mean.size
    moving_mean = 0.1 * mean
    # The fused operation's moving variance follows the unbiased one.
    moving_variance = 0.9 + 0.1 * variance * (count / (count - 1) if fused else 1)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(y, {training: True})
        want = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-3)
        np.testing.assert_allclose(got, want, atol=1e-5)
        session.run(updates, {training: False})
        np.testing.assert_array_equal(session.run(layer.moving_mean), np.zeros_like(mean))
        session.run(updates, {training: True})
        moved = session.run([layer.moving_mean, layer.moving_variance])
        np.testing.assert_allclose(moved[0], moving_mean, atol=1e-6)
        np.testing.assert_allclose(moved[1], moving_variance, atol=1e-6)
        got = session.run(y, {training: False})
    want = (x - moving_mean.reshape(shape)) / np.sqrt(moving_variance.reshape(shape) + 1e-3)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_renormalization_starts_as_normalization_with_the_initial_averages():
    x = 3 + 2 * images(50, 4)
    layer = layers.BatchNormalization(renorm=True)
    # r = stddev / 1 and d = mean - 0 undo the normalization, but for epsilon.
    np.testing.assert_allclose(run(layer(x, training=True)), x, atol=1e-5)


def test_moving_averages_are_not_trained():
    layer = layers.BatchNormalization(renorm=True)
    layer(tf.ones([2, 3]), training=True)
    assert tf.trainable_variables() == [layer.gamma, layer.beta]
    assert len(layer.non_trainable_variables) == 5


def test_a_partitioner_leaves_moving_averages_whole():
    with tf.variable_scope('s', partitioner=tf.fixed_size_partitioner(2)):
        layers.batch_normalization(layers.dense(tf.ones([2, 4]), 4))
    assert 's/dense/kernel/part_1' in variable_names()
    assert 's/batch_normalization/moving_mean' in variable_names()
