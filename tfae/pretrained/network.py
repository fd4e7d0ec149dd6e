"""Published classifiers as tables of convolutions with pooling, and dense layers.

    h = relu(conv(h) + b), optionally     response normalization, max pooling
    h = adaptive average pooling of h to grid x grid, flattened
    h = relu(h W + b), the last one without ReLU          logits

The output of each layer is a tensor `<layer>/output` in the collection `names.END_POINTS`.

B batch, H W image, C channels, K classes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors, names
from tfae.pretrained.weights import Parameters, Preprocessing

# Mean and standard deviation of ImageNet's training images in [0, 1], RGB, as in torchvision.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

_POOL_STRIDE = 2


class Convolution(NamedTuple):
    """A convolution with ReLU; `norm` and `pool` name the layers that follow, empty for none."""

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
    """A dense layer."""

    name: str
    units: int
    torchvision: str = ''
    keras: str = ''


class Network:
    """A network defined by tables of its layers; calling it builds the graph."""

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
        """Stores the tables; builds no graph.

        Args:
          image_shape: `[H, W, 3]`.
          convolutions: the convolutional layers.
          grid: side of the average pooling before the dense layers.
          dense: the dense layers.
          window: side of all max poolings.
          preprocessing: normalization of the input.
          mean: of the pixels in [0, 255], RGB.

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
                f'images are {self.image_shape}; they must have three channels, and sides '
                f'large enough for the convolutions and poolings, which leave {sides}'
            )

    @property
    def parameters(self) -> list[Parameters]:
        """The layers with variables, input side first."""
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
        """Builds the network.

        Args:
          images: RGB `[B, H, W, 3]` in [0, 1].

        Returns: name of a layer -> its output after ReLU `[B, ...]`; the last are the logits
          `[B, K]`.
        """
        errors.rank('images', images, 4)
        points = dict(self._layers(images))
        for tensor in points.values():
            tf.add_to_collection(names.END_POINTS, tensor)
        return points

    def _layers(self, images: tf.Tensor) -> Iterator[tuple[str, tf.Tensor]]:
        # Convolutions, each with optional normalization and pooling.
        h = _normalized(images, self.preprocessing, self.mean)
        for row in self.convolutions:
            h = _convolved(h, row)
            yield row.name, h
            if row.norm:
                # Caffe's alpha of 1e-4 scales the mean over 5 channels, TensorFlow's the sum.
                with tf.name_scope(row.norm):
                    h = tf.nn.local_response_normalization(
                        h, 2, 1.0, 1e-4 / 5, 0.75, name=names.OUTPUT
                    )
                yield row.norm, h
            if row.pool:
                with tf.name_scope(row.pool):
                    h = tf.nn.max_pool2d(h, self.window, _POOL_STRIDE, 'VALID', name=names.OUTPUT)
                yield row.pool, h
        # Dense layers.
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
    """Adaptive average pooling as in PyTorch's AdaptiveAvgPool2d; the identity for H = W = grid.

    Cell i averages the rows from floor(i H / grid) up to ceil((i + 1) H / grid), so that adjacent
    cells overlap unless H is a multiple of grid.

    Args:
      h: `[B, H, W, C]`.
      grid: side of the output.

    Returns: `[B, grid, grid, C]`.
    """
    height, width = cast(list[int], h.shape.as_list()[1:3])
    if height == width == grid:
        return h
    return tf.einsum('ih,bhwc,jw->bijc', _cells(height, grid), h, _cells(width, grid))


def _cells(length: int, grid: int) -> np.ndarray:
    """Returns the weights of the average of each cell `[grid, length]`."""
    weights = np.zeros([grid, length], np.float32)
    for i in range(grid):
        start, end = i * length // grid, -(-(i + 1) * length // grid)
        weights[i, start:end] = 1 / (end - start)
    return weights


def _normalized(images: tf.Tensor, kind: Preprocessing, mean: np.ndarray) -> tf.Tensor:
    """Normalizes images in [0, 1] for the first layer; see `weights.layouts`."""
    if kind == 'torchvision':
        return (images - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
    less = 255 * images - mean
    return tf.reverse(less, [3]) if kind == 'bgr' else less


def _convolved(h: tf.Tensor, row: Convolution) -> tf.Tensor:
    """Builds relu(conv(h) + b); group g of the filters sees only group g of the channels."""
    with tf.variable_scope(row.name, reuse=tf.AUTO_REUSE):
        channels = h.shape[-1] // row.groups
        kernel = tf.get_variable(names.KERNEL, [row.size, row.size, channels, row.filters])
        bias = _bias(row.filters)
        p = row.padding
        if p:
            h = tf.pad(h, [[0, 0], [p, p], [p, p], [0, 0]])
        # One convolution per group: on CPUs TensorFlow has no gradient of grouped ones.
        pairs = zip(tf.split(h, row.groups, 3), tf.split(kernel, row.groups, 3), strict=True)
        groups = [tf.nn.conv2d(x, k, row.strides, 'VALID') for x, k in pairs]
        h = groups[0] if row.groups == 1 else tf.concat(groups, 3)
        return tf.nn.relu(tf.nn.bias_add(h, bias), names.OUTPUT)


def _bias(size: int) -> tf.Variable:
    return tf.get_variable(names.BIAS, [size], initializer=tf.zeros_initializer())
