"""Normal densities and what variational bounds are made of: pure, in nats.

    -log N(x; m, v) = sum_j (log(2 pi v_j) + (x_j - m_j)^2 / v_j) / 2
    KL(N(m, v) | N(0, 1)) = sum_j (v_j + m_j^2 - 1 - log v_j) / 2
    free bits: sum_j max(least, mean of KL_j over the batch)
    importance-weighted bound of k draws: log (1/k) sum_i w_i

B batch, Z code, k draws. Variances come as logarithms.
"""

import math

import tensorflow.compat.v1 as tf

from tfae.core import errors

# Least variance of an active unit's mean over the examples (Burda et al., ICLR 2016, section 5).
ACTIVE = 0.01


def normal(
    x: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor, name: str = 'normal'
) -> tf.Tensor:
    """-log p(x) under a normal distribution of independent values, summed over them.

    Args:
      x: float tensor `[B, ...]`.
      mean: float tensor of the same shape.
      log_variance: of that shape too, or a scalar for all.
      name: of the operation.
    Returns: `[B]`, nats per example; below zero where the density exceeds 1.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, x=x, mean=mean)
    if log_variance.shape.rank != 0:
        errors.same_shape(name, x=x, log_variance=log_variance)
    with tf.name_scope(name):
        squares = tf.math.squared_difference(x, mean) * tf.exp(-log_variance)
        nats = (squares + log_variance + math.log(2 * math.pi)) / 2
        return tf.reduce_sum(nats, list(range(1, x.shape.rank)))


def kl_to_standard_normal(
    mean: tf.Tensor, log_variance: tf.Tensor, name: str = 'kl_to_standard_normal'
) -> tf.Tensor:
    """Divergence of a normal distribution of independent values from N(0, 1), for each of them.

    Args:
      mean: float tensor `[B, Z]`.
      log_variance: `[B, Z]`.
      name: of the operation.
    Returns: `[B, Z]`, zero exactly where both are zero.
    Raises: ValueError if the static shapes differ.
    Source: Kingma and Welling, https://arxiv.org/abs/1312.6114, appendix B.
    """
    errors.same_shape(name, mean=mean, log_variance=log_variance)
    with tf.name_scope(name):
        # expm1: exp(v) - 1 - v loses every digit where v is small.
        return (tf.math.expm1(log_variance) - log_variance + tf.square(mean)) / 2


def free_bits(kl: tf.Tensor, least: float) -> tf.Tensor:
    """Divergence `[B, Z]` -> its sum over the code, no value of which counts less than `least`.

    What is held against `least` is the mean over the batch; a value below it gets no gradient.
    Source: Kingma et al., NIPS 2016, https://arxiv.org/abs/1606.04934, appendix C.8.
    Returns: scalar.
    """
    return tf.reduce_sum(tf.maximum(tf.reduce_mean(kl, 0), least))


def importance_bound(log_weights: tf.Tensor) -> tf.Tensor:
    """log of the mean of the weights of k draws: `[k, B]` -> `[B]`.

    With weights p(x, z) / q(z | x) and z drawn from q, it is below log p(x) in expectation, and
    reaches it as k grows. Source: Burda, Grosse and Salakhutdinov, ICLR 2016, equation 8.
    """
    count = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, 0) - tf.math.log(count)
