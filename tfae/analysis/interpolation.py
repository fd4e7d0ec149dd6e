"""Paths between codes, and grids of codes.

N steps, K keys, Z latent dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfae import data

_FINE = 256  # steps in which the length of a path is measured

# Start [Z], stop [Z] and fractions of the path [N] -> codes [N, Z].
Path = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Decode = Callable[[np.ndarray], np.ndarray]  # codes [N, Z] -> images [N, H, W, C]


def linear(start: np.ndarray, stop: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Returns codes `[N, Z]` at fractions `[N]` of the line from `start` `[Z]` to `stop` `[Z]`."""
    return start + fractions[:, None] * (stop - start)


def spherical(start: np.ndarray, stop: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Returns codes `[N, Z]` on the great circle from `start` to `stop`; norms change linearly.

    Where the two are parallel or opposite, or one is zero, no single great circle joins them, and
    the path is linear. Source: Shoemake, SIGGRAPH 1985; White, arXiv 1609.04468.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(stop)
    if not min(lengths):
        return linear(start, stop, fractions)
    a, b = start / lengths[0], stop / lengths[1]
    angle = np.arccos(np.clip(a @ b, -1, 1))
    if np.sin(angle) < 1e-6:
        return linear(start, stop, fractions)
    first = np.outer(np.sin((1 - fractions) * angle), a)
    directions = (first + np.outer(np.sin(fractions * angle), b)) / np.sin(angle)
    length = lengths[0] + fractions * (lengths[1] - lengths[0])
    return directions * length[:, None]


def at_constant_speed(path: Path, decode: Decode) -> Path:
    """Returns the same path, along which the decoded images change at constant speed.

    Equal fractions have equal arc lengths of the image, in Euclidean distance of the pixels.

    Args:
      path: the path.
      decode: the decoder.
    """

    def constant(start: np.ndarray, stop: np.ndarray, fractions: np.ndarray) -> np.ndarray:
        fine = np.linspace(0, 1, _FINE + 1)
        lengths = np.cumsum([0, *_steps(decode(path(start, stop, fine)))])
        if lengths[-1]:
            fractions = np.interp(fractions * lengths[-1], lengths, fine)
        return path(start, stop, fractions)

    return constant


class Smoothness(NamedTuple):
    """Measures of images along a path; see `smoothness`."""

    path_length: float
    variation: float


def smoothness(images: np.ndarray, steps: int) -> Smoothness:
    """Measures how smoothly images change along a strip, as means over its paths.

    The path length is that of Karras, Laine and Aila (CVPR 2019, equation 2), the mean of
    d(x_i, x_i+1) / e^2 with e the step as a fraction of the path; d is the mean squared error of
    the pixels instead of their perceptual distance. At its minimum, d between the ends, images
    change along a straight line at constant speed. The variation is the standard deviation of the
    distances between consecutive images over their mean, 0 at constant speed.

    Args:
      images: `[(K - 1) * (steps - 1) + 1, H, W, C]`, as of `strip`.
      steps: images from one key to the next, both included.
    """
    lengths = _steps(images).reshape(-1, steps - 1)
    means = lengths.mean(1)
    squares = np.square(lengths).mean() / images[0].size
    variations = np.divide(lengths.std(1), means, out=np.zeros_like(means), where=means > 0)
    return Smoothness(float(squares * (steps - 1) ** 2), float(variations.mean()))


def _steps(images: np.ndarray) -> np.ndarray:
    """Returns the distances `[N - 1]` between consecutive images `[N, H, W, C]`."""
    return np.linalg.norm(np.diff(data.flat(images).astype(np.float64), axis=0), axis=1)


def strip(keys: np.ndarray, steps: int, path: Path) -> np.ndarray:
    """Interpolates through a sequence of codes.

    Args:
      keys: codes `[K, Z]`.
      steps: codes from each key to the next, both included.
      path: between two keys.
    Returns: `[(K - 1) * (steps - 1) + 1, Z]`.
    """
    fractions = np.arange(steps - 1) / (steps - 1)
    paths = [path(a, b, fractions) for a, b in zip(keys[:-1], keys[1:], strict=True)]
    return np.concatenate([*paths, keys[-1:]])


def loop(keys: np.ndarray, steps: int, path: Path) -> np.ndarray:
    """Interpolates as `strip`, back to the first key, which is not repeated."""
    return strip(np.concatenate([keys, keys[:1]]), steps, path)[:-1]


def square(corners: np.ndarray, steps: int, path: Path) -> np.ndarray:
    """Interpolates `[steps, steps, Z]` between corners `[4, Z]`, row by row from the upper left."""
    upper, lower = strip(corners[:2], steps, path), strip(corners[2:], steps, path)
    columns = [strip(np.stack(ends), steps, path) for ends in zip(upper, lower, strict=True)]
    return np.stack(columns, 1)
