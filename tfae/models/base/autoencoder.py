"""The loss that autoencoders share, of all layers or layer by layer.

    joint loss = l(x, x') / D + regularizer(h_L)
    greedy loss of layer i = l(h_{i-1}, g_{i-1}(h_i)) / D_{i-1} + regularizer(h_i)

l is the squared error or -log p under Bernoulli pixels, D the number of values that it sums over;
regularizers are those of `tfae.losses.regularizers`, weighed, as means over the batch. With
corruption, the input is corrupted and the clean one is the target (Vincent et al., JMLR 2010):
trained jointly the image, layer by layer the code of the layer below. The contractive penalty
takes the Jacobian at the corrupted input, while the statistics of batch normalization are
constants: those of the batch in training, else the moving ones.

B batch, H W C image, Z code.
"""

import contextlib
import dataclasses
import functools
import math
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers, losses
from tfae.core import errors, names
from tfae.core.config import broadcast, option, text
from tfae.losses import regularizers
from tfae.losses.regularizers import Regularizer
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder
from tfae.models.base.objective import Batch, Layer, Objective, drawing_seed, regularization
from tfae.ops import activations, corruption

_PROBES = 8  # for the Jacobian's norm in measures
_CONTRACTION = 1  # folded into the seed: the corruption has that seed too


@dataclasses.dataclass(frozen=True)
class Config(corruption.Config, regularizers.Config):
    """The loss."""

    likelihood: losses.Likelihood = option(
        losses.Likelihood('squared_error'),
        "Loss of the images; a function of one's own takes targets and outputs [B, ...] and "
        'returns [B].',
    )
    output_activation: activations.OfOutput = option(
        activations.OfOutput.from_text('sigmoid'),
        'Through which the loss sees the images; linear ones are cut to [0, 1] where they are '
        'shown. Under squared error a sigmoid may saturate early, and all images stay black.',
    )

    def __post_init__(self):
        super().__post_init__()
        if self.likelihood.name == 'bernoulli' and self.output_activation.name != 'sigmoid':
            raise errors.UsageError(
                f'--likelihood=bernoulli takes --output_activation=sigmoid, not '
                f'{self.output_activation}: it asks for probabilities'
            )
        if self.likelihood.own and self.emphasis != (1, 1):
            raise errors.UsageError(
                f'--emphasis weighs the values of built-in losses; --likelihood is '
                f'{self.likelihood}'
            )


class LinearOutputs(NamedTuple):
    """Of an autoencoder with a linear output."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]


class Outputs(NamedTuple):
    """Of an autoencoder with a sigmoid output."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]
    logits: tf.Tensor  # [B, H, W, C], reconstruction = sigmoid(logits)


class Encoded(NamedTuple):
    """What an encoder makes of a batch."""

    encoder: Encoder  # of all layers or of one
    x: tf.Tensor  # [B, ...], noise included
    code: tf.Tensor  # [B, Z]
    statistics: list[layers.Statistics]  # of its batch normalizations
    seed: tf.Tensor | None  # [2]; None at inference


class Autoencoder:
    """An encoder and a decoder trained to give back what goes in.

    See `tfae.models` for the contract.
    """

    def __init__(self, config: Any, encoder: Encoder, decoder: Decoder):
        """`config` is a `Config` of a family.

        Raises: UsageError for regularizers of one name, or a constraint that the code cannot have.
        """
        self.config = config
        self.encoder = encoder
        self.decoder = decoder
        self.code_size = encoder.sizes[-1]
        self.corruption = broadcast('corruption', config.corruption, len(encoder.numbers))
        kinds = [regularizer.name for regularizer in config.regularizer]
        if len(set(kinds)) < len(kinds):
            raise errors.UsageError(f'--regularizer names a kind twice: {text(config.regularizer)}')
        if config.k_sparse > self.code_size:
            raise errors.UsageError(
                f'--k_sparse is {config.k_sparse}; the code has only {self.code_size} values'
            )
        self.objectives = (self._joint,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> LinearOutputs | Outputs:
        """Encodes and decodes `[B, H, W, C]`."""
        errors.rank('images', images, 4)
        if seed is not None:
            images = self.corrupt(images, seed)
        code = self._encode(self.encoder, images, seed is not None)
        decoded = self.decoder(code, seed is not None)
        if self.config.output_activation.name != 'sigmoid':
            return LinearOutputs(code, self._pixels(decoded))
        return Outputs(code, self._pixels(decoded), decoded)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """`[B, H, W, C]` -> `[B, Z]`."""
        errors.rank('images', images, 4)
        return self._encode(self.encoder, images, False)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """`[B, Z]` -> `[B, H, W, C]` in [0, 1]."""
        return self._pixels(self.decoder(code))

    def corrupt(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Images `[B, H, W, C]` as the encoder sees them in training."""
        return corruption.corrupt(images, self.corruption[0], seed)

    def layerwise(self) -> list[Layer]:
        """One `Layer` per encoder layer, input side first."""
        return [
            Layer(
                functools.partial(self._greedy, i),
                functools.partial(self._encode, self.encoder.only(i), training=False),
                self.encoder.sizes[i],
            )
            for i in self.encoder.numbers
        ]

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Per example `[B]`: mean activation of the code, squared norm of its Jacobian."""
        x = tf.tile(batch.images, [_PROBES, 1, 1, 1])
        code = self._encode(self.encoder, x, False)
        norms = tf.reshape(regularizers.contractive(code, x, batch.seed), [_PROBES, -1])
        return {
            'mean_activation': tf.reduce_mean(code[: tf.shape(batch.images)[0]], 1),
            'jacobian_squared_norm': tf.reduce_mean(norms, 0),
        }

    def _pixels(self, decoded: tf.Tensor) -> tf.Tensor:
        """The last step of the decoder as pixels in [0, 1]."""
        activation = self.config.output_activation
        if activation.name == 'sigmoid':
            return tf.nn.sigmoid(decoded)
        pixels = decoded if activation.name == 'linear' else activation.function(decoded)
        return tf.clip_by_value(pixels, 0.0, 1.0)

    def _joint(self, batch: Batch) -> Objective:
        objective, mean = self._objective(names.RECONSTRUCTION, self.encoder, self.decoder, batch)
        if batch.seed is None and self.config.likelihood.name == 'bernoulli':
            # No part of the loss: training need not pay for it.
            mse = tf.reduce_mean(tf.math.squared_difference(batch.images, mean))
            objective.terms['mse'] = mse
        return objective

    def _greedy(self, i: int, batch: Batch) -> Objective:
        """Layer `i` as an autoencoder of the codes of the layer below."""
        encoder, decoder = self.encoder.only(i), self.decoder.only(i)
        return self._objective(names.layer(i), encoder, decoder, batch)[0]

    def _objective(
        self, name: str, encoder: Encoder, decoder: Decoder, batch: Batch
    ) -> tuple[Objective, tf.Tensor]:
        """The objective of all layers or of one, and what the decoder gives back."""
        # Corrupt.
        clean = noisy = tf.reshape(batch.images, [-1, *encoder.shapes[encoder.below]])
        weights, training = None, batch.seed is not None
        if training:
            noise = self.corruption[encoder.below]
            noisy = corruption.corrupt(clean, noise, batch.seed)
            weights = corruption.emphasis(clean, noise, batch.seed, self.config.emphasis)

        # Encode and decode.
        with self._statistics() as statistics:
            code = self._encode(encoder, noisy, training)
        logits = decoder(code, training)
        activation = self.config.output_activation
        if decoder.below:
            activation = decoder.activation(decoder.below)
        mean = activation.function(logits)

        # Reconstruction: codes are probabilities, as pixels are, where they come from a sigmoid.
        likelihood = self.config.likelihood
        if likelihood.own:
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
        """`[B, ...]` -> the code `[B, Z]` of these layers, as the constraint leaves it."""
        code = tf.reshape(encoder(x, training), [-1, encoder.sizes[encoder.above]])
        for regularizer in self.config.regularizer:
            if regularizer.decay:
                self._moving(encoder, regularizer)
        k = self.config.k_sparse if encoder.above == self.encoder.above else 0
        return regularizers.k_sparse(code, k) if k else code

    def _statistics(self) -> contextlib.AbstractContextManager[list[layers.Statistics]]:
        """A block whose batch normalizations are listed, where the Jacobian needs them."""
        if any(regularizer.kind == 'contractive' for regularizer in self.config.regularizer):
            return layers.recorded_statistics()
        return contextlib.nullcontext([])

    def _regularizer(self, regularizer: Regularizer, encoded: Encoded) -> tf.Tensor:
        """A scalar, not weighed."""
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
        """Squared norm of the Jacobian `[B]`: in closed form of one dense layer, else estimated."""
        encoder, x, code, statistics, seed = encoded
        layer = encoder.layers[encoder.above - 1]
        alone = len(encoder.numbers) == 1 and isinstance(layer, Dense) and not self.config.k_sparse
        slope = layer.activation.derivative(code) if alone else None
        if slope is not None:
            (kernel,) = encoder.kernels()
            scale = math.prod(normalized.slope for normalized in statistics)
            return regularizers.contractive_dense(scale * slope, kernel)
        own = tf.random.experimental.stateless_fold_in(drawing_seed(seed), _CONTRACTION)
        moments = [moment for each in statistics for moment in (each.mean, each.variance)]
        return regularizers.contractive(code, x, own, moments)

    def _mean(self, regularizer: Regularizer, encoded: Encoded) -> tf.Tensor:
        """Mean activations `[Z]`: of the batch, or moving ones with the batch's gradient."""
        encoder = encoded.encoder
        i = encoder.above
        if encoder.activation(i).name != 'sigmoid':
            raise errors.UsageError(
                f'--regularizer=kl_sparsity needs activations in [0, 1]; that of layer {i} is '
                f'{encoder.activation(i)}, it must be sigmoid'
            )
        mean = tf.reduce_mean(encoded.code, 0)
        if not regularizer.decay:
            return mean
        moving = self._moving(encoder, regularizer)
        moved = regularizer.decay * moving.read_value() + (1 - regularizer.decay) * mean
        if encoded.seed is not None:
            update = moving.assign(tf.stop_gradient(moved)).op
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        return mean + tf.stop_gradient(moved - mean)

    def _moving(self, encoder: Encoder, regularizer: Regularizer) -> tf.Variable:
        """The moving mean `[Z]` of the encoder's last layer, which starts at the target."""
        scope = f'{encoder.scope}/{names.layer(encoder.above)}'
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.MEAN_ACTIVATION,
                [encoder.sizes[encoder.above]],
                initializer=tf.constant_initializer(regularizer.target),
                trainable=False,
                use_resource=True,
            )
