"""What autoencoders of every kind share: the loss of a stack, whole or layer by layer.

    joint loss = l(x, x') / D,   greedy loss of layer i = l(h_{i-1}, g_{i-1}(h_i)) / D_{i-1}

l is the squared error or -log p under Bernoulli pixels, D the number of values that it sums over.
With corruption, what goes in is corrupted and the clean one is the target (Vincent et al., JMLR
2010): trained jointly the picture, layer by layer the code of the layer below.

B batch, H W C picture, Z code.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import activations, checks, corruption, losses, names
from tfae.config import broadcast, option
from tfae.objectives import Batch, Layer, Objective, trainable
from tfae.stack import Stack


@dataclasses.dataclass(frozen=True)
class Config(corruption.Config):
    """What is made small."""

    likelihood: losses.Likelihood = option(
        'squared_error', 'Loss of the pictures; both see them through a sigmoid.'
    )


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
        self.objectives = (self._joint,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes and decodes `[B, H, W, C]`."""
        checks.rank('images', images, 4)
        code, logits = self._pass(self.stack.all, images, seed)
        return Outputs(code, tf.nn.sigmoid(logits), logits)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """`[B, H, W, C]` -> `[B, Z]`."""
        checks.rank('images', images, 4)
        return self._encode(self.stack.all, images, False)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """`[B, Z]` -> `[B, H, W, C]` in [0, 1]."""
        return tf.nn.sigmoid(self.stack.decode(self.stack.all[::-1], code))

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

    def _joint(self, batch: Batch) -> Objective:
        loss, mean = self._loss(self.stack.all, batch)
        terms = {}
        if batch.seed is None and self.config.likelihood == 'bernoulli':
            # No part of the loss: training need not pay for it.
            terms['mse'] = tf.reduce_mean(tf.math.squared_difference(batch.images, mean))
        variables = trainable(self.stack.encoder, self.stack.decoder)
        return Objective(names.RECONSTRUCTION, loss, variables, terms)

    def _greedy(self, i: int, batch: Batch) -> Objective:
        """Layer `i` as an autoencoder of the codes of the layer below."""
        loss, _ = self._loss([i], batch)
        sides = (self.stack.encoder, self.stack.decoder)
        return Objective(
            names.layer(i), loss, trainable(*(f'{side}/{names.layer(i)}' for side in sides)), {}
        )

    def _loss(self, indices: Sequence[int], batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean loss a value, and what the last activation makes of the logits."""
        below = indices[0] - 1
        clean = tf.reshape(batch.images, [-1, *self.stack.shapes[below]])
        _, logits = self._pass(indices, clean, batch.seed)
        activation = self.stack.activation(below)
        mean = activations.get(activation)(logits)
        # Codes are probabilities, as pixels are, where the activation is a sigmoid.
        if self.config.likelihood == 'bernoulli' and activation == 'sigmoid':
            each = losses.bernoulli(clean, logits)
        else:
            each = losses.squared_error(clean, mean)
        return tf.reduce_mean(each) / self.stack.sizes[below], mean

    def _pass(
        self, indices: Sequence[int], x: tf.Tensor, seed: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Code `[B, size]` and logits of these layers; with noise where there is a seed."""
        training = seed is not None
        if training:
            x = corruption.corrupt(x, self.corruption[indices[0] - 1], seed)
        code = self._encode(indices, x, training)
        return code, self.stack.decode(indices[::-1], code, training)

    def _encode(self, indices: Sequence[int], x: tf.Tensor, training: bool) -> tf.Tensor:
        code = self.stack.encode(indices, x, training)
        return tf.reshape(code, [-1, self.stack.sizes[indices[-1]]])
