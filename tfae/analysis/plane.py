"""Two-dimensional views of latent space.

N codes, K directions, Z latent dimensions.
"""

from typing import Literal

import numpy as np
from sklearn.manifold import TSNE

from tfae.analysis import _subspace
from tfae.core import errors

Method = Literal['auto', 'pca', 'tsne']

_SPANNED = 0.98  # fraction of the points that a grid or a traversal spans in each direction


def through(codes: np.ndarray, directions: int = 2) -> _subspace.Subspace:
    """Fits a latent plane to codes: the axes of the code where Z is 1 or 2, else those of PCA.

    Args:
      codes: `[N, Z]`.
      directions: K, more than two for a subspace; at most Z and N are kept.
    Raises: InputError if N is below 2 and Z above 2.
    """
    count, size = codes.shape
    if size <= 2:
        return _subspace.Subspace(np.zeros(size), np.eye(size), 1.0)
    if count < 2:
        raise errors.InputError(f'a latent plane needs at least 2 examples; there is {count}')
    return _subspace.fit(codes, directions)


def tsne(codes: np.ndarray, seed: int) -> np.ndarray:
    """Embeds codes `[N, Z]` in two dimensions `[N, 2]` (van der Maaten and Hinton, 2008).

    A few thousand examples take a minute.

    Raises: InputError if N is below 2.
    """
    if len(codes) < 2:
        raise errors.InputError(f't-SNE needs at least 2 examples; there is {len(codes)}')
    perplexity = min(30.0, (len(codes) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init='pca', random_state=seed).fit_transform(codes)


def lattice(points: np.ndarray, side: int) -> np.ndarray:
    """Returns a grid of points `[side * side, 2]` over the range of most of `points` `[N, 2]`.

    Row by row from the top, as in a plot.
    """
    low, high = _range(points)
    across = np.linspace(low[0], high[0], side)
    down = np.linspace(high[1], low[1], side)
    return np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)


def traversal(
    codes: np.ndarray, start: np.ndarray, count: int, steps: int
) -> dict[int, np.ndarray]:
    """Moves one latent dimension at a time over the range of most codes.

    Source: Higgins et al., ICLR 2017.

    Args:
      codes: `[N, Z]`.
      start: code `[Z]`, which the other dimensions keep.
      count: number of dimensions, those of the largest variance first.
      steps: of each.
    Returns: dimension, from 0 -> codes `[steps, Z]`.
    """
    low, high = _range(codes)
    found = {}
    for k in np.argsort(-codes.var(0), kind='stable')[:count].tolist():
        found[k] = np.repeat(start[None], steps, 0)
        found[k][:, k] = np.linspace(low[k], high[k], steps)
    return found


def _range(points: np.ndarray) -> np.ndarray:
    """Returns the lower and upper end `[2, D]` of the range of most of `points` `[N, D]`."""
    return np.quantile(points, [(1 - _SPANNED) / 2, (1 + _SPANNED) / 2], axis=0)
