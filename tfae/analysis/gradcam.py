"""The regions of an image that support a score. Selvaraju et al., Grad-CAM, ICCV 2017.

    weight_k = mean over positions (i, j) of d score / d A_ijk
    heat_ij  = max(0, sum over k of weight_k A_ijk)

B batch, H W image, h w positions of the feature map A, K channels.
"""

from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.analysis._gradient import gradient


class Maps(NamedTuple):
    """Channel weights and the heat map of a score."""

    weights: tf.Tensor  # [B, K]
    heat: tf.Tensor  # [B, h, w], 0 where nothing supports the score


def build(score: tf.Tensor, layer: tf.Tensor) -> Maps:
    """Builds the heat map of a score.

    Args:
      score: `[B]`, a function of `layer`.
      layer: feature map `[B, h, w, K]`.
    Raises: ValueError as `_gradient.gradient` does.
    """
    weights = tf.reduce_mean(gradient('Grad-CAM', score, layer), [1, 2])
    heat = tf.nn.relu(tf.reduce_sum(weights[:, tf.newaxis, tf.newaxis] * layer, -1))
    return Maps(weights, heat)


def upsample(heat: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Upsamples `[B, h, w]` to `[B, height, width]`, bilinear between pixel centers."""
    # The raw op: tf.image.resize of compat.v1 aligns pixel corners.
    upsampled = tf.raw_ops.ResizeBilinear(
        images=heat[..., tf.newaxis], size=[height, width], half_pixel_centers=True
    )
    return upsampled[..., 0]
