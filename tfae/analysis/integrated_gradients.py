"""What each pixel adds to a score. Sundararajan, Taly and Yan, Axiomatic attribution, ICML 2017.

    a = (x - b) * integral over t in [0, 1] of d score / d x at b + t (x - b)

b is an image that shows nothing. The axiom of completeness: the sum of a is score(x) - score(b).

B batch, H W C image x.
"""

from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.analysis._slope import Fetch, slope


class Attributions(NamedTuple):
    """What is added, and how exactly the integral was taken."""

    pixels: np.ndarray  # [B, H, W, C], in units of the score
    difference: np.ndarray  # [B], score(x) - score(b)
    gap: np.ndarray  # [B], the sum of `pixels` minus that, which is of the integral's parts


def attribute(
    fetch: Fetch,
    score: tf.Tensor,
    images: tf.Tensor,
    inputs: np.ndarray,
    base: np.ndarray,
    steps: int,
) -> Attributions:
    """What the pixels of `inputs` `[B, H, W, C]` add to `score` `[B]`.

    Args:
      fetch: tensors and what is fed -> arrays, as a session's `run`.
      score: `[B]`, made of `images`.
      images: `[B, H, W, C]`, what images are fed as.
      base: b, `[B, H, W, C]` or what is spread to that.
      steps: equal parts of the way from b to x, each with the slope at its middle.
    Raises: ValueError if there is no step, and as `_slope.slope` does.
    """
    if steps < 1:
        raise ValueError(f'integrated gradients: steps is {steps}; it must be 1 or more')
    at = slope('integrated gradients', score, images)
    base = np.broadcast_to(base, inputs.shape)
    total = np.zeros(inputs.shape)
    for part in (np.arange(steps) + 0.5) / steps:
        total += fetch(at, {images: base + part * (inputs - base)})
    pixels = (inputs - base) * total / steps
    ends = [fetch(score, {images: ends}).astype(np.float64) for ends in (inputs, base)]
    difference = ends[0] - ends[1]
    return Attributions(pixels, difference, pixels.sum((1, 2, 3)) - difference)
