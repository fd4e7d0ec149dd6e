"""An activation, and both sides of an autoencoder, as functions on tensors."""

import tensorflow.compat.v1 as tf

from tfae import layers


def swish(x):
    return x * tf.sigmoid(x)


def encoder(images):
    return layers.dense(layers.flatten(layers.conv2d(images, 3, 3, 2, activation=swish)), 5)


def decoder(code):
    x = layers.dense(code, 6 * 6 * 4, swish)
    return layers.subpixel_conv2d(tf.reshape(x, [-1, 6, 6, 4]), 1, 3, 2)
