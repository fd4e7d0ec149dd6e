"""Decoders of sequences and volumes: shapes, and tied kernels against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.models.base import upsampling
from tfae.models.base.encoder_decoder import Convolution, Decoder, Dense, Encoder, Kernels
from tfae.ops.activations import LINEAR, Activation

METHODS = ('deconvolution', 'subpixel', 'nearest', 'bilinear', 'bicubic')
RELU = Activation.from_text('relu')


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('shape', [(7, 2), (8, 1), (5, 4, 6, 2), (7, 7, 7, 1)])
def test_a_decoder_returns_the_shape_that_the_encoder_takes(shape, method):
    layers = [
        Convolution(3, RELU, 3, 2, normalized=True),
        Convolution(2, RELU, 2, 1, 'same', 'max'),
        Dense(4, LINEAR),
    ]
    encoder = Encoder(shape, layers, Kernels())
    decoder = Decoder(shape, layers, Kernels(), method=method)
    x = tf.constant(np.random.RandomState(0).normal(size=[3, *shape]), tf.float32)
    made = decoder(encoder(x, training=True), training=True)
    assert made.shape.as_list()[1:] == list(shape)
    gradients = tf.gradients(tf.reduce_sum(made**2), tf.trainable_variables())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        value, *found = session.run([made, *gradients])
    assert value.shape == (3, *shape)
    assert all(np.isfinite(gradient).all() for gradient in found)
    assert len(found) == len(tf.trainable_variables())


@pytest.mark.parametrize('factor', [1, 2])
@pytest.mark.parametrize('shape', [(6, 2), (4, 2, 6, 1)])
def test_a_deconvolution_is_the_transpose_of_the_convolution(shape, factor):
    """<convolution(x), y> = <x, deconvolution(y)> for every x and y."""
    rank = len(shape) - 1
    random = np.random.RandomState(0)
    x, kernel = random.normal(size=[2, *shape]), random.normal(size=[3] * rank + [shape[-1], 4])
    small = [side // factor for side in shape[:-1]]
    y = random.normal(size=[2, *small, 4])
    forth = tf.nn.convolution(x, kernel, padding='SAME', strides=[factor] * rank)
    back = upsampling.deconvolution(tf.constant(y), tf.constant(kernel), shape, factor)
    with tf.Session() as session:
        forth, back = session.run([forth, back])
    assert np.sum(forth * y) == pytest.approx(np.sum(x * back), rel=1e-10)


def test_too_small_examples_are_named():
    for shape, text in (
        ((2, 1), 'a sequence of 2 steps is too small for a layer with kernel 3'),
        ((4, 2, 4, 1), 'a volume of 4 x 2 x 4 is too small for a layer with kernel 3'),
        ((4, 2, 1), 'an image of 4 x 2 is too small for a layer with kernel 3'),
    ):
        with pytest.raises(Exception, match=text):
            Encoder(shape, [Convolution(3, RELU, padding='valid')], Kernels())
