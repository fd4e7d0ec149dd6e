"""Where a network looks. Selvaraju et al., Grad-CAM, ICCV 2017.

    weight_k = mean over the places (i, j) of d score / d A_ijk
    heat_ij  = max(0, sum over k of weight_k A_ijk)

B batch, H W image, h w feature maps A, K of them.
"""

from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.analysis._slope import slope


class Maps(NamedTuple):
    """What speaks for a score, and where."""

    weights: tf.Tensor  # [B, K]
    heat: tf.Tensor  # [B, h, w], 0 where nothing does


def build(score: tf.Tensor, layer: tf.Tensor) -> Maps:
    """The maps of `score` `[B]`, which is made of `layer` `[B, h, w, K]`.

    Raises: ValueError as `_slope.slope` does.
    """
    weights = tf.reduce_mean(slope('Grad-CAM', score, layer), [1, 2])
    heat = tf.nn.relu(tf.reduce_sum(weights[:, tf.newaxis, tf.newaxis] * layer, -1))
    return Maps(weights, heat)


def enlarge(heat: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """`[B, h, w]` -> `[B, height, width]`, bilinear between the middles of places."""
    # The raw op: tf.image.resize of compat.v1 puts values at the corners of places.
    enlarged = tf.raw_ops.ResizeBilinear(
        images=heat[..., tf.newaxis], size=[height, width], half_pixel_centers=True
    )
    return enlarged[..., 0]
