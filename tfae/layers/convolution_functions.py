"""Convolutions of images: the functions, TF1's signatures.

Letters of shapes: B batch, H W image, C channels in, F filters, M depth multiplier, K L kernel.
"""

from tfae.layers.configured import ZEROS, apply
from tfae.layers.convolution import Conv2D, Conv2DTranspose, SeparableConv2D


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
    """`activation(convolution(inputs, kernel) + bias)`.

    Variables: `<name>/kernel` [K, L, C, F], and `<name>/bias` [F] if `use_bias`.

    Args:
      inputs: float tensor [B, H, W, C], or [B, C, H, W] for `channels_first`, with known C.
      filters: F.
      kernel_size: K and L, or one number for both.
      strides: steps of the kernel, or one number for both.
      padding: `valid`, or `same`: zeros around, so that H rows give ceil(H / stride).
      data_format: `channels_last` or `channels_first`; both run on every device.
      dilation_rate: distance of the pixels that a kernel sees, or one number for both.
      activation: function of a tensor, or its name in `tf.nn`; None is linear.
      use_bias: whether there is a bias.
      kernel_initializer: None is the variable scope's, and without one Glorot's uniform.
      bias_initializer: zeros.
      kernel_regularizer, bias_regularizer: functions of the variable that return a scalar loss.
      activity_regularizer: function of the output that returns a scalar loss; it is divided by B.
      kernel_constraint, bias_constraint: functions that an optimizer applies after its update.
      trainable: whether the variables go to `TRAINABLE_VARIABLES`.
      name: the variable scope; by default `conv2d`, with a number where that is taken.
      reuse: as in `tf.compat.v1.variable_scope`.

    Returns: float tensor [B, H', W', F], or [B, F, H', W'].

    Raises: ValueError if the rank is not 4, C is not known, strides and dilation are both above 1,
      an argument is not one of the above, and where `get_variable` refuses.
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
    """`activation(y + bias)`, y the gradient of a convolution by its input, applied to `inputs`.

    H rows give H * stride for `same`, and H * stride + max(K - stride, 0) for `valid`.

    Variables: `<name>/kernel` [K, L, F, C] (the output comes before the input), and `<name>/bias`
    [F] if `use_bias`.

    Args, result and errors: as `conv2d`, without dilation; the default name is `conv2d_transpose`.

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
    """A convolution of each channel by its own kernels, then one of the channels at each pixel.

    Variables: `<name>/depthwise_kernel` [K, L, C, M], `<name>/pointwise_kernel` [1, 1, C * M, F],
    and `<name>/bias` [F] if `use_bias`.

    Args:
      depth_multiplier: M, how many kernels each channel has.
      depthwise_initializer, pointwise_initializer, depthwise_regularizer, pointwise_regularizer,
        depthwise_constraint, pointwise_constraint: as `conv2d`'s for its kernel.

    The other arguments, the result and the errors are those of `conv2d`; the default name is
    `separable_conv2d`. TensorFlow's CPU kernel without oneDNN wants both strides equal.
    """
    return apply(SeparableConv2D, locals())
