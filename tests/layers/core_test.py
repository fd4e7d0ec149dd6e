"""Facts about dense, dropout and flatten, against numpy."""

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


def test_dense_is_a_product_and_a_sum():
    x = images(5, 4, 3)
    layer = layers.Dense(2, activation=tf.nn.relu, bias_initializer='ones')
    y, kernel = run([layer(x), layer.kernel])
    np.testing.assert_allclose(y, np.maximum(x @ kernel + 1, 0), atol=1e-6)


def test_flatten_gives_one_order_for_both_formats():
    x = images(2, 3, 4, 5)
    last, first = run(
        [
            layers.flatten(x),
            layers.flatten(np.moveaxis(x, -1, 1), data_format='channels_first'),
        ]
    )
    np.testing.assert_array_equal(last, x.reshape(2, -1))
    np.testing.assert_array_equal(first, last)


def test_dropout_zeroes_its_share_and_scales_the_rest():
    training = tf.placeholder(tf.bool, [])
    y = layers.dropout(tf.ones([100, 100]), 0.25, training=training, seed=1)
    dropped = run(y, {training: True})
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(run(y, {training: False}), np.ones([100, 100]))


def test_dropout_broadcasts_noise_of_another_shape():
    y = layers.dropout(tf.ones([50, 6]), noise_shape=[None, 1], training=True, seed=1)
    assert (np.ptp(run(y), axis=1) == 0).all()


def test_integers_are_no_inputs_of_a_dense_layer():
    with pytest.raises(TypeError, match='dtype is int32; it must be a floating-point one'):
        layers.dense(tf.ones([3, 4], tf.int32), 2)
