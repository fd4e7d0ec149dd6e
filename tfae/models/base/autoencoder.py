"""What autoencoders of every kind share: the loss of a stack, whole or layer by layer.

    joint loss = l(x, x') / D + penalty(h_L)
    greedy loss of layer i = l(h_{i-1}, g_{i-1}(h_i)) / D_{i-1} + penalty(h_i)

l is the squared error or -log p under Bernoulli pixels, D the number of values that it sums over;
penalties are those of `tfae.penalties`, weighed, as means over the batch. With corruption, what
goes in is corrupted and the clean one is the target (Vincent et al., JMLR 2010): trained jointly
the picture, layer by layer the code of the layer below.

B batch, H W C picture, Z code.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import losses
from tfae.core import errors, names
from tfae.core.config import broadcast, option
from tfae.losses import regularizers
from tfae.models.base.encoder_decoder import Stack
from tfae.models.base.objective import Batch, Layer, Objective, regularization, trainable
from tfae.models.base.regularized import Penalized
from tfae.ops import activations, corruption

_PROBES = 8  # for the Jacobian's norm in measures


@dataclasses.dataclass(frozen=True)
class Config(corruption.Config, regularizers.Config):
    """What is made small."""

    likelihood: losses.Likelihood = option('squared_error', 'Loss of the pictures.')
    output_activation: Literal['sigmoid', 'linear'] = option(
        'sigmoid',
        'Through which the loss sees the pictures; linear ones are cut to [0, 1] where they are '
        'shown. Under squared error a sigmoid may saturate early, and all pictures stay black.',
    )

    def __post_init__(self):
        super().__post_init__()
        if self.likelihood == 'bernoulli' and self.output_activation != 'sigmoid':
            raise errors.UsageError(
                f'--likelihood=bernoulli takes --output_activation=sigmoid, not '
                f'{self.output_activation}: it asks for probabilities'
            )


class LinearOutputs(NamedTuple):
    """What an autoencoder with a linear output makes of a batch."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]


class Outputs(NamedTuple):
    """What an autoencoder makes of a batch."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]
    logits: tf.Tensor  # [B, H, W, C], reconstruction = sigmoid(logits)


class Autoencoder:
    """A `Stack` trained to give back what goes in; see `tfae.models` for the contract."""

    def __init__(self, config: Any, stack: Stack):
        """`config` is a `Config` of a family."""
        self.config = config
        self.stack = stack
        self.code_size = stack.sizes[-1]
        self.corruption = broadcast(
            'corruption', [corruption.parse(text) for text in config.corruption], len(stack.all)
        )
        self._penalized = Penalized(config, stack)
        self.objectives = (self._joint,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> LinearOutputs | Outputs:
        """Encodes and decodes `[B, H, W, C]`."""
        errors.rank('images', images, 4)
        if seed is not None:
            images = self.corrupt(images, seed)
        code = self._encode(self.stack.all, images, seed is not None)
        decoded = self.stack.decode(self.stack.all[::-1], code, seed is not None)
        if self.config.output_activation == 'linear':
            return LinearOutputs(code, self._pixels(decoded))
        return Outputs(code, self._pixels(decoded), decoded)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """`[B, H, W, C]` -> `[B, Z]`."""
        errors.rank('images', images, 4)
        return self._encode(self.stack.all, images, False)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """`[B, Z]` -> `[B, H, W, C]` in [0, 1]."""
        return self._pixels(self.stack.decode(self.stack.all[::-1], code))

    def corrupt(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Pictures `[B, H, W, C]` as the encoder sees them in training."""
        return corruption.corrupt(images, self.corruption[0], seed)

    def layerwise(self) -> list[Layer]:
        """One `Layer` per encoder layer, input side first."""
        return [
            Layer(
                functools.partial(self._greedy, i),
                functools.partial(self._encode, [i], training=False),
                self.stack.sizes[i],
            )
            for i in self.stack.all
        ]

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Per example `[B]`: mean activation of the code, squared norm of its Jacobian."""
        x = tf.tile(batch.images, [_PROBES, 1, 1, 1])
        code = self._encode(self.stack.all, x, False)
        norms = tf.reshape(regularizers.contractive(code, x, batch.seed), [_PROBES, -1])
        return {
            'mean_activation': tf.reduce_mean(code[: tf.shape(batch.images)[0]], 1),
            'jacobian_squared_norm': tf.reduce_mean(norms, 0),
        }

    def _pixels(self, decoded: tf.Tensor) -> tf.Tensor:
        """What a stack's last step gives as pixels in [0, 1]."""
        if self.config.output_activation == 'linear':
            return tf.clip_by_value(decoded, 0.0, 1.0)
        return tf.nn.sigmoid(decoded)

    def _joint(self, batch: Batch) -> Objective:
        loss, terms, mean = self._loss(self.stack.all, batch)
        if batch.seed is None and self.config.likelihood == 'bernoulli':
            # No part of the loss: training need not pay for it.
            terms['mse'] = tf.reduce_mean(tf.math.squared_difference(batch.images, mean))
        variables = trainable(self.stack.encoder, self.stack.decoder)
        return Objective(names.RECONSTRUCTION, loss, variables, terms)

    def _greedy(self, i: int, batch: Batch) -> Objective:
        """Layer `i` as an autoencoder of the codes of the layer below."""
        loss, terms, _ = self._loss([i], batch)
        return Objective(names.layer(i), loss, trainable(*self._scopes([i])), terms)

    def _scopes(self, indices: Sequence[int]) -> list[str]:
        sides = (self.stack.encoder, self.stack.decoder)
        return [f'{side}/{names.layer(i)}' for side in sides for i in indices]

    def _loss(
        self, indices: Sequence[int], batch: Batch
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], tf.Tensor]:
        """Loss of these layers, its parts, and what the last activation makes of the logits."""
        below = indices[0] - 1
        clean = noisy = tf.reshape(batch.images, [-1, *self.stack.shapes[below]])
        weights, training = None, batch.seed is not None
        if training:
            noise = self.corruption[below]
            noisy = corruption.corrupt(clean, noise, batch.seed)
            weights = corruption.emphasis(clean, noise, batch.seed, self.config.emphasis)
        code = self._encode(indices, noisy, training)
        logits = self.stack.decode(indices[::-1], code, training)
        activation = self.stack.activation(below) if below else self.config.output_activation
        mean = activations.get(activation)(logits)
        # Codes are probabilities, as pixels are, where the activation is a sigmoid.
        if self.config.likelihood == 'bernoulli' and activation == 'sigmoid':
            each = losses.bernoulli(clean, logits, weights)
        else:
            each = losses.squared_error(clean, mean, weights)
        loss = tf.reduce_mean(each) / self.stack.sizes[below]
        terms = self._penalized.terms(indices, code, noisy, batch.seed)
        decay = regularization(trainable(*self._scopes(indices)))
        if decay is not None:
            terms['weight_decay'] = decay
        if terms:
            loss, terms = tf.add_n([loss, *terms.values()]), {'reconstruction': loss, **terms}
        return loss, terms, mean

    def _encode(self, indices: Sequence[int], x: tf.Tensor, training: bool) -> tf.Tensor:
        code = self.stack.encode(indices, x, training)
        code = tf.reshape(code, [-1, self.stack.sizes[indices[-1]]])
        return self._penalized.constrained(indices, code)
