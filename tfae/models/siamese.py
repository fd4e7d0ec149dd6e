"""Siamese network: one network on two inputs. Bromley et al., NIPS 1993; Hadsell et al., CVPR 2006.

    z = network(x)                        encoder/layer_i, its variables shared by both inputs
    D(a, b) = |z_a - z_b|,  a in one half of a batch, b in the other
    contrastive   mean over a of (mean of D^2 over b of its class
                                  + mean of max(0, margin - D)^2 over the other b) / 2
    triplet       mean over a of max(0, margin + max of D over b of its class
                                        - min of D over the other b)

(triplets after Schroff et al., CVPR 2015, and Hermans et al., 2017). Every image of one half is
paired with every image of the other, so positive and negative pairs need no mining. Both halves
pass through the network as one batch, with common batch statistics.

B batch, H W C image, Z code.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.core.config import option
from tfae.losses import supervised
from tfae.models.base import baseline, network_flags
from tfae.models.base.encoder_decoder import Dense, Encoder, Kernels
from tfae.models.base.objective import Batch, Objective, trainable
from tfae.ops import activations

_LOSSES = {'contrastive': supervised.contrastive, 'triplet': supervised.triplet}
_DIAMETER = 2.0  # of the unit sphere
_MIN_RATIO = 1.05  # of the mean distances of negative and positive pairs: classes are separated


@dataclasses.dataclass(frozen=True)
class Config(network_flags.ConfigWithDefault):
    """The network and the loss of its distances."""

    code_size: int = option(
        16,
        'Number of latent dimensions: the units of the last dense layer.',
        within='[1, inf) dimensions',
    )
    loss: Literal['contrastive', 'triplet'] = option(
        'contrastive',
        'contrastive: contrastive loss of pairs; triplet: loss of batch-hard triplets.',
    )
    margin: float = option(
        1.0,
        'Margin of the loss: the distance beyond which pairs of different classes have no loss.',
        within='(0, inf)',
    )
    normalize_codes: bool = option(
        False, 'Normalizes codes to the unit sphere.', formerly='normalize'
    )

    def __post_init__(self):
        super().__post_init__()
        if self.normalize_codes and self.margin >= _DIAMETER:
            raise errors.UsageError(
                f'--margin is {self.margin}; with --normalize_codes it must be below {_DIAMETER}, '
                f'the largest distance on the unit sphere'
            )


class Outputs(NamedTuple):
    """Outputs of the network for a batch."""

    code: tf.Tensor  # [B, Z]


class Model:
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        errors.classes('siamese', classes)
        self.config = config = config.resolved(image_shape)
        self.code_size = config.code_size
        hidden = network_flags.layers(config)
        layers = [*hidden, Dense(config.code_size, activations.LINEAR)]
        self.encoder = Encoder(image_shape, layers, Kernels(config.kernel_initializer))
        self.objectives = (self._distances,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes images `[B, H, W, C]`; training if there is a `seed` `[2]`."""
        errors.rank('images', images, 1 + len(self.encoder.shapes[0]))
        code = tf.reshape(self.encoder(images, seed is not None), [-1, self.code_size])
        return Outputs(tf.math.l2_normalize(code, 1) if self.config.normalize_codes else code)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the codes `[B, Z]` of images `[B, H, W, C]`."""
        return self(images).code

    def trouble(self, means: Mapping[str, float]) -> str:
        """Returns a warning if negative pairs are as close as positive ones, or ''."""
        if means['distance_apart'] > _MIN_RATIO * means['distance_together']:
            return ''
        return (
            'collapse: codes of different classes are as close as those of one class; a smaller '
            '--learning_rate, a larger --batch_size or another --loss may help'
        )

    def learned_nothing(self, means: Mapping[str, float], constants: baseline.Constants) -> str:
        """Returns why the loss is no better than that of one distance for all pairs, or ''."""
        del constants
        # Half the margin minimizes the contrastive loss d^2 / 2 + (margin - d)^2 / 2.
        margin = self.config.margin
        constant = margin if self.config.loss == 'triplet' else margin**2 / 4
        value, prediction = means[names.LOSS], 'one distance for all pairs'
        return baseline.no_better('the loss', value, constant, prediction, slack=1e-3)

    def _distances(self, batch: Batch) -> Objective:
        # Encode both halves in one pass: batch normalization updates its averages once.
        code = self(batch.images, batch.seed).code

        # Pair even with odd rows: halves of a set sorted by class would have no positive pairs.
        left, right = code[0::2], code[1::2]
        labels = tf.convert_to_tensor(batch.labels)
        same = tf.equal(labels[0::2, tf.newaxis], labels[tf.newaxis, 1::2])

        # Loss.
        distance = supervised.distances(left, right)
        loss = tf.reduce_mean(_LOSSES[self.config.loss](distance, same, self.config.margin))
        terms = {
            'distance_together': _mean(distance, same),
            'distance_apart': _mean(distance, ~same),
        }
        return Objective(names.DISTANCES, loss, trainable(names.ENCODER), terms)


def _mean(values: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Returns the mean of the chosen values, 0 if there are none."""
    weights = tf.cast(chosen, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), tf.reduce_sum(weights))
