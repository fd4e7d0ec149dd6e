"""Published classifiers as tables: convolutions, their pooling, dense layers on a fixed grid.

    h = relu(conv(h) + b), then where the table says so   response normalization, max pooling
    h = the mean over each cell of a grid x grid raster of h, flattened
    h = relu(h W + b), the last one without relu          logits

What each layer leaves is a tensor `<layer>/output` of the collection `names.END_POINTS`.

B batch, H W image, C channels, K classes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors, names
from tfae.pretrained.weights import Parameters, Preprocessing

# Mean and deviation of ImageNet's training images in [0, 1], RGB, as torchvision rounds them.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

_POOL_STRIDE = 2


class Convolution(NamedTuple):
    """One row of a table. `norm` and `pool` name what follows; empty: nothing does."""

    name: str
    filters: int
    size: int = 3
    strides: int = 1
    padding: int = 1  # zeros on each side
    groups: int = 1
    norm: str = ''
    pool: str = ''
    torchvision: str = ''
    keras: str = ''


class Dense(NamedTuple):
    """One of the last rows."""

    name: str
    units: int
    torchvision: str = ''
    keras: str = ''


class Network:
    """A table that can be called. Touches no graph before."""

    def __init__(
        self,
        image_shape: Sequence[int],
        convolutions: Sequence[Convolution],
        grid: int,
        dense: Sequence[Dense],
        window: int,
        preprocessing: Preprocessing,
        mean: Sequence[float],
    ):
        """`window` is the side of every max pooling, `mean` the pixels' in [0, 255], RGB.

        Raises: UsageError for images without three channels or too small for the pooling.
        """
        self.image_shape = tuple(image_shape)
        self.convolutions = convolutions
        self.grid = grid
        self.dense = dense
        self.window = window
        self.preprocessing = preprocessing
        self.mean = np.array(mean, np.float32)
        *sides, channels = self.image_shape
        for layer in convolutions:
            sides = [(n + 2 * layer.padding - layer.size) // layer.strides + 1 for n in sides]
            if layer.pool:
                sides = [(n - window) // _POOL_STRIDE + 1 for n in sides]
        if channels != 3 or min(sides) < 1:
            raise errors.UsageError(
                f'images are {self.image_shape}; they must have three channels, and be large '
                f'enough that convolutions and pooling leave more than {sides} of their sides'
            )

    @property
    def parameters(self) -> list[Parameters]:
        """The layers that have variables, input side first."""
        found, channels = [], 3
        for row in self.convolutions:
            kernel = (row.size, row.size, channels // row.groups, row.filters)
            found.append(Parameters(row.name, kernel, None, row.torchvision, row.keras))
            channels = row.filters
        grid: tuple[int, int, int] | None = (self.grid, self.grid, channels)
        size = self.grid * self.grid * channels
        for last in self.dense:
            found.append(
                Parameters(last.name, (size, last.units), grid, last.torchvision, last.keras)
            )
            size, grid = last.units, None
        return found

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images `[B, H, W, 3]` in [0, 1], RGB -> name of a layer -> what it leaves.

        The last one is the logits `[B, K]`, the others are behind their relu.
        """
        errors.rank('images', images, 4)
        points = dict(self._layers(images))
        for tensor in points.values():
            tf.add_to_collection(names.END_POINTS, tensor)
        return points

    def _layers(self, images: tf.Tensor) -> Iterator[tuple[str, tf.Tensor]]:
        h = _normalized(images, self.preprocessing, self.mean)
        for row in self.convolutions:
            h = _convolved(h, row)
            yield row.name, h
            if row.norm:
                # Caffe's alpha of 1e-4 is of the mean over the 5 channels, TensorFlow's of the sum.
                with tf.name_scope(row.norm):
                    h = tf.nn.local_response_normalization(
                        h, 2, 1.0, 1e-4 / 5, 0.75, name=names.OUTPUT
                    )
                yield row.norm, h
            if row.pool:
                with tf.name_scope(row.pool):
                    h = tf.nn.max_pool2d(h, self.window, _POOL_STRIDE, 'VALID', name=names.OUTPUT)
                yield row.pool, h
        h = layers.flatten(cell_means(h, self.grid))
        for last in self.dense:
            logits = last is self.dense[-1]
            with tf.variable_scope(last.name, reuse=tf.AUTO_REUSE):
                kernel = tf.get_variable(names.KERNEL, [h.shape[-1], last.units])
                bias = _bias(last.units)
                h = tf.nn.bias_add(h @ kernel, bias, name=names.OUTPUT if logits else None)
                h = h if logits else tf.nn.relu(h, names.OUTPUT)
            yield last.name, h


def cell_means(h: tf.Tensor, grid: int) -> tf.Tensor:
    """Means `[B, grid, grid, C]` of `[B, H, W, C]` over the cells of a raster laid on it.

    Cell i holds the rows from floor(i H / grid) up to ceil((i + 1) H / grid), so that neighbors
    share rows where H is no multiple: PyTorch's AdaptiveAvgPool2d. On H = W = grid it is nothing.
    """
    height, width = cast(list[int], h.shape.as_list()[1:3])
    if height == width == grid:
        return h
    return tf.einsum('ih,bhwc,jw->bijc', _cells(height, grid), h, _cells(width, grid))


def _cells(length: int, grid: int) -> np.ndarray:
    """`[grid, length]`, the weight of each place in the mean of each cell."""
    weights = np.zeros([grid, length], np.float32)
    for i in range(grid):
        start, end = i * length // grid, -(-(i + 1) * length // grid)
        weights[i, start:end] = 1 / (end - start)
    return weights


def _normalized(images: tf.Tensor, kind: Preprocessing, mean: np.ndarray) -> tf.Tensor:
    """What the first layer sees of images in [0, 1]: see `weights.layouts`."""
    if kind == 'torchvision':
        return (images - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
    less = 255 * images - mean
    return tf.reverse(less, [3]) if kind == 'bgr' else less


def _convolved(h: tf.Tensor, row: Convolution) -> tf.Tensor:
    """relu(conv(h) + b); group g of the filters sees group g of the channels alone."""
    with tf.variable_scope(row.name, reuse=tf.AUTO_REUSE):
        channels = h.shape[-1] // row.groups
        kernel = tf.get_variable(names.KERNEL, [row.size, row.size, channels, row.filters])
        bias = _bias(row.filters)
        p = row.padding
        if p:
            h = tf.pad(h, [[0, 0], [p, p], [p, p], [0, 0]])
        # One convolution a group: TensorFlow has no gradient of grouped ones on processors.
        pairs = zip(tf.split(h, row.groups, 3), tf.split(kernel, row.groups, 3), strict=True)
        groups = [tf.nn.conv2d(x, k, row.strides, 'VALID') for x, k in pairs]
        h = groups[0] if row.groups == 1 else tf.concat(groups, 3)
        return tf.nn.relu(tf.nn.bias_add(h, bias), names.OUTPUT)


def _bias(size: int) -> tf.Variable:
    return tf.get_variable(names.BIAS, [size], initializer=tf.zeros_initializer())
