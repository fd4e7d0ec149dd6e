"""Losses of generative adversarial networks, and what shows that one has failed.

    s(x) is the score of a real image, s(x') that of a generated one

                      discriminator                        generator
    non_saturating    softplus(-s(x)) + softplus(s(x'))    softplus(-s(x'))
    least_squares     ((s(x) - 1)^2 + s(x')^2) / 2         (s(x') - 1)^2 / 2
    wasserstein       s(x') - s(x)                         -s(x')

(Goodfellow et al., NIPS 2014; Mao et al., ICCV 2017, equation 9 with b = c = 1, a = 0; Arjovsky,
Chintala and Bottou, ICML 2017.) Pure, per example; the caller averages and weighs.

B batch.
"""

from typing import Literal

import tensorflow.compat.v1 as tf

from tfae.core import errors

Loss = Literal['non_saturating', 'least_squares', 'wasserstein']

# Score from which an image is taken for real; Wasserstein's scores have no such place.
_REAL_FROM = {'non_saturating': 0.0, 'least_squares': 0.5}
_TINY = 1e-8


def discriminator(
    loss: Loss, real: tf.Tensor, fake: tf.Tensor, name: str = 'discriminator'
) -> tf.Tensor:
    """What the discriminator makes small.

    Args:
      loss: which.
      real: scores `[B]` of real images.
      fake: scores `[B]` of generated ones.
      name: of the operation.
    Returns: `[B]`.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, real=real, fake=fake)
    with tf.name_scope(name):
        if loss == 'non_saturating':
            return tf.nn.softplus(-real) + tf.nn.softplus(fake)
        if loss == 'least_squares':
            return (tf.square(real - 1) + tf.square(fake)) / 2
        return fake - real


def generator(loss: Loss, fake: tf.Tensor, name: str = 'generator') -> tf.Tensor:
    """What the generator makes small: scores `[B]` of its images -> `[B]`."""
    with tf.name_scope(name):
        if loss == 'non_saturating':
            return tf.nn.softplus(-fake)
        if loss == 'least_squares':
            return tf.square(fake - 1) / 2
        return -fake


def gradient_penalty(gradient: tf.Tensor, name: str = 'gradient_penalty') -> tf.Tensor:
    """`(|g| - 1)^2` of the gradients `[B, ...]` of scores by images: `[B]`.

    Source: Gulrajani et al., NIPS 2017, https://arxiv.org/abs/1704.00028, equation 3. A gradient of
    zero is penalised by 1 and gives no direction.
    """
    with tf.name_scope(name):
        squares = tf.reduce_sum(tf.square(gradient), list(range(1, gradient.shape.rank)))
        # The slope of a root at 0 is infinite, and infinity times 0 is no number.
        norms = tf.where(squares > 0, tf.sqrt(tf.maximum(squares, _TINY**2)), squares)
        return tf.square(norms - 1)


def told_apart(loss: Loss, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor | None:
    """Share of right answers on scores of a real and a generated image each: `[B]` of 0, 1/2, 1.

    None for Wasserstein's loss, whose scores answer nothing.
    """
    if loss not in _REAL_FROM:
        return None
    limit = _REAL_FROM[loss]
    return (tf.cast(real > limit, real.dtype) + tf.cast(fake <= limit, fake.dtype)) / 2


def diversity(fake: tf.Tensor, real: tf.Tensor, name: str = 'diversity') -> tf.Tensor:
    """How far apart generated images are, as a part of how far apart real ones are.

    Args:
      fake: `[B, ...]`.
      real: `[B', ...]`.
      name: of the operation.
    Returns: `[B]`, mean Euclidean distance of each generated image from the others over the mean
      distance of two real ones; 1 where there are no two of either.
    """
    with tf.name_scope(name):
        return (_distances(fake) + _TINY) / (tf.reduce_mean(_distances(real)) + _TINY)


def _distances(x: tf.Tensor) -> tf.Tensor:
    """Mean distance of each example `[B, ...]` from the others: `[B]`."""
    x = tf.reshape(x, [tf.shape(x)[0], -1])
    x -= tf.reduce_mean(x, 0)  # else what all have in common hides how they differ
    squares = tf.reduce_sum(tf.square(x), 1)
    products = tf.matmul(x, x, transpose_b=True)
    between = tf.sqrt(tf.nn.relu(squares[:, None] + squares - 2 * products))
    between = tf.linalg.set_diag(between, tf.zeros_like(squares))
    others = tf.cast(tf.shape(x)[0] - 1, x.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(between, 1), others)
