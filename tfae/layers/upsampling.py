"""Upsampling of sequences, images and volumes by interpolation.

Pixels are squares (`half_pixel_centers`): output pixel o has its center at
(o + 1/2) / factor - 1/2 in input coordinates, as in `tf.image.resize` of TensorFlow 2. At an edge,
the kernel's remaining weights are renormalized to sum to 1.

TensorFlow's own ops have no second derivatives, compute in float32 for every type, and have a slow
bicubic gradient. Here nearest is a broadcast, and the others are two products with weight
matrices, which have all derivatives, keep the type and are deterministic. Only bilinear float32
uses TensorFlow's op, which is faster, most of all for large images. All methods are separable: a
sequence is upsampled as an image of one row, a volume plane by plane and then along its first axis.

Source: Keys, Cubic convolution interpolation for digital image processing, IEEE Transactions on
Acoustics, Speech, and Signal Processing 29 (1981), for bicubic.

Letters of shapes: B batch, H W image, C channels, rh rw factors.
"""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.layers import arguments, formats


def upsample(
    inputs: Any,
    size: Any,
    method: str = 'nearest',
    data_format: str = 'channels_last',
    name: str | None = None,
) -> tf.Tensor:
    """Upsamples images, sequences or volumes by integer factors.

    Args:
      inputs: tensor [B, H, W, C], or [B, C, H, W] for `channels_first`; of a float type, or of any
        type for `nearest`. Sequences are [B, W, C], volumes [B, D, H, W, C].
      size: factors rh and rw, one for each spatial axis, or one number for all.
      method: `nearest`, which repeats each pixel, `bilinear` or `bicubic`: linear or cubic along
        each axis.
      data_format: `channels_last` or `channels_first`.
      name: name scope of the operations.

    Returns: tensor [B, H*rh, W*rw, C], or [B, C, H*rh, W*rw], of the inputs' type.

    Raises: ValueError if the rank is not 3, 4 or 5, or a type or an argument is not one of the
      above.
    """
    who = name or names.UPSAMPLE
    inputs = tf.convert_to_tensor(inputs)
    if inputs.shape.rank not in (3, 4, 5):
        of = 'unknown rank' if inputs.shape.rank is None else f'shape {inputs.shape}'
        raise ValueError(f'{who}: input has {of}; it must have rank 3, 4 or 5.')
    factors = arguments.sizes(f'{who}: size', size, inputs.shape.rank - 2)
    data_format = arguments.data_format(who, data_format)
    errors.one_of(f'{who}: method', method, ['nearest', *_KERNELS])
    if method != 'nearest' and not inputs.dtype.is_floating:
        raise ValueError(
            f'{who}: type is {inputs.dtype.name}; it must be a float type, or the method nearest.'
        )

    def resize(x: tf.Tensor, factors: tuple[int, ...]) -> tf.Tensor:
        if len(factors) == 1:
            return tf.squeeze(resize(tf.expand_dims(x, 1), (1, *factors)), [1])
        if len(factors) == 3:
            return _volume(x, factors, resize)
        if method == 'nearest':
            return _nearest(x, factors)
        if method == 'bilinear' and x.dtype == tf.float32:
            return _bilinear(x, factors)
        return _interpolated(x, factors, _KERNELS[method])

    with tf.name_scope(name, names.UPSAMPLE, [inputs]):
        return formats.on_channels_last(data_format, lambda x: resize(x, factors), inputs)


def _triangle(distance: tf.Tensor) -> tf.Tensor:
    """Linear interpolation."""
    return tf.maximum(1 - distance, 0)


def _cubic(distance: tf.Tensor) -> tf.Tensor:
    """Cubic convolution with a = -1/2 (Keys, equation 15): exact for quadratic polynomials."""
    d = distance
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return tf.where(d < 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


# Weight of an input pixel as a function of its distance, in input pixels.
_KERNELS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {'bilinear': _triangle, 'bicubic': _cubic}


def _sizes(x: tf.Tensor) -> list[Any]:
    """Returns the size of each axis: a number if it is static, else a scalar tensor."""
    dynamic = tf.shape(x)
    return [dynamic[i] if n is None else n for i, n in enumerate(x.shape.as_list())]


def _volume(x: tf.Tensor, factors: tuple[int, ...], resize: Callable) -> tf.Tensor:
    """Resizes the planes of a volume, then its first axis, with each plane as one row."""
    (rd, *in_plane), (batch, depth, *plane, channels) = factors, _sizes(x)
    x = tf.reshape(x, tf.stack([batch * depth, *plane, channels]))
    x = resize(x, tuple(in_plane))
    height, width = (size * factor for size, factor in zip(plane, in_plane, strict=True))
    x = tf.reshape(x, tf.stack([batch, depth, height * width, channels]))
    x = resize(x, (rd, 1))
    return tf.reshape(x, tf.stack([batch, depth * rd, height, width, channels]))


def _nearest(x: tf.Tensor, factors: tuple[int, ...]) -> tf.Tensor:
    (rh, rw), (batch, height, width, channels) = factors, _sizes(x)

    # The gradient of a broadcast is a sum over two of six axes: on CPUs eight times as slow as
    # average pooling.
    @tf.custom_gradient
    def repeat(x: tf.Tensor) -> Any:
        blocks = tf.broadcast_to(
            x[:, :, None, :, None, :], tf.stack([batch, height, rh, width, rw, channels])
        )
        y = tf.reshape(blocks, tf.stack([batch, height * rh, width * rw, channels]))
        return y, lambda dy: tf.nn.avg_pool(dy, factors, factors, 'VALID') * (rh * rw)

    return repeat(x)


def _bilinear(x: tf.Tensor, factors: tuple[int, ...]) -> tf.Tensor:
    (rh, rw), (_, height, width, _) = factors, _sizes(x)

    # Both are linear, and each is the adjoint of the other, hence its gradient.
    @tf.custom_gradient
    def stretch(small: tf.Tensor) -> Any:
        size = tf.stack([height * rh, width * rw])
        return tf.raw_ops.ResizeBilinear(images=small, size=size, half_pixel_centers=True), shrink

    @tf.custom_gradient
    def shrink(large: tf.Tensor) -> Any:
        small = tf.raw_ops.ResizeBilinearGrad(
            grads=large, original_image=x, half_pixel_centers=True
        )
        return small, stretch

    y = stretch(x)
    y.set_shape([None, *(None if tf.is_tensor(n) else n for n in (height * rh, width * rw)), None])
    return y


def _interpolated(x: tf.Tensor, factors: tuple[int, ...], kernel: Callable) -> tf.Tensor:
    (rh, rw), (batch, height, width, channels) = factors, _sizes(x)

    # Along rows.
    if rw > 1:
        x = tf.reshape(x, tf.stack([batch * height, width, channels]))
        x = tf.matmul(_weights(width, rw, kernel, x.dtype), x)

    # Along columns.
    x = tf.reshape(x, tf.stack([batch, height, width * rw * channels]))
    x = tf.matmul(_weights(height, rh, kernel, x.dtype), x)
    return tf.reshape(x, tf.stack([batch, height * rh, width * rw, channels]))


def _weights(size: Any, factor: int, kernel: Callable, dtype: tf.DType) -> tf.Tensor:
    """Returns the interpolation matrix [size * factor, size], whose rows sum to 1."""
    small = tf.cast(tf.range(size), tf.float64)
    large = (tf.cast(tf.range(size * factor), tf.float64) + 0.5) / factor - 0.5
    weights = kernel(tf.abs(large[:, None] - small))
    return tf.cast(weights / tf.reduce_sum(weights, 1, keepdims=True), dtype)
