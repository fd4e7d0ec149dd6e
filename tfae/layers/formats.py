"""`channels_last` (NHWC) and `channels_first` (NCHW).

Everything is computed in NHWC, with a transpose before and after for `channels_first`. Most of
TensorFlow's CPU kernels support NHWC only (some support both with oneDNN), so TF1's
`channels_first` layers raised on a CPU. On a GPU, TensorFlow's layout optimizer chooses the format
and removes transposes that cancel.
"""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf

CHANNELS_FIRST = 'channels_first'


def on_channels_last(data_format: str, function: Callable[[Any], Any], inputs: Any) -> Any:
    """Applies a function written for NHWC to 4-D `inputs` in `data_format`."""
    if data_format != CHANNELS_FIRST:
        return function(inputs)
    return tf.transpose(function(tf.transpose(inputs, [0, 2, 3, 1])), [0, 3, 1, 2])


def channel_axis(data_format: str) -> int:
    """Returns the channel axis of a 4-D tensor."""
    return 1 if data_format == CHANNELS_FIRST else 3


def short(data_format: str) -> str:
    """Returns TensorFlow's abbreviation of the format."""
    return 'NCHW' if data_format == CHANNELS_FIRST else 'NHWC'
