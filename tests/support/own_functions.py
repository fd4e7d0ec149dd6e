"""Encoders, decoders and other functions as a user writes them, for `--model=custom`."""

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import layers

WORDS = ('--model=custom', '--encoder=own_functions:encoder', '--decoder=own_functions:decoder')


def encoder(images):
    """`[B, H, W, C]` -> `[B, 5]`."""
    x = layers.conv2d(images, 3, 3, 2, activation=tf.nn.relu)
    return layers.dense(layers.flatten(x), 5)


def decoder(code):
    """`[B, 5]` -> `[B, 8, 8, 1]`."""
    return _decoded(code, 4)


def decoder_16(code):
    """`[B, 5]` -> `[B, 16, 16, 1]`."""
    return _decoded(code, 8)


def other_encoder(images):
    """`[B, H, W, C]` -> `[B, 4]`."""
    return layers.dense(layers.flatten(images), 4)


def normalized_encoder(images, training):
    """`[B, H, W, C]` -> `[B, 5]`, normalized by the batch in training."""
    x = layers.batch_normalization(layers.flatten(images), training=training)
    return layers.dense(x, 5, tf.nn.sigmoid)


def other_decoder(code):
    """`[B, 5]` -> `[B, 16, 16, 1]`."""
    return tf.reshape(layers.dense(code, 256), [-1, 16, 16, 1])


def normalized_decoder(code, training):
    """`[B, 5]` -> `[B, 8, 8, 1]`, normalized by the batch in training."""
    return _decoded(layers.batch_normalization(code, training=training), 4)


def stray_decoder(code):
    """`[B, 5]` -> `[B, 10]`: no images."""
    return layers.dense(code, 10)


def forgetful_encoder(images):
    """Creates a new variable at each call."""
    return layers.flatten(images) * tf.Variable(1.0)


def failing_encoder(images):
    """Raises KeyError."""
    return {}[images.name]


def integer_encoder(images):
    """Returns integers."""
    return tf.cast(layers.flatten(images), tf.int32)


def none(x):
    """Returns nothing."""


def array(x):
    """Returns an array instead of a tensor."""
    return np.zeros([5, 5], np.float32)


def mean_encoder(images):
    """Returns one code for all images."""
    return tf.reduce_mean(encoder(images), 0, keepdims=True)


def placeholder_encoder(images):
    """Returns a placeholder instead of codes."""
    return tf.placeholder(tf.float32, [None, 5])


def feeding_encoder(images):
    """Adds a placeholder that is never fed."""
    return encoder(images) + tf.placeholder(tf.float32, [], 'noise')


def rows(images):
    """`[B, 8, 8, 1]` -> `[B, 8]`, without variables."""
    return tf.reduce_mean(images, [2, 3])


def columns(code):
    """`[B, 8]` -> `[B, 8, 8, 1]`, without variables."""
    return tf.tile(code[:, tf.newaxis, :, tf.newaxis], [1, 8, 1, 1])


def _decoded(code, side):
    x = layers.dense(code, side * side * 4, tf.nn.relu)
    return layers.subpixel_conv2d(tf.reshape(x, [-1, side, side, 4]), 1, 3, 2)


def halved(x, seed):
    """Corrupts without randomness: halves the contrast."""
    return 0.5 * x + 0.25


def occluded(x, seed):
    """A corruption without randomness that loses the right half of an image `[B, H, W, C]`."""
    width = int(x.shape[2])
    seen = np.arange(width)[:, np.newaxis] < width // 2
    return tf.where_v2(seen, 0.5 * x + 0.25, 0.5 * tf.ones_like(x))


def slant(targets, outputs):
    """Returns a loss `[B]` that identifies its targets by position-weighted squares."""
    ramp = tf.reshape(tf.range(64, dtype=tf.float32), [1, 8, 8, 1])
    told = tf.reduce_sum(ramp * tf.square(targets), [1, 2, 3])
    return told + 1e-6 * tf.reduce_sum(tf.square(targets - outputs), [1, 2, 3])
