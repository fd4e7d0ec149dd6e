"""TF1's `tf.layers`, which today's TensorFlow has lost: functions and classes.

Signatures, defaults, variable names, numbering of default names, `reuse`, collections and values
are TF1's: TF1 programs run and TF1 checkpoints load unchanged. Build inside a graph: in
`with tf.Graph().as_default():`, or after `tf.compat.v1.disable_v2_behavior()`.

    conv1 = tfae.layers.conv2d(data, 64, 5, padding='same', activation=tf.nn.relu, name='truc')
    kernel = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'truc/kernel')[0]

`subpixel_conv2d`, its initializer `ICNR`, and `upsample` are tfae's own, in the same form;
`recorded_statistics` lists the means and variances of batch normalization.

`tfae.compat.install()` installs this module as `tf.layers`.

Differences from TF1: variables are always resource variables, and `channels_first` runs on every
device. Not implemented: `virtual_batch_size`, layers with one or three spatial dimensions, and
layer attributes that only Keras models used (masks, nodes, configs).
"""

from tfae.layers.base import InputSpec, Layer
from tfae.layers.convolution import (
    Conv2D,
    Conv2DTranspose,
    SeparableConv2D,
    conv2d,
    conv2d_transpose,
    separable_conv2d,
)
from tfae.layers.core import Dense, Dropout, Flatten, dense, dropout, flatten
from tfae.layers.initializers import ICNR
from tfae.layers.normalization import (
    BatchNormalization,
    Statistics,
    batch_normalization,
    recorded_statistics,
)
from tfae.layers.pooling import AveragePooling2D, MaxPooling2D, average_pooling2d, max_pooling2d
from tfae.layers.subpixel_convolution import SubpixelConv2D, subpixel_conv2d
from tfae.layers.upsampling import upsample

__all__ = [
    'AveragePooling2D',
    'BatchNormalization',
    'Conv2D',
    'Conv2DTranspose',
    'Dense',
    'Dropout',
    'Flatten',
    'ICNR',
    'InputSpec',
    'Layer',
    'MaxPooling2D',
    'SeparableConv2D',
    'Statistics',
    'SubpixelConv2D',
    'average_pooling2d',
    'batch_normalization',
    'conv2d',
    'conv2d_transpose',
    'dense',
    'dropout',
    'flatten',
    'max_pooling2d',
    'recorded_statistics',
    'separable_conv2d',
    'subpixel_conv2d',
    'upsample',
]


def __getattr__(name: str) -> object:
    # TF1 programs may request layers that are not implemented: list those that are.
    raise AttributeError(f'tfae.layers has no {name!r}; it has {", ".join(__all__)}')
