"""Paths between codes, and grids of codes.

N steps, K keys, Z latent dimensions.
"""

from collections.abc import Callable

import numpy as np

# Start [Z], stop [Z] and fractions of the path [N] -> codes [N, Z].
Path = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


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
