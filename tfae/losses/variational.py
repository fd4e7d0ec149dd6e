"""Terms of variational bounds: normal densities, KL divergences and importance weighting, in nats.

    -log N(x; m, v) = sum_j (log(2 pi v_j) + (x_j - m_j)^2 / v_j) / 2
    -log Poisson(x; m) = sum_j m_j - x_j log m_j + log x_j!
    -log NB(x; m, r) = sum_j log G(r_j) + log x_j! - log G(x_j + r_j)
                           + (x_j + r_j) log(1 + m_j / r_j) - x_j log(m_j / r_j)
    KL(N(m, v) | N(0, 1)) = sum_j (v_j + m_j^2 - 1 - log v_j) / 2
    free bits: sum_j max(minimum, mean of KL_j over the batch)
    importance-weighted bound of k samples: log (1/k) sum_i w_i

G is the gamma function; NB has mean m and variance m + m^2 / r. B batch, Z code, k samples.
Variances, means of counts and r are passed as logarithms. With weights 0 and 1 the densities are
those of the values of weight 1 alone.
"""

import math

import tensorflow.compat.v1 as tf

from tfae.core import errors

# Minimum variance over examples of an active unit's mean (Burda et al., ICLR 2016, section 5).
ACTIVE = 0.01


def normal(
    x: tf.Tensor,
    mean: tf.Tensor,
    log_variance: tf.Tensor,
    weights: tf.Tensor | None = None,
    name: str = 'normal',
) -> tf.Tensor:
    """Returns -log p(x) under a diagonal normal distribution.

    Args:
      x: float tensor `[B, ...]`.
      mean: float tensor of the same shape.
      log_variance: float tensor of the same shape, or a scalar.
      weights: weight of each value, a tensor of that shape; None is 1 for all.
      name: name scope of the operations.
    Returns: float tensor `[B]`, nats per example; negative where the density exceeds 1.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, x=x, mean=mean)
    if log_variance.shape.rank != 0:
        errors.same_shape(name, x=x, log_variance=log_variance)
    with tf.name_scope(name):
        squares = tf.math.squared_difference(x, mean) * tf.exp(-log_variance)
        return _sum((squares + log_variance + math.log(2 * math.pi)) / 2, weights)


def poisson(
    x: tf.Tensor, log_mean: tf.Tensor, weights: tf.Tensor | None = None, name: str = 'poisson'
) -> tf.Tensor:
    """Returns -log p(x) of counts under independent Poisson distributions.

    Args:
      x: counts, float tensor `[B, ...]`.
      log_mean: float tensor of the same shape.
      weights: weight of each value, a tensor of that shape; None is 1 for all.
      name: name scope of the operations.
    Returns: float tensor `[B]`, nats per example.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, x=x, log_mean=log_mean)
    with tf.name_scope(name):
        return _sum(tf.exp(log_mean) - x * log_mean + tf.math.lgamma(x + 1), weights)


def negative_binomial(
    x: tf.Tensor,
    log_mean: tf.Tensor,
    log_dispersion: tf.Tensor,
    weights: tf.Tensor | None = None,
    name: str = 'negative_binomial',
) -> tf.Tensor:
    """Returns -log p(x) of counts under independent negative binomial distributions.

    The variance is m + m^2 / r, so that a large r gives Poisson distributions.

    Args:
      x: counts, float tensor `[B, ...]`.
      log_mean: log m, float tensor of the same shape.
      log_dispersion: log r, float tensor `[...]`, one for each value of an example.
      weights: weight of each value, a tensor of that shape; None is 1 for all.
      name: name scope of the operations.
    Returns: float tensor `[B]`, nats per example.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, x=x, log_mean=log_mean)
    with tf.name_scope(name):
        r, log_ratio = tf.exp(log_dispersion), log_mean - log_dispersion
        nats = tf.math.lgamma(r) + tf.math.lgamma(x + 1) - tf.math.lgamma(x + r)
        nats += (x + r) * tf.math.softplus(log_ratio) - x * log_ratio
        return _sum(nats, weights)


def _sum(nats: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Returns the weighted sums `[B]` over the values of examples."""
    weighted = nats if weights is None else weights * nats
    return tf.reduce_sum(weighted, list(range(1, nats.shape.rank)))


def kl_to_standard_normal(
    mean: tf.Tensor, log_variance: tf.Tensor, name: str = 'kl_to_standard_normal'
) -> tf.Tensor:
    """Returns the KL divergence of a diagonal normal distribution from N(0, 1), by dimension.

    Source: Kingma and Welling, https://arxiv.org/abs/1312.6114, appendix B.

    Args:
      mean: float tensor `[B, Z]`.
      log_variance: float tensor `[B, Z]`.
      name: name scope of the operations.
    Returns: float tensor `[B, Z]` in nats, zero exactly where both are zero.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, mean=mean, log_variance=log_variance)
    with tf.name_scope(name):
        # exp(v) - 1 cancels where v is small.
        return (tf.math.expm1(log_variance) - log_variance + tf.square(mean)) / 2


def free_bits(kl: tf.Tensor, minimum: float) -> tf.Tensor:
    """Returns the KL divergence where each latent dimension counts at least `minimum`.

    The minimum applies to the mean over the batch; a dimension below it has no gradient.
    Source: Kingma et al., NIPS 2016, https://arxiv.org/abs/1606.04934, appendix C.8.

    Args:
      kl: KL divergence by dimension, `[B, Z]` in nats.
      minimum: free nats per latent dimension.
    Returns: scalar, the sum over dimensions.
    """
    return tf.reduce_sum(tf.maximum(tf.reduce_mean(kl, 0), minimum))


def importance_bound(log_weights: tf.Tensor) -> tf.Tensor:
    """Returns the importance-weighted bound: the log of the mean weight of k samples.

    With weights p(x, z) / q(z | x) and samples z of q, its expectation is a lower bound of
    log p(x) that becomes tight as k grows. Source: Burda, Grosse and Salakhutdinov, ICLR 2016,
    equation 8.

    Args:
      log_weights: `[k, B]`.
    Returns: float tensor `[B]` in nats.
    """
    count = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, 0) - tf.math.log(count)
