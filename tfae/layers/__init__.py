"""TF1's `tf.layers`, which today's TensorFlow has lost: functions and classes.

Signatures, defaults, variable names, the numbers of default names, `reuse`, collections and values
are TF1's, so that a TF1 program and a TF1 checkpoint know no difference. Build inside a graph: in
`with tf.Graph().as_default():`, or after `tf.compat.v1.disable_v2_behavior()`.

    conv1 = tfae.layers.conv2d(data, 64, 5, padding='same', activation=tf.nn.relu, name='truc')
    kernel = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'truc/kernel')[0]

`subpixel_conv2d`, its initializer `ICNR`, and `upsample` are tfae's own, in the same form;
`recorded_statistics` lists what batch normalization normalizes by.

`tfae.compat.install()` puts this module where TF1 programs look for it.

What differs from TF1: variables are always resource variables; `channels_first` runs on every
device; `virtual_batch_size` and layers of one and three spatial dimensions are not here, nor are
the parts of a layer that only Keras models used (masks, nodes, configs).
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
    # A TF1 program that asks for what is not here learns what is.
    raise AttributeError(f'tfae.layers has no {name!r}; it has {", ".join(__all__)}')
