"""Sub-pixel convolution: a convolution at low resolution whose channels become pixels.

    y = shuffle(activation(convolution(x, kernel) + bias))

The bias has one value per channel before the shuffle, hence one per pixel of a block, as in eq. 4
of the source. Sequences and volumes are upsampled likewise along one and three axes.

Source: Shi, Caballero, Huszar, Totz, Aitken, Bishop, Rueckert and Wang, Real-Time Single Image and
Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016,
https://arxiv.org/abs/1609.05158.

Letters of shapes: B batch, H W image, C channels in, F filters, K L kernel, rh rw block.
"""

import math

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.layers import arguments, formats
from tfae.layers.configured import ZEROS, Configured, function, require
from tfae.layers.initializers import ICNR
from tfae.layers.input_spec import InputSpec
from tfae.ops import subpixel, subpixel_fused, subpixel_nd

# `(function, name)` of the activations that the fused op supports. TensorFlow exports some of its
# functions as several objects.
_FUSED = [
    (getattr(place, name), name)
    for name in subpixel_fused.ACTIVATIONS
    for place in (tf, tf.nn, tf.compat.v2.nn)
    if hasattr(place, name)
]


class _Subpixel(Configured):
    """Base of the sub-pixel convolutions; a kind has its number of spatial axes."""

    rank: int

    def __init__(
        self,
        filters,
        kernel_size,
        block_size=2,
        padding='same',
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
        mode='DCR',
        trainable=True,
        name=None,
        **kwargs,
    ):
        super().__init__(**arguments.named(locals()))
        self.filters = arguments.integer(f'{self.name}: filters', self.filters)
        for name in ('kernel_size', 'block_size'):
            sizes = arguments.sizes(f'{self.name}: {name}', getattr(self, name), self.rank)
            setattr(self, name, sizes)
        self.padding = arguments.padding(self.name, self.padding)
        self.data_format = arguments.data_format(self.name, self.data_format)
        self.activation = arguments.activation(self.name, self.activation)
        errors.one_of(f'{self.name}: mode', self.mode, subpixel.MODES)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _create(self, shape):
        axis = formats.channel_axis(self.data_format)
        channels = require(self.name, shape, axis)
        wide = self.filters * math.prod(self.block_size)
        given = self.kernel_initializer
        if given is None:
            given = ICNR(self.block_size, tf.get_variable_scope().initializer, self.mode)
        self.kernel = self.weight(
            names.KERNEL, [*self.kernel_size, channels, wide], initializer=given
        )
        self.bias = self.weight(names.BIAS, [wide]) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def call(self, inputs):
        """Maps [B, ..., C] to [B, ..., F] with `block_size` times as many points."""
        outputs = formats.on_channels_last(self.data_format, self._upsample, inputs)
        return outputs if self._fused() or self.activation is None else self.activation(outputs)

    def _fused(self):
        """Returns the name of the activation if the fused op supports it, else None."""
        if self.activation is None:
            return 'identity'
        return next((name for function, name in _FUSED if function is self.activation), None)

    def _upsample(self, x):
        """Applies convolution, bias, shuffle and, if the fused op supports it, the activation."""
        x = self._convolve(x, tf.convert_to_tensor(self.kernel))
        activation = self._fused() or 'identity'
        if not self.use_bias and activation == 'identity':
            return self._shuffle(x)
        bias = self.bias if self.use_bias else tf.zeros([x.shape[-1]], x.dtype)
        return self._shuffle_bias_activation(x, tf.convert_to_tensor(bias), activation)

    def _convolve(self, x, kernel):
        return tf.nn.convolution(x, kernel, padding=self.padding.upper())


class SubpixelConv1D(_Subpixel):
    """Upsamples sequences [B, W, C] to [B, W'*r, F].

    Args: as `SubpixelConv2D`, with one number for each size.
    """

    rank = 1

    def _shuffle(self, x):
        return subpixel_nd.shuffle_1d(x, *self.block_size, self.mode)

    def _shuffle_bias_activation(self, x, bias, activation):
        made = subpixel_fused.shuffle_bias_activation(
            tf.expand_dims(x, 1), bias, [1, *self.block_size], activation, self.mode
        )
        return tf.squeeze(made, [1])


class SubpixelConv2D(_Subpixel):
    """Upsamples images by rh and rw: `activation(shuffle(convolution(inputs, kernel) + bias))`.

    Maps float [B, H, W, C], or [B, C, H, W] for `channels_first`, with known C, to
    [B, H'*rh, W'*rw, F] or [B, F, H'*rh, W'*rw].

    Bias, shuffle and one of TensorFlow's identity, relu, leaky_relu (slope 0.2), elu, selu, sigmoid
    and tanh take one pass over memory; any other activation takes a second.

    Variables: `<name>/kernel` [K, L, C, F*rh*rw], and `<name>/bias` [F*rh*rw] if `use_bias`. Filter
    f of pixel (i, j) of a block has channel `(i*rw + j)*F + f` in mode 'DCR', the order of
    `tf.nn.depth_to_space`, and `(f*rh + i)*rw + j` in mode 'CRD', that of PyTorch's `PixelShuffle`.

    Args:
      filters: F.
      kernel_size: K and L in pixels, or one number for both.
      block_size: rh and rw, or one number for both.
      padding: `same`, zero padding, gives H * rh rows; `valid` gives (H - K + 1) * rh.
      data_format: `channels_last` or `channels_first`; both run on every device.
      activation: function of a tensor, or its name; None is linear.
      use_bias: whether to add a bias.
      kernel_initializer: None is `ICNR` of the variable scope's initializer, or of Glorot's uniform
        if it has none: the initial layer is a convolution with nearest-neighbor upsampling. Any
        other initializer is applied to all F*rh*rw channels.
      bias_initializer: initializer of the bias; zeros by default.
      kernel_regularizer, bias_regularizer, activity_regularizer: as in `Conv2D`.
      kernel_constraint, bias_constraint, trainable: as in `Conv2D`.
      mode: channel order, 'DCR' or 'CRD'.
      name: variable scope; by default `subpixel_conv2d`, with a number if that is taken.
      reuse: (function only) as in `tf.compat.v1.variable_scope`.

    Raises: ValueError if the rank is not 4, C is unknown, an argument is not one of the above, or
      `get_variable` raises.

    Source: Shi et al., CVPR 2016, https://arxiv.org/abs/1609.05158, eq. 4.
    """

    rank = 2

    def _convolve(self, x, kernel):
        return tf.nn.conv2d(x, kernel, 1, self.padding.upper(), name=names.CONVOLUTION_2D)

    def _shuffle(self, x):
        return subpixel.shuffle(x, self.block_size, self.mode)

    def _shuffle_bias_activation(self, x, bias, activation):
        return subpixel_fused.shuffle_bias_activation(
            x, bias, self.block_size, activation, self.mode
        )


class SubpixelConv3D(_Subpixel):
    """Upsamples volumes [B, D, H, W, C] to [B, D'*rd, H'*rh, W'*rw, F].

    Args: as `SubpixelConv2D`, with three numbers for each size, or one for all. Bias, activation
      and shuffle are separate operations.
    """

    rank = 3

    def _shuffle(self, x):
        return subpixel_nd.shuffle_3d(x, self.block_size, self.mode)

    def _shuffle_bias_activation(self, x, bias, activation):
        made = tf.nn.bias_add(x, bias)
        if activation != 'identity':
            made = self.activation(made)
        return self._shuffle(made)


subpixel_conv1d = function(SubpixelConv1D)
subpixel_conv2d = function(SubpixelConv2D)
subpixel_conv3d = function(SubpixelConv3D)
