"""Directions of largest variance: principal component analysis (Pearson, 1901).

N examples, D values of each, Z components.
"""

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA

_MAX_EIGH = 4096  # D up to which the covariance matrix [D, D] is decomposed


class Subspace(NamedTuple):
    """A point and directions through it."""

    origin: np.ndarray  # [D]
    axes: np.ndarray  # [Z, D], orthonormal, or all 0
    explained: float  # fraction of the variance of the examples

    def flatten(self, examples: np.ndarray) -> np.ndarray:
        """Examples `[N, D]` -> coordinates `[N, Z]`."""
        return (examples - self.origin) @ self.axes.T

    def lift(self, points: np.ndarray) -> np.ndarray:
        """Coordinates `[N, Z]` -> examples `[N, D]` in the subspace."""
        return self.origin + points @ self.axes


def fit(examples: np.ndarray, components: int) -> Subspace:
    """Returns the directions of largest variance through the mean.

    They are exact, since the error of a randomized solver would count as that of PCA. Time and
    memory are bounded by those of a matrix of N x D.

    Args:
      examples: `[N, D]`, float.
      components: largest number; at most N and D are kept.
    """
    components = min(components, *examples.shape)
    # Centered before the products, whose float32 would cancel where the mean is far from 0.
    origin = examples.mean(0, dtype=np.float64).astype(examples.dtype)
    centered = examples - origin
    if not centered.any():
        return Subspace(origin, np.zeros([components, len(origin)], origin.dtype), 0.0)
    if len(origin) <= _MAX_EIGH:
        solver = 'covariance_eigh'
    elif components < min(examples.shape):
        solver = 'arpack'
    else:  # few examples, of which all directions are kept
        solver, centered = 'full', centered.astype(np.float64)
    pca = PCA(components, svd_solver=solver, random_state=0).fit(centered)
    mean, axes = (found.astype(origin.dtype) for found in (pca.mean_, pca.components_))
    return Subspace(origin + mean, axes, float(pca.explained_variance_ratio_.sum()))
