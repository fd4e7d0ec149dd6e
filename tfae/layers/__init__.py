"""TF1's `tf.layers`, which TensorFlow has removed: functions and classes.

Signatures, defaults, variable names, numbering of default names, `reuse`, collections and values
are TF1's: TF1 programs run and TF1 checkpoints load unchanged. Build inside a graph: in
`with tf.Graph().as_default():`, or after `tf.compat.v1.disable_v2_behavior()`.

    conv1 = tfae.layers.conv2d(data, 64, 5, padding='same', activation=tf.nn.relu, name='truc')
    kernel = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'truc/kernel')[0]

`subpixel_conv1d`, `subpixel_conv2d` and `subpixel_conv3d`, their initializer `ICNR`,
`conv1d_transpose` and `upsample` are tfae's own, in the same form; `recorded_statistics` lists the
means and variances of batch normalization.

`tfae.compat.install()` installs this module as `tf.layers`.

As in TF1, variables are reference variables, unless the scope's `use_resource` or
`tf.compat.v1.resource_variables_enabled()` asks for resource variables: `disable_v2_behavior()`
switches that off. Difference from TF1: `channels_first` runs on every device.
"""

from tfae.layers import experimental
from tfae.layers.base import Layer
from tfae.layers.convolution import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    SeparableConv1D,
    SeparableConv2D,
    conv1d,
    conv1d_transpose,
    conv2d,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    separable_conv1d,
    separable_conv2d,
)
from tfae.layers.core import Dense, Dropout, Flatten, dense, dropout, flatten
from tfae.layers.initializers import ICNR
from tfae.layers.input_spec import InputSpec
from tfae.layers.normalization import (
    BatchNormalization,
    Statistics,
    batch_normalization,
    recorded_statistics,
)
from tfae.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    average_pooling1d,
    average_pooling2d,
    average_pooling3d,
    max_pooling1d,
    max_pooling2d,
    max_pooling3d,
)
from tfae.layers.subpixel_convolution import (
    SubpixelConv1D,
    SubpixelConv2D,
    SubpixelConv3D,
    subpixel_conv1d,
    subpixel_conv2d,
    subpixel_conv3d,
)
from tfae.layers.upsampling import upsample

__all__ = [
    'AveragePooling1D',
    'AveragePooling2D',
    'AveragePooling3D',
    'BatchNormalization',
    'Conv1D',
    'Conv1DTranspose',
    'Conv2D',
    'Conv2DTranspose',
    'Conv3D',
    'Conv3DTranspose',
    'Dense',
    'Dropout',
    'Flatten',
    'ICNR',
    'InputSpec',
    'Layer',
    'MaxPooling1D',
    'MaxPooling2D',
    'MaxPooling3D',
    'SeparableConv1D',
    'SeparableConv2D',
    'Statistics',
    'SubpixelConv1D',
    'SubpixelConv2D',
    'SubpixelConv3D',
    'average_pooling1d',
    'average_pooling2d',
    'average_pooling3d',
    'batch_normalization',
    'conv1d',
    'conv1d_transpose',
    'conv2d',
    'conv2d_transpose',
    'conv3d',
    'conv3d_transpose',
    'dense',
    'dropout',
    'experimental',
    'flatten',
    'max_pooling1d',
    'max_pooling2d',
    'max_pooling3d',
    'recorded_statistics',
    'separable_conv1d',
    'separable_conv2d',
    'subpixel_conv1d',
    'subpixel_conv2d',
    'subpixel_conv3d',
    'upsample',
]


def __getattr__(name: str) -> object:
    # TF1 programs may request layers that are not implemented: list those that are.
    raise AttributeError(f'tfae.layers has no {name!r}; it has {", ".join(__all__)}')
