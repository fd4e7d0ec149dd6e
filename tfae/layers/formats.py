"""`channels_last` (NHWC) and `channels_first` (NCHW).

Everything is computed in NHWC, with a transpose before and after for `channels_first`: most of
TensorFlow's CPU kernels know NHWC only (with oneDNN some know more), so TF1's `channels_first`
layers raised when they ran on a CPU. On a GPU TensorFlow's own layout optimizer chooses the format
and removes transposes that cancel.
"""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf

CHANNELS_FIRST = 'channels_first'


def on_channels_last(data_format: str, function: Callable[[Any], Any], inputs: Any) -> Any:
    """`function`, which is written for NHWC, of 4-D `inputs` that are in `data_format`."""
    if data_format != CHANNELS_FIRST:
        return function(inputs)
    return tf.transpose(function(tf.transpose(inputs, [0, 2, 3, 1])), [0, 3, 1, 2])


def channel_axis(data_format: str) -> int:
    """The axis of the channels in a 4-D tensor."""
    return 1 if data_format == CHANNELS_FIRST else 3


def short(data_format: str) -> str:
    """TensorFlow's own word for the format."""
    return 'NCHW' if data_format == CHANNELS_FIRST else 'NHWC'
