"""A stack of layers, and the stack that undoes it layer by layer.

    h_0 = x,    h_i     = s_i(layer_i(h_{i-1}))        encoder/layer_i
    g_L = h_L,  g_{i-1} = s_{i-1}(undo_i(g_i))         decoder/layer_i

h_0 is the picture, h_L the code. Convolutional layers come before dense ones; undo_i gives back the
very shape of h_{i-1}. The last step of a decoder is without its activation: logits.

B batch, H W C picture.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors, names
from tfae.models.base import upsampling
from tfae.ops import activations

Padding = Literal['same', 'valid']
Pooling = Literal['none', 'max', 'average']
Initializer = Literal['glorot_uniform', 'he_normal', 'lecun_normal']

_INITIALIZERS = {
    'glorot_uniform': tf.glorot_uniform_initializer,
    'he_normal': tf.initializers.he_normal,
    'lecun_normal': tf.initializers.lecun_normal,
}
_POOLS = {'max': layers.max_pooling2d, 'average': layers.average_pooling2d}


class Dense(NamedTuple):
    """`[B, D]` -> `[B, units]`; a picture is flattened."""

    units: int
    activation: str


class Convolution(NamedTuple):
    """`[B, H, W, C]` -> `[B, H', W', filters]`: convolution, activation, pooling.

    `same` padding gives ceil(H / strides) rows, `valid` (H - kernel_size) // strides + 1; pooling
    then leaves a `pool_size`th of them, rounded down.
    """

    filters: int
    activation: str
    kernel_size: int = 3
    strides: int = 1
    padding: Padding = 'same'
    pooling: Pooling = 'none'
    pool_size: int = 2

    @property
    def factor(self) -> int:
        """By how much this layer shrinks a picture."""
        return self.strides * (1 if self.pooling == 'none' else self.pool_size)


class Stack:
    """Layers of an encoder and of a decoder that undoes them; touches no graph until called."""

    def __init__(
        self,
        image_shape: Sequence[int],
        specifications: Sequence[Dense | Convolution],
        *,
        tied: bool = False,
        enlarge: upsampling.Method = 'subpixel',
        batch_normalization: bool = False,
        normalize_first: bool = True,
        kernel_initializer: Initializer = 'glorot_uniform',
        weight_decay: float = 0.0,
        encoder: str = names.ENCODER,
        decoder: str = names.DECODER,
    ):
        """Declares `layer_1` ... `layer_L`; kernels add `weight_decay / 2` times their squares to
        `REGULARIZATION_LOSSES`. Batch normalisation leaves out the picture, the code and, without
        `normalize_first`, what `layer_1` of the encoder gives.

        Raises: UsageError if a picture is too small for a layer, a convolution comes after a dense
          layer, or tied kernels would have to enlarge by another way than deconvolution.
        """
        self.specifications = tuple(specifications)
        self.shapes: list[tuple[int, ...]] = [tuple(image_shape)]  # of h_0 ... h_L
        for specification in self.specifications:
            self.shapes.append(_output_shape(specification, self.shapes[-1]))
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.all = range(1, len(self.shapes))  # every layer, input side first
        convolutional = any(isinstance(s, Convolution) for s in self.specifications)
        if tied and batch_normalization:
            raise errors.UsageError('--tied and --batch_normalization exclude each other')
        if tied and convolutional and enlarge != 'deconvolution':
            raise errors.UsageError(
                f'--tied shares the kernels of convolutions with deconvolutions; --enlarging is '
                f'{enlarge}, it must be deconvolution'
            )
        self._tied = tied
        self._enlarge = enlarge
        self._normalized = batch_normalization
        self._first_normalized = 1 if normalize_first else 2  # layer of the encoder
        self._initializer = kernel_initializer
        self._regularizer = (lambda w: weight_decay * tf.nn.l2_loss(w)) if weight_decay else None
        self.encoder = encoder
        self.decoder = decoder

    def activation(self, i: int) -> str:
        """Name of the activation of h_i and g_i, i at least 1."""
        return self.specifications[i - 1].activation

    def encode(self, indices: Sequence[int], x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Through these layers of the encoder, in this order.

        Args:
          indices: ascending, counted from 1.
          x: `[B, ...]` with as many values an example as h before the first of them.
          training: batch normalisation by the batch's own moments.
        Returns: h of the last of them, in its shape.
        """
        with tf.variable_scope(self.encoder, reuse=tf.AUTO_REUSE):
            for i in indices:
                x = self._layer(i, x, training)
                tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, x)
        return x

    def decode(self, indices: Sequence[int], x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Through these layers of the decoder, in this order, the last without its activation.

        Args:
          indices: descending.
          x: `[B, ...]` with as many values an example as h of the first of them.
          training: as in `encode`.
        Returns: `[B, ...]` in the shape of h before the last of them.
        """
        kernels = {i: self._encoder_kernel(i) for i in indices} if self._tied else {}
        with tf.variable_scope(self.decoder, reuse=tf.AUTO_REUSE):
            for i in indices:
                x = tf.reshape(x, [-1, *self.shapes[i]])
                last = i == indices[-1]
                activation = 'linear' if last else self.activation(i - 1)
                if self._tied:
                    x = self._transposed(i, x, kernels[i])
                    x = activations.get(activation)(x)
                else:
                    x = self._undo(i, x, activation, training)
                x = tf.reshape(x, [-1, *self.shapes[i - 1]])
        return x

    def _layer(self, i: int, x: tf.Tensor, training: bool) -> tf.Tensor:
        specification = self.specifications[i - 1]
        function = activations.get(specification.activation)
        reached = self._first_normalized <= i < len(self.specifications)
        normalized = self._normalized and reached
        options = self._options(None if normalized else function, not normalized)
        if isinstance(specification, Dense):
            x = tf.reshape(x, [-1, self.sizes[i - 1]])
            x = layers.dense(x, specification.units, **options, name=names.layer(i))
        else:
            x = tf.reshape(x, [-1, *self.shapes[i - 1]])
            x = layers.conv2d(
                x,
                specification.filters,
                specification.kernel_size,
                specification.strides,
                specification.padding,
                **options,
                name=names.layer(i),
            )
        if normalized:
            x = function(self._normalize(i, x, training))
        if isinstance(specification, Convolution) and specification.pooling != 'none':
            size = specification.pool_size
            x = _POOLS[specification.pooling](x, size, size, name=names.pooling(i))
        return x

    def _undo(self, i: int, x: tf.Tensor, activation: str, training: bool) -> tf.Tensor:
        specification = self.specifications[i - 1]
        function = activations.get(activation)
        normalized = self._normalized and i > 1  # not the picture
        options = self._options(None if normalized else function, not normalized)
        if isinstance(specification, Dense):
            x = layers.dense(x, self.sizes[i - 1], **options, name=names.layer(i))
        else:
            x = upsampling.enlarge(
                x,
                self.shapes[i - 1],
                specification.kernel_size,
                specification.factor,
                self._enlarge,
                **options,
                name=names.layer(i),
            )
        return function(self._normalize(i, x, training)) if normalized else x

    def _transposed(self, i: int, x: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """`undo_i` by the encoder's own kernel, transposed, and a bias of its own."""
        specification = self.specifications[i - 1]
        shape = self.shapes[i - 1]
        with tf.variable_scope(names.layer(i)):
            if isinstance(specification, Dense):
                size = self.sizes[i - 1]
                x = tf.matmul(x, kernel, transpose_b=True)
            else:
                size = shape[-1]
                x = upsampling.deconvolution(x, kernel, shape, specification.factor)
            zeros = tf.zeros_initializer()
            bias = tf.get_variable(names.BIAS, [size], initializer=zeros, use_resource=True)
            return tf.nn.bias_add(x, bias)

    def _encoder_kernel(self, i: int) -> tf.Variable:
        specification = self.specifications[i - 1]
        if isinstance(specification, Dense):
            shape = [self.sizes[i - 1], specification.units]
        else:
            size = specification.kernel_size
            shape = [size, size, self.shapes[i - 1][-1], specification.filters]
        scope = f'{self.encoder}/{names.layer(i)}'
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.KERNEL,
                shape,
                initializer=_INITIALIZERS[self._initializer](),
                regularizer=self._regularizer,
                use_resource=True,
            )

    def _normalize(self, i: int, x: tf.Tensor, training: bool) -> tf.Tensor:
        with tf.variable_scope(names.layer(i)):
            return layers.batch_normalization(x, training=training, name=names.NORMALIZATION)

    def _options(self, activation: Any, use_bias: bool) -> dict[str, Any]:
        """What the layers of both sides share."""
        return {
            'activation': activation,
            'use_bias': use_bias,
            'kernel_initializer': _INITIALIZERS[self._initializer](),
            'kernel_regularizer': self._regularizer,
        }


def _output_shape(specification: Dense | Convolution, shape: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(specification, Dense):
        return (specification.units,)
    if len(shape) != 3:
        raise errors.UsageError('a convolutional layer cannot come after a dense one')
    kernel, strides = specification.kernel_size, specification.strides
    sides = []
    for side in shape[:2]:
        if specification.padding == 'same':
            made = -(-side // strides)
        else:
            made = (side - kernel) // strides + 1
        made = made if specification.pooling == 'none' else made // specification.pool_size
        if made < 1:
            raise errors.UsageError(
                f'a picture of {shape[0]} x {shape[1]} is too small for a layer with kernel '
                f'{kernel}, stride {strides}, {specification.padding} padding and pooling '
                f'{specification.pooling} {specification.pool_size}; leave it out or make it '
                f'smaller'
            )
        sides.append(made)
    return (*sides, specification.filters)
