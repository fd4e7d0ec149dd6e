"""Activations behind layers that TensorFlow may fuse with them."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.ops.activations import Activation


@pytest.mark.parametrize('name', Activation.BUILT_IN)
def test_an_activation_follows_a_convolution_that_is_normalized_by_moving_moments(name):
    """TensorFlow's fusion of the three fails for tanh on processors with oneDNN."""
    random = np.random.RandomState(0)
    x = random.normal(size=[2, 7, 9, 2]).astype(np.float32)
    values = random.normal(size=[3, 3, 2, 4]).astype(np.float32)
    kernel = tf.get_variable('kernel', initializer=values)
    moments = [tf.get_variable(f'v{k}', initializer=tf.ones([4])) for k in range(4)]
    given = tf.placeholder(tf.float32, [None, 7, 9, 2])
    normalized = tf.nn.fused_batch_norm(
        tf.nn.conv2d(given, kernel, 1, 'SAME'), *moments, is_training=False
    )[0]
    activation = Activation.from_text(name).function
    shown = tf.identity(normalized)
    found = activation(normalized)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(found, {given: x})  # alone, so that the three may be fused
        before = session.run(shown, {given: x})
        want = session.run(activation(tf.constant(before)))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', Activation.BUILT_IN)
def test_a_derivative_is_that_of_tensorflow_at_zero_too(name):
    x = tf.constant([-2.0, -0.5, 0.0, 0.3, 1.5])
    activation = Activation.from_text(name)
    y = activation.function(x)
    with tf.Session() as session:
        got, want = session.run([activation.derivative(y), tf.gradients(y, x)[0]])
    np.testing.assert_allclose(got, want, rtol=1e-5)
