"""Sub-pixel shuffle along one axis and along three axes, built from the two-axis op.

One axis is a block of one row. Three axes are a shuffle along the first and one along the other
two; the order of the channels decides which comes first, so that each takes its factors from the
outer or the inner end of the channels.

    1-D   [N, W, C*r]               ->  [N, W*r, C]
    3-D   [N, D, H, W, C*rd*rh*rw]  ->  [N, D*rd, H*rh, W*rw, C]

Channel `((k*rh + i)*rw + j)*C + c` of the small side becomes the offset (k, i, j) in mode 'DCR',
channel `((c*rd + k)*rh + i)*rw + j` in mode 'CRD'. Channels come last.
"""

import numbers
from collections.abc import Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.ops import subpixel


def shuffle_1d(x: Any, block_size: int, mode: str = 'DCR', name: str | None = None) -> tf.Tensor:
    """Moves channels into the sequence: `[N, W, C*r]` becomes `[N, W*r, C]`.

    Raises: ValueError as `subpixel.shuffle` does, for rank 3.
    """
    return _along_one(subpixel.shuffle, 'subpixel.shuffle_1d', x, block_size, mode, name)


def unshuffle_1d(x: Any, block_size: int, mode: str = 'DCR', name: str | None = None) -> tf.Tensor:
    """Moves the sequence into channels: the inverse of `shuffle_1d`."""
    return _along_one(subpixel.unshuffle, 'subpixel.unshuffle_1d', x, block_size, mode, name)


def shuffle_3d(
    x: Any, block_size: int | Sequence[int], mode: str = 'DCR', name: str | None = None
) -> tf.Tensor:
    """Moves channels into a volume.

    Args:
      x: tensor `[N, D, H, W, C*rd*rh*rw]` of a type in `subpixel.TYPES`.
      block_size: `[rd, rh, rw]`, or one number for all.
      mode: the order of the channels, 'DCR' or 'CRD'.
      name: of the op.
    Returns: tensor `[N, D*rd, H*rh, W*rw, C]`.
    Raises: ValueError as `subpixel.shuffle` does, for rank 5.
    """
    who = 'subpixel.shuffle_3d'
    x, (rd, rh, rw) = _volume(who, x, block_size, mode)
    with tf.name_scope(name, names.SHUFFLE_3D):
        if mode == 'DCR':
            return _planes(subpixel.shuffle, _depth(subpixel.shuffle, x, rd, mode), rh, rw, mode)
        return _depth(subpixel.shuffle, _planes(subpixel.shuffle, x, rh, rw, mode), rd, mode)


def unshuffle_3d(
    x: Any, block_size: int | Sequence[int], mode: str = 'DCR', name: str | None = None
) -> tf.Tensor:
    """Moves a volume into channels: the inverse of `shuffle_3d` with the same arguments."""
    who = 'subpixel.unshuffle_3d'
    x, (rd, rh, rw) = _volume(who, x, block_size, mode)
    with tf.name_scope(name, names.UNSHUFFLE_3D):
        if mode == 'CRD':
            return _planes(
                subpixel.unshuffle, _depth(subpixel.unshuffle, x, rd, mode), rh, rw, mode
            )
        return _depth(subpixel.unshuffle, _planes(subpixel.unshuffle, x, rh, rw, mode), rd, mode)


def _along_one(
    op: Any, who: str, x: Any, block_size: int, mode: str, name: str | None
) -> tf.Tensor:
    if not isinstance(block_size, numbers.Integral) or int(block_size) < 1:
        raise ValueError(f'{who}: block_size is {block_size}; it must be an integer >= 1.')
    x = tf.convert_to_tensor(x)
    errors.rank(who, x, 3)
    with tf.name_scope(name, who.split('.')[-1]):
        x = tf.ensure_shape(x, [None] * 3)
        return tf.squeeze(op(tf.expand_dims(x, 1), [1, block_size], mode), 1)


def _volume(who: str, x: Any, block_size: Any, mode: str) -> tuple[tf.Tensor, list[int]]:
    """Validates the arguments of a 3-D op; the two ops that it is built from check the rest."""
    block = list(block_size) if isinstance(block_size, Sequence) else [block_size] * 3
    if len(block) != 3 or not all(isinstance(r, numbers.Integral) and int(r) >= 1 for r in block):
        raise ValueError(
            f'{who}: block_size is {block_size}; it must be one or three integers >= 1.'
        )
    subpixel.check_arguments(who, block[1:], mode, 'NHWC')
    x = tf.convert_to_tensor(x)
    errors.rank(who, x, 5)
    return tf.ensure_shape(x, [None] * 5), block


def _sizes(x: tf.Tensor) -> list[Any]:
    """Returns the sizes of the axes of `x`, as constants where they are static."""
    dynamic = tf.unstack(tf.shape(x, out_type=tf.int64), num=x.shape.rank)
    pairs = zip(x.shape.as_list(), dynamic, strict=True)
    return [run if static is None else tf.constant(static, tf.int64) for static, run in pairs]


def _depth(op: Any, x: tf.Tensor, rd: int, mode: str) -> tf.Tensor:
    """Applies `op` along the first axis of a volume, with the other two flattened."""
    n, d, h, w, c = _sizes(x)
    y = op(tf.reshape(x, tf.stack([n, d, h * w, c])), [rd, 1], mode)
    _, d, _, c = _sizes(y)
    return tf.reshape(y, tf.stack([n, d, h, w, c]))


def _planes(op: Any, x: tf.Tensor, rh: int, rw: int, mode: str) -> tf.Tensor:
    """Applies `op` along the last two axes of a volume, with the first in the batch."""
    n, d, h, w, c = _sizes(x)
    y = op(tf.reshape(x, tf.stack([n * d, h, w, c])), [rh, rw], mode)
    _, h, w, c = _sizes(y)
    return tf.reshape(y, tf.stack([n, d, h, w, c]))
