"""The slope of a score, which every question about a network's reasons begins with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors

# Tensors and what is fed -> arrays, as a session's `run`.
Fetch = Callable[[Any, dict[tf.Tensor, np.ndarray]], Any]


def slope(who: str, score: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """d score / d tensor, in the shape of `tensor` `[B, H, W, C]`; `score` is `[B]`.

    Each example's score must be made of its own part of `tensor` alone, as it is at inference.

    Raises: ValueError that names `who` if the ranks are others or `score` is not made of `tensor`.
    """
    errors.rank(f'{who}: score', score, 1)
    errors.rank(f'{who}: {tensor.op.name}', tensor, 4)
    (found,) = tf.gradients(score, [tensor])
    if found is None:
        raise ValueError(f'{who}: {score.op.name} is not made of {tensor.op.name}')
    return found
