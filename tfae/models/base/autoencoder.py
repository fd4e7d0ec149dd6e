"""The loss that autoencoders share, joint or layer by layer.

    joint loss = l(x, x') / D + regularizer(h_L)
    greedy loss of layer i = l(h_{i-1}, g_{i-1}(h_i)) / D_{i-1} + regularizer(h_i)

l is the squared error or -log p of Bernoulli pixels, D the number of values that it sums over, of
an example with missing values those that it has.
Regularizers are those of `tfae.losses.regularizers`, weighted and averaged over the batch. With
corruption the input is corrupted and the target clean (Vincent et al., JMLR 2010): the image in
joint training, the code of the layer below in greedy training. The contractive regularizer takes
the Jacobian at the corrupted input, with the statistics of batch normalization as constants: those
of the batch in training, else the moving averages.

B batch, H W C image, Z code.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import tensorflow.compat.v1 as tf

from tfae import data, layers, losses
from tfae.core import errors, names
from tfae.core.config import broadcast, option, text
from tfae.losses import regularizers
from tfae.losses.regularizers import Regularizer
from tfae.models.base import baseline
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder
from tfae.models.base.objective import Batch, Layer, Objective, regularization, seed_or_zeros
from tfae.ops import activations, corruption

C = TypeVar('C', bound='Config')

_PROBES = 8  # random vectors per image that estimate the Jacobian norm in measures
_CONTRACTION = 1  # folded into the seed, which the corruption uses too


@dataclasses.dataclass(frozen=True)
class Config(corruption.Config, regularizers.Config):
    """The loss."""

    likelihood: losses.Likelihood = option(
        losses.Likelihood('squared_error'),
        'Loss of the reconstruction: squared_error, bernoulli (cross-entropy), or '
        'package.module:function, which takes targets and outputs [B, ...] and returns [B].',
    )
    output_activation: activations.OfOutput = option(
        activations.OfOutput.from_text('auto'),
        'Activation of the output layer. Linear outputs of images are clipped to [0, 1] in '
        'reconstructions. With squared error, a sigmoid may saturate early in training, which '
        'gives black images. auto: sigmoid for images and for cross-entropy, else linear.',
    )

    def __post_init__(self):
        super().__post_init__()
        activation = self.output_activation.name
        if self.likelihood.name == 'bernoulli' and activation not in ('auto', 'sigmoid'):
            raise errors.UsageError(
                f'--likelihood=bernoulli requires --output_activation=sigmoid, not '
                f'{self.output_activation}: its pixels are probabilities'
            )
        if self.likelihood.own and self.emphasis != (1, 1):
            raise errors.UsageError(
                f'--emphasis requires a built-in loss; --likelihood is {self.likelihood}'
            )

    def resolved(self: C, image_shape: Sequence[int]) -> C:
        """Returns the configuration with the output activation for examples of this shape."""
        if self.output_activation.name != 'auto':
            return self
        linear = not data.is_image(image_shape) and self.likelihood.name != 'bernoulli'
        chosen = activations.OfOutput.from_text('linear' if linear else 'sigmoid')
        return dataclasses.replace(self, output_activation=chosen)


class LinearOutputs(NamedTuple):
    """Outputs of an autoencoder without logits."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]


class Outputs(NamedTuple):
    """Outputs of an autoencoder with a sigmoid output."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]
    logits: tf.Tensor  # [B, H, W, C], reconstruction = sigmoid(logits)


class Encoded(NamedTuple):
    """An encoder with its input and output for a batch."""

    encoder: Encoder  # all layers, or one
    x: tf.Tensor  # [B, ...], noise included
    code: tf.Tensor  # [B, Z]
    statistics: list[layers.Statistics]  # of its batch normalization layers
    seed: tf.Tensor | None  # [2]; None at inference


class Autoencoder:
    """An encoder and a decoder trained to reconstruct the input.

    See `tfae.models` for the contract.
    """

    MASKING = True

    def __init__(self, config: Any, encoder: Encoder, decoder: Decoder):
        """Configures the autoencoder.

        Args:
          config: the `Config` of a family.
          encoder: its encoder.
          decoder: its decoder.
        Raises: UsageError if two regularizers have one name, or k_sparse exceeds the code size.
        """
        self._shape = encoder.shapes[0]
        self.config = config = config.resolved(self._shape)
        self.encoder = encoder
        self.decoder = decoder
        self.code_size = encoder.sizes[-1]
        self.corruption = broadcast('corruption', config.corruption, len(encoder.numbers))
        kinds = [regularizer.name for regularizer in config.regularizer]
        if len(set(kinds)) < len(kinds):
            raise errors.UsageError(f'--regularizer names a kind twice: {text(config.regularizer)}')
        if config.k_sparse > self.code_size:
            raise errors.UsageError(
                f'--k_sparse is {config.k_sparse}; the code has only {self.code_size} dimensions'
            )
        self.objectives = (self._joint,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> LinearOutputs | Outputs:
        """Encodes and decodes images.

        Args:
          images: `[B, H, W, C]` in [0, 1].
          seed: `[2]` of the corruption in training; None means inference.
        """
        errors.rank('images', images, 1 + len(self._shape))
        if seed is not None:
            images = self.corrupt(images, seed)
        code = self._encode(self.encoder, images, seed is not None)
        decoded = self.decoder(code, seed is not None)
        if self.config.output_activation.name != 'sigmoid':
            return LinearOutputs(code, self._pixels(decoded))
        return Outputs(code, self._pixels(decoded), decoded)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the codes `[B, Z]` of images `[B, H, W, C]`."""
        errors.rank('images', images, 1 + len(self._shape))
        return self._encode(self.encoder, images, False)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """Returns the images `[B, H, W, C]` in [0, 1] of codes `[B, Z]`."""
        return self._pixels(self.decoder(code))

    def corrupt(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns images `[B, H, W, C]` as the encoder receives them in training."""
        return corruption.corrupt(images, self.corruption[0], seed)

    def layerwise(self) -> list[Layer]:
        """Returns one `Layer` per encoder layer, input side first."""
        return [
            Layer(
                functools.partial(self._greedy, i),
                functools.partial(self._encode, self.encoder.only(i), training=False),
                self.encoder.sizes[i],
            )
            for i in self.encoder.numbers
        ]

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns mean activation and squared Jacobian norm of the code, both `[B]`."""
        x = tf.tile(batch.images, [_PROBES, *[1] * len(self._shape)])
        code = self._encode(self.encoder, x, False)
        norms = tf.reshape(regularizers.contractive(code, x, batch.seed), [_PROBES, -1])
        return {
            'mean_activation': tf.reduce_mean(code[: tf.shape(batch.images)[0]], 1),
            'jacobian_squared_norm': tf.reduce_mean(norms, 0),
        }

    def learned_nothing(self, means: Mapping[str, float], constants: baseline.Constants) -> str:
        """Returns why the reconstruction is no better than the mean image, or ''."""
        if self.config.likelihood.own or self.config.emphasis != (1, 1):
            return ''
        if self.config.likelihood.name == 'bernoulli':
            constant = constants.bernoulli
        else:
            constant = constants.squared_error
        value = means.get('reconstruction', means[names.LOSS])
        return baseline.no_better('the reconstruction loss', value, constant, 'the mean image')

    def _pixels(self, decoded: tf.Tensor) -> tf.Tensor:
        """Maps the decoder's output to pixels in [0, 1], or to unbounded values."""
        activation = self.config.output_activation
        if activation.name == 'sigmoid':
            return tf.nn.sigmoid(decoded)
        pixels = decoded if activation.name == 'linear' else activation.function(decoded)
        return tf.clip_by_value(pixels, 0.0, 1.0) if data.is_image(self._shape) else pixels

    def _joint(self, batch: Batch) -> Objective:
        objective, mean = self._objective(names.RECONSTRUCTION, self.encoder, self.decoder, batch)
        if batch.seed is None and self.config.likelihood.name == 'bernoulli':
            # Only in validation: it is not part of the loss.
            if batch.present is None:
                mse = tf.reduce_mean(tf.math.squared_difference(batch.images, mean))
            else:
                weights = losses.over_present(batch.present)
                each = losses.squared_error(batch.images, mean, weights)
                mse = tf.reduce_mean(each) / math.prod(self._shape)
            objective.terms['mse'] = mse
        return objective

    def _greedy(self, i: int, batch: Batch) -> Objective:
        """Returns the objective of layer `i` as an autoencoder of the codes of the layer below."""
        encoder, decoder = self.encoder.only(i), self.decoder.only(i)
        return self._objective(names.layer(i), encoder, decoder, batch)[0]

    def _objective(
        self, name: str, encoder: Encoder, decoder: Decoder, batch: Batch
    ) -> tuple[Objective, tf.Tensor]:
        """Returns the objective of all layers or of one, and the reconstruction `[B, ...]`."""
        # Corrupt.
        clean = noisy = tf.reshape(batch.images, [-1, *encoder.shapes[encoder.below]])
        weights, training = None, batch.seed is not None
        if training:
            noise = self.corruption[encoder.below]
            noisy = corruption.corrupt(clean, noise, batch.seed)
            weights = corruption.emphasis(clean, noise, batch.seed, self.config.emphasis)
        if batch.present is not None:
            present = tf.reshape(batch.present, tf.shape(clean))
            noisy *= present  # no noise where a value is missing
            there = losses.over_present(present)
            weights = there if weights is None else there * weights

        # Encode and decode.
        with self._statistics() as statistics:
            code = self._encode(encoder, noisy, training)
        logits = decoder(code, training)
        activation = self.config.output_activation
        if decoder.below:
            activation = decoder.activation(decoder.below)
        mean = activation.function(logits)

        # Reconstruction loss; outputs of a sigmoid layer are probabilities, as pixels are.
        likelihood = self.config.likelihood
        if likelihood.own:
            if batch.present is not None:
                raise errors.UsageError(
                    f'--missing=mask requires a built-in loss; --likelihood is {likelihood}'
                )
            each = likelihood.own(clean, mean)
        elif likelihood.name == 'bernoulli' and activation.name == 'sigmoid':
            each = losses.bernoulli(clean, logits, weights)
        else:
            each = losses.squared_error(clean, mean, weights)
        loss = tf.reduce_mean(each) / encoder.sizes[encoder.below]

        # Regularizers.
        encoded = Encoded(encoder, noisy, code, statistics, batch.seed)
        terms = {
            regularizer.name: regularizer.weight * self._regularizer(regularizer, encoded)
            for regularizer in self.config.regularizer
        }
        variables = [*encoder.variables(), *decoder.variables()]
        decay = regularization(variables)
        if decay is not None:
            terms['weight_decay'] = decay
        if terms:
            loss, terms = tf.add_n([loss, *terms.values()]), {'reconstruction': loss, **terms}
        return Objective(name, loss, variables, terms), mean

    def _encode(self, encoder: Encoder, x: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the code `[B, Z]` of `x` `[B, ...]`, after the k-sparse constraint."""
        code = tf.reshape(encoder(x, training), [-1, encoder.sizes[encoder.above]])
        for regularizer in self.config.regularizer:
            if regularizer.decay:
                self._moving(encoder, regularizer)
        k = self.config.k_sparse if encoder.above == self.encoder.above else 0
        return regularizers.k_sparse(code, k) if k else code

    def _statistics(self) -> contextlib.AbstractContextManager[list[layers.Statistics]]:
        """Returns a context that records batch statistics if the Jacobian requires them."""
        if any(regularizer.kind == 'contractive' for regularizer in self.config.regularizer):
            return layers.recorded_statistics()
        return contextlib.nullcontext([])

    def _regularizer(self, regularizer: Regularizer, encoded: Encoded) -> tf.Tensor:
        """Returns a regularizer as a scalar, without its weight."""
        if regularizer.own:
            return tf.reduce_mean(regularizer.own(encoded.code))
        if regularizer.kind == 'l1':
            return tf.reduce_mean(regularizers.l1(encoded.code))
        if regularizer.kind == 'kl_sparsity':
            mean = self._mean(regularizer, encoded)
            return regularizers.kl_sparsity(mean, regularizer.target)
        if regularizer.kind == 'orthogonality':
            return tf.add_n([regularizers.orthogonality(k) for k in encoded.encoder.kernels()])
        return tf.reduce_mean(self._contractive(encoded))

    def _contractive(self, encoded: Encoded) -> tf.Tensor:
        """Returns the squared Jacobian norm `[B]`, estimated unless the layer is dense."""
        encoder, x, code, statistics, seed = encoded

        # Closed form.
        layer = encoder.layers[encoder.above - 1]
        alone = len(encoder.numbers) == 1 and isinstance(layer, Dense) and not self.config.k_sparse
        slope = layer.activation.derivative(code) if alone else None
        if slope is not None:
            (kernel,) = encoder.kernels()
            scale = math.prod(normalized.slope for normalized in statistics)
            return regularizers.contractive_dense(scale * slope, kernel)

        # Estimate; batch moments are constants.
        own = tf.random.experimental.stateless_fold_in(seed_or_zeros(seed), _CONTRACTION)
        moments = [moment for each in statistics for moment in (each.mean, each.variance)]
        return regularizers.contractive(code, x, own, moments)

    def _mean(self, regularizer: Regularizer, encoded: Encoded) -> tf.Tensor:
        """Returns mean activations `[Z]`: of the batch, or moving ones with its gradient."""
        encoder = encoded.encoder
        i = encoder.above
        if encoder.activation(i).name != 'sigmoid':
            raise errors.UsageError(
                f'--regularizer=kl_sparsity requires outputs in [0, 1]; the activation of layer '
                f'{i} is {encoder.activation(i)}, it must be sigmoid'
            )

        # Mean over the batch.
        mean = tf.reduce_mean(encoded.code, 0)
        if not regularizer.decay:
            return mean

        # Moving mean, updated in training only.
        moving = self._moving(encoder, regularizer)
        moved = regularizer.decay * moving.read_value() + (1 - regularizer.decay) * mean
        if encoded.seed is not None:
            update = moving.assign(tf.stop_gradient(moved)).op
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        return mean + tf.stop_gradient(moved - mean)

    def _moving(self, encoder: Encoder, regularizer: Regularizer) -> tf.Variable:
        """Returns the moving mean `[Z]` of the encoder's last layer, initially the target."""
        scope = f'{encoder.scope}/{names.layer(encoder.above)}'
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.MEAN_ACTIVATION,
                [encoder.sizes[encoder.above]],
                initializer=tf.constant_initializer(regularizer.target),
                trainable=False,
                use_resource=True,
            )
