"""An encoder of layers, and a decoder that inverts it layer by layer.

    h_0 = x,    h_i     = s_i(layer_i(h_{i-1}))        encoder/layer_i
    g_L = h_L,  g_{i-1} = s_{i-1}(inverse_i(g_i))      decoder/layer_i

h_0 is the image, h_L the code. The same list of layers describes both: h_i and g_i have the same
activation and batch normalization. Convolutional layers come before dense ones; inverse_i returns
the exact shape of h_{i-1}. The last step of a decoder has no activation: it returns logits.

Sequences `[B, L, C]` and volumes `[B, D, H, W, C]` are convolved as images are, along one and three
axes; rows of a table, `[B, D]`, have dense layers only.

B batch, H W C image.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import tensorflow.compat.v1 as tf

from tfae import data, layers
from tfae.core import errors, names
from tfae.models.base import upsampling
from tfae.models.base.objective import trainable
from tfae.ops import activations
from tfae.ops.activations import Activation

Padding = Literal['same', 'valid']
Pooling = Literal['none', 'max', 'average']
Initializer = Literal['glorot_uniform', 'he_normal', 'lecun_normal']

_INITIALIZERS = {
    'glorot_uniform': tf.glorot_uniform_initializer,
    'he_normal': tf.initializers.he_normal,
    'lecun_normal': tf.initializers.lecun_normal,
}
T = TypeVar('T', bound='Layers')

# By the number of spatial axes.
_CONVOLUTIONS = {1: layers.conv1d, 2: layers.conv2d, 3: layers.conv3d}
_POOLS = {
    ('max', 1): layers.max_pooling1d,
    ('max', 2): layers.max_pooling2d,
    ('max', 3): layers.max_pooling3d,
    ('average', 1): layers.average_pooling1d,
    ('average', 2): layers.average_pooling2d,
    ('average', 3): layers.average_pooling3d,
}


class Dense(NamedTuple):
    """`[B, D]` -> `[B, units]`; an image is flattened."""

    units: int
    activation: Activation
    normalized: bool = False  # batch normalization before the activation


class Convolution(NamedTuple):
    """`[B, H, W, C]` -> `[B, H', W', filters]`: convolution, activation, pooling.

    `same` padding gives ceil(H / strides) rows, `valid` (H - kernel_size) // strides + 1; pooling
    divides them by `pool_size`, rounded down.
    """

    filters: int
    activation: Activation
    kernel_size: int = 3
    strides: int = 1
    padding: Padding = 'same'
    pooling: Pooling = 'none'
    pool_size: int = 2
    normalized: bool = False

    @property
    def factor(self) -> int:
        """Downsampling factor of this layer."""
        return self.strides * (1 if self.pooling == 'none' else self.pool_size)


class Kernels(NamedTuple):
    """Initializer and weight decay of the kernels of an encoder or decoder."""

    initializer: Initializer = 'glorot_uniform'
    weight_decay: float = 0.0

    def options(self) -> dict[str, Any]:
        """Returns the arguments `initializer` and `regularizer` (`weight_decay / 2` times w^2)."""
        decay = self.weight_decay
        return {
            'initializer': _INITIALIZERS[self.initializer](),
            'regularizer': (lambda w: decay * tf.nn.l2_loss(w)) if decay else None,
        }


class Layers:
    """Layers `layer_1` ... `layer_L` of an encoder or decoder; builds no graph until called."""

    SCOPE = ''  # default scope of the variables

    def __init__(
        self,
        image_shape: Sequence[int],
        layers: Sequence[Dense | Convolution],
        kernels: Kernels,
        scope: str = '',
    ):
        """Declares the layers.

        Args:
          image_shape: `(H, W, C)`, or that of a row, sequence or volume.
          layers: layers of the encoder, input side first.
          kernels: initializer and weight decay of all layers.
          scope: scope of the variables instead of `SCOPE`.
        Raises: UsageError if an image is too small for a layer, a convolution comes after a dense
          layer, or rows of a table are convolved.
        """
        if any(isinstance(layer, Convolution) for layer in layers):
            refuse_table('--filters convolves', image_shape)
        self.layers = tuple(layers)
        self.shapes: list[tuple[int, ...]] = [tuple(image_shape)]  # of h_0 ... h_L
        for layer in self.layers:
            self.shapes.append(_output_shape(layer, self.shapes[-1]))
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.numbers = range(1, len(self.shapes))  # indices of the layers that a call runs
        self.scope = scope or self.SCOPE
        self._variables = self.scope
        self._kernels = kernels

    def only(self: T, i: int) -> T:
        """Returns layer `i` alone: an encoder of h_{i-1}, or a decoder of h_i."""
        part = copy.copy(self)
        part.numbers = range(i, i + 1)
        part._variables = f'{self.scope}/{names.layer(i)}'
        return part

    @property
    def below(self) -> int:
        """Index of h that an encoder takes and a decoder returns: 0 is the image."""
        return self.numbers.start - 1

    @property
    def above(self) -> int:
        """Index of h that an encoder returns and a decoder takes."""
        return self.numbers.stop - 1

    def activation(self, i: int) -> Activation:
        """Returns the activation of h_i and g_i, i at least 1."""
        return self.layers[i - 1].activation

    def variables(self) -> list[tf.Variable]:
        """Returns the trainable variables of these layers under the current variable scope."""
        return trainable(self._variables)

    def kernels(self) -> list[tf.Variable]:
        """Returns the kernels among `variables`."""
        return [v for v in self.variables() if v.op.name.endswith(f'/{names.KERNEL}')]

    def _normalize(self, i: int, x: tf.Tensor, training: bool) -> tf.Tensor:
        with tf.variable_scope(names.layer(i)):
            return layers.batch_normalization(x, training=training, name=names.NORMALIZATION)

    def _options(self, activation: Callable | None, use_bias: bool) -> dict[str, Any]:
        """Returns the arguments of a layer of an encoder or decoder."""
        return {
            'activation': activation,
            'use_bias': use_bias,
            **{f'kernel_{name}': value for name, value in self._kernels.options().items()},
        }


class Encoder(Layers):
    """Maps images `[B, H, W, C]` to h_L."""

    SCOPE = names.ENCODER

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Runs the layers on `[B, ...]`.

        Args:
          x: input of the first layer, `[B, ...]` of any shape with as many values.
          training: whether batch normalization uses the moments of the batch.
        Returns: h of the last layer, `[B, ...]` in its shape.
        """
        with tf.variable_scope(self.scope, reuse=tf.AUTO_REUSE):
            for i in self.numbers:
                x = self._layer(i, x, training)
                tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, x)
        return x

    def kernel(self, i: int) -> tf.Variable:
        """Returns the kernel of layer `i`, created if the layer has not run yet."""
        layer = self.layers[i - 1]
        if isinstance(layer, Dense):
            shape = [self.sizes[i - 1], layer.units]
        else:
            size = layer.kernel_size
            *sides, channels = self.shapes[i - 1]
            shape = [size] * len(sides) + [channels, layer.filters]
        scope = f'{self.scope}/{names.layer(i)}'
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.KERNEL, shape, use_resource=True, **self._kernels.options()
            )

    def _layer(self, i: int, x: tf.Tensor, training: bool) -> tf.Tensor:
        # Affine map; with batch normalization its bias and activation come later.
        layer = self.layers[i - 1]
        function = layer.activation.function
        options = self._options(None if layer.normalized else function, not layer.normalized)
        if isinstance(layer, Dense):
            x = tf.reshape(x, [-1, self.sizes[i - 1]])
            x = layers.dense(x, layer.units, **options, name=names.layer(i))
        else:
            x = tf.reshape(x, [-1, *self.shapes[i - 1]])
            x = _CONVOLUTIONS[len(self.shapes[i - 1]) - 1](
                x,
                layer.filters,
                layer.kernel_size,
                layer.strides,
                layer.padding,
                **options,
                name=names.layer(i),
            )

        # Batch normalization and pooling.
        if layer.normalized:
            x = function(self._normalize(i, x, training))
        if isinstance(layer, Convolution) and layer.pooling != 'none':
            size = layer.pool_size
            pool = _POOLS[layer.pooling, len(self.shapes[i]) - 1]
            x = pool(x, size, size, name=names.pooling(i))
        return x


class Decoder(Layers):
    """Maps codes `[B, Z]` to logits of images `[B, H, W, C]`."""

    SCOPE = names.DECODER

    def __init__(
        self,
        image_shape: Sequence[int],
        layers: Sequence[Dense | Convolution],
        kernels: Kernels,
        scope: str = '',
        *,
        method: upsampling.Method = 'subpixel',
        tied_to: Encoder | None = None,
    ):
        """Declares the inverse of the layers of an encoder.

        Args:
          image_shape, layers, kernels, scope: see `Layers`.
          method: upsampling method of layers that downsample.
          tied_to: encoder whose kernels, transposed, are the decoder's. It has no batch
            normalization, and the method is deconvolution.
        Raises: UsageError as `Layers` does.
        """
        super().__init__(image_shape, layers, kernels, scope)
        self._method = method
        self._tied_to = tied_to

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Runs the layers in reverse order on `[B, ...]`, the last one without its activation.

        Args:
          x: h of the last layer, `[B, ...]` of any shape with as many values.
          training: whether batch normalization uses the moments of the batch.
        Returns: `[B, ...]` in the shape of the input of the first layer.
        """
        tied = self._tied_to
        kernels = {i: tied.kernel(i) for i in reversed(self.numbers)} if tied else {}
        with tf.variable_scope(self.scope, reuse=tf.AUTO_REUSE):
            for i in reversed(self.numbers):
                x = tf.reshape(x, [-1, *self.shapes[i]])
                first = i == self.numbers.start
                activation = activations.LINEAR if first else self.activation(i - 1)
                function = activation.function
                if tied:
                    x = function(self._transposed(i, x, kernels[i]))
                else:
                    x = self._inverse(i, x, function, training)
                x = tf.reshape(x, [-1, *self.shapes[i - 1]])
        return x

    def _inverse(self, i: int, x: tf.Tensor, function: Callable, training: bool) -> tf.Tensor:
        layer = self.layers[i - 1]
        normalized = i > 1 and self.layers[i - 2].normalized  # the image is not normalized
        options = self._options(None if normalized else function, not normalized)
        if isinstance(layer, Dense):
            x = layers.dense(x, self.sizes[i - 1], **options, name=names.layer(i))
        else:
            x = upsampling.upsample(
                x,
                self.shapes[i - 1],
                layer.kernel_size,
                layer.factor,
                self._method,
                **options,
                name=names.layer(i),
            )
        return function(self._normalize(i, x, training)) if normalized else x

    def _transposed(self, i: int, x: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """Applies `inverse_i` with the encoder's kernel, transposed, and a bias of its own."""
        layer = self.layers[i - 1]
        shape = self.shapes[i - 1]
        with tf.variable_scope(names.layer(i)):
            if isinstance(layer, Dense):
                size = self.sizes[i - 1]
                x = tf.matmul(x, kernel, transpose_b=True)
            else:
                size = shape[-1]
                x = upsampling.deconvolution(x, kernel, shape, layer.factor)
            zeros = tf.zeros_initializer()
            bias = tf.get_variable(names.BIAS, [size], initializer=zeros, use_resource=True)
            return tf.nn.bias_add(x, bias)


def refuse_table(who: str, image_shape: Sequence[int]) -> None:
    """Refuses rows of a table, of shape `(D,)`, which have no neighbors to convolve.

    Args:
      who: flag that requires other examples, and what it does with them.
      image_shape: of the examples.
    Raises: UsageError that names the shape and the families that take it.
    """
    if data.tabular(image_shape):
        raise errors.UsageError(
            f'{who} images, sequences and volumes; the examples have shape '
            f'{tuple(image_shape)}, the columns of a table, which --model=dense takes, as do '
            f'variational, gan, classifier, regressor and siamese without --filters'
        )


def _output_shape(layer: Dense | Convolution, shape: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, Dense):
        return (layer.units,)
    if len(shape) == 1:
        raise errors.UsageError('a convolutional layer cannot come after a dense one')
    kernel, strides = layer.kernel_size, layer.strides
    sides = []
    for side in shape[:-1]:
        made = -(-side // strides) if layer.padding == 'same' else (side - kernel) // strides + 1
        made = made if layer.pooling == 'none' else made // layer.pool_size
        if made < 1:
            raise errors.UsageError(
                f'{_named(shape)} is too small for a layer with kernel '
                f'{kernel}, stride {strides}, {layer.padding} padding and pooling '
                f'{layer.pooling} {layer.pool_size}; remove the layer or reduce these'
            )
        sides.append(made)
    return (*sides, layer.filters)


def _named(shape: tuple[int, ...]) -> str:
    """Returns `'an image of 28 x 28'` of the input of a convolution."""
    article = 'an' if data.noun(shape) == 'image' else 'a'
    unit = ' steps' if data.noun(shape) == 'sequence' else ''
    return f'{article} {data.noun(shape)} of {" x ".join(map(str, shape[:-1]))}{unit}'
