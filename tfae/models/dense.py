"""Stacked dense autoencoder. Hinton and Salakhutdinov, Science 313, 2006; Bengio et al., NIPS 2006.

    h_0 = x,  h_i = s(h_{i-1} W_i + b_i),  code z = h_L                       encoder/layer_i
    g_L = z,  g_{i-1} = s(g_i V_i + c_i),  x' = g_0                           decoder/layer_i
    joint loss = l(x, x') / D,   greedy loss of layer i = l(h_{i-1}, g_{i-1}(h_i)) / D_{i-1}

Layer i of the decoder undoes layer i of the encoder; with tied weights V_i = W_i^T. l is the
squared error or -log p under Bernoulli pixels, D the number of values that it sums over. With
corruption, h_{i-1} is corrupted on its way into layer i and the clean one is the target (Vincent
et al., JMLR 2010); trained jointly, only the picture is.

B batch, H W C picture, D = H * W * C, Z code.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import activations, checks, corruption, layers, losses, names
from tfae.config import broadcast, option
from tfae.models import Batch, Layer, Objective, trainable

_INITIALIZERS = {
    'glorot_uniform': tf.glorot_uniform_initializer,
    'he_normal': tf.initializers.he_normal,
    'lecun_normal': tf.initializers.lecun_normal,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The stack."""

    units: tuple[int, ...] = option((100, 30), 'Sizes of the encoder layers, the code last.')
    activation: activations.Name = option('relu', 'Activation of the hidden layers.')
    code_activation: activations.Name = option('linear', 'Activation of the code.')
    likelihood: losses.Likelihood = option(
        'squared_error', 'Loss of the pictures; both see them through a sigmoid.'
    )
    tied: bool = option(False, "Decoder kernels are the encoder's, transposed.")
    corruption: tuple[str, ...] = option(
        ('none',),
        'Noise on the input of each layer, kind:level with kind masking, gaussian, '
        'salt_and_pepper or dropout; one value serves all layers. Trained jointly, the first is '
        'applied to the picture.',
    )
    kernel_initializer: Literal['glorot_uniform', 'he_normal', 'lecun_normal'] = option(
        'glorot_uniform', 'Initial distribution of the kernels.'
    )


class Outputs(NamedTuple):
    """What the model makes of a batch."""

    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]
    logits: tf.Tensor  # [B, H, W, C], reconstruction = sigmoid(logits)


class Model:
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: tuple[int, int, int]):
        if not config.units or min(config.units) < 1:
            raise checks.UsageError(
                f'--units is {config.units}; it must name at least one layer, each of 1 or more'
            )
        self.config = config
        self.image_shape = tuple(image_shape)
        self.sizes = (math.prod(image_shape), *config.units)  # D, D_1, ..., Z
        self.code_size = config.units[-1]
        self.corruption = broadcast(
            'corruption', [corruption.parse(text) for text in config.corruption], len(config.units)
        )
        self.objectives = (self._joint,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes and decodes `[B, H, W, C]`."""
        if seed is not None:
            images = corruption.corrupt(images, self.corruption[0], seed)
        code = self.encode(images)
        logits = self._logits(code)
        return Outputs(code, tf.nn.sigmoid(logits), logits)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """`[B, H, W, C]` -> `[B, Z]`."""
        checks.rank('images', images, 4)
        return self._encode(range(1, len(self.sizes)), images)

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """`[B, Z]` -> `[B, H, W, C]` in [0, 1]."""
        return tf.nn.sigmoid(self._logits(code))

    def layerwise(self) -> list[Layer]:
        """One `Layer` per encoder layer, input side first."""
        return [
            Layer(functools.partial(self._greedy, i), functools.partial(self._encode, [i]), size)
            for i, size in enumerate(self.sizes[1:], 1)
        ]

    def _joint(self, batch: Batch) -> Objective:
        outputs = self(batch.images, batch.seed)
        mean = outputs.reconstruction
        mse = tf.reduce_mean(losses.squared_error(batch.images, mean)) / self.sizes[0]
        if self.config.likelihood == 'bernoulli':
            nats = tf.reduce_mean(losses.bernoulli(batch.images, outputs.logits))
            # No part of the loss: training need not pay for it.
            loss, terms = nats / self.sizes[0], {'mse': mse} if batch.seed is None else {}
        else:
            loss, terms = mse, {}
        variables = trainable(names.ENCODER, names.DECODER)
        return Objective(names.RECONSTRUCTION, loss, variables, terms)

    def _greedy(self, i: int, batch: Batch) -> Objective:
        """Layer `i` as an autoencoder of the codes of the layer below."""
        clean = tf.reshape(batch.images, [-1, self.sizes[i - 1]])
        noisy = clean
        if batch.seed is not None:
            noisy = corruption.corrupt(clean, self.corruption[i - 1], batch.seed)
        logits = self._decode([i], self._encode([i], noisy))
        # Codes are probabilities, as pixels are, where the activation is a sigmoid.
        if self.config.likelihood == 'bernoulli' and self._activation(i - 1) == 'sigmoid':
            nats = losses.bernoulli(clean, logits)
        else:
            mean = activations.get(self._activation(i - 1))(logits)
            nats = losses.squared_error(clean, mean)
        loss = tf.reduce_mean(nats) / self.sizes[i - 1]
        scopes = [f'{side}/{names.layer(i)}' for side in (names.ENCODER, names.DECODER)]
        return Objective(names.layer(i), loss, trainable(*scopes), {})

    def _logits(self, code: tf.Tensor) -> tf.Tensor:
        logits = self._decode(range(len(self.sizes) - 1, 0, -1), code)
        return tf.reshape(logits, [-1, *self.image_shape])

    def _activation(self, i: int) -> str:
        """Name of the activation of h_i and g_i; h_0 is the picture."""
        if i == 0:
            return 'sigmoid'
        return self.config.code_activation if i == len(self.sizes) - 1 else self.config.activation

    def _encode(self, indices: Sequence[int], x: tf.Tensor) -> tf.Tensor:
        """Through these layers of the encoder, in this order; pictures are flattened."""
        x = tf.reshape(x, [-1, self.sizes[indices[0] - 1]])
        with tf.variable_scope(names.ENCODER, reuse=tf.AUTO_REUSE):
            for i in indices:
                x = self._dense(i, x, self.sizes[i], activations.get(self._activation(i)))
                tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, x)
        return x

    def _decode(self, indices: Sequence[int], x: tf.Tensor) -> tf.Tensor:
        """Through these layers of the decoder, in this order, without the last activation."""
        kernels = {i: self._encoder_kernel(i) for i in indices} if self.config.tied else {}
        with tf.variable_scope(names.DECODER, reuse=tf.AUTO_REUSE):
            for i in indices:
                x = x if i == indices[0] else activations.get(self._activation(i))(x)
                if self.config.tied:
                    x = self._transposed_dense(i, x, kernels[i])
                else:
                    x = self._dense(i, x, self.sizes[i - 1], None)
        return x

    def _dense(self, i: int, x: tf.Tensor, units: int, activation: Any) -> tf.Tensor:
        initializer = self._initializer()
        name = names.layer(i)
        return layers.dense(x, units, activation, kernel_initializer=initializer, name=name)

    def _transposed_dense(self, i: int, x: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        with tf.variable_scope(names.layer(i)):
            zeros = tf.zeros_initializer()
            bias = tf.get_variable(
                names.BIAS, [self.sizes[i - 1]], initializer=zeros, use_resource=True
            )
            return tf.nn.bias_add(tf.matmul(x, kernel, transpose_b=True), bias)

    def _encoder_kernel(self, i: int) -> tf.Variable:
        scope = f'{names.ENCODER}/{names.layer(i)}'
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.KERNEL,
                [self.sizes[i - 1], self.sizes[i]],
                initializer=self._initializer(),
                use_resource=True,
            )

    def _initializer(self) -> tf.keras.initializers.Initializer:
        return _INITIALIZERS[self.config.kernel_initializer]()
