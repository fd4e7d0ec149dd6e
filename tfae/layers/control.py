"""A choice between two branches, made while the graph is built where that is possible."""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf


def branch(choice: Any, if_true: Callable[[], Any], if_false: Callable[[], Any]) -> Any:
    """What the chosen function returns; a boolean tensor chooses when the graph runs."""
    if isinstance(choice, bool):
        return if_true() if choice else if_false()
    return tf.cond(choice, if_true, if_false)
