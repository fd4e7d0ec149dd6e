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


@pytest.mark.parametrize(('axis', 'shape'), [(-1, (6, 3)), (1, (6, 3, 4)), ([1, 3], (6, 3, 4, 2))])
def test_virtual_batches_are_normalized_by_their_own_moments(axis, shape):
    x = 3 + 2 * images(*shape)
    training = tf.placeholder(tf.bool, [])
    layer = layers.BatchNormalization(axis, 0.9, virtual_batch_size=2)
    y = layer(tf.placeholder_with_default(x, (None, *shape[1:])), training=training)
    # Three groups of two examples: 0 and 3, 1 and 4, 2 and 5.
    groups = x.reshape(2, 3, *shape[1:])
    kept = [1, *(i % len(shape) + 1 for i in np.atleast_1d(axis))]
    others = tuple(i for i in range(groups.ndim) if i not in kept)
    mean, variance = groups.mean(others, keepdims=True), groups.var(others, keepdims=True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(y, {training: True})
        session.run(layer.updates, {training: False})
        session.run(layer.updates, {training: True})
        moved = session.run([layer.moving_mean, layer.moving_variance])
        later = session.run(y, {training: False})
    want = (groups - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(got, want.reshape(shape), atol=1e-5)
    np.testing.assert_allclose(moved[0], 0.1 * mean.mean(1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(moved[1], 0.9 + 0.1 * variance.mean(1, keepdims=True), atol=1e-5)
    want = (groups - moved[0]) / np.sqrt(moved[1] + 1e-3)
    np.testing.assert_allclose(later, want.reshape(shape), atol=1e-5)


def test_a_virtual_batch_must_divide_the_batch():
    with pytest.raises(ValueError, match=r'input is \(5, 2\); virtual_batch_size 2 must divide'):
        layers.batch_normalization(images(5, 2), training=True, virtual_batch_size=2)
    x = tf.placeholder_with_default(images(5, 2), [None, 2])
    y = layers.batch_normalization(x, training=True, virtual_batch_size=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match='requires a multiple of 4'):
        run(y)
