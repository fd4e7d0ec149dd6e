"""Upsampling of feature maps, the inverse of a strided or pooled convolution.

Each method maps `[B, h, w, C]` to `[B, H, W, F]`; H and W need not be multiples of the factor.
Sequences `[B, l, C]` and volumes `[B, d, h, w, C]` have the same methods along one and three axes,
bilinear and bicubic being linear and cubic interpolation along each:

    deconvolution                 transposed convolution with stride f, cropped to H x W, or with
                                  mirrored edges where pooling dropped rows or columns
                                  (Zeiler et al., CVPR 2010)
    subpixel                      convolution to F * f * f channels (f of them for each axis),
                                  then shuffle, cropped (Shi et al., CVPR 2016)
    nearest, bilinear, bicubic    interpolation by f, then convolution (Odena et al., Distill 2016)

With a factor of 1, every method except deconvolution is a plain convolution, padded to H x W.
"""

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow.compat.v1 as tf

from tfae import layers

# By the number of spatial axes.
_CONVOLUTIONS = {1: layers.conv1d, 2: layers.conv2d, 3: layers.conv3d}
_SUBPIXEL = {1: layers.subpixel_conv1d, 2: layers.subpixel_conv2d, 3: layers.subpixel_conv3d}
_TRANSPOSED = {1: layers.conv1d_transpose, 2: layers.conv2d_transpose, 3: layers.conv3d_transpose}
_TRANSPOSED_OPS = {
    1: tf.nn.conv1d_transpose,
    2: tf.nn.conv2d_transpose,
    3: tf.nn.conv3d_transpose,
}

Method = Literal['deconvolution', 'subpixel', 'nearest', 'bilinear', 'bicubic']


def upsample(
    x: tf.Tensor,
    target: Sequence[int],
    kernel_size: int,
    factor: int,
    method: Method,
    name: str,
    **options: Any,
) -> tf.Tensor:
    """Upsamples by about `factor`, to exactly the target shape.

    Args:
      x: float tensor `[B, h, w, C]`, h and w known; or of a sequence or volume.
      target: `(H, W, F)`, of the same rank as an example of `x`.
      kernel_size: kernel size of the convolution in pixels.
      factor: f.
      method: one of the above.
      name: name of the layer; its variables are `<name>/kernel` and `<name>/bias`.
      options: activation, use_bias, initializers and regularizers, as of `layers.conv2d`.
    Returns: float tensor `[B, H, W, F]`.
    """
    *sizes, filters = target
    rank = len(sizes)
    sides = [int(side) for side in x.shape[1:-1]]
    if method == 'deconvolution':
        padding = _padding(sides, sizes, factor)
        transposed = _TRANSPOSED[rank]
        x = transposed(x, filters, kernel_size, factor, padding, **options, name=name)
    elif method == 'subpixel' and factor > 1:
        wanted = [-(-side // factor) for side in sizes]
        x, padding = _padded(x, sides, wanted, kernel_size)
        # The pixels of a block start equal: no initial checkerboard artifact.
        options['kernel_initializer'] = layers.ICNR(
            [factor] * rank, options.get('kernel_initializer')
        )
        convolution = _SUBPIXEL[rank]
        x = convolution(x, filters, kernel_size, factor, padding, **options, name=name)
    else:
        if factor > 1:
            x = layers.upsample(x, factor, method)
            sides = [side * factor for side in sides]
        x, padding = _padded(x, sides, sizes, kernel_size)
        x = _CONVOLUTIONS[rank](x, filters, kernel_size, 1, padding, **options, name=name)
    return _fitted(x, sizes)


def deconvolution(x: tf.Tensor, kernel: tf.Tensor, target: Sequence[int], factor: int) -> tf.Tensor:
    """Returns a transposed convolution with a given kernel, fitted to the target.

    Args:
      x: float tensor `[B, h, w, C]`, h and w known; or of a sequence or volume.
      kernel: `[k, l, F, C]`, or one size for each spatial axis of `x`.
      target: `(H, W, F)`.
      factor: stride in pixels.
    Returns: float tensor `[B, H, W, F]`.
    """
    sides = [int(side) for side in x.shape[1:-1]]
    padding = _padding(sides, target, factor)
    made = [side * factor for side in sides]
    if padding == 'valid':
        reach = [max(int(size) - factor, 0) for size in kernel.shape[:-2]]
        made = [side + more for side, more in zip(made, reach, strict=True)]
    *sizes, filters = target
    shape = tf.stack([tf.shape(x)[0], *made, filters])
    strides = [factor] * len(sizes)
    x = _TRANSPOSED_OPS[len(sizes)](x, kernel, shape, strides, padding.upper())
    x.set_shape([None, *made, filters])
    return _fitted(x, sizes)


def _padding(sides: Sequence[int], target: Sequence[int], factor: int) -> str:
    """Returns `same` if it gives the target size, else `valid`, which adds what a kernel spans."""
    same = all(side * factor == wanted for side, wanted in zip(sides, target, strict=False))
    return 'same' if same else 'valid'


def _padded(
    x: tf.Tensor, sides: Sequence[int], wanted: Sequence[int], kernel_size: int
) -> tuple[tf.Tensor, str]:
    """Returns `x` and the padding argument with which a convolution maps `sides` to `wanted`."""
    if list(sides) == list(wanted):
        return x, 'same'
    margins = [w - s + kernel_size - 1 for s, w in zip(sides, wanted, strict=True)]
    around = [[max(margin, 0) // 2, max(margin, 0) - max(margin, 0) // 2] for margin in margins]
    return tf.pad(x, [[0, 0], *around, [0, 0]]), 'valid'


def _fitted(x: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """Returns `x` cropped or mirrored to these spatial sizes around its center."""
    rank = len(sizes) + 2
    for axis, wanted in enumerate(sizes, 1):
        side = int(x.shape[axis])
        before = abs(side - wanted) // 2
        if side > wanted:
            begin = [0] * rank
            begin[axis] = before
            size = [-1] * rank
            size[axis] = wanted
            x = tf.slice(x, begin, size)
        elif side < wanted:
            margins = [[0, 0]] * rank
            margins[axis] = [before, wanted - side - before]
            x = tf.pad(x, margins, 'SYMMETRIC')  # zeros would be a border that nothing trains
    return x
