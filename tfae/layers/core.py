"""Dense, dropout and flatten.

Letters of shapes: B batch, D features in, U units.
"""

import math
import numbers

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.layers import arguments
from tfae.layers.configured import ZEROS, Configured, branch, function, require
from tfae.layers.input_spec import InputSpec


class Dense(Configured):
    """`activation(inputs @ kernel + bias)`, applied to the last axis.

    Maps float [B, ..., D] with known D to [B, ..., U].

    Variables: `<name>/kernel` [D, U], and `<name>/bias` [U] if `use_bias`.

    Args:
      units: U.
      activation: function of a tensor, or its name; None is linear.
      use_bias: whether to add a bias.
      kernel_initializer: None takes the variable scope's, or Glorot's uniform if it has none.
      bias_initializer: initializer of the bias; zeros by default.
      kernel_regularizer, bias_regularizer: functions of the variable that return a scalar loss.
      activity_regularizer: function of the output that returns a scalar loss; it is divided by B.
      kernel_constraint, bias_constraint: functions that an optimizer applies after its update.
      trainable: whether the variables are added to `TRAINABLE_VARIABLES`.
      name: variable scope; by default `dense`, with a number if that is taken.
      reuse: (function only) as in `tf.compat.v1.variable_scope`.

    Raises: ValueError if D is unknown, the rank is below 2, or `get_variable` raises.
    """

    supports_masking = True

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer=None,
        bias_initializer=ZEROS,
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        trainable=True,
        name=None,
        **kwargs,
    ):
        super().__init__(**arguments.named(locals()))
        self.units = arguments.integer(f'{self.name}: units', units)
        self.activation = arguments.activation(self.name, activation)
        self.input_spec = InputSpec(min_ndim=2)

    def _create(self, shape):
        if not tf.as_dtype(self.dtype).is_floating and not tf.as_dtype(self.dtype).is_complex:
            raise TypeError(f'{self.name}: dtype is {self.dtype}; it must be a floating-point one.')
        features = require(self.name, shape, -1)
        self.kernel = self.weight(names.KERNEL, [features, self.units])
        self.bias = self.weight(names.BIAS, [self.units]) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs):
        """Maps [B, ..., D] to [B, ..., U]."""
        inputs = tf.cast(inputs, self.dtype)
        if isinstance(inputs, tf.SparseTensor):
            outputs = tf.sparse.sparse_dense_matmul(inputs, self.kernel)
        elif inputs.shape.rank == 2:
            outputs = tf.matmul(inputs, self.kernel)
        else:
            outputs = tf.tensordot(inputs, self.kernel, [[inputs.shape.rank - 1], [0]])
            outputs.set_shape(inputs.shape[:-1].concatenate(self.units))
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


class Dropout(Configured):
    """Zeroes a fraction of the inputs in training; see `dropout`."""

    supports_masking = True

    def __init__(self, rate=0.5, noise_shape=None, seed=None, name=None, **kwargs):
        super().__init__(**arguments.named(locals()))
        if isinstance(rate, numbers.Real) and not 0 <= rate < 1:
            raise ValueError(f'{self.name}: rate is {rate}; it must lie in [0, 1).')

    def call(self, inputs, training=False):
        """Returns `inputs` with a fraction zeroed in training, else unchanged; same shape."""
        if isinstance(self.rate, numbers.Real) and self.rate == 0:
            return tf.identity(inputs)

        def drop():
            return tf.nn.dropout(
                inputs, rate=self.rate, noise_shape=self._noise_shape(inputs), seed=self.seed
            )

        return branch(arguments.training(training), drop, lambda: tf.identity(inputs))

    def compute_output_shape(self, input_shape):
        """Returns the static shape of the outputs, which is that of the inputs."""
        return tf.TensorShape(input_shape)

    def _noise_shape(self, inputs):
        if self.noise_shape is None or tf.is_tensor(self.noise_shape):
            return self.noise_shape
        dynamic = tf.shape(inputs)
        return tf.stack([dynamic[i] if n is None else n for i, n in enumerate(self.noise_shape)])


class Flatten(Configured):
    """Flattens all axes after the first; see `flatten`."""

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**arguments.named(locals()))
        self.data_format = arguments.data_format(self.name, data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        """Maps [B, ...] to [B, D], D the product of the other sizes."""
        rank = inputs.shape.rank
        if rank == 1:
            return tf.expand_dims(inputs, 1)
        if self.data_format == 'channels_first' and rank > 2:
            # Both formats flatten to the same order, so that a dense layer behind them agrees.
            inputs = tf.transpose(inputs, [0, *range(2, rank), 1])
        batch, *others = inputs.shape.as_list()
        if None not in others:
            return tf.reshape(inputs, [-1, math.prod(others)])
        return tf.reshape(inputs, [tf.shape(inputs)[0] if batch is None else batch, -1])


dense = function(Dense)


def dropout(inputs, rate=0.5, noise_shape=None, seed=None, training=False, name=None):
    """Zeroes a fraction `rate` of the inputs and divides the rest by `1 - rate`, in training.

    Args:
      inputs: float tensor of any shape.
      rate: probability that an input is zeroed, a number or a scalar tensor.
      noise_shape: shape of the noise, which is broadcast; None stands for the inputs' size.
      seed: Python int, combined with the graph's seed.
      training: Python bool or boolean scalar tensor; if false, the inputs are returned unchanged.
      name: name scope of the operations.

    Returns: tensor of the inputs' shape.

    Raises: ValueError if `rate` is a number outside [0, 1).

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout, JMLR 15, 2014.
    """
    return Dropout(rate, noise_shape, seed, name)(inputs, training)


def flatten(inputs, name=None, data_format='channels_last'):
    """Flattens all axes after the first.

    Args:
      inputs: tensor [B, ...].
      name: name scope of the operations.
      data_format: with `channels_first`, the second axis is moved to the end first.

    Returns: tensor [B, D], D the product of the other sizes; [B, 1] for [B].
    """
    return Flatten(data_format, name=name)(inputs)
