"""Generative adversarial network. Goodfellow et al., NIPS 2014; Radford, Metz, Chintala, ICLR 2016.

    h = network(x),  score s(x) = h w + b             discriminator/layer_i, discriminator/score
    z ~ N(0, 1),  x' = G(z) = sigmoid(undone(z))                              generator/layer_i

Two objectives in turn at every step, each on z of its own, each moving its own side:

    discriminator    mean of what tells x from x' (`tfae.adversarial`); with Wasserstein's distance
                     + weight * (|ds/dx''| - 1)^2 at x'' between x and x'
    generator        mean of what makes x' pass for real

by the non-saturating loss of the first paper, by least squares (Mao et al., ICCV 2017) or by
Wasserstein's distance with a gradient penalty (Gulrajani et al., NIPS 2017).

The generator undoes the layers of the discriminator, from a code in the place of its last. Batch
normalization is DCGAN's: neither on the image's side of the discriminator nor on the image that
the generator gives; real and generated images are normalized apart; a critic that has a gradient
penalty has none. The discriminator's moving averages are those of real images.

B batch, H W C image, Z code.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors, names
from tfae.core.config import option
from tfae.losses import adversarial
from tfae.models.base import network_flags
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder, Kernels
from tfae.models.base.objective import Batch, Objective, drawing_seed, recorded_updates, trainable
from tfae.models.base.upsampling import Method
from tfae.ops import activations, stateless_random
from tfae.ops.activations import Activation

# What is folded into the seed, so that no two draws are alike.
_OF_DISCRIMINATOR, _OF_GENERATOR, _BETWEEN = 1, 2, 3

# The images of one class alone have a diversity of 0.6 to 1 on MNIST and Fashion-MNIST.
_COLLAPSED = 0.5
_WON = 0.99  # share of right answers


@dataclasses.dataclass(frozen=True)
class Config(network_flags.Config):
    """The two networks and the game that they play."""

    units: tuple[int, ...] = option(
        (150, 100), 'Sizes of the dense layers behind them.', within='[1, inf) units'
    )
    activation: Activation = option(
        Activation.from_text('leaky_relu'), 'Activation of the hidden layers of the discriminator.'
    )
    generator_activation: Activation = option(
        Activation.from_text('relu'), 'Activation of the hidden layers of the generator.'
    )
    upsampling: Method = option(
        'subpixel',
        'How the generator undoes strides and pooling.',
        needs=('--filters',),
        formerly='enlarging',
    )
    code_size: int = option(
        30, 'Latent dimensions that an image is generated from.', within='[1, inf) dimensions'
    )
    loss: adversarial.Loss = option('non_saturating', 'What either side makes small.')
    gradient_penalty: float = option(
        10.0,
        "Weight of the gradient penalty of Wasserstein's loss.",
        within='[0, inf)',
        needs=('--loss=wasserstein',),
    )

    def __post_init__(self):
        super().__post_init__()
        if not (self.filters or self.units):
            raise errors.UsageError(
                '--filters and --units are both empty; either side must have a hidden layer'
            )


class Outputs(NamedTuple):
    """What the discriminator makes of a batch."""

    score: tf.Tensor  # [B], the larger the more it takes the image for real


class Model:
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        self.config = config
        self.code_size = config.code_size
        kernels = Kernels(config.kernel_initializer)

        # The discriminator: normalized but for its first layer, and not at all as a critic.
        hidden = network_flags.layers(config)
        critic = config.loss == 'wasserstein'
        plain = len(hidden) if critic else 1
        hidden[:plain] = [layer._replace(normalized=False) for layer in hidden[:plain]]
        self.discriminator = Encoder(image_shape, hidden, kernels, names.DISCRIMINATOR)

        # The generator undoes layers of the same sizes, from a code behind the last.
        generated = dataclasses.replace(config, activation=config.generator_activation)
        self.generator = Decoder(
            image_shape,
            [*network_flags.layers(generated), Dense(config.code_size, activations.LINEAR)],
            kernels,
            names.GENERATOR,
            method=config.upsampling,
        )
        self.objectives = (self._discriminator, self._generator)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Scores images `[B, H, W, C]`."""
        score = self._score(images, seed is not None)
        self.decode(tf.zeros([1, self.code_size]))  # whoever comes first makes every variable
        return Outputs(score)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """`[B, Z]` -> generated images `[B, H, W, C]` in [0, 1]."""
        return self._generated(code, False)

    def prior(self, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Codes `[count, Z]` from N(0, 1)."""
        return stateless_random.normal([count, self.code_size], seed)

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """`[B]`: `diversity`, and share of right `accuracy` of the discriminator, if it answers."""
        fake = self.decode(self._codes(batch, _OF_GENERATOR))
        found = {'diversity': adversarial.diversity(fake, batch.images)}
        scores = self._score(batch.images, False), self._score(fake, False)
        answers = adversarial.told_apart(self.config.loss, *scores)
        return found if answers is None else {**found, 'accuracy': answers}

    def trouble(self, means: Mapping[str, float]) -> str:
        """Says that the generator has collapsed, or that the discriminator leaves it no chance.

        Images that differ enough may still leave out a whole class: `tfae sample --classifier`
        counts them.
        """
        diversity = means[f'{names.GENERATOR}/diversity']
        if diversity < _COLLAPSED:
            return (
                f'mode collapse: generated images lie {diversity:.2f} times as far apart as real '
                f'ones, less than {_COLLAPSED}; another --loss, a smaller --learning_rate or '
                f'--adam_beta1=0.5 may help'
            )
        if means.get(f'{names.DISCRIMINATOR}/accuracy', 0) > _WON:
            return (
                f'the discriminator tells more than {_WON:.0%} of the images apart and teaches '
                f'the generator little; a smaller one, another --loss or a smaller '
                f'--learning_rate may help'
            )
        return ''

    def _discriminator(self, batch: Batch) -> Objective:
        loss, training = self.config.loss, batch.seed is not None
        made = self._generated(self._codes(batch, _OF_DISCRIMINATOR), training)
        fake = tf.stop_gradient(made)
        fake_score = self._score(fake, training)
        # Its moving averages are those of real images, moved once a step.
        with recorded_updates() as updates:
            score = self._score(batch.images, training)
        total = tf.reduce_mean(adversarial.discriminator(loss, score, fake_score))
        answers = adversarial.told_apart(loss, score, fake_score)
        if answers is not None:
            terms = {'accuracy': tf.reduce_mean(answers)}
        else:
            penalty = tf.reduce_mean(self._penalty(batch, fake))
            terms = {'distance': -total, 'gradient_penalty': penalty}
            total += self.config.gradient_penalty * penalty
        return Objective(names.DISCRIMINATOR, total, trainable(names.DISCRIMINATOR), terms, updates)

    def _generator(self, batch: Batch) -> Objective:
        training = batch.seed is not None
        with recorded_updates() as updates:
            fake = self._generated(self._codes(batch, _OF_GENERATOR), training)
        score = self._score(fake, training)
        loss = tf.reduce_mean(adversarial.generator(self.config.loss, score))
        terms = {'diversity': tf.reduce_mean(adversarial.diversity(fake, batch.images))}
        return Objective(names.GENERATOR, loss, trainable(names.GENERATOR), terms, updates)

    def _penalty(self, batch: Batch, fake: tf.Tensor) -> tf.Tensor:
        """Of the discriminator's slope `[B]`, each at a place of its own between x and x'."""
        shape = [tf.shape(fake)[0], 1, 1, 1]
        part = stateless_random.uniform(shape, _seed(batch, _BETWEEN))
        between = batch.images + part * (fake - batch.images)
        (slope,) = tf.gradients(self._score(between, False), [between])
        return adversarial.gradient_penalty(slope)

    def _codes(self, batch: Batch, salt: int) -> tf.Tensor:
        return self.prior(tf.shape(batch.images)[0], _seed(batch, salt))

    def _score(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """`[B, H, W, C]` -> `[B]`."""
        errors.rank('images', images, 4)
        hidden = self.discriminator(images, training)
        hidden = tf.reshape(hidden, [-1, self.discriminator.sizes[-1]])
        with tf.variable_scope(names.DISCRIMINATOR, reuse=tf.AUTO_REUSE):
            return tf.squeeze(layers.dense(hidden, 1, name=names.SCORE), 1)

    def _generated(self, code: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.nn.sigmoid(self.generator(code, training))


def _seed(batch: Batch, salt: int) -> tf.Tensor:
    """Of one draw."""
    return tf.random.experimental.stateless_fold_in(drawing_seed(batch.seed), salt)
