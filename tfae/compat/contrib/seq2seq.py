"""TF1's `tf.contrib.seq2seq`: the loss of sequences.

B batch, T time, K classes.
"""

from collections.abc import Callable

import tensorflow.compat.v1 as tf

from tfae.core import names

__all__ = ['sequence_loss']


def sequence_loss(
    logits: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    sum_over_timesteps: bool = False,
    sum_over_batch: bool = False,
    softmax_loss_function: Callable | None = None,
    name: str | None = None,
) -> tf.Tensor:
    """Returns the weighted cross-entropy of sequences.

    Args:
      logits: float tensor `[B, T, K]`.
      targets: integer tensor `[B, T]`.
      weights: float tensor `[B, T]`, zero for padding.
      average_across_timesteps: whether to divide the sum over time by the sum of the weights.
      average_across_batch: likewise, over the batch.
      sum_over_timesteps: whether to divide the sum over time by the number of weights that are not
        zero; without effect if there is an average over the batch.
      sum_over_batch: likewise, over the batch.
      softmax_loss_function: replaces the softmax; takes `labels=` and `logits=`.
      name: name scope.

    Returns:
      A tensor `[B, T]`, without the axes averaged over; zero where all weights are.

    Raises:
      ValueError: for other ranks, and for an average and a sum over one axis.
    """
    for what, tensor, rank in (
        ('logits', logits, 3),
        ('targets', targets, 2),
        ('weights', weights, 2),
    ):
        if tensor.shape.rank != rank:
            raise ValueError(f'sequence_loss: {what} is {tensor.shape}; it must have rank {rank}.')
    for axis, average, total in (
        ('timesteps', average_across_timesteps, sum_over_timesteps),
        ('batch', average_across_batch, sum_over_batch),
    ):
        if average and total:
            raise ValueError(
                f'sequence_loss: average_across_{axis} and sum_over_{axis} are both set.'
            )
    with tf.name_scope(name, names.SEQUENCE_LOSS, [logits, targets, weights]):
        loss = softmax_loss_function or tf.nn.sparse_softmax_cross_entropy_with_logits
        flat = tf.reshape(logits, [-1, tf.shape(logits)[2]])
        losses = tf.reshape(loss(labels=tf.reshape(targets, [-1]), logits=flat), tf.shape(targets))
        losses *= weights
        averaged = [0] * average_across_batch + [1] * average_across_timesteps
        axes = averaged or [0] * sum_over_batch + [1] * sum_over_timesteps
        if not axes:
            return losses
        sizes = weights if averaged else tf.cast(tf.not_equal(weights, 0), losses.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(losses, axes), tf.reduce_sum(sizes, axes))
