"""The anomaly scores of `tfae.analysis.anomaly` and `table_anomaly` as a graph, for export.

B batch, H x W image, C channels, Z latent dimensions, K mixture components, F = Z + 3 features.
"""

import math

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import losses
from tfae.analysis import anomaly, table_anomaly

_TRUNCATE = 4.0  # standard deviations at which scipy truncates a Gaussian


def score(
    detector: anomaly.Detector, images: tf.Tensor, code: tf.Tensor, reconstruction: tf.Tensor
) -> tf.Tensor:
    """Builds the graph of `detector.scores`.

    Args:
      detector: fitted.
      images: `[B, H, W, C]` in [0, 1], or normalized examples of another shape.
      code: `[B, Z]`.
      reconstruction: of the same shape.

    Returns: scores in nats, float32 `[B]`.
    """
    # Features: the scaled code, and log residuals at three blurs.
    blur = float(detector.blur)
    difference = reconstruction - images
    residuals = [_residual(difference, s) for s in ((0.0, blur, 2 * blur) if blur else (0.0,))]
    # 1e-12 as in analysis/anomaly.py.
    logs = tf.math.log(tf.stack(residuals, 1) + 1e-12)
    features = tf.concat([tf.cast(code, tf.float64) / float(detector.spread), logs], 1)
    # Log density under the Gaussian mixture.
    inverses = np.linalg.inv(detector.factors)  # [K, F, F]
    centered = features - detector.means[:, np.newaxis]  # [K, B, F]
    white = tf.matmul(centered, inverses.transpose(0, 2, 1))
    size = detector.means.shape[1]
    volumes = np.log(np.diagonal(detector.factors, axis1=1, axis2=2)).sum(1)
    heights = detector.log_weights - volumes - size / 2 * math.log(2 * math.pi)  # [K]
    densities = heights[:, np.newaxis] - tf.reduce_sum(tf.square(white), 2) / 2
    # Negative log-likelihood of the residual, a Gaussian per independent cell of the blur, or
    # column of a table.
    sizes = images.shape.as_list()[1:]
    cells = float(math.prod(sizes))
    if blur:
        cells = math.prod(sizes[:2]) / (4 * math.pi * blur**2)
    cost = cells / 2 / float(detector.residual) * residuals[len(residuals) // 2]
    return tf.cast(cost - tf.reduce_logsumexp(densities, 0), tf.float32)


def contributions(
    detector: table_anomaly.Detector,
    rows: tf.Tensor,
    reconstruction: tf.Tensor,
    present: tf.Tensor | None = None,
) -> tf.Tensor:
    """Builds the graph of `detector.contributions`, float32 `[B, D]` in nats.

    Args:
      detector: fitted.
      rows: `[B, D]`, normalized.
      reconstruction: `[B, D]`, normalized.
      present: `[B, D]`, 1 where there is a value, 0 where it is missing; None: all are there.
    """
    squares = tf.square(tf.cast(reconstruction, tf.float64) - tf.cast(rows, tf.float64))
    found = tf.cast(squares / (2 * detector.variances.astype(np.float64)), tf.float32)
    return found if present is None else found * losses.over_present(present)


def _residual(difference: tf.Tensor, blur: float) -> tf.Tensor:
    """Returns the mean square, float64 `[B]`, of `[B, H, W, C]` after a Gaussian blur in pixels."""
    if blur:
        radius = int(_TRUNCATE * blur + 0.5)
        weights = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / blur))
        channels = difference.shape[3]
        line = np.repeat(weights / weights.sum(), channels).reshape(-1, 1, channels, 1)
        for kernel in (line, line.transpose(1, 0, 2, 3)):
            kernel = kernel.astype(np.float32)
            difference = tf.nn.depthwise_conv2d(difference, kernel, [1, 1, 1, 1], 'SAME')
    axes = list(range(1, difference.shape.rank))
    return tf.reduce_mean(tf.square(tf.cast(difference, tf.float64)), axes)
