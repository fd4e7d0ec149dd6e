"""Attribution of a score to pixels. Sundararajan, Taly and Yan, ICML 2017.

    a = (x - b) * integral over t in [0, 1] of d score / d x at b + t (x - b)

b is a baseline image. Completeness: the attributions sum to score(x) - score(b).

B batch, H W C image x.
"""

from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.analysis._gradient import Fetch, gradient


class Attributions(NamedTuple):
    """Attributions of pixels, and the accuracy of the integral."""

    pixels: np.ndarray  # [B, H, W, C], in units of the score
    difference: np.ndarray  # [B], score(x) - score(b)
    gap: np.ndarray  # [B], sum of `pixels` - `difference`: the error of the integral


def attribute(
    fetch: Fetch,
    score: tf.Tensor,
    images: tf.Tensor,
    inputs: np.ndarray,
    base: np.ndarray,
    steps: int,
) -> Attributions:
    """Attributes a score to the pixels of the inputs.

    Args:
      fetch: evaluates tensors with a feed dictionary, as a session's `run`.
      score: `[B]`, a function of `images`.
      images: `[B, H, W, C]`, the tensor through which images are fed.
      inputs: x, `[B, H, W, C]`.
      base: b, `[B, H, W, C]` or an array that broadcasts to it.
      steps: of the midpoint rule on the line from b to x.
    Returns: the attributions.
    Raises: ValueError if there is no step, and as `_gradient.gradient` does.
    """
    if steps < 1:
        raise ValueError(f'integrated gradients: steps is {steps}; it must be 1 or more')
    of_score = gradient('integrated gradients', score, images)
    base = np.broadcast_to(base, inputs.shape)
    total = np.zeros(inputs.shape)
    for fraction in (np.arange(steps) + 0.5) / steps:
        total += fetch(of_score, {images: base + fraction * (inputs - base)})
    pixels = (inputs - base) * total / steps
    ends = [fetch(score, {images: ends}).astype(np.float64) for ends in (inputs, base)]
    difference = ends[0] - ends[1]
    return Attributions(pixels, difference, pixels.sum((1, 2, 3)) - difference)
