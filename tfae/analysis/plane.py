"""Two-dimensional views of latent space.

N examples, K directions, Z latent dimensions.
"""

from typing import Literal, NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from tfae.core import errors

Method = Literal['auto', 'pca', 'tsne']

_SPANNED = 0.98  # fraction of the points that a grid spans in each direction


class Plane(NamedTuple):
    """The K directions of largest variance of a set of codes."""

    origin: np.ndarray  # [Z]
    axes: np.ndarray  # [K, Z], orthonormal
    explained: float  # fraction of the variance of the codes

    def flatten(self, codes: np.ndarray) -> np.ndarray:
        """Codes `[N, Z]` -> coordinates `[N, K]`."""
        return (codes - self.origin) @ self.axes.T

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Coordinates `[N, K]` -> codes `[N, Z]` in the plane."""
        return self.origin + points @ self.axes


def through(codes: np.ndarray, directions: int = 2) -> Plane:
    """Fits a latent plane to codes: the axes of the code where Z is 1 or 2, else those of PCA.

    Args:
      codes: `[N, Z]`.
      directions: K, more than two for a subspace; at most Z and N are kept.
    Raises: InputError if N is below 2 and Z above 2.
    """
    count, size = codes.shape
    if size <= 2:
        return Plane(np.zeros(size), np.eye(size), 1.0)
    if count < 2:
        raise errors.InputError(f'a latent plane needs 2 examples or more; there is {count}')
    pca = PCA(min(directions, size, count), svd_solver='covariance_eigh').fit(codes)
    return Plane(pca.mean_, pca.components_, float(pca.explained_variance_ratio_.sum()))


def tsne(codes: np.ndarray, seed: int) -> np.ndarray:
    """Embeds codes `[N, Z]` in two dimensions `[N, 2]` (van der Maaten and Hinton, 2008).

    N must exceed 3; a few thousand examples take a minute.
    """
    perplexity = min(30.0, (len(codes) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init='pca', random_state=seed).fit_transform(codes)


def lattice(points: np.ndarray, side: int) -> np.ndarray:
    """Returns a grid of points `[side * side, 2]` over the range of most of `points` `[N, 2]`.

    Row by row from the top, as in a plot.
    """
    low, high = np.quantile(points, [(1 - _SPANNED) / 2, (1 + _SPANNED) / 2], axis=0)
    across = np.linspace(low[0], high[0], side)
    down = np.linspace(high[1], low[1], side)
    return np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)
