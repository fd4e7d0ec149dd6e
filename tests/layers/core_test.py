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


def test_dense_takes_a_sparse_matrix():
    x = np.array([[0, 2.0, 0], [3, 0, 1]], np.float32)
    layer = layers.Dense(2, tf.nn.relu, kernel_initializer='ones', name='d')
    sparse = tf.sparse.from_dense(x)
    known = tf.SparseTensor(sparse.indices, sparse.values, [2, 3])
    np.testing.assert_array_equal(run(layer(known)), [[2, 2], [4, 4]])
    assert layers.dense(known, 2, name='d', reuse=True).shape == (2, 2)


def test_names_of_initializers_are_those_of_keras():
    normal = ('random_normal', 'normal', 'RandomNormal')
    uniform = ('random_uniform', 'uniform', 'RandomUniform')
    truncated = ('truncated_normal', 'TruncatedNormal')
    scaled = ('variance_scaling', 'VarianceScaling', 'lecun_normal', 'LecunNormal')
    wanted = {normal: 0.05, truncated: 0.05 * 0.8796, uniform: 0.05 / 3**0.5, scaled: 0.1}
    found = {
        names: [layers.Dense(100, kernel_initializer=name) for name in names] for names in wanted
    }
    constant = {'zero': 0, 'Zeros': 0, 'one': 1, 'Ones': 1}
    parts = [layers.Dense(3, kernel_initializer=name) for name in constant]
    for layer in [*sum(found.values(), []), *parts]:
        layer(tf.ones([1, 100]))
    kernels = run([[layer.kernel for layer in made] for made in found.values()])
    for made, std in zip(kernels, wanted.values(), strict=True):
        np.testing.assert_allclose([kernel.std() for kernel in made], std, rtol=0.03)
    for kernel, value in zip(run([p.kernel for p in parts]), constant.values(), strict=True):
        assert (kernel == value).all()


def test_regularizers_and_activations_have_names():
    x = np.array([[-4.0, 1, 4]], np.float32)
    given = {'use_bias': False, 'kernel_initializer': tf.constant_initializer(-2)}
    for name, wanted in (('l1', 0.06), ('l2', 0.12), ('l1_l2', 0.18)):
        layer = layers.Dense(1, kernel_regularizer=name, activity_regularizer='l2', **given)
        layer(x)
        np.testing.assert_allclose(run(layer.losses), [wanted, 0.01 * 2**2], rtol=1e-6)
    with pytest.raises(ValueError, match="regularizer is 'l3'; it must be one of l1, l2"):
        layers.dense(x, 1, kernel_regularizer='l3')
    identity = {'use_bias': False, 'kernel_initializer': 'Identity'}
    of_numpy = {'exponential': np.exp(x), 'hard_sigmoid': [[0, 0.7, 1]]}
    for name, wanted in of_numpy.items():
        layer = layers.Dense(3, name, **identity)
        np.testing.assert_allclose(run(layer(x)), wanted, rtol=1e-6)
        assert layer.get_config()['activation'] == name
