"""ICNR, the initializer of sub-pixel convolutions, against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.ops import subpixel


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape)


def blocks_repeat(y, rh, rw):
    """How far the pixels of a block of `y` are from being equal."""
    return np.abs(y - np.repeat(np.repeat(y[:, ::rh, ::rw], rh, 1), rw, 2)).max()


@pytest.mark.parametrize('mode', subpixel.MODES)
def test_the_layer_starts_as_a_nearest_enlargement_of_a_convolution(mode):
    x = numbers(2, 5, 4, 3)
    layer = layers.SubpixelConv2D(4, 3, (2, 3), activation=tf.nn.tanh, mode=mode)
    y = layer(x)
    one = layer.kernel[..., :4] if mode == 'DCR' else layer.kernel[..., ::6]
    convolved = tf.nn.tanh(tf.nn.conv2d(x, one, 1, 'SAME'))
    y, convolved = run([y, convolved])
    np.testing.assert_allclose(y, np.repeat(np.repeat(convolved, 2, 1), 3, 2), atol=1e-12)
    assert np.unique(convolved).size == convolved.size


@pytest.mark.parametrize('mode', subpixel.MODES)
def test_a_constant_image_has_no_checkerboard(mode):
    x = np.ones([1, 6, 6, 3])
    smooth = layers.subpixel_conv2d(x, 2, 3, mode=mode)
    rough = layers.subpixel_conv2d(x, 2, 3, mode=mode, kernel_initializer='glorot_uniform')
    smooth, rough = (y[:, 2:-2, 2:-2] for y in run([smooth, rough]))
    assert np.ptp(smooth, axis=(1, 2)).max() < 1e-12
    assert np.ptp(rough, axis=(1, 2)).min() > 0.01


def test_its_fans_are_those_of_the_convolution_before_the_enlargement():
    kernel = run(layers.ICNR(4)([3, 3, 8, 8 * 16]))
    limit = np.sqrt(6 / (9 * (8 + 8)))
    assert 0.97 * limit < np.abs(kernel).max() <= limit


def test_it_wraps_the_initializer_that_is_given():
    count = tf.constant_initializer(np.arange(6.0))
    np.testing.assert_array_equal(
        run(layers.ICNR((1, 2), count)([1, 1, 2, 6])).ravel(), [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]
    )
    np.testing.assert_array_equal(
        run(layers.ICNR((1, 2), count, 'CRD')([1, 1, 2, 6])).ravel(),
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    )
    for given in ('ones', tf.ones_initializer, tf.ones_initializer()):
        assert run(layers.ICNR(2, given)([1, 1, 1, 4], tf.float64)).dtype == np.float64


def test_the_default_wraps_the_initializer_of_the_scope():
    with tf.variable_scope('s', initializer=tf.random_normal_initializer(50, 1)):
        y = layers.subpixel_conv2d(np.ones([1, 3, 3, 1]), 2, 1)
    y = run(y)
    assert blocks_repeat(y, 2, 2) == 0
    assert y.min() > 40


def test_equal_seeds_give_equal_kernels():
    kernels = []
    for seed in (1, 1, 2):
        with tf.Graph().as_default():
            tf.set_random_seed(seed)
            layer = layers.SubpixelConv2D(4, 3)
            layer(tf.zeros([1, 2, 2, 3]))
            kernels.append(run(layer.kernel))
    assert (kernels[0] == kernels[1]).all()
    assert (kernels[0] != kernels[2]).any()


def test_parts_of_a_partitioned_kernel_have_the_fans_of_the_whole():
    with tf.variable_scope('s', partitioner=tf.fixed_size_partitioner(3)):
        layer = layers.SubpixelConv2D(32, 3, use_bias=False)
        y = layer(numbers(1, 4, 4, 32))
    y, kernel = run([y, tf.convert_to_tensor(layer.kernel)])
    assert blocks_repeat(y, 2, 2) < 1e-12
    limit = np.sqrt(6 / (9 * (32 + 32)))
    assert 0.97 * limit < np.abs(kernel).max() <= limit


def test_a_partition_of_the_channels_is_refused():
    with (
        tf.variable_scope('s', partitioner=tf.fixed_size_partitioner(2, axis=3)),
        pytest.raises(ValueError, match='ICNR: a slice has 4 of 8 channels; .* last axis whole'),
    ):
        layers.SubpixelConv2D(2, 3, use_bias=False)(tf.zeros([1, 2, 2, 3]))


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (lambda: layers.ICNR(0), 'ICNR: block_size is 0; it must be a positive integer or two'),
        (lambda: layers.ICNR(2, mode='RCD'), "ICNR: mode is 'RCD'; it must be one of DCR, CRD"),
        (lambda: layers.ICNR(2, 'xavier'), "ICNR: initializer is 'xavier'; it must be one of"),
        (lambda: layers.ICNR(2)([3, 3, 1, 6]), r'shape is \[3, 3, 1, 6\].*a multiple of 4'),
    ],
)
def test_icnr_refuses_what_it_cannot_do(make, text):
    with pytest.raises(ValueError, match=text):
        make()
