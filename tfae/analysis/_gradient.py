"""The gradient of a score, which attributions and gradient ascent start from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors

# Evaluates tensors with a feed dictionary, as a session's `run`.
Fetch = Callable[[Any, dict[tf.Tensor, np.ndarray]], Any]


def gradient(who: str, score: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Returns d score / d tensor, in the shape of `tensor`.

    Each example's score must depend on its own slice of `tensor` alone, as it does at inference.

    Args:
      who: name of the method, for errors.
      score: `[B]`.
      tensor: `[B, H, W, C]`.
    Raises: ValueError if the ranks are others or `score` does not depend on `tensor`.
    """
    errors.rank(f'{who}: score', score, 1)
    errors.rank(f'{who}: {tensor.op.name}', tensor, 4)
    (found,) = tf.gradients(score, [tensor])
    if found is None:
        raise ValueError(f'{who}: {score.op.name} does not depend on {tensor.op.name}')
    return found
