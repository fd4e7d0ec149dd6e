"""Losses that read labels: pure, per example; the caller averages and weighs.

    cross-entropy   -log softmax(logits)[label]
    contrastive     same class: D^2 / 2, else: max(0, margin - D)^2 / 2
    triplet         max(0, margin + D(a, p) - D(a, n)), p of the class of a, n of another

B batch, K classes, Z code; M x N pairs with one code on either side, D their distances.
"""

import tensorflow.compat.v1 as tf

from tfae.core import errors

_LEAST = 1e-12  # squared distance at which the root's gradient is cut off


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, name: str = 'cross_entropy') -> tf.Tensor:
    """-log p(label) in nats under softmax(logits).

    Args:
      labels: int tensor `[B]` in [0, K).
      logits: float tensor `[B, K]`.
      name: of the operation.
    Returns: float tensor `[B]`.
    Raises: ValueError if a rank is another.
    """
    errors.rank(f'{name}: labels', labels, 1)
    errors.rank(f'{name}: logits', logits, 2)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name=name)


def distances(left: tf.Tensor, right: tf.Tensor, name: str = 'distances') -> tf.Tensor:
    """Euclidean distance of every code on the left from every code on the right.

    Args:
      left: float tensor `[M, Z]`.
      right: float tensor `[N, Z]`.
      name: of the operation.
    Returns: `[M, N]`, 1e-6 and without a gradient where two codes are equal.
    Raises: ValueError if a rank is not 2 or the sizes of the codes differ.
    """
    errors.rank(f'{name}: left', left, 2)
    errors.same_shape(name, left=left[:0], right=right[:0])
    with tf.name_scope(name):
        # Of the differences: |a|^2 - 2 a b + |b|^2 loses the digits of close pairs.
        gaps = left[:, tf.newaxis] - right[tf.newaxis]
        return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(gaps), 2), _LEAST))


def contrastive(
    distance: tf.Tensor, same: tf.Tensor, margin: float, name: str = 'contrastive'
) -> tf.Tensor:
    """Hadsell, Chopra and LeCun, CVPR 2006, equation 4, of all pairs of each example on the left.

    Pairs of one class and pairs of two are averaged apart, then added: with ten classes a tenth of
    the pairs is of one class, and counts as much as the rest.

    Args:
      distance: float tensor `[M, N]`.
      same: bool tensor `[M, N]`, whether the two are of one class.
      margin: distance from which pairs of two classes cost nothing.
      name: of the operation.
    Returns: `[M]`; what has no pair of a kind has no cost of it.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, distance=distance, same=same)
    with tf.name_scope(name):
        together = _mean(tf.square(distance), same)
        apart = _mean(tf.square(tf.nn.relu(margin - distance)), ~same)
        return (together + apart) / 2


def triplet(
    distance: tf.Tensor, same: tf.Tensor, margin: float, name: str = 'triplet'
) -> tf.Tensor:
    """Triplets of each example on the left with the hardest two on the right.

    The farthest of its class must be nearer than the nearest of another class, by the margin.
    Source: Schroff, Kalenichenko and Philbin, CVPR 2015; Hermans, Beyer and Leibe, 2017,
    https://arxiv.org/abs/1703.07737, equation 5 (the hardest ones of a batch, distances not
    squared).

    Args:
      distance: float tensor `[M, N]`.
      same: bool tensor `[M, N]`, whether the two are of one class.
      margin: by which classes must lie apart.
      name: of the operation.
    Returns: `[M]`, zero for what has no triplet.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, distance=distance, same=same)
    with tf.name_scope(name):
        never = tf.fill(tf.shape(distance), tf.constant(float('inf'), distance.dtype))
        farthest = tf.reduce_max(tf.where(same, distance, -never), 1)
        nearest = tf.reduce_min(tf.where(same, never, distance), 1)
        return tf.nn.relu(margin + farthest - nearest)


def _mean(values: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Mean of the chosen values of each row, 0 where there are none."""
    weights = tf.cast(chosen, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values, 1), tf.reduce_sum(weights, 1))
