"""TF1's `tf.contrib.seq2seq`: attention of a decoder's cell to an encoder's outputs.

B batch, S steps of the memory, M its dimensions, U units.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.compat.contrib import rnn
from tfae.core import names

__all__ = [
    'AttentionWrapper',
    'AttentionWrapperState',
    'BahdanauAttention',
    'LuongAttention',
    'tile_batch',
]


def tile_batch(t: Any, multiplier: int, name: str | None = None) -> Any:
    """Returns tensors of a structure with each example `multiplier` times in a row."""
    return tf.nest.map_structure(lambda x: tf.repeat(x, multiplier, 0), t)


class _Attention:
    """Scores a memory `[B, S, M]` by queries `[B, ...]`; both are mapped to U dimensions."""

    def __init__(
        self,
        num_units: int,
        memory: tf.Tensor,
        memory_sequence_length: Any,
        probability_fn: Callable | None,
        score_mask_value: float | None,
        dtype: Any,
    ):
        self._units = num_units
        self._normalize = probability_fn or tf.nn.softmax
        self._mask_value = -math.inf if score_mask_value is None else score_mask_value
        memory = tf.convert_to_tensor(memory)
        self._within = None
        if memory_sequence_length is not None:
            self._within = tf.sequence_mask(memory_sequence_length, tf.shape(memory)[1])
            memory *= tf.cast(self._within, memory.dtype)[:, :, None]
        self.values = memory
        of_memory = layers.Dense(
            num_units, name=names.MEMORY_LAYER, use_bias=False, dtype=dtype or memory.dtype
        )
        self.keys = of_memory(memory)

    @property
    def batch_size(self) -> tf.Tensor:
        """Scalar B."""
        return tf.shape(self.keys)[0]

    @property
    def alignments_size(self) -> Any:
        """S: its number, or a scalar."""
        static = self.keys.shape[1]
        return tf.shape(self.keys)[1] if static is None else static

    def initial_alignments(self, batch_size: Any, dtype: Any) -> tf.Tensor:
        """Returns zeros `[B, S]`."""
        zeros = tf.zeros([batch_size, self.alignments_size], dtype)
        zeros.set_shape([None, self.keys.shape[1]])
        return zeros

    initial_state = initial_alignments

    def _scores(self, query: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def __call__(self, query: tf.Tensor, state: Any) -> tuple[tf.Tensor, Any]:
        """Returns the alignments `[B, S]` of queries `[B, ...]`, and the next state."""
        scores = self._scores(query)
        if self._within is not None:
            masked = tf.fill(tf.shape(scores), tf.cast(self._mask_value, scores.dtype))
            scores = tf.where(self._within, scores, masked)
        alignments = self._normalize(scores)
        return alignments, alignments


class LuongAttention(_Attention):
    """Multiplicative attention, to queries `[B, U]`. https://arxiv.org/abs/1508.04025."""

    def __init__(
        self,
        num_units: int,
        memory: tf.Tensor,
        memory_sequence_length: Any = None,
        scale: bool = False,
        probability_fn: Callable | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        name: str = 'LuongAttention',
    ):
        super().__init__(
            num_units, memory, memory_sequence_length, probability_fn, score_mask_value, dtype
        )
        self._scale = scale

    def _scores(self, query: tf.Tensor) -> tf.Tensor:
        if query.shape[-1] != self._units:
            raise ValueError(
                f'LuongAttention: queries have {query.shape[-1]} dimensions and num_units is '
                f'{self._units}; they must be equal.'
            )
        with tf.variable_scope(None, names.LUONG_ATTENTION, [query]):
            scores = tf.reduce_sum(self.keys * query[:, None], 2)
            if self._scale:
                ones = tf.ones_initializer()
                scores *= tf.get_variable(names.ATTENTION_G, [], query.dtype, ones)
            return scores


class BahdanauAttention(_Attention):
    """Additive attention. https://arxiv.org/abs/1409.0473, weights normalized: 1602.07868."""

    def __init__(
        self,
        num_units: int,
        memory: tf.Tensor,
        memory_sequence_length: Any = None,
        normalize: bool = False,
        probability_fn: Callable | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        name: str = 'BahdanauAttention',
    ):
        super().__init__(
            num_units, memory, memory_sequence_length, probability_fn, score_mask_value, dtype
        )
        self._weight_norm = normalize
        self.query_layer = layers.Dense(num_units, name=names.QUERY_LAYER, use_bias=False)

    def _scores(self, query: tf.Tensor) -> tf.Tensor:
        with tf.variable_scope(None, names.BAHDANAU_ATTENTION, [query]):
            hidden = self.keys + self.query_layer(query)[:, None]
            vector = tf.get_variable(names.ATTENTION_V, [self._units], query.dtype)
            if self._weight_norm:
                start = tf.constant_initializer(math.sqrt(1 / self._units))
                length = tf.get_variable(names.ATTENTION_G, [], query.dtype, start)
                zeros = tf.zeros_initializer()
                hidden += tf.get_variable(names.ATTENTION_B, [self._units], query.dtype, zeros)
                vector = length * vector * tf.rsqrt(tf.reduce_sum(vector**2))
            return tf.reduce_sum(vector * tf.tanh(hidden), 2)


class AttentionWrapperState(NamedTuple):
    """State of an `AttentionWrapper`; tuples of alignments for several mechanisms."""

    cell_state: Any
    attention: Any  # [B, size], of the step before
    time: Any  # scalar
    alignments: Any  # [B, S], of the step before
    alignment_history: Any  # TensorArray of all steps, or ()
    attention_state: Any  # of the mechanisms

    def clone(self, **kwargs: Any) -> 'AttentionWrapperState':
        """Returns a state with other values, such as `cell_state=` of the encoder."""
        return self._replace(**kwargs)


class AttentionWrapper(rnn.RNNCell):
    """A cell whose input includes the previous attention, and whose output is the attention."""

    def __init__(
        self,
        cell: Any,
        attention_mechanism: Any,
        attention_layer_size: Any = None,
        alignment_history: bool = False,
        cell_input_fn: Callable | None = None,
        output_attention: bool = True,
        initial_cell_state: Any = None,
        name: str | None = None,
    ):
        """Stores the parts.

        Args:
          cell: an RNN cell.
          attention_mechanism: an attention, or a list of several.
          attention_layer_size: size of a layer on the cell's output and the attended memory, one a
            mechanism; the attended memory itself is the output where it is None.
          alignment_history: whether the state keeps the alignments of all steps.
          cell_input_fn: maps inputs and the previous attention to the cell's inputs; joins them if
            None.
          output_attention: whether the attention is the output, instead of the cell's output.
          initial_cell_state: of `zero_state`.
          name: of the layer.
        """
        super().__init__(name=name)
        self._several = isinstance(attention_mechanism, list | tuple)
        self._mechanisms = list(attention_mechanism) if self._several else [attention_mechanism]
        sizes = attention_layer_size if self._several else [attention_layer_size]
        if attention_layer_size is None:
            sizes = [None] * len(self._mechanisms)
        if len(sizes) != len(self._mechanisms):
            raise ValueError(
                f'AttentionWrapper: {len(sizes)} attention_layer_size and '
                f'{len(self._mechanisms)} mechanisms; there must be one for each mechanism.'
            )
        self._cell = cell
        self._layers = [
            size and layers.Dense(size, name=names.ATTENTION_LAYER, use_bias=False)
            for size in sizes
        ]
        self._size = sum(
            size or mechanism.values.shape[-1]
            for size, mechanism in zip(sizes, self._mechanisms, strict=True)
        )
        self._join = cell_input_fn or (lambda inputs, attention: tf.concat([inputs, attention], -1))
        self._keeps = alignment_history
        self._puts_out_attention = output_attention
        self._initial = initial_cell_state

    def _packed(self, items: list) -> Any:
        return tuple(items) if self._several else items[0]

    @property
    def output_size(self) -> Any:
        """Size of the output."""
        return self._size if self._puts_out_attention else self._cell.output_size

    @property
    def state_size(self) -> AttentionWrapperState:
        """Sizes of the state."""
        sizes = self._packed([mechanism.alignments_size for mechanism in self._mechanisms])
        none = self._packed([()] * len(self._mechanisms))
        return AttentionWrapperState(
            self._cell.state_size, self._size, tf.TensorShape([]), sizes, none, sizes
        )

    def zero_state(self, batch_size: Any, dtype: Any) -> AttentionWrapperState:
        """Returns the state to begin with."""
        first = self._initial
        zeros = [m.initial_alignments(batch_size, dtype) for m in self._mechanisms]
        histories = [
            tf.TensorArray(dtype, 0, True, element_shape=z.shape) if self._keeps else ()
            for z in zeros
        ]
        return AttentionWrapperState(
            self._cell.zero_state(batch_size, dtype) if first is None else first,
            tf.zeros([batch_size, self._size], dtype),
            tf.zeros([], tf.int32),
            self._packed(zeros),
            self._packed(histories),
            self._packed([m.initial_state(batch_size, dtype) for m in self._mechanisms]),
        )

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Any, state: AttentionWrapperState) -> tuple:
        """Runs the cell for one step, then attends."""
        output, cell_state = self._cell(self._join(inputs, state.attention), state.cell_state)
        before, kept = state.attention_state, state.alignment_history
        if not self._several:
            before, kept = [before], [kept]
        attentions, alignments, states = [], [], []
        for mechanism, layer, last in zip(self._mechanisms, self._layers, before, strict=True):
            aligned, after = mechanism(output, state=last)
            context = tf.reduce_sum(aligned[:, :, None] * mechanism.values, 1)
            attentions.append(layer(tf.concat([output, context], 1)) if layer else context)
            alignments.append(aligned)
            states.append(after)
        if self._keeps:
            kept = [k.write(state.time, a) for k, a in zip(kept, alignments, strict=True)]
        attention = tf.concat(attentions, 1)
        after = AttentionWrapperState(
            cell_state,
            attention,
            state.time + 1,
            self._packed(alignments),
            self._packed(list(kept)),
            self._packed(states),
        )
        return (attention if self._puts_out_attention else output), after
