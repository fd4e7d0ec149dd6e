"""Ways from one code to another, and over a plane of codes.

N steps, Z numbers of a code.
"""

from collections.abc import Callable

import numpy as np

Way = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def linear(start: np.ndarray, stop: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Codes `[N, Z]` on the straight line from `start` `[Z]` (part 0) to `stop` `[Z]` (part 1)."""
    return start + parts[:, None] * (stop - start)


def spherical(start: np.ndarray, stop: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Codes `[N, Z]` on the great circle from `start` to `stop`, the length changing evenly.

    Where the two point the same way or against each other, or one is zero, there is no one great
    circle: then the straight line. Source: Shoemake, SIGGRAPH 1985; White, arXiv 1609.04468.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(stop)
    if not min(lengths):
        return linear(start, stop, parts)
    a, b = start / lengths[0], stop / lengths[1]
    angle = np.arccos(np.clip(a @ b, -1, 1))
    if np.sin(angle) < 1e-6:
        return linear(start, stop, parts)
    turned = np.outer(np.sin((1 - parts) * angle), a) + np.outer(np.sin(parts * angle), b)
    length = lengths[0] + parts * (lengths[1] - lengths[0])
    return turned / np.sin(angle) * length[:, None]


def strip(keys: np.ndarray, steps: int, way: Way) -> np.ndarray:
    """Codes through `keys` `[K, Z]`, `steps` of them from each to the next, both ends among them.

    Returns: `[(K - 1) * (steps - 1) + 1, Z]`.
    """
    parts = np.arange(steps - 1) / (steps - 1)
    ways = [way(a, b, parts) for a, b in zip(keys[:-1], keys[1:], strict=True)]
    return np.concatenate([*ways, keys[-1:]])


def loop(keys: np.ndarray, steps: int, way: Way) -> np.ndarray:
    """Codes through `keys` and back to the first, whose second visit is left out."""
    return strip(np.concatenate([keys, keys[:1]]), steps, way)[:-1]


def square(corners: np.ndarray, steps: int, way: Way) -> np.ndarray:
    """Codes `[steps, steps, Z]` between `corners` `[4, Z]`: upper left, upper right, lower ones."""
    upper, lower = strip(corners[:2], steps, way), strip(corners[2:], steps, way)
    columns = [strip(np.stack(ends), steps, way) for ends in zip(upper, lower, strict=True)]
    return np.stack(columns, 1)
