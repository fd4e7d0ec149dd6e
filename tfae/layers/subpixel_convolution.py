"""Sub-pixel convolution: a convolution at the small size whose channels become pixels.

    y = shuffle(activation(convolution(x, kernel) + bias))

The bias has a number for each channel before the shuffle, so that each pixel of a block has its
own, as eq. 4 of the source has it.

Source: Shi, Caballero, Huszar, Totz, Aitken, Bishop, Rueckert and Wang, Real-Time Single Image and
Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016,
https://arxiv.org/abs/1609.05158.

Letters of shapes: B batch, H W image, C channels in, F filters, K L kernel, rh rw block.
"""

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.layers import arguments, formats
from tfae.layers.base import ZEROS, Configured, InputSpec, apply, require
from tfae.layers.initializers import ICNR
from tfae.ops import subpixel, subpixel_fused

# `(function, name)` of the activations that the op of bias and shuffle does as well. TensorFlow has
# some of its functions as several objects.
_FUSED = [
    (getattr(place, name), name)
    for name in subpixel_fused.ACTIVATIONS
    for place in (tf, tf.nn, tf.compat.v2.nn)
    if hasattr(place, name)
]


class SubpixelConv2D(Configured):
    """Convolution, then channels into space; see `subpixel_conv2d`."""

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
        self.kernel_size = arguments.pair(f'{self.name}: kernel_size', self.kernel_size)
        self.block_size = arguments.pair(f'{self.name}: block_size', self.block_size)
        self.padding = arguments.padding(self.name, self.padding)
        self.data_format = arguments.data_format(self.name, self.data_format)
        self.activation = arguments.activation(self.name, self.activation)
        errors.one_of(f'{self.name}: mode', self.mode, subpixel.MODES)
        self.input_spec = InputSpec(ndim=4)

    def build(self, input_shape):
        """Makes `kernel` [K, L, C, F*rh*rw] and `bias` [F*rh*rw]."""
        axis = formats.channel_axis(self.data_format)
        channels = require(self.name, input_shape, axis)
        wide = self.filters * self.block_size[0] * self.block_size[1]
        given = self.kernel_initializer
        if given is None:
            given = ICNR(self.block_size, tf.get_variable_scope().initializer, self.mode)
        shape = [*self.kernel_size, channels, wide]
        self.kernel = self.weight(names.KERNEL, shape, initializer=given)
        self.bias = self.weight(names.BIAS, [wide]) if self.use_bias else None
        self.input_spec = InputSpec(ndim=4, axes={axis: channels})

    def call(self, inputs):
        """Maps [B, H, W, C] to [B, H'*rh, W'*rw, F]."""
        fused = self._fused()
        outputs = formats.on_channels_last(
            self.data_format, lambda x: self._enlarge(x, fused), inputs
        )
        return outputs if fused or self.activation is None else self.activation(outputs)

    def _fused(self):
        """The name of the activation where the fused op has it, else None."""
        if self.activation is None:
            return 'identity'
        return next((name for function, name in _FUSED if function is self.activation), None)

    def _enlarge(self, x, fused):
        """Convolution, bias, the activation called `fused`, if any, and shuffle, of NHWC."""
        kernel = tf.convert_to_tensor(self.kernel)
        x = tf.nn.conv2d(x, kernel, 1, self.padding.upper(), name=names.CONVOLUTION_2D)
        activation = fused or 'identity'
        if not self.use_bias and activation == 'identity':
            return subpixel.shuffle(x, self.block_size, self.mode)
        bias = self.bias if self.use_bias else tf.zeros([x.shape[-1]], x.dtype)
        bias = tf.convert_to_tensor(bias)
        return subpixel_fused.shuffle_bias_activation(
            x, bias, self.block_size, activation, self.mode
        )


def subpixel_conv2d(
    inputs,
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
    reuse=None,
):
    """`activation(shuffle(convolution(inputs, kernel) + bias))`: enlarges by rh and rw.

    Bias, shuffle and one of TensorFlow's identity, relu, leaky_relu (slope 0.2), elu, selu, sigmoid
    and tanh are one pass over memory; every other activation is a second one.

    Variables: `<name>/kernel` [K, L, C, F*rh*rw], and `<name>/bias` [F*rh*rw] if `use_bias`. The
    channel of filter f for the pixel (i, j) of a block is `(i*rw + j)*F + f` in mode 'DCR', that of
    `tf.nn.depth_to_space`, and `(f*rh + i)*rw + j` in mode 'CRD', that of PyTorch's `PixelShuffle`.

    Args:
      inputs: float tensor [B, H, W, C], or [B, C, H, W] for `channels_first`, with known C.
      filters: F.
      kernel_size: K and L, or one number for both.
      block_size: rh and rw, or one number for both.
      padding: `same`, zeros around, so that H rows give H * rh; or `valid`: (H - K + 1) * rh.
      data_format: `channels_last` or `channels_first`; both run on every device.
      activation: function of a tensor, or its name in `tf.nn`; None is linear.
      use_bias: whether there is a bias.
      kernel_initializer: None is `ICNR` of the variable scope's initializer, and without one of
        Glorot's uniform: the layer starts as the nearest-neighbor enlargement of a convolution.
        One that is given is used as it is, for all F*rh*rw channels.
      bias_initializer: zeros.
      kernel_regularizer, bias_regularizer, activity_regularizer: as in `conv2d`.
      kernel_constraint, bias_constraint, trainable: as in `conv2d`.
      mode: the order of the channels, 'DCR' or 'CRD'.
      name: the variable scope; by default `subpixel_conv2d`, with a number where that is taken.
      reuse: as in `tf.compat.v1.variable_scope`.

    Returns: float tensor [B, H'*rh, W'*rw, F], or [B, F, H'*rh, W'*rw].

    Raises: ValueError if the rank is not 4, C is not known, an argument is not one of the above,
      and where `get_variable` refuses.

    Source: Shi et al., CVPR 2016, https://arxiv.org/abs/1609.05158, eq. 4.
    """
    return apply(SubpixelConv2D, locals())
