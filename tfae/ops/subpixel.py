"""Sub-pixel shuffle: moves channels into space, and back.

    small [N, H, W, C*rh*rw]   <->   large [N, H*rh, W*rw, C]

The large pixel (h*rh + i, w*rw + j) of channel c lies in the small pixel (h, w), channel
`(i*rw + j)*C + c` in mode 'DCR' and `(c*rh + i)*rw + j` in mode 'CRD' (ONNX's names). DCR is
`tf.nn.depth_to_space` and the ESPCN paper; CRD is PyTorch's `PixelShuffle`.

A compiled op is used where it was built for the running TensorFlow, else stock TensorFlow ops with
the same results; `status()` returns which, and why. The environment variable TFAE_SUBPIXEL decides:
`stock` requires the stock ops, `compiled` makes their use an error, `auto` is the default.

Reference: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient
Sub-Pixel Convolutional Neural Network, https://arxiv.org/abs/1609.05158, equation 4.
"""

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.ops import op_library

MODES = ('DCR', 'CRD')
DATA_FORMATS = ('NHWC', 'NCHW')
# fmt: off
TYPES = (tf.half, tf.bfloat16, tf.float32, tf.float64, tf.uint8, tf.int8, tf.int32, tf.int64)
# fmt: on

# The order of the axes on each side: n h w c of the small side, i and j the offset in a block.
_SMALL = {
    ('NHWC', 'DCR'): 'nhwijc',
    ('NHWC', 'CRD'): 'nhwcij',
    ('NCHW', 'DCR'): 'nijchw',
    ('NCHW', 'CRD'): 'ncijhw',
}
_LARGE = {'NHWC': 'nhiwjc', 'NCHW': 'nchiwj'}
_MAX_SIZE = 2**63 - 1  # of an axis


class Layout(NamedTuple):
    """Validated arguments of an op."""

    who: str
    rh: int
    rw: int
    mode: str
    data_format: str

    @property
    def axes(self) -> tuple[int, int, int]:
        """Axes of height, width and channels."""
        return (1, 2, 3) if self.data_format == 'NHWC' else (2, 3, 1)


def shuffle(
    x: Any,
    block_size: int | Sequence[int],
    mode: str = 'DCR',
    data_format: str = 'NHWC',
    name: str | None = None,
) -> tf.Tensor:
    """Moves channels into space.

    Args:
      x: tensor `[N, H, W, C*rh*rw]`, or `[N, C*rh*rw, H, W]` in the format 'NCHW', of a type in
        `TYPES`.
      block_size: `[rh, rw]`, or one number for both.
      mode: the order of the channels of `x`, 'DCR' or 'CRD'.
      data_format: 'NHWC' or 'NCHW'.
      name: of the op.
    Returns: tensor `[N, H*rh, W*rw, C]`, or `[N, C, H*rh, W*rw]`, of the type of `x`.
    Raises: ValueError for a block below 1, an unknown mode, format or type, a rank other than 4,
      channels that rh*rw does not divide, or a size beyond 64 bits. Where the static shape is
      unknown, running the op raises InvalidArgumentError.
    """
    layout = check_arguments('subpixel.shuffle', block_size, mode, data_format)
    return _build(x, layout, True, name)


def unshuffle(
    x: Any,
    block_size: int | Sequence[int],
    mode: str = 'DCR',
    data_format: str = 'NHWC',
    name: str | None = None,
) -> tf.Tensor:
    """Moves space into channels: the inverse of `shuffle` with the same arguments.

    Args:
      x: tensor `[N, H*rh, W*rw, C]`, or `[N, C, H*rh, W*rw]` in the format 'NCHW'.
      block_size, mode, data_format, name: as in `shuffle`.
    Returns: tensor `[N, H, W, C*rh*rw]`, or `[N, C*rh*rw, H, W]`, of the type of `x`.
    Raises: as `shuffle` does; height and width must be multiples of rh and rw.
    """
    layout = check_arguments('subpixel.unshuffle', block_size, mode, data_format)
    return _build(x, layout, False, name)


def status() -> op_library.Status:
    """Returns which definition of the ops is in use, and why. Loads the library if needed.

    Raises: RuntimeError if TFAE_SUBPIXEL is `compiled` and the op is not available.
    """
    return op_library.load()[1]


def check_arguments(who: str, block_size: Any, mode: str, data_format: str) -> Layout:
    """Validates the arguments of an op; a ValueError names `who` and the wrong one."""
    sizes = list(block_size) if isinstance(block_size, Sequence) else [block_size] * 2
    if len(sizes) != 2 or not all(isinstance(r, numbers.Integral) and int(r) >= 1 for r in sizes):
        raise ValueError(f'{who}: block_size is {block_size}; it must be one or two integers >= 1.')
    for what, value, known in (('mode', mode, MODES), ('data_format', data_format, DATA_FORMATS)):
        if value not in known:
            raise ValueError(f'{who}: {what} is {value!r}; it must be {" or ".join(known)}.')
    return Layout(who, int(sizes[0]), int(sizes[1]), mode, data_format)


def _build(x: Any, layout: Layout, forward: bool, name: str | None) -> tf.Tensor:
    """Returns `shuffle` where `forward`, else `unshuffle`."""
    x = tf.convert_to_tensor(x)
    if x.dtype not in TYPES:
        known = ', '.join(t.name for t in TYPES)
        raise ValueError(f'{layout.who}: type is {x.dtype.name}; it must be one of {known}.')
    shape = static_shape(x, layout, forward)
    module, _ = op_library.load()
    if module is None:
        with tf.name_scope(name, layout.who.split('.')[-1]):
            y = stock(x, layout, forward)
    else:
        op = module.subpixel_shuffle if forward else module.subpixel_unshuffle
        y = op(x, [layout.rh, layout.rw], layout.mode, layout.data_format, name=name)
    y.set_shape(shape)
    return y


def _changes(layout: Layout, forward: bool) -> list[tuple[int, int, bool, str]]:
    """Returns `(axis, factor, whether it grows or shrinks by that, its name)` of each change."""
    height, width, channels = layout.axes
    return [
        (height, layout.rh, forward, 'the height'),
        (width, layout.rw, forward, 'the width'),
        (channels, layout.rh * layout.rw, not forward, 'the number of channels'),
    ]


def static_shape(x: tf.Tensor, layout: Layout, forward: bool) -> list[int | None]:
    """Returns the static shape of the other side of `x`; ValueError where there can be none."""
    errors.rank(layout.who, x, 4)
    if x.shape.rank is None:
        return [None] * 4
    shape = x.shape.as_list()
    for axis, factor, grows, what in _changes(layout, forward):
        if shape[axis] is None:
            continue
        if not grows and shape[axis] % factor:
            raise ValueError(
                f'{layout.who}: {what} is {shape[axis]}; it must be a multiple of {factor}.'
            )
        shape[axis] = shape[axis] * factor if grows else shape[axis] // factor
        if shape[axis] > _MAX_SIZE:
            raise ValueError(
                f'{layout.who}: shape is {x.shape}; a block of {layout.rh} x {layout.rw} makes '
                f'{what} {shape[axis]}, which does not fit 64 bits.'
            )
    return shape


def stock(x: tf.Tensor, layout: Layout, forward: bool) -> tf.Tensor:
    """Computes both ops in stock TensorFlow: reshape, transpose, reshape."""
    x = _checked_when_run(x, layout, forward)
    static, dynamic = x.shape.as_list(), tf.shape(x, out_type=tf.int64)
    n, h, w, c = (
        dynamic[axis] if static[axis] is None else static[axis] for axis in (0, *layout.axes)
    )
    rh, rw = layout.rh, layout.rw
    if forward:
        c //= rh * rw
    else:
        h, w = h // rh, w // rw
    sizes = dict(zip('nhwcij', (n, h, w, c, rh, rw), strict=True))
    small, large = _SMALL[layout.data_format, layout.mode], _LARGE[layout.data_format]
    before, after = (small, large) if forward else (large, small)
    y = tf.reshape(x, _sizes([sizes[axis] for axis in before]))
    y = tf.transpose(y, [before.index(axis) for axis in after])
    if forward:
        h, w = h * rh, w * rw
    else:
        c *= rh * rw
    nhwc = layout.data_format == 'NHWC'
    return tf.reshape(y, _sizes([n, h, w, c] if nhwc else [n, c, h, w]))


def _sizes(values: list[Any]) -> tf.Tensor:
    return tf.stack([tf.cast(value, tf.int64) for value in values])


def _checked_when_run(x: tf.Tensor, layout: Layout, forward: bool) -> tf.Tensor:
    """Adds the checks that the static shape of `x` leaves open."""
    x = tf.ensure_shape(x, [None] * 4)
    sizes, asserts = tf.shape(x, out_type=tf.int64), []
    for axis, factor, grows, what in _changes(layout, forward):
        if x.shape[axis] is None and not grows:
            wanted = [f'{layout.who}: {what} is', sizes[axis], 'it must be a multiple of', factor]
            divides = tf.equal(sizes[axis] % factor, 0)
            asserts.append(tf.raw_ops.Assert(condition=divides, data=wanted, summarize=9))
    with tf.control_dependencies(asserts):
        return tf.identity(x)


def _gradient(op: tf.Operation, forward: bool, gradient: tf.Tensor) -> tf.Tensor:
    """The gradient of a permutation is its inverse, so derivatives of every order exist."""
    rh, rw = op.get_attr('block_size')
    mode, data_format = (op.get_attr(key).decode() for key in ('mode', 'data_format'))
    return (unshuffle if forward else shuffle)(gradient, [rh, rw], mode, data_format)


@tf.RegisterGradient('SubpixelShuffle')
def _shuffle_gradient(op: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    return _gradient(op, True, gradient)


@tf.RegisterGradient('SubpixelUnshuffle')
def _unshuffle_gradient(op: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    return _gradient(op, False, gradient)
