"""Losses of generative adversarial networks, and measures of their failures.

    s(x) is the score of a real image, s(x') that of a generated one

                      discriminator                        generator
    non_saturating    softplus(-s(x)) + softplus(s(x'))    softplus(-s(x'))
    least_squares     ((s(x) - 1)^2 + s(x')^2) / 2         (s(x') - 1)^2 / 2
    hinge             max(0, 1 - s(x)) + max(0, 1 + s(x')) -s(x')
    wasserstein       s(x') - s(x)                         -s(x')

(Goodfellow et al., NIPS 2014; Mao et al., ICCV 2017, equation 9 with b = c = 1, a = 0; Miyato et
al., ICLR 2018, equations 16 and 17; Arjovsky, Chintala and Bottou, ICML 2017.) Pure, per example;
the caller averages and weights.

B batch.
"""

from typing import Literal

import tensorflow.compat.v1 as tf

from tfae.core import errors

Loss = Literal['non_saturating', 'least_squares', 'hinge', 'wasserstein']

# Score above which an image is classified as real; a Wasserstein critic has no such threshold.
_REAL_FROM = {'non_saturating': 0.0, 'least_squares': 0.5, 'hinge': 0.0}
_TINY = 1e-8


def discriminator(
    loss: Loss, real: tf.Tensor, fake: tf.Tensor, name: str = 'discriminator'
) -> tf.Tensor:
    """Returns the loss of the discriminator.

    Args:
      loss: `non_saturating`, `least_squares`, `hinge` or `wasserstein`.
      real: scores `[B]` of real images.
      fake: scores `[B]` of generated images.
      name: name scope of the operations.
    Returns: float tensor `[B]`.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, real=real, fake=fake)
    with tf.name_scope(name):
        if loss == 'non_saturating':
            return tf.nn.softplus(-real) + tf.nn.softplus(fake)
        if loss == 'least_squares':
            return (tf.square(real - 1) + tf.square(fake)) / 2
        if loss == 'hinge':
            return tf.nn.relu(1 - real) + tf.nn.relu(1 + fake)
        return fake - real


def generator(loss: Loss, fake: tf.Tensor, name: str = 'generator') -> tf.Tensor:
    """Returns the loss of the generator.

    Args:
      loss: `non_saturating`, `least_squares`, `hinge` or `wasserstein`.
      fake: scores `[B]` of generated images.
      name: name scope of the operations.
    Returns: float tensor `[B]`.
    """
    with tf.name_scope(name):
        if loss == 'non_saturating':
            return tf.nn.softplus(-fake)
        if loss == 'least_squares':
            return tf.square(fake - 1) / 2
        return -fake


def gradient_penalty(gradient: tf.Tensor, name: str = 'gradient_penalty') -> tf.Tensor:
    """Returns the gradient penalty `(|g| - 1)^2`.

    Source: Gulrajani et al., NIPS 2017, https://arxiv.org/abs/1704.00028, equation 3. A zero
    gradient has a penalty of 1, whose own gradient is zero.

    Args:
      gradient: gradients of scores with respect to images, `[B, ...]`.
      name: name scope of the operations.
    Returns: float tensor `[B]`.
    """
    with tf.name_scope(name):
        squares = tf.reduce_sum(tf.square(gradient), list(range(1, gradient.shape.rank)))
        # The derivative of a square root at 0 is infinite, and infinity times 0 is NaN.
        norms = tf.where(squares > 0, tf.sqrt(tf.maximum(squares, _TINY**2)), squares)
        return tf.square(norms - 1)


def accuracy(loss: Loss, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor | None:
    """Returns the discriminator's accuracy on pairs of a real and a generated image.

    Args:
      loss: `non_saturating`, `least_squares`, `hinge` or `wasserstein`.
      real: scores `[B]` of real images.
      fake: scores `[B]` of generated images.
    Returns: float tensor `[B]` of 0, 1/2 or 1; None for `wasserstein`, which has no classes.
    """
    if loss not in _REAL_FROM:
        return None
    limit = _REAL_FROM[loss]
    return (tf.cast(real > limit, real.dtype) + tf.cast(fake <= limit, fake.dtype)) / 2


def diversity(fake: tf.Tensor, real: tf.Tensor, name: str = 'diversity') -> tf.Tensor:
    """Returns the diversity of generated images: their mean distance relative to real images.

    Args:
      fake: generated images `[B, ...]`.
      real: real images `[B', ...]`.
      name: name scope of the operations.
    Returns: float tensor `[B]`: mean Euclidean distance of each generated image from the others,
      divided by the mean distance between two real ones; 1 if both sets have a single image.
    """
    with tf.name_scope(name):
        return (_distances(fake) + _TINY) / (tf.reduce_mean(_distances(real)) + _TINY)


def _distances(x: tf.Tensor) -> tf.Tensor:
    """Returns the mean distance `[B]` of each example `[B, ...]` from the others."""
    x = tf.reshape(x, [tf.shape(x)[0], -1])
    x -= tf.reduce_mean(x, 0)  # a large common offset would cancel the digits of the differences
    squares = tf.reduce_sum(tf.square(x), 1)
    products = tf.matmul(x, x, transpose_b=True)
    between = tf.sqrt(tf.nn.relu(squares[:, None] + squares - 2 * products))
    between = tf.linalg.set_diag(between, tf.zeros_like(squares))
    others = tf.cast(tf.shape(x)[0] - 1, x.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(between, 1), others)
