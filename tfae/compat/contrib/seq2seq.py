"""TF1's `tf.contrib.seq2seq`: the loss of sequences.

B batch, T time, K classes.
"""

from collections.abc import Callable

import tensorflow.compat.v1 as tf

__all__ = ['sequence_loss']

EPSILON = 1e-12  # of a sum of weights that are all zero


def sequence_loss(
    logits: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Callable | None = None,
    name: str = 'sequence_loss',
) -> tf.Tensor:
    """Returns the weighted cross-entropy of sequences.

    Args:
      logits: float tensor `[B, T, K]`.
      targets: integer tensor `[B, T]`.
      weights: float tensor `[B, T]`, zero for padding.
      average_across_timesteps: whether to divide the sum over time by the sum of the weights.
      average_across_batch: likewise, over the batch.
      softmax_loss_function: replaces the softmax; takes `labels=` and `logits=`.
      name: name scope.

    Returns:
      A tensor `[B, T]`, without the axes averaged over.

    Raises:
      ValueError: for other ranks.
    """
    for what, tensor, rank in (
        ('logits', logits, 3),
        ('targets', targets, 2),
        ('weights', weights, 2),
    ):
        if tensor.shape.rank != rank:
            raise ValueError(f'sequence_loss: {what} is {tensor.shape}; wanted is rank {rank}.')
    with tf.name_scope(name):
        loss = softmax_loss_function or tf.nn.sparse_softmax_cross_entropy_with_logits
        flat = tf.reshape(logits, [-1, tf.shape(logits)[2]])
        losses = tf.reshape(loss(labels=tf.reshape(targets, [-1]), logits=flat), tf.shape(targets))
        losses *= weights
        axes = [0] * average_across_batch + [1] * average_across_timesteps
        if not axes:
            return losses
        return tf.reduce_sum(losses, axes) / (tf.reduce_sum(weights, axes) + EPSILON)
