"""TF1's `tf.contrib.legacy_seq2seq`: models on lists of T tensors, one per time step.

B batch, I input dimensions, K symbols, S steps and M dimensions of an encoder's outputs.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.compat.contrib import rnn
from tfae.core import names

__all__ = [
    'attention_decoder',
    'basic_rnn_seq2seq',
    'embedding_attention_decoder',
    'embedding_attention_seq2seq',
    'embedding_rnn_decoder',
    'embedding_rnn_seq2seq',
    'model_with_buckets',
    'rnn_decoder',
    'sequence_loss',
    'sequence_loss_by_example',
    'tied_rnn_seq2seq',
]

_EPSILON = 1e-12  # of a sum of weights that are all zero


def rnn_decoder(
    decoder_inputs: Sequence[tf.Tensor],
    initial_state: Any,
    cell: Any,
    loop_function: Callable | None = None,
    scope: Any = None,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` of a cell run over a list of inputs.

    Args:
      decoder_inputs: T tensors `[B, I]`.
      initial_state: of the cell.
      cell: an RNN cell.
      loop_function: maps the previous output and its index to the next input, instead of the list.
      scope: replaces the scope `rnn_decoder`.
    """
    outputs: list = []
    state = initial_state
    with tf.variable_scope(scope or names.RNN_DECODER):
        for i, given in enumerate(decoder_inputs):
            if i:
                tf.get_variable_scope().reuse_variables()
            if loop_function and outputs:
                with tf.variable_scope(names.LOOP_FUNCTION, reuse=True):
                    given = loop_function(outputs[-1], i)
            output, state = cell(given, state)
            outputs.append(output)
    return outputs, state


def basic_rnn_seq2seq(
    encoder_inputs: Sequence[tf.Tensor],
    decoder_inputs: Sequence[tf.Tensor],
    cell: Any,
    dtype: tf.DType = tf.float32,
    scope: Any = None,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` of a decoder that starts with the encoder's last state.

    Args:
      encoder_inputs: tensors `[B, I]`.
      decoder_inputs: T tensors `[B, I]`.
      cell: of the decoder; the encoder has a copy.
      dtype: of the encoder's first state.
      scope: replaces the scope `basic_rnn_seq2seq`.
    """
    with tf.variable_scope(scope or names.BASIC_RNN_SEQ2SEQ):
        _, state = tf.nn.static_rnn(copy.deepcopy(cell), encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, state, cell)


def tied_rnn_seq2seq(
    encoder_inputs: Sequence[tf.Tensor],
    decoder_inputs: Sequence[tf.Tensor],
    cell: Any,
    loop_function: Callable | None = None,
    dtype: tf.DType = tf.float32,
    scope: Any = None,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` as `basic_rnn_seq2seq` does, with shared variables.

    Args:
      encoder_inputs: tensors `[B, I]`.
      decoder_inputs: T tensors `[B, I]`.
      cell: of both.
      loop_function: as in `rnn_decoder`.
      dtype: of the encoder's first state.
      scope: replaces the scope `tied_rnn_seq2seq`.
    """
    with tf.variable_scope(names.COMBINED_TIED_RNN_SEQ2SEQ):
        tied = scope or names.TIED_RNN_SEQ2SEQ
        _, state = tf.nn.static_rnn(cell, encoder_inputs, dtype=dtype, scope=tied)
        tf.get_variable_scope().reuse_variables()
        return rnn_decoder(decoder_inputs, state, cell, loop_function, scope=tied)


def embedding_rnn_decoder(
    decoder_inputs: Sequence[tf.Tensor],
    initial_state: Any,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    output_projection: tuple | None = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    scope: Any = None,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` of `rnn_decoder` on embedded symbols.

    Args:
      decoder_inputs: T integer tensors `[B]`.
      initial_state: of the cell.
      cell: an RNN cell.
      num_symbols: K.
      embedding_size: I.
      output_projection: weights `[units, K]` and biases `[K]` of the scores of the next symbol;
        the output itself scores where it is None.
      feed_previous: whether each input is the symbol with the highest score at the previous step,
        and only the first comes from the list.
      update_embedding_for_previous: whether gradients pass through the embeddings of those.
      scope: replaces the scope `embedding_rnn_decoder`.
    """
    with tf.variable_scope(scope or names.EMBEDDING_RNN_DECODER):
        embedded, previous = _embedded(
            decoder_inputs,
            num_symbols,
            embedding_size,
            output_projection,
            update_embedding_for_previous,
        )
        return rnn_decoder(embedded, initial_state, cell, previous if feed_previous else None)


def _embedded(
    inputs: Sequence[tf.Tensor],
    symbols: int,
    size: int,
    projection: tuple | None,
    update: bool,
) -> tuple[list, Callable]:
    """Returns embedded inputs, and the function that embeds the symbol of the highest score."""
    embedding = tf.get_variable(names.EMBEDDING, [symbols, size])

    def previous(output: tf.Tensor, _: int) -> tf.Tensor:
        if projection is not None:
            weights, biases = projection
            output = tf.matmul(output, weights) + biases
        embedded = tf.nn.embedding_lookup(embedding, tf.argmax(output, 1))
        return embedded if update else tf.stop_gradient(embedded)

    return [tf.nn.embedding_lookup(embedding, i) for i in inputs], previous


def _either(feed_previous: Any, decode: Callable) -> tuple[list, Any]:
    """Returns `decode(feed_previous)`; with a tensor, `tf.cond` of both on the same variables."""
    if isinstance(feed_previous, bool):
        return decode(feed_previous)

    def shared() -> tuple[list, Any]:
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            return decode(False)

    return tf.cond(feed_previous, lambda: decode(True), shared)


def embedding_rnn_seq2seq(
    encoder_inputs: Sequence[tf.Tensor],
    decoder_inputs: Sequence[tf.Tensor],
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    output_projection: tuple | None = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` of a decoder of symbols after an encoder of symbols.

    Args:
      encoder_inputs: integer tensors `[B]`.
      decoder_inputs: T integer tensors `[B]`.
      cell: of the decoder; the encoder has a copy.
      num_encoder_symbols: number of different symbols of the encoder.
      num_decoder_symbols: number of different symbols of the decoder.
      embedding_size: of a symbol, in both.
      output_projection: as in `embedding_rnn_decoder`; a projection is added to the cell where it
        is None.
      feed_previous: as in `embedding_rnn_decoder`, or a boolean tensor.
      dtype: of the encoder's first state.
      scope: replaces the scope `embedding_rnn_seq2seq`.
    """
    with tf.variable_scope(scope or names.EMBEDDING_RNN_SEQ2SEQ) as outer:
        if dtype is not None:
            outer.set_dtype(dtype)
        encoder = rnn.EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        _, state = tf.nn.static_rnn(encoder, encoder_inputs, dtype=dtype or tf.float32)
        if output_projection is None:
            cell = rnn.OutputProjectionWrapper(cell, num_decoder_symbols)

        return _either(
            feed_previous,
            lambda fed: embedding_rnn_decoder(
                decoder_inputs,
                state,
                cell,
                num_decoder_symbols,
                embedding_size,
                output_projection,
                fed,
            ),
        )


def attention_decoder(
    decoder_inputs: Sequence[tf.Tensor],
    initial_state: Any,
    attention_states: tf.Tensor,
    cell: Any,
    output_size: int | None = None,
    num_heads: int = 1,
    loop_function: Callable | None = None,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` of a cell that attends to states `[B, S, M]` at each step.

    Vinyals et al., https://arxiv.org/abs/1412.7449.

    Args:
      decoder_inputs: T tensors `[B, I]`.
      initial_state: of the cell.
      attention_states: outputs of the encoder.
      cell: an RNN cell.
      output_size: of the outputs; the cell's if None.
      num_heads: number of attentions.
      loop_function: as in `rnn_decoder`.
      dtype: of the variables.
      scope: replaces the scope `attention_decoder`.
      initial_state_attention: whether the first step attends by the initial state; otherwise to
        zeros.
    """
    size = attention_states.shape[2]
    with tf.variable_scope(scope or names.ATTENTION_DECODER, dtype=dtype):
        heads = []
        for head in range(num_heads):
            weights, vector, head_scope = names.attention_head(head)
            kernel = tf.get_variable(weights, [1, 1, size, size])
            keys = tf.nn.conv2d(attention_states[:, :, None], kernel, [1, 1, 1, 1], 'SAME')
            heads.append((keys[:, :, 0], tf.get_variable(vector, [size]), head_scope))

        def attend(query: Any) -> list:
            flat = tf.concat(tf.nest.flatten(query), 1)
            attended = []
            for keys, vector, head_scope in heads:
                with tf.variable_scope(head_scope):
                    hidden = tf.tanh(keys + rnn.linear([flat], size)[:, None])
                alignments = tf.nn.softmax(tf.reduce_sum(vector * hidden, 2))
                attended.append(tf.reduce_sum(alignments[:, :, None] * attention_states, 1))
            return attended

        batch = tf.shape(decoder_inputs[0])[0]
        attended = [tf.zeros([batch, size], attention_states.dtype)] * num_heads
        if initial_state_attention:
            attended = attend(initial_state)
        outputs: list = []
        state = initial_state
        for i, given in enumerate(decoder_inputs):
            if i:
                tf.get_variable_scope().reuse_variables()
            if loop_function and outputs:
                with tf.variable_scope(names.LOOP_FUNCTION, reuse=True):
                    given = loop_function(outputs[-1], i)
            joined = rnn.linear([given, *attended], given.shape[-1])
            output, state = cell(joined, state)
            reused = True if i or initial_state_attention else None
            with tf.variable_scope(tf.get_variable_scope(), reuse=reused):
                attended = attend(state)
            with tf.variable_scope(names.ATTENTION_PROJECTION):
                outputs.append(rnn.linear([output, *attended], output_size or cell.output_size))
    return outputs, state


def embedding_attention_decoder(
    decoder_inputs: Sequence[tf.Tensor],
    initial_state: Any,
    attention_states: tf.Tensor,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    num_heads: int = 1,
    output_size: int | None = None,
    output_projection: tuple | None = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` of `attention_decoder` on embedded symbols.

    The other arguments are those of `attention_decoder` and `embedding_rnn_decoder`.
    """
    with tf.variable_scope(scope or names.EMBEDDING_ATTENTION_DECODER, dtype=dtype):
        embedded, previous = _embedded(
            decoder_inputs,
            num_symbols,
            embedding_size,
            output_projection,
            update_embedding_for_previous,
        )
        return attention_decoder(
            embedded,
            initial_state,
            attention_states,
            cell,
            output_size,
            num_heads,
            previous if feed_previous else None,
            initial_state_attention=initial_state_attention,
        )


def embedding_attention_seq2seq(
    encoder_inputs: Sequence[tf.Tensor],
    decoder_inputs: Sequence[tf.Tensor],
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    num_heads: int = 1,
    output_projection: tuple | None = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list, Any]:
    """Returns `(outputs, state)` as `embedding_rnn_seq2seq`, with attention to the encoder.

    The other arguments are those of `attention_decoder`.
    """
    with tf.variable_scope(scope or names.EMBEDDING_ATTENTION_SEQ2SEQ, dtype=dtype):
        encoder = rnn.EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        encoded, state = tf.nn.static_rnn(encoder, encoder_inputs, dtype=dtype or tf.float32)
        size = None
        if output_projection is None:
            cell = rnn.OutputProjectionWrapper(cell, num_decoder_symbols)
            size = num_decoder_symbols
        return _either(
            feed_previous,
            lambda fed: embedding_attention_decoder(
                decoder_inputs,
                state,
                tf.stack(encoded, 1),
                cell,
                num_decoder_symbols,
                embedding_size,
                num_heads,
                size,
                output_projection,
                fed,
                initial_state_attention=initial_state_attention,
            ),
        )


def sequence_loss_by_example(
    logits: Sequence[tf.Tensor],
    targets: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    average_across_timesteps: bool = True,
    softmax_loss_function: Callable | None = None,
    name: str = 'sequence_loss_by_example',
) -> tf.Tensor:
    """Returns the weighted cross-entropy `[B]` of sequences.

    Args:
      logits: T float tensors `[B, K]`.
      targets: T integer tensors `[B]`.
      weights: T float tensors `[B]`.
      average_across_timesteps: whether to divide the sum over time by the sum of the weights.
      softmax_loss_function: replaces the softmax; takes `labels=` and `logits=`.
      name: name scope.

    Raises:
      ValueError: for lists of different lengths.
    """
    if not len(logits) == len(targets) == len(weights):
        raise ValueError(
            f'sequence_loss_by_example: {len(logits)} logits, {len(targets)} targets and '
            f'{len(weights)} weights; there must be one of each for every time step.'
        )
    with tf.name_scope(name):
        loss = softmax_loss_function or tf.nn.sparse_softmax_cross_entropy_with_logits
        steps = zip(logits, targets, weights, strict=True)
        total = tf.add_n([loss(labels=tf.reshape(t, [-1]), logits=x) * w for x, t, w in steps])
        return total / (tf.add_n(weights) + _EPSILON) if average_across_timesteps else total


def sequence_loss(
    logits: Sequence[tf.Tensor],
    targets: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Callable | None = None,
    name: str = 'sequence_loss',
) -> tf.Tensor:
    """Returns the sum of `sequence_loss_by_example`, or its mean with `average_across_batch`."""
    with tf.name_scope(name):
        losses = sequence_loss_by_example(
            logits, targets, weights, average_across_timesteps, softmax_loss_function
        )
        total = tf.reduce_sum(losses)
        return (
            total / tf.cast(tf.shape(targets[0])[0], total.dtype) if average_across_batch else total
        )


def model_with_buckets(
    encoder_inputs: Sequence[tf.Tensor],
    decoder_inputs: Sequence[tf.Tensor],
    targets: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    buckets: Sequence[tuple[int, int]],
    seq2seq: Callable,
    softmax_loss_function: Callable | None = None,
    per_example_loss: bool = False,
    name: str = 'model_with_buckets',
) -> tuple[list, list]:
    """Returns `(outputs, losses)`, one of each for each bucket of sequence lengths.

    Args:
      encoder_inputs: tensors of the longest sequence.
      decoder_inputs: likewise.
      targets: integer tensors `[B]`.
      weights: float tensors `[B]`.
      buckets: pairs of lengths of the input and of the output.
      seq2seq: maps the first inputs of both to `(outputs, state)`; variables are shared.
      softmax_loss_function: as in `sequence_loss`.
      per_example_loss: whether losses are `[B]`.
      name: name scope.
    """
    longest = [max(sizes) for sizes in zip(*buckets, strict=True)]
    given = [len(encoder_inputs), min(map(len, (decoder_inputs, targets, weights)))]
    if any(have < need for have, need in zip(given, longest, strict=True)):
        raise ValueError(
            f'model_with_buckets: the largest bucket takes {longest} inputs and targets; '
            f'there are {given}.'
        )
    outputs, losses = [], []
    loss = sequence_loss_by_example if per_example_loss else sequence_loss
    with tf.name_scope(name):
        for i, (length, steps) in enumerate(buckets):
            with tf.variable_scope(tf.get_variable_scope(), reuse=True if i else None):
                predicted, _ = seq2seq(encoder_inputs[:length], decoder_inputs[:steps])
            outputs.append(predicted)
            losses.append(
                loss(
                    predicted,
                    targets[:steps],
                    weights[:steps],
                    softmax_loss_function=softmax_loss_function,
                )
            )
    return outputs, losses
