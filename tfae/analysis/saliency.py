"""Which pixels a score hangs on. Simonyan, Vedaldi and Zisserman, ICLR Workshop 2014.

    map_ij = max over the channels c of |d score / d x_ijc|

B batch, H W C image x.
"""

from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.analysis._slope import slope


class Maps(NamedTuple):
    """How a score changes with the image."""

    slope: tf.Tensor  # [B, H, W, C]
    map: tf.Tensor  # [B, H, W]


def build(score: tf.Tensor, images: tf.Tensor) -> Maps:
    """The maps of `score` `[B]`, which is made of `images` `[B, H, W, C]`.

    Raises: ValueError as `_slope.slope` does.
    """
    found = slope('saliency', score, images)
    return Maps(found, tf.reduce_max(tf.abs(found), -1))
