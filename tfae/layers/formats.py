"""`channels_last` (as NHWC) and `channels_first` (as NCHW).

Everything is computed in channels last, with a transpose before and after for `channels_first`.
Most of TensorFlow's CPU kernels support channels last only (some support both with oneDNN), so
TF1's `channels_first` layers raised on a CPU. On a GPU, TensorFlow's layout optimizer chooses the
format and removes transposes that cancel.
"""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf

CHANNELS_FIRST = 'channels_first'


def on_channels_last(data_format: str, function: Callable[[Any], Any], inputs: Any) -> Any:
    """Applies a function written for channels last to `inputs` [B, ..., C] in `data_format`."""
    if data_format != CHANNELS_FIRST:
        return function(inputs)
    rank = inputs.shape.rank
    outputs = function(tf.transpose(inputs, [0, *range(2, rank), 1]))
    return tf.transpose(outputs, [0, rank - 1, *range(1, rank - 1)])


def channel_axis(data_format: str) -> int:
    """Returns the channel axis."""
    return 1 if data_format == CHANNELS_FIRST else -1
