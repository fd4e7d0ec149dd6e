"""Generative adversarial network. Goodfellow et al., NIPS 2014; Radford, Metz, Chintala, ICLR 2016.

    h = network(x),  score s(x) = h w + b             discriminator/layer_i, discriminator/score
    z ~ N(0, 1),  x' = G(z) = sigmoid(network'(z))                            generator/layer_i
    (of rows, sequences and volumes, whose values have no bounds, x' = network'(z))

Each step trains two objectives in turn, each on its own noise z and its own variables:

    discriminator    mean loss of classifying x and x' (`tfae.losses.adversarial`); with the
                     Wasserstein loss + weight * (|ds/dx''| - 1)^2 at x'' between x and x'
    generator        mean loss of x' being classified as real

A conditional network generates images of a class (Mirza and Osindero, arXiv 1411.1784). The code is
z and the class in one-hot encoding; the score of an image of class y is s(x) + v_y h, with an
embedding v_y of each class (the projection of Miyato and Koyama, ICLR 2018, equation 3), and s(x)
where no class is given. Generated images have the classes of the real ones of the batch.

With several critic steps the generator is trained at each last of them, by its own noise, so that
the discriminator has as many updates before it, each on images and noise of its own (Arjovsky,
Chintala and Bottou, ICML 2017, algorithm 1).

The loss is the non-saturating one of the first paper, least squares (Mao et al., ICCV 2017), hinge
(Miyato et al., ICLR 2018), or the Wasserstein loss with a gradient penalty (Gulrajani et al., NIPS
2017).

With spectral normalization all kernels of the discriminator, w included, are divided by their
largest singular value (Miyato et al.); the power iteration advances with the scores of real images.

The generator mirrors the layers of the discriminator, starting from the code. Batch normalization
follows DCGAN: none in the discriminator's first layer and none on the generator's output; real and
generated images are normalized separately; a critic with a gradient penalty has none at all. The
discriminator's moving averages are those of real images.

B batch, H W C image, Z code, K classes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, layers
from tfae.core import errors, names
from tfae.core.config import option
from tfae.layers import spectral_normalization
from tfae.losses import adversarial
from tfae.models.base import baseline, network_flags
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder, Kernels
from tfae.models.base.objective import Batch, Objective, recorded_updates, seed_or_zeros, trainable
from tfae.models.base.upsampling import Method
from tfae.ops import activations, stateless_random
from tfae.ops.activations import Activation

# Folded into the seed, so that each use has independent noise.
_OF_DISCRIMINATOR, _OF_GENERATOR, _BETWEEN, _OF_CLASS = 1, 2, 3, 4

# The images of one class alone have a diversity of 0.6 to 1 on MNIST and Fashion-MNIST.
_COLLAPSED = 0.5
_MIN_DIVERSITY = 0.05  # relative to real images; below, all generated images are equal
_SATURATED = 0.99  # accuracy of the discriminator


@dataclasses.dataclass(frozen=True)
class Config(network_flags.Config):
    """The two networks and their loss."""

    units: tuple[int, ...] = option(
        (150, 100),
        'Units of each dense layer after the convolutional layers.',
        within='[1, inf) units',
    )
    activation: Activation = option(
        Activation.from_text('leaky_relu'), 'Activation of the hidden layers of the discriminator.'
    )
    generator_activation: Activation = option(
        Activation.from_text('relu'), 'Activation of the hidden layers of the generator.'
    )
    upsampling: Method = option(
        'subpixel',
        'Upsampling method by which the generator mirrors strides and pooling.',
        needs=('--filters',),
        formerly='enlarging',
    )
    code_size: int = option(
        30, 'Number of latent dimensions, the input of the generator.', within='[1, inf) dimensions'
    )
    loss: adversarial.Loss = option('wasserstein', 'Loss of discriminator and generator.')
    spectral_normalization: bool = option(
        False,
        'Spectral normalization: divides each kernel of the discriminator by its largest '
        'singular value.',
    )
    gradient_penalty: float = option(
        10.0,
        'Weight of the gradient penalty in the loss of the critic.',
        within='[0, inf)',
        needs=('--loss=wasserstein',),
    )

    conditional: bool = option(
        False,
        'Generates images of a given class, from codes that end with the class in one-hot '
        'encoding; needs labels.',
    )
    critic_steps: int = option(
        1,
        'Steps of training, each an update of the discriminator on a batch of its own, for one '
        'update of the generator.',
        within='[1, 1000000] steps',
    )

    def __post_init__(self):
        super().__post_init__()
        if not (self.filters or self.units):
            raise errors.UsageError(
                '--filters and --units are both empty; there must be at least one hidden layer'
            )


class Outputs(NamedTuple):
    """Outputs of the discriminator for a batch."""

    score: tf.Tensor  # [B], higher for images that look real


class Model:
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        self.config = config
        self._shape = tuple(image_shape)
        self.classes = classes if config.conditional else 0
        if config.conditional and classes < 2:
            raise errors.UsageError(
                f'--conditional needs 2 classes or more; the data set has {classes}'
            )
        self.code_size = config.code_size + self.classes
        kernels = Kernels(config.kernel_initializer)

        # Discriminator: normalized except in its first layer; a critic is not normalized.
        hidden = network_flags.layers(config)
        critic = config.loss == 'wasserstein'
        plain = len(hidden) if critic else 1
        hidden[:plain] = [layer._replace(normalized=False) for layer in hidden[:plain]]
        self.discriminator = Encoder(image_shape, hidden, kernels, names.DISCRIMINATOR)

        # Generator: layers of the same sizes in reverse order, starting from the code.
        generated = dataclasses.replace(config, activation=config.generator_activation)
        self.generator = Decoder(
            image_shape,
            [*network_flags.layers(generated), Dense(self.code_size, activations.LINEAR)],
            kernels,
            names.GENERATOR,
            method=config.upsampling,
        )
        self.objectives = (self._discriminator, self._generator)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Returns the scores of images `[B, H, W, C]`; training if there is a `seed` `[2]`."""
        score = self._score(images, None, seed is not None)
        self.decode(tf.zeros([1, self.code_size]))  # creates the generator's variables too
        return Outputs(score)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """Returns the generated images `[B, H, W, C]` in [0, 1] of codes `[B, Z]`."""
        return self._generated(code, False)

    def prior(self, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Returns codes `[count, Z]` sampled from N(0, 1), and from all classes equally."""
        if not self.classes:
            return self._code(count, None, seed)
        own = tf.random.experimental.stateless_fold_in(seed, _OF_CLASS)
        labels = self.classes * stateless_random.uniform([count], own)
        return self._code(count, tf.cast(labels, tf.int64), seed)

    def of_classes(self, codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns codes `[N, Z]` with these classes `[N]`, for a conditional network."""
        return np.concatenate([codes[:, : -self.classes], np.eye(self.classes)[labels]], 1)

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns the generator's diversity and the discriminator's accuracy, both `[B]`.

        The Wasserstein loss has no accuracy.
        """
        fake = self.decode(self._codes(batch, _OF_GENERATOR))
        found = {'diversity': adversarial.diversity(fake, batch.images)}
        scores = [self._score(x, batch.labels, False) for x in (batch.images, fake)]
        accuracy = adversarial.accuracy(self.config.loss, *scores)
        return found if accuracy is None else {**found, 'accuracy': accuracy}

    def trouble(self, means: Mapping[str, float]) -> str:
        """Returns a warning of mode collapse or of a saturated discriminator, or ''.

        Diverse images may still lack a whole class: `tfae sample --classifier` counts them.
        """
        diversity = means[f'{names.GENERATOR}/diversity']
        if diversity < _COLLAPSED:
            return (
                f'mode collapse: the mean distance between generated images is {diversity:.2f} of '
                f'that between real ones, less than {_COLLAPSED}; another --loss, a smaller '
                f'--learning_rate or --adam_beta1=0.5 may help'
            )
        if means.get(f'{names.DISCRIMINATOR}/accuracy', 0) > _SATURATED:
            return (
                f'the accuracy of the discriminator exceeds {_SATURATED:.0%}, which leaves the '
                f'generator small gradients; a smaller network, another --loss or a smaller '
                f'--learning_rate may help'
            )
        return ''

    def learned_nothing(self, means: Mapping[str, float], constants: baseline.Constants) -> str:
        """Returns why the generator is no better than a constant image, or ''."""
        del constants
        diversity = means[f'{names.GENERATOR}/diversity']
        if diversity > _MIN_DIVERSITY:
            return ''
        return (
            f'the diversity of generated images is {diversity:.3g}, which is 0 for a constant image'
        )

    def _discriminator(self, batch: Batch) -> Objective:
        loss, training = self.config.loss, batch.seed is not None

        # Generate images; no gradient reaches the generator.
        made = self._generated(self._codes(batch, _OF_DISCRIMINATOR), training)
        fake = tf.stop_gradient(made)

        # Score both; moving averages are those of real images, updated once per step.
        fake_score = self._score(fake, batch.labels, training)
        others = [fake_score]
        if loss == 'wasserstein':
            penalty = tf.reduce_mean(self._penalty(batch, fake))
            others.append(penalty)
        with recorded_updates() as updates:
            score = self._score(batch.images, batch.labels, training, real=True, others=others)

        # Loss.
        total = tf.reduce_mean(adversarial.discriminator(loss, score, fake_score))
        accuracy = adversarial.accuracy(loss, score, fake_score)
        if accuracy is not None:
            terms = {'accuracy': tf.reduce_mean(accuracy)}
        else:
            terms = {'distance': -total, 'gradient_penalty': penalty}
            total += self.config.gradient_penalty * penalty
        return Objective(names.DISCRIMINATOR, total, trainable(names.DISCRIMINATOR), terms, updates)

    def _generator(self, batch: Batch) -> Objective:
        training = batch.seed is not None
        with recorded_updates() as updates:
            fake = self._generated(self._codes(batch, _OF_GENERATOR), training)
        score = self._score(fake, batch.labels, training)
        loss = tf.reduce_mean(adversarial.generator(self.config.loss, score))
        terms = {'diversity': tf.reduce_mean(adversarial.diversity(fake, batch.images))}
        variables, every = trainable(names.GENERATOR), self.config.critic_steps
        return Objective(names.GENERATOR, loss, variables, terms, updates, every)

    def _penalty(self, batch: Batch, fake: tf.Tensor) -> tf.Tensor:
        """Returns the gradient penalty `[B]`, each at a random point between x and x'."""
        shape = [tf.shape(fake)[0], *[1] * len(self._shape)]
        fraction = stateless_random.uniform(shape, _seed(batch, _BETWEEN))
        between = batch.images + fraction * (fake - batch.images)
        (gradient,) = tf.gradients(self._score(between, batch.labels, False), [between])
        return adversarial.gradient_penalty(gradient)

    def _codes(self, batch: Batch, salt: int) -> tf.Tensor:
        return self._code(tf.shape(batch.images)[0], batch.labels, _seed(batch, salt))

    def _code(self, count: tf.Tensor | int, labels: tf.Tensor | None, seed: tf.Tensor) -> tf.Tensor:
        """Returns codes `[count, Z]`, z from N(0, 1), of these classes `[count]` if conditional."""
        z = stateless_random.normal([count, self.config.code_size], seed)
        return tf.concat([z, tf.one_hot(labels, self.classes)], 1) if self.classes else z

    def _score(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None,
        training: bool,
        real: bool = False,
        others: Sequence[tf.Tensor] = (),
    ) -> tf.Tensor:
        """Returns the scores `[B]` of images `[B, H, W, C]`, of their classes if conditional.

        Singular vectors are updated with the real images, after `others`, which read them too.
        """
        errors.rank('images', images, 1 + len(self._shape))
        getter = None
        if self.config.spectral_normalization:
            getter = spectral_normalization.custom_getter(training and real, others)
        with tf.variable_scope(
            tf.get_variable_scope(), custom_getter=getter, auxiliary_name_scope=False
        ):
            hidden = self.discriminator(images, training)
            hidden = tf.reshape(hidden, [-1, self.discriminator.sizes[-1]])
            with tf.variable_scope(names.DISCRIMINATOR, reuse=tf.AUTO_REUSE):
                score = tf.squeeze(layers.dense(hidden, 1, name=names.SCORE), 1)
                if not self.classes:
                    return score
                given = [-1] if labels is None else labels  # -1: no class; the variable is made
                embedding = layers.dense(
                    tf.one_hot(given, self.classes),
                    self.discriminator.sizes[-1],
                    use_bias=False,
                    name=names.CLASS_EMBEDDING,
                )
                return score + tf.reduce_sum(embedding * hidden, 1)

    def _generated(self, code: tf.Tensor, training: bool) -> tf.Tensor:
        made = self.generator(code, training)
        return tf.nn.sigmoid(made) if data.is_image(self._shape) else made


def _seed(batch: Batch, salt: int) -> tf.Tensor:
    """Returns the seed `[2]` of one use of noise."""
    return tf.random.experimental.stateless_fold_in(seed_or_zeros(batch.seed), salt)
