"""Updates of moving averages, for `UPDATE_OPS`."""

from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import names


def moving_average(variable: Any, value: Any, momentum: Any) -> Any:
    """The op of `variable = momentum * variable + (1 - momentum) * value`."""
    with tf.name_scope(names.MOVING_AVERAGE) as scope:
        decay = tf.cast(1.0 - momentum, variable.dtype.base_dtype)
        step = (variable - tf.cast(value, variable.dtype.base_dtype)) * decay
        # A scope's name as the op's name: TF1 called the update after its scope.
        return variable.assign_sub(step, name=scope, read_value=False)


def new_value(variable: Any, value: Any) -> Any:
    """The op of `variable = value`."""
    with tf.name_scope(names.NEW_VALUE) as scope:
        return variable.assign(value, name=scope, read_value=False)
