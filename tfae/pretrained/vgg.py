"""VGG-11, 13, 16, 19. Simonyan and Zisserman, ICLR 2015, https://arxiv.org/abs/1409.1556, table 1.

    five blocks of 3 x 3 convolutions with ReLU                         conv<block>_<i>
    with 2 x 2 max pooling after each block                             pool<block>
    p(class | x) = softmax of two dense layers with ReLU and a third    fc6, fc7, fc8

For analysis with published weights, not for training. For image sizes other than 224 the output of
pool5 is averaged to a 7 x 7 grid, as in torchvision.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.core.config import option
from tfae.pretrained import network
from tfae.pretrained.weights import Preprocessing

_BLOCKS = {
    '11': (1, 1, 2, 2, 2),
    '13': (2, 2, 2, 2, 2),
    '16': (2, 2, 3, 3, 3),
    '19': (2, 2, 4, 4, 4),
}
_FILTERS = (64, 128, 256, 512, 512)
_SIDE = 224
_UNITS = 4096
_GRID = 7
_MEAN = (123.68, 116.779, 103.939)  # of the training images, from the authors' release


@dataclasses.dataclass(frozen=True)
class Config:
    """Variant of the network, and its preprocessing."""

    depth: Literal['11', '13', '16', '19'] = option('16', 'Number of layers with weights.')
    width: float = option(1.0, 'Factor of the filters and units of all layers but the last.')
    preprocessing: Preprocessing = option('bgr', 'Normalization of the input in training.')


class Outputs(NamedTuple):
    """Outputs for a batch of images."""

    probabilities: tf.Tensor  # [B, K], sum to 1
    class_logits: tf.Tensor  # [B, K], probabilities = softmax(class_logits)
    end_points: dict[str, tf.Tensor]  # name of a layer -> its output [B, ...]


NETWORKS = {f'vgg{depth}': Config(depth=depth) for depth in ('11', '13', '16', '19')}


class Model:
    """VGG; see `tfae.pretrained` for the interface."""

    def __init__(
        self, config: Config, image_shape: Sequence[int] | None = None, classes: int = 1000
    ):
        """Takes `image_shape` [H, W, 3]; None is the published one."""

        def scaled(size: int) -> int:
            return max(1, round(config.width * size))

        self.config = config
        self.network = network.Network(
            image_shape or (_SIDE, _SIDE, 3),
            list(_convolutions(_BLOCKS[config.depth], [scaled(size) for size in _FILTERS])),
            _GRID,
            [
                network.Dense(names.fully_connected(6), scaled(_UNITS), 'classifier.0', 'fc1'),
                network.Dense(names.fully_connected(7), scaled(_UNITS), 'classifier.3', 'fc2'),
                network.Dense(names.fully_connected(8), classes, 'classifier.6', 'predictions'),
            ],
            window=2,
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


def _convolutions(blocks: Sequence[int], filters: Sequence[int]):
    """Yields the convolutions of table 1; torchvision also counts the ReLU and pooling layers."""
    place = 0
    for block, (count, size) in enumerate(zip(blocks, filters, strict=True), start=1):
        for i in range(1, count + 1):
            yield network.Convolution(
                names.convolution(block, i),
                size,
                pool=names.pool(block) if i == count else '',
                torchvision=f'features.{place}',
                keras=f'block{block}_conv{i}',
            )
            place += 2
        place += 1
