"""VGG-11, 13, 16, 19. Simonyan and Zisserman, ICLR 2015, https://arxiv.org/abs/1409.1556, table 1.

    five blocks of convolutions 3 x 3, each followed by relu            conv<block>_<i>
    with max pooling 2 x 2 behind each block                            pool<block>
    p(class | x) = softmax of two dense layers with relu and a third    fc6, fc7, fc8

A network to look into with the weights of others: no `--model` of training. Images of another
size than 224 are averaged over a raster of 7 x 7 on top of pool5, as torchvision does.
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
    """Which of the four, and how it was trained."""

    depth: Literal['11', '13', '16', '19'] = option('16', 'Layers that have weights.')
    width: float = option(1.0, 'Factor of the filters and units of every layer but the last.')
    preprocessing: Preprocessing = option('bgr', 'What the first layer was trained to see.')


class Outputs(NamedTuple):
    """What the network makes of a batch."""

    probabilities: tf.Tensor  # [B, K], their sum is 1
    class_logits: tf.Tensor  # [B, K], probabilities = softmax(class_logits)
    end_points: dict[str, tf.Tensor]  # name of a layer -> what it leaves [B, ...]


NETWORKS = {f'vgg{depth}': Config(depth=depth) for depth in ('11', '13', '16', '19')}


class Model:
    """See `tfae.pretrained` for the contract."""

    def __init__(
        self, config: Config, image_shape: Sequence[int] | None = None, classes: int = 1000
    ):
        """`image_shape` None is the published one."""

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
    """The rows of table 1; torchvision counts a relu behind each one and a pooling a block."""
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
