"""TF1's `tf.contrib.rnn`: the cells of `tf.nn.rnn_cell`, which tf-keras keeps, and more.

B batch, I input dimensions, U units. Every cell maps inputs `[B, I]` and a state to an output
`[B, U]` and the next state, under TF1's variable names.
"""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow.compat.v1 as tf
import tf_slim
from tf_keras.api._v1.keras.__internal__.legacy.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DeviceWrapper,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)

from tfae.core import names

__all__ = [
    'AttentionCellWrapper',
    'BasicLSTMCell',
    'BasicRNNCell',
    'Conv1DLSTMCell',
    'Conv2DLSTMCell',
    'Conv3DLSTMCell',
    'ConvLSTMCell',
    'DeviceWrapper',
    'DropoutWrapper',
    'EmbeddingWrapper',
    'GRUBlockCell',
    'GRUBlockCellV2',
    'GRUCell',
    'HighwayWrapper',
    'InputProjectionWrapper',
    'LSTMBlockCell',
    'LSTMCell',
    'LSTMStateTuple',
    'LayerNormBasicLSTMCell',
    'MultiRNNCell',
    'NASCell',
    'OutputProjectionWrapper',
    'RNNCell',
    'ResidualWrapper',
    '_linear',
    'core_rnn_cell',
    'stack_bidirectional_dynamic_rnn',
    'stack_bidirectional_rnn',
    'static_bidirectional_rnn',
    'static_rnn',
    'static_state_saving_rnn',
]

core_rnn_cell = sys.modules[__name__]  # the file that held most cells
# TF1's cells were not converted by AutoGraph, which takes longer than their graph.
_as_written = tf.autograph.experimental.do_not_convert

static_bidirectional_rnn = tf.nn.static_bidirectional_rnn
static_rnn = tf.nn.static_rnn
static_state_saving_rnn = tf.nn.static_state_saving_rnn


def linear(
    args: tf.Tensor | Sequence[tf.Tensor],
    output_size: int,
    bias: bool = True,
    bias_initializer: tf.keras.initializers.Initializer | None = None,
    kernel_initializer: tf.keras.initializers.Initializer | None = None,
) -> tf.Tensor:
    """Returns `concat(args) @ kernel + bias`, with the variables of the current scope."""
    joined = tf.concat([args] if tf.is_tensor(args) else list(args), -1)
    shape = [joined.shape[-1], output_size]
    kernel = tf.get_variable(names.KERNEL, shape, joined.dtype, kernel_initializer)
    product = tf.matmul(joined, kernel)
    if not bias:
        return product
    start = bias_initializer or tf.zeros_initializer()
    return product + tf.get_variable(names.BIAS, [output_size], joined.dtype, start)


_linear = linear  # its name in TF1, which programs imported


class _Cell(RNNCell):
    """A cell whose sizes are known when it is made."""

    def __init__(self, state_size: Any, output_size: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self._state_size = state_size
        self._output_size = output_size

    @property
    def state_size(self) -> Any:
        """Size of the state, in its structure."""
        return self._state_size

    @property
    def output_size(self) -> Any:
        """Size of the output."""
        return self._output_size


class LayerNormBasicLSTMCell(_Cell):
    """LSTM with layer normalization and recurrent dropout.

    Ba, Kiros and Hinton, https://arxiv.org/abs/1607.06450; Semeniuta, Severyn and Barth,
    https://arxiv.org/abs/1603.05118.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        input_size: None = None,
        activation: Callable = tf.tanh,
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        dropout_keep_prob: Any = 1.0,
        dropout_prob_seed: int | None = None,
        reuse: bool | None = None,
    ):
        super().__init__(LSTMStateTuple(num_units, num_units), num_units, _reuse=reuse)
        self._units = num_units
        self._forget_bias = forget_bias
        self._activation = activation
        self._layer_norm = layer_norm
        self._gain = norm_gain
        self._shift = norm_shift
        self._keep_prob = dropout_keep_prob
        self._seed = dropout_prob_seed

    def _norm(self, inputs: tf.Tensor, scope: str) -> tf.Tensor:
        if not self._layer_norm:
            return inputs
        with tf.variable_scope(scope):
            for name, value in ((names.GAMMA, self._gain), (names.BETA, self._shift)):
                constant = tf.constant_initializer(value)
                tf.get_variable(name, inputs.shape[-1:], inputs.dtype, constant)
        return tf_slim.layer_norm(inputs, reuse=True, scope=scope)

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Runs the cell for one step."""
        c, h = state
        width = 4 * self._units
        gates = linear([inputs, h], width, bias=False)
        if not self._layer_norm:
            # With the initializer of the scope, as in TF1.
            gates += tf.get_variable(names.BIAS, [width], gates.dtype)
        i, j, f, o = tf.split(gates, 4, 1)
        i = self._norm(i, names.INPUT_GATE)
        j = self._norm(j, names.TRANSFORM)
        f = self._norm(f, names.FORGET_GATE)
        o = self._norm(o, names.OUTPUT)
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = tf.nn.dropout(g, rate=1 - self._keep_prob, seed=self._seed)
        c = c * tf.sigmoid(f + self._forget_bias) + tf.sigmoid(i) * g
        c = self._norm(c, names.STATE)
        h = self._activation(c) * tf.sigmoid(o)
        return h, LSTMStateTuple(c, h)


class NASCell(_Cell):
    """Cell found by architecture search. Zoph and Le, https://arxiv.org/abs/1611.01578."""

    def __init__(
        self,
        num_units: int,
        num_proj: int | None = None,
        use_bias: bool = False,
        reuse: bool | None = None,
        use_biases: bool = False,  # the former name
        **kwargs: Any,
    ):
        output = num_proj or num_units
        super().__init__(LSTMStateTuple(num_units, output), output, _reuse=reuse, **kwargs)
        self._units = num_units
        self._projected = num_proj
        self._biased = use_bias or use_biases

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Runs the cell for one step."""
        c, m = state
        width, dtype = 8 * self._units, inputs.dtype
        recurrent = tf.get_variable(names.RECURRENT_KERNEL, [m.shape[-1], width], dtype)
        kernel = tf.get_variable(names.KERNEL, [inputs.shape[-1], width], dtype)
        from_memory = tf.matmul(m, recurrent)
        if self._biased:
            zeros = tf.zeros_initializer()
            from_memory += tf.get_variable(names.BIAS, [width], dtype, zeros)
        a = tf.split(tf.matmul(inputs, kernel), 8, 1)
        b = tf.split(from_memory, 8, 1)
        # The tree of the paper's figure, leaves first; leaf 3 multiplies, and the state joins one
        # branch.
        left = tf.tanh(tf.sigmoid(a[0] + b[0]) * tf.nn.relu(a[1] + b[1]))
        right = tf.tanh(tf.sigmoid(a[2] + b[2]) + tf.nn.relu(a[3] * b[3]))
        first = tf.tanh(tf.tanh(a[4] + b[4]) * tf.sigmoid(a[5] + b[5]))
        second = tf.sigmoid(tf.tanh(a[6] + b[6]) + tf.sigmoid(a[7] + b[7]))
        c = tf.tanh(left + c) * right
        m = tf.tanh(c * tf.tanh(first + second))
        if self._projected is not None:
            shape = [self._units, self._projected]
            m = tf.matmul(m, tf.get_variable(names.PROJECTION_WEIGHTS, shape, dtype))
        return m, LSTMStateTuple(c, m)


class ConvLSTMCell(_Cell):
    """LSTM with convolutions on 1-D, 2-D or 3-D maps. https://arxiv.org/abs/1506.04214."""

    def __init__(
        self,
        conv_ndims: int,
        input_shape: Sequence[int],
        output_channels: int,
        kernel_shape: Sequence[int],
        use_bias: bool = True,
        skip_connection: bool = False,
        forget_bias: float = 1.0,
        initializers: None = None,
        name: str = 'conv_lstm_cell',
    ):
        *space, channels = input_shape
        if len(space) != conv_ndims:
            raise ValueError(
                f'ConvLSTMCell: input_shape is {list(input_shape)}, without the batch; with '
                f'conv_ndims={conv_ndims} it has {conv_ndims + 1} sizes.'
            )
        state = tf.TensorShape([*space, output_channels])
        output = tf.TensorShape([*space, output_channels + channels * skip_connection])
        super().__init__(LSTMStateTuple(state, state), output, name=name)
        self._channels = output_channels
        self._kernel_shape = list(kernel_shape)
        self._use_bias = use_bias
        self._skip = skip_connection
        self._forget_bias = forget_bias

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Runs the cell for one step."""
        c, h = state
        joined = tf.concat([inputs, h], -1)
        shape = [*self._kernel_shape, joined.shape[-1], 4 * self._channels]
        kernel = tf.get_variable(names.KERNEL, shape, inputs.dtype)
        gates = tf.nn.convolution(joined, kernel, padding='SAME')
        if self._use_bias:
            zeros = tf.zeros_initializer()
            gates += tf.get_variable(names.BIASES, [4 * self._channels], inputs.dtype, zeros)
        i, j, f, o = tf.split(gates, 4, -1)
        c = tf.sigmoid(f + self._forget_bias) * c + tf.sigmoid(i) * tf.tanh(j)
        h = tf.tanh(c) * tf.sigmoid(o)
        output = tf.concat([h, inputs], -1) if self._skip else h
        return output, LSTMStateTuple(c, h)


class Conv1DLSTMCell(ConvLSTMCell):
    """LSTM with 1-D convolutions."""

    def __init__(self, name: str = 'conv_1d_lstm_cell', **kwargs: Any):
        super().__init__(1, name=name, **kwargs)


class Conv2DLSTMCell(ConvLSTMCell):
    """LSTM with 2-D convolutions."""

    def __init__(self, name: str = 'conv_2d_lstm_cell', **kwargs: Any):
        super().__init__(2, name=name, **kwargs)


class Conv3DLSTMCell(ConvLSTMCell):
    """LSTM with 3-D convolutions."""

    def __init__(self, name: str = 'conv_3d_lstm_cell', **kwargs: Any):
        super().__init__(3, name=name, **kwargs)


class LSTMBlockCell(LSTMCell):
    """`LSTMCell` under the name and arguments of TF1's fused kernel."""

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        dtype: Any = None,
        reuse: bool | None = None,
        name: str = names.LSTM_CELL,
    ):
        super().__init__(
            num_units,
            use_peepholes=use_peephole,
            cell_clip=cell_clip,
            forget_bias=forget_bias,
            reuse=reuse,
            name=name,
            dtype=dtype,
        )


class GRUBlockCellV2(GRUCell):
    """`GRUCell` under the name and arguments of TF1's fused kernel."""

    def __init__(
        self,
        num_units: int | None = None,
        cell_size: int | None = None,
        reuse: bool | None = None,
        name: str = names.GRU_CELL,
    ):
        if (num_units is None) == (cell_size is None):
            raise ValueError(
                f'{type(self).__name__}: num_units is {num_units} and cell_size is {cell_size}; '
                'exactly one of the two must be given.'
            )
        super().__init__(num_units or cell_size, reuse=reuse, name=name)


class GRUBlockCell(GRUBlockCellV2):
    """`GRUBlockCellV2` with the variables `w_ru`, `b_ru`, `w_c` and `b_c`."""

    def add_weight(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Makes a variable of `GRUCell` under its name in this cell."""
        return super().add_weight(names.gru_block(name), *args, **kwargs)


class _Wrapper(_Cell):
    """A cell around another, whose state it keeps."""

    def __init__(self, cell: RNNCell, output_size: Any, **kwargs: Any):
        super().__init__(cell.state_size, output_size, **kwargs)
        self._cell = cell

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns the state of zeros of the inner cell."""
        return self._cell.zero_state(batch_size, dtype)


class OutputProjectionWrapper(_Wrapper):
    """A cell with a dense layer after it."""

    def __init__(
        self,
        cell: RNNCell,
        output_size: int,
        activation: Callable | None = None,
        reuse: bool | None = None,
    ):
        super().__init__(cell, output_size, _reuse=reuse)
        self._activation = activation

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Runs the cell for one step, then the layer."""
        output, state = self._cell(inputs, state)
        projected = linear([output], self._output_size)
        return self._activation(projected) if self._activation else projected, state


class InputProjectionWrapper(_Wrapper):
    """A cell with a dense layer before it."""

    def __init__(
        self,
        cell: RNNCell,
        num_proj: int,
        activation: Callable | None = None,
        input_size: None = None,
        reuse: bool | None = None,
    ):
        super().__init__(cell, cell.output_size, _reuse=reuse)
        self._projected = num_proj
        self._activation = activation

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Runs the layer, then the cell for one step."""
        projected = linear([inputs], self._projected)
        return self._cell(self._activation(projected) if self._activation else projected, state)


class EmbeddingWrapper(_Wrapper):
    """A cell whose inputs are ids `[B]` or `[B, 1]`, which it embeds."""

    def __init__(
        self,
        cell: RNNCell,
        embedding_classes: int,
        embedding_size: int,
        initializer: Any = None,
        reuse: bool | None = None,
    ):
        super().__init__(cell, cell.output_size, _reuse=reuse)
        self._shape = [embedding_classes, embedding_size]
        self._initializer = initializer

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Embeds the ids, then runs the cell for one step."""
        # A uniform distribution of variance one, if nothing else is set.
        uniform = tf.random_uniform_initializer(-math.sqrt(3), math.sqrt(3))
        initializer = self._initializer or tf.get_variable_scope().initializer or uniform
        dtype = tf.nest.flatten(state)[0].dtype
        table = tf.get_variable(names.EMBEDDING, self._shape, dtype, initializer)
        return self._cell(tf.nn.embedding_lookup(table, tf.reshape(inputs, [-1])), state)


class HighwayWrapper(_Wrapper):
    """A cell whose output is mixed with its input. https://arxiv.org/abs/1505.00387."""

    def __init__(
        self,
        cell: RNNCell,
        couple_carry_transform_gates: bool = True,
        carry_bias_init: float = 1.0,
    ):
        super().__init__(cell, cell.output_size)
        self._coupled = couple_carry_transform_gates
        self._carry_bias = carry_bias_init

    def _gate(self, inputs: tf.Tensor, weights: str, bias: str, value: float) -> tf.Tensor:
        size = inputs.shape[-1]
        kernel = tf.get_variable(weights, [size, size])
        constant = tf.constant_initializer(value)
        return tf.sigmoid(tf.matmul(inputs, kernel) + tf.get_variable(bias, [size], None, constant))

    def __call__(self, inputs: tf.Tensor, state: Any, scope: Any = None) -> tuple:
        """Runs the cell for one step; the gates are variables of the scope around the cell."""
        output, state = self._cell(inputs, state, scope=scope)
        carry = self._gate(inputs, names.CARRY_WEIGHTS, names.CARRY_BIAS, self._carry_bias)
        transform = 1 - carry
        if not self._coupled:
            of = names.TRANSFORM_WEIGHTS, names.TRANSFORM_BIAS
            transform = self._gate(inputs, *of, -self._carry_bias)
        return inputs * carry + output * transform, state


class AttentionCellWrapper(_Cell):
    """A cell that attends to its last outputs. https://arxiv.org/abs/1409.0473."""

    def __init__(
        self,
        cell: RNNCell,
        attn_length: int,
        attn_size: int | None = None,
        attn_vec_size: int | None = None,
        input_size: int | None = None,
        state_is_tuple: bool = True,
        reuse: bool | None = None,
    ):
        size = attn_size or cell.output_size
        sizes = (cell.state_size, size, size * attn_length)
        super().__init__(sizes if state_is_tuple else sum(sizes), size, _reuse=reuse)
        self._cell = cell
        self._sizes = sizes
        self._length = attn_length
        self._vector_size = attn_vec_size or size
        self._input_size = input_size
        self._tuple = state_is_tuple

    @_as_written
    def call(self, inputs: tf.Tensor, state: Any) -> tuple:
        """Runs the cell for one step on the inputs and on what it attended to last."""
        state, attended, window = state if self._tuple else tf.split(state, self._sizes, 1)
        window = tf.reshape(window, [-1, self._length, self._output_size])
        joined = linear([inputs, attended], self._input_size or inputs.shape[-1])
        output, state = self._cell(joined, state)
        with tf.variable_scope(names.ATTENTION):
            attended = self._attend(tf.concat(tf.nest.flatten(state), 1), window)
        with tf.variable_scope(names.ATTENTION_OUTPUT):
            output = linear([output, attended], self._output_size)
        window = tf.concat([window[:, 1:], output[:, None]], 1)
        states = state, attended, tf.reshape(window, [-1, self._sizes[2]])
        return output, states if self._tuple else tf.concat(states, 1)

    def _attend(self, query: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
        """Returns the mean of the window `[B, length, size]`, weighted by additive attention."""
        shape = [1, 1, self._output_size, self._vector_size]
        kernel = tf.get_variable(names.ATTENTION_WEIGHTS, shape)
        vector = tf.get_variable(names.ATTENTION_VECTOR, [self._vector_size])
        keys = tf.nn.conv2d(window[:, :, None], kernel, [1, 1, 1, 1], 'SAME')[:, :, 0]
        scores = tf.reduce_sum(vector * tf.tanh(keys + linear([query], shape[-1])[:, None]), 2)
        return tf.reduce_sum(tf.nn.softmax(scores)[:, :, None] * window, 1)


def _stack(
    run: Callable, cells_fw: Sequence, cells_bw: Sequence, inputs: Any, states: tuple, scope: Any
) -> tuple[Any, tuple, tuple]:
    """Runs bidirectional layers on each other's outputs; returns outputs and both final states."""
    if not cells_fw or len(cells_fw) != len(cells_bw):
        raise ValueError(
            f'{len(cells_fw)} forward and {len(cells_bw)} backward cells: stacked bidirectional '
            'layers take one of each, at least one.'
        )
    initial_fw, initial_bw = (each or [None] * len(cells_fw) for each in states)
    finals_fw, finals_bw = [], []
    with tf.variable_scope(scope, names.STACK_BIDIRECTIONAL_RNN):
        for i, cells in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with tf.variable_scope(names.cell(i)):
                inputs, final_fw, final_bw = run(*cells, inputs, initial_fw[i], initial_bw[i])
            finals_fw.append(final_fw)
            finals_bw.append(final_bw)
    return inputs, tuple(finals_fw), tuple(finals_bw)


def stack_bidirectional_rnn(
    cells_fw: Sequence,
    cells_bw: Sequence,
    inputs: Sequence[tf.Tensor],
    initial_states_fw: Sequence | None = None,
    initial_states_bw: Sequence | None = None,
    dtype: Any = None,
    sequence_length: tf.Tensor | None = None,
    scope: Any = None,
) -> tuple:
    """Returns `(outputs, states_fw, states_bw)` of stacked bidirectional layers.

    Args:
      cells_fw: one forward cell per layer.
      cells_bw: one backward cell per layer.
      inputs: list of T tensors `[B, I]`.
      initial_states_fw: one state per layer; zeros if None.
      initial_states_bw: likewise.
      dtype: of the zeros.
      sequence_length: integers `[B]`.
      scope: replaces the scope `stack_bidirectional_rnn`.
    """

    def run(forward: Any, backward: Any, inputs: Any, state_fw: Any, state_bw: Any) -> tuple:
        return static_bidirectional_rnn(
            forward, backward, inputs, state_fw, state_bw, dtype, sequence_length
        )

    states = initial_states_fw, initial_states_bw
    return _stack(run, cells_fw, cells_bw, inputs, states, scope)


def stack_bidirectional_dynamic_rnn(
    cells_fw: Sequence,
    cells_bw: Sequence,
    inputs: tf.Tensor,
    initial_states_fw: Sequence | None = None,
    initial_states_bw: Sequence | None = None,
    dtype: Any = None,
    sequence_length: tf.Tensor | None = None,
    parallel_iterations: int | None = None,
    time_major: bool = False,
    scope: Any = None,
) -> tuple:
    """Returns `(outputs, states_fw, states_bw)` of stacked bidirectional layers.

    Args:
      cells_fw: one forward cell per layer.
      cells_bw: one backward cell per layer.
      inputs: tensor `[B, T, I]`.
      initial_states_fw: one state per layer; zeros if None.
      initial_states_bw: likewise.
      dtype: of the zeros.
      sequence_length: integers `[B]`.
      parallel_iterations: as in `tf.nn.dynamic_rnn`.
      time_major: whether inputs and outputs are `[T, B, ...]`.
      scope: replaces the scope `stack_bidirectional_rnn`.
    """

    def run(forward: Any, backward: Any, inputs: Any, state_fw: Any, state_bw: Any) -> tuple:
        outputs, (final_fw, final_bw) = tf.nn.bidirectional_dynamic_rnn(
            forward,
            backward,
            inputs,
            sequence_length,
            state_fw,
            state_bw,
            dtype,
            parallel_iterations,
            time_major=time_major,
        )
        return tf.concat(outputs, 2), final_fw, final_bw

    states = initial_states_fw, initial_states_bw
    return _stack(run, cells_fw, cells_bw, inputs, states, scope)
