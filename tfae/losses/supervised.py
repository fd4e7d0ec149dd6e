"""Supervised losses: pure, per example; the caller averages and weights.

    cross-entropy   -log softmax(logits)[label]
    contrastive     same class: D^2 / 2, else: max(0, margin - D)^2 / 2
    triplet         max(0, margin + D(a, p) - D(a, n)), p of the class of a, n of another

B batch, K classes, Z code; M x N pairs of a left and a right code, D their distances.
"""

import tensorflow.compat.v1 as tf

from tfae.core import errors

_MIN_SQUARE = 1e-12  # squared distance below which the square root has no gradient


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, name: str = 'cross_entropy') -> tf.Tensor:
    """Returns -log p(label) in nats under softmax(logits).

    Args:
      labels: int tensor `[B]` in [0, K).
      logits: float tensor `[B, K]`.
      name: name of the operation.
    Returns: float tensor `[B]`.
    Raises: ValueError if a rank differs.
    """
    errors.rank(f'{name}: labels', labels, 1)
    errors.rank(f'{name}: logits', logits, 2)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name=name)


def distances(left: tf.Tensor, right: tf.Tensor, name: str = 'distances') -> tf.Tensor:
    """Returns the Euclidean distance between every left code and every right code.

    Args:
      left: float tensor `[M, Z]`.
      right: float tensor `[N, Z]`.
      name: name scope of the operations.
    Returns: float tensor `[M, N]`; equal codes have distance 1e-6 and no gradient.
    Raises: ValueError if a rank is not 2 or the code sizes differ.
    """
    errors.rank(f'{name}: left', left, 2)
    errors.same_shape(name, left=left[:0], right=right[:0])
    with tf.name_scope(name):
        # Differences are exact for close pairs, where |a|^2 - 2 a b + |b|^2 cancels.
        differences = left[:, tf.newaxis] - right[tf.newaxis]
        return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(differences), 2), _MIN_SQUARE))


def contrastive(
    distance: tf.Tensor, same: tf.Tensor, margin: float, name: str = 'contrastive'
) -> tf.Tensor:
    """Returns the contrastive loss over all pairs of each left example.

    Source: Hadsell, Chopra and LeCun, CVPR 2006, equation 4. Positive and negative pairs are
    averaged separately, then added: with ten classes, the tenth of pairs that is positive has as
    much weight as the rest.

    Args:
      distance: float tensor `[M, N]`.
      same: bool tensor `[M, N]`, true for a positive pair, of one class.
      margin: distance above which negative pairs have no loss.
      name: name scope of the operations.
    Returns: float tensor `[M]`; a left example without pairs of a kind has no loss from that kind.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, distance=distance, same=same)
    with tf.name_scope(name):
        positive = _mean(tf.square(distance), same)
        negative = _mean(tf.square(tf.nn.relu(margin - distance)), ~same)
        return (positive + negative) / 2


def triplet(
    distance: tf.Tensor, same: tf.Tensor, margin: float, name: str = 'triplet'
) -> tf.Tensor:
    """Returns the batch-hard triplet loss of each left example.

    The farthest example of its class must be nearer than the nearest of another class, by the
    margin. Source: Schroff, Kalenichenko and Philbin, CVPR 2015; Hermans, Beyer and Leibe, 2017,
    https://arxiv.org/abs/1703.07737, equation 5 (batch-hard, distances not squared).

    Args:
      distance: float tensor `[M, N]`.
      same: bool tensor `[M, N]`, true for pairs of one class.
      margin: required difference of the two distances.
      name: name scope of the operations.
    Returns: float tensor `[M]`, zero for an example without triplets.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, distance=distance, same=same)
    with tf.name_scope(name):
        never = tf.fill(tf.shape(distance), tf.constant(float('inf'), distance.dtype))
        farthest = tf.reduce_max(tf.where(same, distance, -never), 1)
        nearest = tf.reduce_min(tf.where(same, never, distance), 1)
        return tf.nn.relu(margin + farthest - nearest)


def _mean(values: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Returns the mean of the chosen values of each row, 0 where there are none."""
    weights = tf.cast(chosen, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values, 1), tf.reduce_sum(weights, 1))
