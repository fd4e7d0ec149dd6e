"""Spectral normalization against singular values of numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.layers import spectral_normalization

KERNEL = np.random.RandomState(0).normal(size=[3, 2, 4, 5])
INPUTS = np.random.RandomState(1).normal(size=[2, 6, 6, 4])


def convolved(update=True):
    with tf.variable_scope(
        'net', custom_getter=spectral_normalization.custom_getter(update), reuse=tf.AUTO_REUSE
    ):
        return layers.conv2d(
            tf.constant(INPUTS), 5, (3, 2), name='conv', kernel_initializer=_constant(KERNEL)
        )


def _constant(value):
    return lambda shape, dtype=None, partition_info=None: tf.constant(value, dtype)


def updates():
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


def test_a_layer_uses_its_kernel_divided_by_the_largest_singular_value():
    output = convolved()
    kernel, bias = tf.trainable_variables()
    assert [v.op.name for v in tf.global_variables()] == [
        'net/conv/kernel',
        'net/conv/spectral_u',
        'net/conv/bias',
    ]
    largest = np.linalg.svd(KERNEL.reshape(-1, 5), compute_uv=False)[0]
    plain = tf.nn.conv2d(INPUTS, KERNEL / largest, 1, 'VALID') + bias
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run([output, plain])
        assert np.abs(before[0] - before[1]).max() > 1e-4  # one step is not enough
        for _ in range(200):
            session.run(updates())
        found, want, raw = session.run([output, plain, kernel])
    np.testing.assert_allclose(found, want, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(raw, KERNEL)


def test_a_step_is_one_of_the_power_iteration_and_only_an_update_makes_it():
    convolved()
    u = tf.global_variables('net/conv/spectral_u')[0]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(u)
        session.run(convolved(update=False))
        assert len(updates()) == 1
        np.testing.assert_array_equal(session.run(u), before)
        session.run(updates())
        after = session.run(u)
    want = KERNEL.reshape(-1, 5).T @ (KERNEL.reshape(-1, 5) @ before)
    np.testing.assert_allclose(after, want / np.linalg.norm(want), rtol=1e-10)


def test_the_gradient_is_that_of_the_paper():
    """Equation 12: (G - <G, W> / sigma * v u^T) / sigma, with u and v held."""
    slope = np.random.RandomState(2).normal(size=[3, 2, 4, 5])
    with tf.variable_scope('net', custom_getter=spectral_normalization.custom_getter(False)):
        made = tf.get_variable('kernel', initializer=tf.constant(KERNEL))
    kernel = tf.trainable_variables()[0]
    (found,) = tf.gradients(tf.reduce_sum(made * slope), [kernel])
    u = tf.global_variables('net/spectral_u')[0]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got, start = session.run([found, u])
    matrix, g = KERNEL.reshape(-1, 5), slope.reshape(-1, 5)
    v = matrix @ start / np.linalg.norm(matrix @ start)
    u = matrix.T @ v / np.linalg.norm(matrix.T @ v)
    sigma = v @ matrix @ u
    want = (g - np.sum(g * matrix) / sigma * np.outer(v, u)) / sigma
    np.testing.assert_allclose(got.reshape(-1, 5), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_a_kernel_of_zeros_stays_one(dtype):
    with tf.variable_scope('net', custom_getter=spectral_normalization.custom_getter(True)):
        made = tf.get_variable('kernel', initializer=tf.zeros([3, 2], dtype))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(updates())
        assert np.isfinite(session.run(tf.global_variables('net/spectral_u')[0])).all()
        np.testing.assert_array_equal(session.run(made), np.zeros([3, 2]))
