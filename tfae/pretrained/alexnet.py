"""AlexNet, with two streams and with one. Krizhevsky, Sutskever and Hinton, NIPS 2012.

    five convolutions with ReLU; 3 x 3 max pooling with stride 2 after the first, the second and
    the last                                                            conv<i>, pool<i>
    p(class | x) = softmax of two dense layers with ReLU and a third    fc6, fc7, fc8

Two streams, as published: each filter of conv2, conv4 and conv5 sees half of the channels, and
conv1 and conv2 are followed by x / (1 + 1e-4 mean of x^2 over 5 channels)^0.75 (norm1, norm2), with
the constants of Caffe's bvlc_alexnet. One stream: Krizhevsky, "One weird trick for parallelizing
convolutional neural networks", 2014, https://arxiv.org/abs/1404.5997, without normalization, as in
torchvision.

For analysis with published weights, not for training. For other image sizes the output of pool5 is
averaged to a 6 x 6 grid, as in torchvision.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.core.config import option
from tfae.pretrained import network
from tfae.pretrained.weights import Preprocessing

_FILTERS = {'one': (64, 192, 384, 256, 256), 'two': (96, 256, 384, 384, 256)}
_SIDES = {'one': 224, 'two': 227}
_UNITS = 4096
_GRID = 6
_MEAN = (122.67891434, 116.66876762, 104.00698793)  # of Caffe's ilsvrc_2012_mean, RGB


@dataclasses.dataclass(frozen=True)
class Config:
    """Variant of the network, and its preprocessing."""

    streams: Literal['one', 'two'] = option('one', 'One: the network of 2014; two: that of 2012.')
    width: float = option(1.0, 'Factor of the filters and units of all layers but the last.')
    preprocessing: Preprocessing = option('torchvision', 'Normalization of the input in training.')


class Outputs(NamedTuple):
    """Outputs for a batch of images."""

    probabilities: tf.Tensor  # [B, K], sum to 1
    class_logits: tf.Tensor  # [B, K], probabilities = softmax(class_logits)
    end_points: dict[str, tf.Tensor]  # name of a layer -> its output [B, ...]


NETWORKS = {
    'alexnet': Config(),
    'alexnet_2012': Config(streams='two', preprocessing='bgr'),
}


class Model:
    """AlexNet; see `tfae.pretrained` for the interface."""

    def __init__(
        self, config: Config, image_shape: Sequence[int] | None = None, classes: int = 1000
    ):
        """Takes `image_shape` [H, W, 3]; None is the published one."""

        def scaled(size: int) -> int:
            return 2 * max(1, round(config.width * size / 2))  # even, for two streams

        side = _SIDES[config.streams]
        self.config = config
        self.network = network.Network(
            image_shape or (side, side, 3),
            _convolutions(config.streams == 'two', [scaled(n) for n in _FILTERS[config.streams]]),
            _GRID,
            [
                network.Dense(names.fully_connected(6), scaled(_UNITS), 'classifier.1'),
                network.Dense(names.fully_connected(7), scaled(_UNITS), 'classifier.4'),
                network.Dense(names.fully_connected(8), classes, 'classifier.6'),
            ],
            window=3,
            preprocessing=config.preprocessing,
            mean=_MEAN,
        )
        self.image_shape = self.network.image_shape
        self.parameters = self.network.parameters

    def __call__(self, images: tf.Tensor) -> Outputs:
        """Classifies `[B, H, W, 3]` in [0, 1], RGB."""
        points = self.network(images)
        logits = points[names.fully_connected(8)]
        return Outputs(tf.nn.softmax(logits), logits, points)


def _convolutions(split: bool, filters: Sequence[int]) -> list[network.Convolution]:
    """Returns the five convolutions; torchvision also counts the ReLU and pooling layers."""
    groups = 2 if split else 1
    rows = [  # size, strides, padding, groups, index in torchvision's list
        (11, 4, 0 if split else 2, 1, 0),
        (5, 1, 2, groups, 3),
        (3, 1, 1, 1, 6),
        (3, 1, 1, groups, 8),
        (3, 1, 1, groups, 10),
    ]
    return [
        network.Convolution(
            names.convolution(i),
            count,
            size,
            strides,
            padding,
            parts,
            norm=names.response_normalization(i) if split and i < 3 else '',
            pool=names.pool(i) if i in (1, 2, 5) else '',
            torchvision=f'features.{place}',
        )
        for i, (count, (size, strides, padding, parts, place)) in enumerate(
            zip(filters, rows, strict=True), start=1
        )
    ]
