"""TF1's `tf.contrib.crf`: linear-chain conditional random fields.

B batch, T time, K tags. Scores `[B, T, K]` of each tag at each step, and transitions `[K, K]`, the
score of the second tag after the first.

Lafferty, McCallum and Pereira, ICML 2001.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import names

__all__ = [
    'crf_binary_score',
    'crf_decode',
    'crf_log_likelihood',
    'crf_log_norm',
    'crf_sequence_score',
    'crf_unary_score',
    'viterbi_decode',
]


def crf_unary_score(
    tag_indices: tf.Tensor, sequence_lengths: tf.Tensor, inputs: tf.Tensor
) -> tf.Tensor:
    """Returns the sum `[B]` of the scores of tags `[B, T]` in inputs `[B, T, K]`."""
    chosen = tf.gather(inputs, tag_indices, batch_dims=2)
    within = tf.sequence_mask(sequence_lengths, tf.shape(inputs)[1], inputs.dtype)
    return tf.reduce_sum(chosen * within, 1)


def crf_binary_score(
    tag_indices: tf.Tensor, sequence_lengths: tf.Tensor, transition_params: tf.Tensor
) -> tf.Tensor:
    """Returns the sum `[B]` of the scores of the transitions of tags `[B, T]`."""
    pairs = tf.stack([tag_indices[:, :-1], tag_indices[:, 1:]], 2)
    scores = tf.gather_nd(transition_params, pairs)
    within = tf.sequence_mask(sequence_lengths, tf.shape(tag_indices)[1], scores.dtype)
    return tf.reduce_sum(scores * within[:, 1:], 1)


def crf_sequence_score(
    inputs: tf.Tensor,
    tag_indices: tf.Tensor,
    sequence_lengths: tf.Tensor,
    transition_params: tf.Tensor,
) -> tf.Tensor:
    """Returns the score `[B]` of tags `[B, T]`; zero for empty sequences."""
    return crf_unary_score(tag_indices, sequence_lengths, inputs) + crf_binary_score(
        tag_indices, sequence_lengths, transition_params
    )


def crf_log_norm(
    inputs: tf.Tensor, sequence_lengths: tf.Tensor, transition_params: tf.Tensor
) -> tf.Tensor:
    """Returns the logarithm `[B]` of the sum over all tag sequences of the exponential score."""
    within = tf.sequence_mask(sequence_lengths, tf.shape(inputs)[1])

    def step(alphas: tf.Tensor, given: tuple) -> tf.Tensor:
        scores, valid = given
        after = scores + tf.reduce_logsumexp(alphas[:, :, None] + transition_params, 1)
        return tf.where_v2(valid[:, None], after, alphas)

    by_time = tf.transpose(inputs[:, 1:], [1, 0, 2]), tf.transpose(within[:, 1:])
    # The first step stands before the others, so that one step alone works too.
    steps = tf.scan(step, by_time, inputs[:, 0])
    alphas = tf.concat([inputs[None, :, 0], steps], 0)[-1]
    norm = tf.reduce_logsumexp(alphas, 1)
    return tf.where_v2(sequence_lengths > 0, norm, tf.zeros_like(norm))


def crf_log_likelihood(
    inputs: tf.Tensor,
    tag_indices: tf.Tensor,
    sequence_lengths: tf.Tensor,
    transition_params: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `(log-likelihood [B], transitions [K, K])` of tags.

    Args:
      inputs: scores `[B, T, K]`.
      tag_indices: integers `[B, T]`.
      sequence_lengths: integers `[B]`.
      transition_params: transitions; the variable `transitions` of the current scope if None.
    """
    if transition_params is None:
        tags = inputs.shape[2]
        transition_params = tf.get_variable(names.TRANSITIONS, [tags, tags])
    score = crf_sequence_score(inputs, tag_indices, sequence_lengths, transition_params)
    return score - crf_log_norm(inputs, sequence_lengths, transition_params), transition_params


def viterbi_decode(score: np.ndarray, transition_params: np.ndarray) -> tuple[list, float]:
    """Returns the best tags of one sequence and their score.

    Args:
      score: array `[T, K]`.
      transition_params: array `[K, K]`.
    """
    best, came_from = score[0], []
    for scores in score[1:]:
        ways = best[:, None] + transition_params
        came_from.append(np.argmax(ways, 0))
        best = scores + np.max(ways, 0)
    tags = [int(np.argmax(best))]
    for back in reversed(came_from):
        tags.append(int(back[tags[-1]]))
    return tags[::-1], np.max(best)


def crf_decode(
    potentials: tf.Tensor, transition_params: tf.Tensor, sequence_length: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best tags `[B, T]` and their scores `[B]`.

    Args:
      potentials: scores `[B, T, K]`.
      transition_params: transitions `[K, K]`.
      sequence_length: integers `[B]`; tags behind it are zero.
    """
    tags = tf.shape(potentials)[2]
    within = tf.sequence_mask(sequence_length, tf.shape(potentials)[1])
    itself = tf.tile(tf.range(tags)[None], [tf.shape(potentials)[0], 1])

    def forward(carried: tuple, given: tuple) -> tuple:
        best, _ = carried
        scores, valid = given
        ways = best[:, :, None] + transition_params
        after = scores + tf.reduce_max(ways, 1)
        back = tf.argmax(ways, 1, output_type=tf.int32)
        return (
            tf.where_v2(valid[:, None], after, best),
            tf.where_v2(valid[:, None], back, itself),
        )

    by_time = tf.transpose(potentials[:, 1:], [1, 0, 2]), tf.transpose(within[:, 1:])
    bests, backs = tf.scan(forward, by_time, (potentials[:, 0], itself))
    best = tf.concat([potentials[None, :, 0], bests], 0)[-1]
    last = tf.argmax(best, 1, output_type=tf.int32)

    def backward(tag: tf.Tensor, back: tf.Tensor) -> tf.Tensor:
        return tf.gather(back, tag, batch_dims=1)

    before = tf.scan(backward, backs, last, reverse=True)
    decoded = tf.transpose(tf.concat([before, last[None]], 0))
    return decoded * tf.cast(within, tf.int32), tf.reduce_max(best, 1)
