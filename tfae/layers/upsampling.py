"""Images enlarged by interpolation.

Pixels are squares, so the center of the large pixel o lies at (o + 1/2) / factor - 1/2 among the
small ones: `tf.image.resize` of TensorFlow 2 agrees. Where a kernel reaches over an edge, its other
weights grow so that their sum stays 1.

TensorFlow's own ops for this have no second derivatives, compute in float whatever the type, and
for bicubic are slow to differentiate. So nearest is a broadcast here, the others two products with
matrices of weights, which have every derivative, keep the type and give the same bits every time.
Bilinear of floats alone is TensorFlow's op, the faster the larger the image.

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
    """Enlarges images by whole factors.

    Args:
      inputs: tensor [B, H, W, C], or [B, C, H, W] for `channels_first`; of a float type, save that
        `nearest` takes every type.
      size: rh and rw, or one number for both.
      method: `nearest`, which repeats each pixel, `bilinear` or `bicubic`.
      data_format: `channels_last` or `channels_first`.
      name: name of the operations' scope.

    Returns: tensor [B, H*rh, W*rw, C], or [B, C, H*rh, W*rw], of the inputs' type.

    Raises: ValueError if the rank is not 4, the type is none of the above or an argument is not.
    """
    who = name or names.UPSAMPLE
    factors = arguments.pair(f'{who}: size', size)
    data_format = arguments.data_format(who, data_format)
    errors.one_of(f'{who}: method', method, ['nearest', *_KERNELS])
    inputs = tf.convert_to_tensor(inputs)
    if inputs.shape.rank is None:
        raise ValueError(f'{who}: input has unknown rank; it must have rank 4.')
    errors.rank(who, inputs, 4)
    if method != 'nearest' and not inputs.dtype.is_floating:
        raise ValueError(
            f'{who}: type is {inputs.dtype.name}; it must be a float type, or the method nearest.'
        )

    def enlarge(x: tf.Tensor) -> tf.Tensor:
        if method == 'nearest':
            return _nearest(x, factors)
        if method == 'bilinear' and x.dtype == tf.float32:
            return _bilinear(x, factors)
        return _interpolated(x, factors, _KERNELS[method])

    with tf.name_scope(name, names.UPSAMPLE, [inputs]):
        return formats.on_channels_last(data_format, enlarge, inputs)


def _triangle(distance: tf.Tensor) -> tf.Tensor:
    """Linear interpolation."""
    return tf.maximum(1 - distance, 0)


def _cubic(distance: tf.Tensor) -> tf.Tensor:
    """Cubic convolution with a = -1/2: exact for polynomials of degree 2."""
    d = distance
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return tf.where(d < 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


# The weight of a pixel, by its distance >= 0 in small pixels.
_KERNELS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {'bilinear': _triangle, 'bicubic': _cubic}


def _sizes(x: tf.Tensor) -> list[Any]:
    """The sizes of the axes: numbers where they are known."""
    dynamic = tf.shape(x)
    return [dynamic[i] if n is None else n for i, n in enumerate(x.shape.as_list())]


def _nearest(x: tf.Tensor, factors: tuple[int, int]) -> tf.Tensor:
    (rh, rw), (batch, height, width, channels) = factors, _sizes(x)

    # The gradient of a broadcast is a sum over two axes of six: on CPUs eight times as slow as the
    # mean of a window.
    @tf.custom_gradient
    def enlarge(x: tf.Tensor) -> Any:
        blocks = tf.broadcast_to(
            x[:, :, None, :, None, :], tf.stack([batch, height, rh, width, rw, channels])
        )
        y = tf.reshape(blocks, tf.stack([batch, height * rh, width * rw, channels]))
        return y, lambda dy: tf.nn.avg_pool(dy, factors, factors, 'VALID') * (rh * rw)

    return enlarge(x)


def _bilinear(x: tf.Tensor, factors: tuple[int, int]) -> tf.Tensor:
    (rh, rw), (_, height, width, _) = factors, _sizes(x)

    # Each is linear and the other's adjoint, and so its gradient.
    @tf.custom_gradient
    def enlarge(small: tf.Tensor) -> Any:
        size = tf.stack([height * rh, width * rw])
        return tf.raw_ops.ResizeBilinear(images=small, size=size, half_pixel_centers=True), shrink

    @tf.custom_gradient
    def shrink(large: tf.Tensor) -> Any:
        small = tf.raw_ops.ResizeBilinearGrad(
            grads=large, original_image=x, half_pixel_centers=True
        )
        return small, enlarge

    y = enlarge(x)
    y.set_shape([None, *(None if tf.is_tensor(n) else n for n in (height * rh, width * rw)), None])
    return y


def _interpolated(x: tf.Tensor, factors: tuple[int, int], kernel: Callable) -> tf.Tensor:
    (rh, rw), (batch, height, width, channels) = factors, _sizes(x)
    x = tf.reshape(x, tf.stack([batch * height, width, channels]))
    x = tf.matmul(_weights(width, rw, kernel, x.dtype), x)
    x = tf.reshape(x, tf.stack([batch, height, width * rw * channels]))
    x = tf.matmul(_weights(height, rh, kernel, x.dtype), x)
    return tf.reshape(x, tf.stack([batch, height * rh, width * rw, channels]))


def _weights(size: Any, factor: int, kernel: Callable, dtype: tf.DType) -> tf.Tensor:
    """What each large pixel takes of each small one: [size * factor, size], rows sum to 1."""
    small = tf.cast(tf.range(size), tf.float64)
    large = (tf.cast(tf.range(size * factor), tf.float64) + 0.5) / factor - 0.5
    weights = kernel(tf.abs(large[:, None] - small))
    return tf.cast(weights / tf.reduce_sum(weights, 1, keepdims=True), dtype)
