"""How well images come back.

N examples, H x W image, C channels; pixels in [0, 1].
"""

import math

import numpy as np


def mse(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Mean squared error per pixel of images `[N, H, W, C]`."""
    return float(np.mean(np.square(images.astype(np.float64) - reconstructions)))


def psnr(images: np.ndarray, restored: np.ndarray) -> float:
    """Peak signal-to-noise ratio of images `[N, H, W, C]` in dB; infinite where they are equal."""
    error = mse(images, restored)
    return -10 * math.log10(error) if error else math.inf


def bce(images: np.ndarray, logits: np.ndarray) -> float:
    """Binary cross-entropy in nats per pixel of images `[N, H, W, C]` under sigmoid(logits)."""
    logits = logits.astype(np.float64)
    return float(np.mean(np.logaddexp(0, logits) - images * logits))


def entropy(images: np.ndarray) -> float:
    """Mean entropy in nats per pixel of gray targets: what no reconstruction's `bce` goes below."""
    p = images.astype(np.float64)
    with np.errstate(divide='ignore', invalid='ignore'):
        terms = p * np.log(p) + (1 - p) * np.log1p(-p)
    return float(-np.mean(np.nan_to_num(terms)))


def sharpness(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Mean gradient magnitude of the reconstructions over that of the images `[N, H, W, C]`.

    1 means edges as steep as those of the images, less than 1 blur.
    """
    found, wanted = (_steepness(x.astype(np.float64)) for x in (reconstructions, images))
    return found / max(wanted, np.finfo(np.float64).tiny)  # images without an edge


def _steepness(x: np.ndarray) -> float:
    """Mean length of the gradient, by differences to the pixels below and to the right."""
    down, right = (np.diff(x, axis=axis, append=x.take([-1], axis)) for axis in (1, 2))
    return float(np.mean(np.hypot(down, right)))
