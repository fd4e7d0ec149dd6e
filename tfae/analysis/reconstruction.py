"""Errors and sharpness of reconstructions.

N examples, H x W image, C channels; pixels in [0, 1]. Missing values, NaN, do not count.
"""

import math

import numpy as np


def mse(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Returns the mean squared error per pixel of images `[N, H, W, C]`."""
    wanted = images.astype(np.float64)
    return _mean(np.square(wanted - reconstructions), wanted)


def psnr(images: np.ndarray, denoised: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio of images `[N, H, W, C]` in dB; inf if equal."""
    error = mse(images, denoised)
    return -10 * math.log10(error) if error else math.inf


def bce(images: np.ndarray, logits: np.ndarray) -> float:
    """Returns the binary cross-entropy of images `[N, H, W, C]` under logits, in nats per pixel."""
    logits = logits.astype(np.float64)
    return _mean(np.logaddexp(0, logits) - images * logits, images)


def entropy(images: np.ndarray) -> float:
    """Returns the mean entropy of gray targets in nats per pixel: the lower bound of `bce`."""
    p = images.astype(np.float64)
    with np.errstate(divide='ignore', invalid='ignore'):
        terms = p * np.log(p) + (1 - p) * np.log1p(-p)
    return float(np.mean(np.nan_to_num(-terms)))  # 0 for binary images, not -0


def _mean(values: np.ndarray, images: np.ndarray) -> float:
    """Returns the mean of `values` `[N, ...]` where the images have a value."""
    there = ~np.isnan(images)
    return float(np.mean(values if there.all() else values[there]))


def sharpness(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Returns the mean gradient magnitude of reconstructions relative to images `[N, H, W, C]`.

    1 means edges as sharp as those of the images, less than 1 means blur.
    """
    found, wanted = (_gradient_magnitude(x.astype(np.float64)) for x in (reconstructions, images))
    return found / max(wanted, np.finfo(np.float64).tiny)  # images without an edge


def _gradient_magnitude(x: np.ndarray) -> float:
    """Returns the mean gradient norm, by differences to the pixels below and to the right."""
    down, right = (np.diff(x, axis=axis, append=x.take([-1], axis)) for axis in (1, 2))
    return float(np.mean(np.hypot(down, right)))
