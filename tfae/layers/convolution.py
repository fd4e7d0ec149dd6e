"""Convolutions of sequences, images and volumes: layer classes, then TF1's functions.

Letters of shapes: B batch, W or H W or D H W the spatial sizes, C channels in, F filters, M depth
multiplier, K kernel size (one number per spatial size).
"""

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.layers import arguments, formats
from tfae.layers.configured import ZEROS, Configured, function, require
from tfae.layers.input_spec import InputSpec


class _Layer(Configured):
    """Base of the convolutions; a kind has its own kernels and operation on channels last."""

    rank: int  # number of spatial dimensions
    dilation_rate = 1

    def __init__(self, **options):
        super().__init__(**options)
        self.filters = arguments.integer(f'{self.name}: filters', self.filters)
        for name in ('kernel_size', 'strides', 'dilation_rate'):
            sizes = arguments.sizes(f'{self.name}: {name}', getattr(self, name), self.rank)
            setattr(self, name, sizes)
        causal = ('causal',) if self.rank == 1 else ()
        self.padding = arguments.padding(self.name, self.padding, *causal)
        self.data_format = arguments.data_format(self.name, self.data_format)
        self.activation = arguments.activation(self.name, self.activation)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f'{self.name}: strides are {self.strides}, dilation_rate is {self.dilation_rate}; '
                'one of them must be 1.'
            )
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _create(self, shape):
        axis = formats.channel_axis(self.data_format)
        channels = require(self.name, shape, axis)
        self._create_kernels(channels)
        self.bias = self.weight(names.BIAS, [self.filters]) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def call(self, inputs):
        """Maps [B, ..., C] to [B, ..., F]."""
        outputs = formats.on_channels_last(self.data_format, self._linear, inputs)
        return outputs if self.activation is None else self.activation(outputs)

    def _linear(self, x):
        padding = self.padding.upper()
        if self.padding == 'causal':  # no output depends on a later input
            before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            x, padding = tf.pad(x, [[0, 0], [before, 0], [0, 0]]), 'VALID'
        return self._convolve(x, padding)

    def _add_bias(self, x):
        return tf.nn.bias_add(x, self.bias) if self.use_bias else x

    def _strided_pointwise(self):
        # Computed by slicing instead of strides: in TensorFlow 2.21 on CPUs with oneDNN, the
        # gradient of a 2-D convolution with respect to such a kernel writes out of bounds and
        # crashes the process. Sequences are convolved as images, volumes are not.
        return self.rank < 3 and max(self.kernel_size) == 1 and max(self.strides) > 1


class _Convolution(_Layer):
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding='valid',
        data_format='channels_last',
        dilation_rate=1,
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

    def _create_kernels(self, channels):
        self.kernel = self.weight(names.KERNEL, [*self.kernel_size, channels, self.filters])

    def _convolve(self, x, padding):
        strides = self.strides
        if self._strided_pointwise():
            points = (slice(None), *(slice(None, None, stride) for stride in strides))
            x, strides = x[points], [1] * self.rank
        outputs = tf.nn.convolution(
            x,
            tf.convert_to_tensor(self.kernel),
            padding=padding,
            strides=strides,
            dilation_rate=self.dilation_rate,
            name=type(self).__name__,
        )
        return self._add_bias(outputs)


class Conv1D(_Convolution):
    """Convolution of sequences [B, W, C], or [B, C, W] for `channels_first`, with known C.

    Args: as `Conv2D`, with one number for each size. `padding` may also be `causal`: zeros are
      added before the sequence only, so that no output depends on a later input.
    """

    rank = 1


class Conv2D(_Convolution):
    """Convolution of images: `activation(convolution(inputs, kernel) + bias)`.

    Maps float [B, H, W, C], or [B, C, H, W] for `channels_first`, with known C, to [B, H', W', F]
    or [B, F, H', W'].

    Variables: `<name>/kernel` [K, C, F], and `<name>/bias` [F] if `use_bias`.

    Args:
      filters: F.
      kernel_size: K in pixels, or one number for both sizes.
      strides: strides in pixels, or one number for both.
      padding: `valid`, or `same`: zero padding, so that the output has ceil(H / stride) rows.
      data_format: `channels_last` or `channels_first`; both run on every device.
      dilation_rate: dilation in pixels, or one number for both.
      activation: function of a tensor, or its name; None is linear.
      use_bias: whether to add a bias.
      kernel_initializer: None takes the variable scope's, or Glorot's uniform if it has none.
      bias_initializer: initializer of the bias; zeros by default.
      kernel_regularizer, bias_regularizer: functions of the variable that return a scalar loss.
      activity_regularizer: function of the output that returns a scalar loss; it is divided by B.
      kernel_constraint, bias_constraint: functions that an optimizer applies after its update.
      trainable: whether the variables are added to `TRAINABLE_VARIABLES`.
      name: variable scope; by default `conv2d`, with a number if that is taken.
      reuse: (function only) as in `tf.compat.v1.variable_scope`.

    Raises: ValueError if the rank is not 4, C is unknown, strides and dilation both exceed 1, an
      argument is not one of the above, or `get_variable` raises.
    """

    rank = 2


class Conv3D(_Convolution):
    """Convolution of volumes [B, D, H, W, C], or [B, C, D, H, W] for `channels_first`.

    Args: as `Conv2D`, with three numbers for each size, or one for all.
    """

    rank = 3


class _Transpose(_Layer):
    _operation: staticmethod

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
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

    def _create_kernels(self, channels):
        self.kernel = self.weight(names.KERNEL, [*self.kernel_size, self.filters, channels])

    def _convolve(self, x, padding):
        strides = [1] * self.rank if self._strided_pointwise() else self.strides
        shape = tf.shape(x)
        batch, *sizes, _ = (shape[i] if n is None else n for i, n in enumerate(x.shape.as_list()))
        outputs = self._operation(
            x,
            tf.convert_to_tensor(self.kernel),
            tf.stack([batch, *map(self._size, sizes, self.kernel_size, strides), self.filters]),
            strides=strides,
            padding=padding,
        )
        if self._strided_pointwise():
            outputs = self._spread(outputs, batch, sizes)
        return self._add_bias(outputs)

    def _spread(self, x, batch, sizes):
        """Inserts zeros between points, so that they lie `strides` apart."""
        single = [n for size in sizes for n in (size, 1)]
        after = [pads for stride in self.strides for pads in ([0, 0], [0, stride - 1])]
        large = [size * stride for size, stride in zip(sizes, self.strides, strict=True)]
        points = tf.reshape(x, tf.stack([batch, *single, self.filters]))
        blocks = tf.pad(points, [[0, 0], *after, [0, 0]])
        return tf.reshape(blocks, tf.stack([batch, *large, self.filters]))

    def _size(self, size, kernel, stride):
        beyond = max(kernel - stride, 0) if self.padding == 'valid' else 0
        return size * stride + beyond


class Conv1DTranspose(_Transpose):
    """Transposed convolution of sequences. Args: as `Conv1D`, without dilation and `causal`."""

    rank = 1
    _operation = staticmethod(tf.nn.conv1d_transpose)


class Conv2DTranspose(_Transpose):
    """Transposed convolution of images: `activation(y + bias)`.

    Transposed convolution is the gradient of a convolution with respect to its input. The output
    has H * stride rows for `same`, and H * stride + max(K - stride, 0) for `valid`.

    Variables: `<name>/kernel` [K, F, C] (output filters before input channels), and
    `<name>/bias` [F] if `use_bias`.

    Args: as `Conv2D`, without dilation; the default name is `conv2d_transpose`.

    Source: Dumoulin and Visin, A guide to convolution arithmetic, https://arxiv.org/abs/1603.07285.
    """

    rank = 2
    _operation = staticmethod(tf.nn.conv2d_transpose)


class Conv3DTranspose(_Transpose):
    """Transposed convolution of volumes. Args: as `Conv3D`, without dilation."""

    rank = 3
    _operation = staticmethod(tf.nn.conv3d_transpose)


class _Separable(_Layer):
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding='valid',
        data_format='channels_last',
        dilation_rate=1,
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

    def _create_kernels(self, channels):
        depth = self.depth_multiplier
        self.depthwise_kernel = self.weight(
            names.DEPTHWISE_KERNEL, [*self.kernel_size, channels, depth]
        )
        self.pointwise_kernel = self.weight(
            names.POINTWISE_KERNEL, [1] * self.rank + [channels * depth, self.filters]
        )

    def _convolve(self, x, padding):
        depthwise = tf.convert_to_tensor(self.depthwise_kernel)
        pointwise = tf.convert_to_tensor(self.pointwise_kernel)
        if self.rank == 1:  # as an image of one row
            x, depthwise, pointwise = x[:, None], depthwise[None], pointwise[None]
        outputs = tf.nn.separable_conv2d(
            x,
            depthwise,
            pointwise,
            strides=[1, self.strides[0], self.strides[-1], 1],
            padding=padding,
            rate=[1, *self.dilation_rate][-2:],
        )
        outputs = self._add_bias(outputs)
        return tf.squeeze(outputs, [1]) if self.rank == 1 else outputs


class SeparableConv1D(_Separable):
    """Depthwise convolution of sequences, then a convolution of size 1.

    Args: as `SeparableConv2D`, with one number for each size; `padding` also as in `Conv1D`.
    """

    rank = 1


class SeparableConv2D(_Separable):
    """Convolves each channel with its own M kernels, then mixes channels by a 1 x 1 convolution.

    Variables: `<name>/depthwise_kernel` [K, C, M], `<name>/pointwise_kernel` [1, 1, C * M, F],
    and `<name>/bias` [F] if `use_bias`.

    Args:
      depth_multiplier: M, kernels per channel.
      depthwise_initializer, pointwise_initializer: as `Conv2D`'s for its kernel.
      depthwise_regularizer, pointwise_regularizer: as `Conv2D`'s for its kernel.
      depthwise_constraint, pointwise_constraint: as `Conv2D`'s for its kernel.

    The other arguments and Raises are those of `Conv2D`; the default name is `separable_conv2d`.
    TensorFlow's CPU kernel without oneDNN requires equal strides.
    """

    rank = 2


conv1d = function(Conv1D)
conv2d = function(Conv2D)
conv3d = function(Conv3D)
conv1d_transpose = function(Conv1DTranspose)
conv2d_transpose = function(Conv2DTranspose)
conv3d_transpose = function(Conv3DTranspose)
separable_conv1d = function(SeparableConv1D)
separable_conv2d = function(SeparableConv2D)
