"""Bias, activation and sub-pixel shuffle in one pass, as they follow a convolution.

    y = shuffle(activation(x + bias))

Three stock ops read and write memory three times; the compiled op does it once, and its gradient
(activation, unshuffle, sum over the bias) once too. Without it, stock ops give the same results.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.ops import op_library, subpixel

TYPES = (tf.half, tf.bfloat16, tf.float32, tf.float64)
_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_SCALE_ALPHA = 1.7580993408473768599402175208123
_LEAKY_SLOPE = 0.20000000298023224  # 0.2 as the float attribute of tf.nn.leaky_relu holds it

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'identity': tf.identity,
    'relu': tf.nn.relu,
    'leaky_relu': lambda x: tf.nn.leaky_relu(x, _LEAKY_SLOPE),
    'elu': tf.nn.elu,
    'selu': tf.nn.selu,
    'sigmoid': tf.nn.sigmoid,
    'tanh': tf.nn.tanh,
}


def shuffle_bias_activation(
    x: Any,
    bias: Any,
    block_size: int | Sequence[int],
    activation: str = 'identity',
    mode: str = 'DCR',
    data_format: str = 'NHWC',
    name: str | None = None,
) -> tf.Tensor:
    """Computes `shuffle(activation(x + bias))` in one pass over memory.

    Args:
      x: half, bfloat16, float or double tensor `[N, H, W, C*rh*rw]`, or `[N, C*rh*rw, H, W]`.
      bias: tensor `[C*rh*rw]` of the same type, one value for each channel of `x`.
      block_size, mode, data_format: as in `subpixel.shuffle`.
      activation: one of `ACTIVATIONS`; leaky_relu has the slope 0.2.
      name: of the op.
    Returns: tensor `[N, H*rh, W*rw, C]`, or `[N, C, H*rh, W*rw]`.
    Raises: ValueError as `subpixel.shuffle` does, and for an unknown activation, an integer type or
      a bias of another shape or type; InvalidArgumentError when run, where the static shape is
      unknown.
    """
    who = 'subpixel.shuffle_bias_activation'
    layout = subpixel.check_arguments(who, block_size, mode, data_format)
    errors.one_of(f'{who}: activation', activation, ACTIVATIONS)
    x = tf.convert_to_tensor(x)
    if x.dtype not in TYPES:
        known = ', '.join(t.name for t in TYPES)
        raise ValueError(f'{who}: type is {x.dtype.name}; it must be one of {known}.')
    bias = tf.convert_to_tensor(bias, x.dtype)
    shape = subpixel.static_shape(x, layout, True)
    _check_bias(who, x, bias, layout)
    module, _ = op_library.load()
    if module is None:
        with tf.name_scope(name, names.SHUFFLE_BIAS_ACTIVATION):
            y = stock(x, bias, activation, layout)
    else:
        op = module.subpixel_shuffle_bias_activation
        block = [layout.rh, layout.rw]
        y = op(x, bias, block, activation, layout.mode, layout.data_format, name=name)
    y.set_shape(shape)
    return y


def _check_bias(who: str, x: tf.Tensor, bias: tf.Tensor, layout: subpixel.Layout) -> None:
    channels = x.shape[layout.axes[2]] if x.shape.rank is not None else None
    wanted = tf.TensorShape([channels])
    if not bias.shape.is_compatible_with(wanted):
        raise ValueError(
            f'{who}: bias has shape {bias.shape}; it must be {wanted}, one for each channel of x.'
        )


def _along_channels(bias: tf.Tensor, data_format: str) -> tf.Tensor:
    """Reshapes `bias` to broadcast along the channels of the small side."""
    return bias if data_format == 'NHWC' else tf.reshape(bias, [-1, 1, 1])


def stock(x: tf.Tensor, bias: tf.Tensor, activation: str, layout: subpixel.Layout) -> tf.Tensor:
    """Computes the op in stock TensorFlow: sum, activation, shuffle."""
    x = tf.ensure_shape(x, [None] * 4)
    channels = tf.shape(x)[layout.axes[2]]
    wanted = [f'{layout.who}: bias has shape', tf.shape(bias), 'and x has channels', channels]
    same = tf.reduce_all(tf.equal(tf.shape(bias), channels))
    if None in (bias.shape.num_elements(), x.shape[layout.axes[2]]):
        check = tf.raw_ops.Assert(condition=same, data=wanted, summarize=9)
        with tf.control_dependencies([check]):
            bias = tf.identity(bias)
    y = ACTIVATIONS[activation](x + _along_channels(bias, layout.data_format))
    return subpixel.stock(y, layout, True)


def stock_gradient(
    y: tf.Tensor, dy: tf.Tensor, activation: str, layout: subpixel.Layout
) -> list[tf.Tensor]:
    """Returns `[dx, dbias]` in stock TensorFlow, from the output and its gradient."""
    dx = subpixel.stock(dy * _derivatives(activation, y)[0], layout, False)
    others = [axis for axis in range(4) if axis != layout.axes[2]]
    return [dx, tf.reduce_sum(dx, others)]


def _attributes(op: tf.Operation) -> tuple[list[int], str, str, str]:
    """Returns block, activation, mode and format of a node."""
    words = (op.get_attr(key).decode() for key in ('activation', 'mode', 'data_format'))
    return (list(op.get_attr('block_size')), *words)  # type: ignore[return-value]


@tf.RegisterGradient('SubpixelShuffleBiasActivation')
def _gradient(op: tf.Operation, gradient: tf.Tensor) -> list[tf.Tensor]:
    """One fused op gives both gradients, from the output alone."""
    module, _ = op_library.load()
    if module is None:  # an imported graph, in a process without the library
        block, activation, mode, data_format = _attributes(op)
        layout = subpixel.check_arguments(op.name, block, mode, data_format)
        return stock_gradient(op.outputs[0], gradient, activation, layout)
    attributes = _attributes(op)
    return list(module.subpixel_shuffle_bias_activation_grad(op.outputs[0], gradient, *attributes))


@tf.RegisterGradient('SubpixelShuffleBiasActivationGrad')
def _second_gradient(
    op: tf.Operation, for_input: tf.Tensor, for_bias: tf.Tensor
) -> list[tf.Tensor]:
    """The derivatives of the gradient op, in ops that are differentiable any number of times.

    dx = unshuffle(dy * d(y)) and dbias = sum(dx) are linear in dy, and the adjoint of unshuffle is
    shuffle; y is related to x through d, so d's own derivative is taken by y.
    """
    block, activation, mode, data_format = _attributes(op)
    y, dy = op.inputs
    small = for_input + _along_channels(for_bias, data_format)
    large = subpixel.shuffle(small, block, mode, data_format)
    first, second = _derivatives(activation, y)
    return [large * dy * second, large * first]


def _derivatives(activation: str, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns d(activation)/dx as a function of the output y, and its derivative by y."""
    one, zero = tf.ones_like(y), tf.zeros_like(y)
    if activation == 'relu':
        return tf.where(y > 0, one, zero), zero
    if activation == 'leaky_relu':
        return tf.where(y > 0, one, _LEAKY_SLOPE * one), zero
    if activation == 'elu':
        return tf.where(y < 0, y + 1, one), tf.where(y < 0, one, zero)
    if activation == 'selu':
        below = tf.where(y < 0, one, zero)
        return tf.where(y < 0, y + _SELU_SCALE_ALPHA, _SELU_SCALE * one), below
    if activation == 'sigmoid':
        return y * (1 - y), 1 - 2 * y
    if activation == 'tanh':
        return 1 - y * y, -2 * y
    return one, zero
