"""Siamese network: one network on two inputs. Bromley et al., NIPS 1993; Hadsell et al., CVPR 2006.

    z = network(x)                        encoder/layer_i, its variables shared by both sides
    D(a, b) = |z_a - z_b|,  a from the one half of a batch, b from the other
    contrastive   mean over a of (mean of D^2 over b of its class
                                  + mean of max(0, margin - D)^2 over the other b) / 2
    triplet       mean over a of max(0, margin + max of D over b of its class
                                        - min of D over the other b)

(triplets after Schroff et al., CVPR 2015, and Hermans et al., 2017). Every image of the one half
is paired with every one of the other: each of the two sides sees half of the batch, and pairs of
every kind come without being looked for. Both halves go through the network as one batch, whose
moments batch normalization takes.

B batch, H W C image, Z code.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.core.config import option
from tfae.losses import supervised
from tfae.models.base import network_flags
from tfae.models.base.encoder_decoder import Dense, Encoder, Kernels
from tfae.models.base.objective import Batch, Objective, trainable
from tfae.ops import activations

_LOSSES = {'contrastive': supervised.contrastive, 'triplet': supervised.triplet}
_DIAMETER = 2.0  # of the unit sphere
_APART = 1.05  # ratio of the mean distances below which classes are not told apart


@dataclasses.dataclass(frozen=True)
class Config(network_flags.Config):
    """The network and what its distances should be."""

    units: tuple[int, ...] = option(
        (200,), 'Sizes of the dense layers behind them.', within='[1, inf) units'
    )
    code_size: int = option(
        16, 'Latent dimensions, a dense layer of its own.', within='[1, inf) dimensions'
    )
    loss: Literal['contrastive', 'triplet'] = option('contrastive', 'Of pairs or of triplets.')
    margin: float = option(
        1.0, 'By which images of different classes should lie apart.', within='(0, inf)'
    )
    normalize: bool = option(False, 'Put codes on the unit sphere.')

    def __post_init__(self):
        super().__post_init__()
        if self.normalize and self.margin >= _DIAMETER:
            raise errors.UsageError(
                f'--margin is {self.margin}; with --normalize it must be below {_DIAMETER}, the '
                f'largest distance on the unit sphere'
            )


class Outputs(NamedTuple):
    """What the network makes of a batch."""

    code: tf.Tensor  # [B, Z]


class Model:
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        errors.classes('siamese', classes)
        self.config = config
        self.code_size = config.code_size
        layers = [*network_flags.layers(config), Dense(config.code_size, activations.LINEAR)]
        self.encoder = Encoder(image_shape, layers, Kernels(config.kernel_initializer))
        self.objectives = (self._distances,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes `[B, H, W, C]`."""
        errors.rank('images', images, 4)
        code = tf.reshape(self.encoder(images, seed is not None), [-1, self.code_size])
        return Outputs(tf.math.l2_normalize(code, 1) if self.config.normalize else code)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """`[B, H, W, C]` -> `[B, Z]`."""
        return self(images).code

    def trouble(self, means: Mapping[str, float]) -> str:
        """Says that codes have collapsed, where two classes are no farther apart than one is."""
        if means['distance_apart'] > _APART * means['distance_together']:
            return ''
        return (
            'collapse: images of different classes lie as close as those of one; a smaller '
            '--learning_rate, a larger --batch_size or another --loss may help'
        )

    def _distances(self, batch: Batch) -> Objective:
        # One pass for both halves: batch normalization sees one batch and moves its averages once.
        code = self(batch.images, batch.seed).code
        # Every other one: a set that is sorted by class would have no two of one in two halves.
        left, right = code[0::2], code[1::2]
        labels = tf.convert_to_tensor(batch.labels)
        same = tf.equal(labels[0::2, tf.newaxis], labels[tf.newaxis, 1::2])
        distance = supervised.distances(left, right)
        loss = tf.reduce_mean(_LOSSES[self.config.loss](distance, same, self.config.margin))
        terms = {
            'distance_together': _mean(distance, same),
            'distance_apart': _mean(distance, ~same),
        }
        return Objective(names.DISTANCES, loss, trainable(names.ENCODER), terms)


def _mean(values: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Mean of the chosen values, 0 where there are none."""
    weights = tf.cast(chosen, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), tf.reduce_sum(weights))
