"""Convolutions of images: layer classes, then TF1's functions.

Letters of shapes: B batch, H W image, C channels in, F filters, M depth multiplier, K L kernel.
"""

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.layers import arguments, formats
from tfae.layers.base import ZEROS, Configured, InputSpec, apply, require


class _Convolution2D(Configured):
    """Base of the three convolutions; a subclass has its own kernels and NHWC operation."""

    dilation_rate = (1, 1)

    def __init__(self, **options):
        super().__init__(**options)
        self.filters = arguments.integer(f'{self.name}: filters', self.filters)
        self.kernel_size = arguments.pair(f'{self.name}: kernel_size', self.kernel_size)
        self.strides = arguments.pair(f'{self.name}: strides', self.strides)
        self.dilation_rate = arguments.pair(f'{self.name}: dilation_rate', self.dilation_rate)
        self.padding = arguments.padding(self.name, self.padding)
        self.data_format = arguments.data_format(self.name, self.data_format)
        self.activation = arguments.activation(self.name, self.activation)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f'{self.name}: strides are {self.strides}, dilation_rate is {self.dilation_rate}; '
                'one of them must be 1.'
            )
        self.input_spec = InputSpec(ndim=4)

    def build(self, input_shape):
        """Creates the kernels, and `bias` [F]."""
        axis = formats.channel_axis(self.data_format)
        channels = require(self.name, input_shape, axis)
        self._build_kernels(channels)
        self.bias = self.weight(names.BIAS, [self.filters]) if self.use_bias else None
        self.input_spec = InputSpec(ndim=4, axes={axis: channels})

    def call(self, inputs):
        """Maps [B, H, W, C] to [B, H', W', F]."""
        outputs = formats.on_channels_last(self.data_format, self._convolve, inputs)
        if self.use_bias:
            short = formats.short(self.data_format)
            outputs = tf.nn.bias_add(outputs, self.bias, data_format=short)
        return outputs if self.activation is None else self.activation(outputs)

    def _strided_1x1(self):
        # Computed by slicing instead of strides: in TensorFlow 2.21 on CPUs with oneDNN, the
        # gradient with respect to such a kernel writes out of bounds and crashes the process.
        return self.kernel_size == (1, 1) and max(self.strides) > 1


class Conv2D(_Convolution2D):
    """Convolution; see `conv2d`."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding='valid',
        data_format='channels_last',
        dilation_rate=(1, 1),
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

    def _build_kernels(self, channels):
        self.kernel = self.weight(names.KERNEL, [*self.kernel_size, channels, self.filters])

    def _convolve(self, x):
        strides = self.strides
        if self._strided_1x1():
            x, strides = x[:, :: strides[0], :: strides[1]], (1, 1)
        return tf.nn.convolution(
            x,
            tf.convert_to_tensor(self.kernel),
            padding=self.padding.upper(),
            strides=strides,
            dilation_rate=self.dilation_rate,
            name=names.CONVOLUTION_2D,
        )


class Conv2DTranspose(_Convolution2D):
    """Transposed convolution; see `conv2d_transpose`."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding='valid',
        data_format='channels_last',
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

    def _build_kernels(self, channels):
        self.kernel = self.weight(names.KERNEL, [*self.kernel_size, self.filters, channels])

    def _convolve(self, x):
        strides = (1, 1) if self._strided_1x1() else self.strides
        shape = tf.shape(x)
        batch, *sizes = (
            shape[axis] if size is None else size for axis, size in enumerate(x.shape.as_list()[:3])
        )
        outputs = tf.nn.conv2d_transpose(
            x,
            tf.convert_to_tensor(self.kernel),
            tf.stack([batch, *map(self._size, sizes, self.kernel_size, strides), self.filters]),
            strides=strides,
            padding=self.padding.upper(),
        )
        return outputs if strides == self.strides else self._spread(outputs, batch, *sizes)

    def _spread(self, x, batch, height, width):
        """Inserts zeros between pixels, so that they lie `strides` apart."""
        down, right = self.strides
        pixels = tf.reshape(x, tf.stack([batch, height, 1, width, 1, self.filters]))
        blocks = tf.pad(pixels, [[0, 0], [0, 0], [0, down - 1], [0, 0], [0, right - 1], [0, 0]])
        return tf.reshape(blocks, tf.stack([batch, height * down, width * right, self.filters]))

    def _size(self, size, kernel, stride):
        beyond = max(kernel - stride, 0) if self.padding == 'valid' else 0
        return size * stride + beyond


class SeparableConv2D(_Convolution2D):
    """Depthwise convolution, then a 1 x 1 convolution; see `separable_conv2d`."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding='valid',
        data_format='channels_last',
        dilation_rate=(1, 1),
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer=None,
        pointwise_initializer=None,
        bias_initializer=ZEROS,
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        trainable=True,
        name=None,
        **kwargs,
    ):
        super().__init__(**arguments.named(locals()))
        who = f'{self.name}: depth_multiplier'
        self.depth_multiplier = arguments.integer(who, depth_multiplier)

    def _build_kernels(self, channels):
        depth = self.depth_multiplier
        self.depthwise_kernel = self.weight(
            names.DEPTHWISE_KERNEL, [*self.kernel_size, channels, depth]
        )
        self.pointwise_kernel = self.weight(
            names.POINTWISE_KERNEL, [1, 1, channels * depth, self.filters]
        )

    def _convolve(self, x):
        return tf.nn.separable_conv2d(
            x,
            tf.convert_to_tensor(self.depthwise_kernel),
            tf.convert_to_tensor(self.pointwise_kernel),
            strides=[1, *self.strides, 1],
            padding=self.padding.upper(),
            rate=self.dilation_rate,
        )


def conv2d(
    inputs,
    filters,
    kernel_size,
    strides=(1, 1),
    padding='valid',
    data_format='channels_last',
    dilation_rate=(1, 1),
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
    reuse=None,
):
    """Returns `activation(convolution(inputs, kernel) + bias)`.

    Variables: `<name>/kernel` [K, L, C, F], and `<name>/bias` [F] if `use_bias`.

    Args:
      inputs: float tensor [B, H, W, C], or [B, C, H, W] for `channels_first`, with known C.
      filters: F.
      kernel_size: K and L in pixels, or one number for both.
      strides: strides in pixels, or one number for both.
      padding: `valid`, or `same`: zero padding, so that the output has ceil(H / stride) rows.
      data_format: `channels_last` or `channels_first`; both run on every device.
      dilation_rate: dilation in pixels, or one number for both.
      activation: function of a tensor, or its name in `tf.nn`; None is linear.
      use_bias: whether to add a bias.
      kernel_initializer: None takes the variable scope's, or Glorot's uniform if it has none.
      bias_initializer: initializer of the bias; zeros by default.
      kernel_regularizer, bias_regularizer: functions of the variable that return a scalar loss.
      activity_regularizer: function of the output that returns a scalar loss; it is divided by B.
      kernel_constraint, bias_constraint: functions that an optimizer applies after its update.
      trainable: whether the variables are added to `TRAINABLE_VARIABLES`.
      name: variable scope; by default `conv2d`, with a number if that is taken.
      reuse: as in `tf.compat.v1.variable_scope`.

    Returns: float tensor [B, H', W', F], or [B, F, H', W'].

    Raises: ValueError if the rank is not 4, C is unknown, strides and dilation both exceed 1, an
      argument is not one of the above, or `get_variable` raises.
    """
    return apply(Conv2D, locals())


def conv2d_transpose(
    inputs,
    filters,
    kernel_size,
    strides=(1, 1),
    padding='valid',
    data_format='channels_last',
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
    reuse=None,
):
    """Returns `activation(y + bias)`, y the transposed convolution of `inputs` with the kernel.

    Transposed convolution is the gradient of a convolution with respect to its input. The output
    has H * stride rows for `same`, and H * stride + max(K - stride, 0) for `valid`.

    Variables: `<name>/kernel` [K, L, F, C] (output filters before input channels), and
    `<name>/bias` [F] if `use_bias`.

    Args, Returns, Raises: as `conv2d`, without dilation; the default name is `conv2d_transpose`.

    Source: Dumoulin and Visin, A guide to convolution arithmetic, https://arxiv.org/abs/1603.07285.
    """
    return apply(Conv2DTranspose, locals())


def separable_conv2d(
    inputs,
    filters,
    kernel_size,
    strides=(1, 1),
    padding='valid',
    data_format='channels_last',
    dilation_rate=(1, 1),
    depth_multiplier=1,
    activation=None,
    use_bias=True,
    depthwise_initializer=None,
    pointwise_initializer=None,
    bias_initializer=ZEROS,
    depthwise_regularizer=None,
    pointwise_regularizer=None,
    bias_regularizer=None,
    activity_regularizer=None,
    depthwise_constraint=None,
    pointwise_constraint=None,
    bias_constraint=None,
    trainable=True,
    name=None,
    reuse=None,
):
    """Convolves each channel with its own M kernels, then mixes channels by a 1 x 1 convolution.

    Variables: `<name>/depthwise_kernel` [K, L, C, M], `<name>/pointwise_kernel` [1, 1, C * M, F],
    and `<name>/bias` [F] if `use_bias`.

    Args:
      depth_multiplier: M, kernels per channel.
      depthwise_initializer, pointwise_initializer: as `conv2d`'s for its kernel.
      depthwise_regularizer, pointwise_regularizer: as `conv2d`'s for its kernel.
      depthwise_constraint, pointwise_constraint: as `conv2d`'s for its kernel.

    The other arguments, Returns and Raises are those of `conv2d`; the default name is
    `separable_conv2d`. TensorFlow's CPU kernel without oneDNN requires equal strides.
    """
    return apply(SeparableConv2D, locals())
