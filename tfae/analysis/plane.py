"""Codes on a plane that one can look at.

N examples, Z numbers of a code.
"""

from typing import Literal, NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from tfae.core import errors

Method = Literal['auto', 'pca', 'tsne']

_KEPT = 0.98  # part of the points that a grid spans in each direction


class Plane(NamedTuple):
    """The K directions in which codes are spread most, in the coordinates of codes."""

    origin: np.ndarray  # [Z]
    axes: np.ndarray  # [K, Z], orthonormal
    explained: float  # part of the variance of the codes that lies in it

    def flatten(self, codes: np.ndarray) -> np.ndarray:
        """Codes `[N, Z]` -> coordinates `[N, K]`."""
        return (codes - self.origin) @ self.axes.T

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Coordinates `[N, K]` -> codes `[N, Z]` that lie in the plane."""
        return self.origin + points @ self.axes


def through(codes: np.ndarray, directions: int = 2) -> Plane:
    """The plane of codes `[N, Z]`: their own coordinates where Z is 1 or 2, else PCA's first.

    Of more than two `directions` it is no plane; K is never more than Z or N.

    Raises: InputError if N is below 2 and Z above.
    """
    count, size = codes.shape
    if size <= 2:
        return Plane(np.zeros(size), np.eye(size), 1.0)
    if count < 2:
        raise errors.InputError(f'a plane through codes needs 2 examples or more; there is {count}')
    pca = PCA(min(directions, size, count), svd_solver='covariance_eigh').fit(codes)
    return Plane(pca.mean_, pca.components_, float(pca.explained_variance_ratio_.sum()))


def tsne(codes: np.ndarray, seed: int) -> np.ndarray:
    """Codes `[N, Z]` -> `[N, 2]` whose neighbors are neighbors (van der Maaten, Hinton 2008).

    N must exceed 3; a few thousand take a minute.
    """
    perplexity = min(30.0, (len(codes) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init='pca', random_state=seed).fit_transform(codes)


def lattice(points: np.ndarray, side: int) -> np.ndarray:
    """Points `[side * side, 2]` evenly over where most of `points` `[N, 2]` lie, row by row.

    The first row is the uppermost, as on a drawn plane.
    """
    low, high = np.quantile(points, [(1 - _KEPT) / 2, (1 + _KEPT) / 2], axis=0)
    across = np.linspace(low[0], high[0], side)
    down = np.linspace(high[1], low[1], side)
    return np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)
