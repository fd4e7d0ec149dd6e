"""Saliency: gradients of a score. Simonyan, Vedaldi and Zisserman, ICLR Workshop 2014.

    map_ij = max over the channels c of |d score / d x_ijc|

B batch, H W C image x.
"""

from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.analysis._gradient import gradient


class Maps(NamedTuple):
    """The gradient of a score and its saliency map."""

    gradient: tf.Tensor  # [B, H, W, C]
    map: tf.Tensor  # [B, H, W]


def build(score: tf.Tensor, images: tf.Tensor) -> Maps:
    """Builds the saliency map of `score` `[B]`, a function of `images` `[B, H, W, C]`.

    Raises: ValueError as `_gradient.gradient` does.
    """
    found = gradient('saliency', score, images)
    return Maps(found, tf.reduce_max(tf.abs(found), -1))
