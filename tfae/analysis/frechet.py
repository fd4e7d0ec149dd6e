"""Frechet distance between two sets of features. Heusel et al., NIPS 2017.

    d^2 = |m - n|^2 + tr(C + D - 2 (C D)^(1/2))

of normal distributions with the means m, n and covariances C, D of the sets (Dowson and Landau,
1982): zero where both agree. The fewer the features, the larger d^2 even of two sets of one kind: a
distance means something beside that of two sets of real ones of the same sizes.

N examples, F features.
"""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """What the distance sees of a set."""

    mean: np.ndarray  # [F]
    covariance: np.ndarray  # [F, F]


def moments(features: np.ndarray) -> Moments:
    """Mean and unbiased covariance of features `[N, F]`.

    Raises: ValueError if they are no such array, or N is below 2.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f'moments: features are {features.shape}; they must be [N, F] with N of 2 or more.'
        )
    features = features.astype(np.float64)
    covariance = np.cov(features, rowvar=False).reshape(features.shape[1], -1)
    return Moments(features.mean(0), covariance)


def distance(a: Moments, b: Moments) -> float:
    """d^2 between two sets; symmetric, 0 or more.

    Raises: ValueError if they have different numbers of features.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f'distance: {len(a.mean)} and {len(b.mean)} features came; they must be as many.'
        )
    # tr (C D)^(1/2) is the sum of the singular values of C^(1/2) D^(1/2): unlike the root of C D,
    # which is not symmetric, it needs no complex numbers and takes singular covariances as well.
    product = _root(a.covariance) @ _root(b.covariance)
    shared = np.linalg.svd(product, compute_uv=False).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * shared
    return max(0.0, float(np.sum(np.square(a.mean - b.mean)) + spread))


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root of a symmetric matrix without negative eigenvalues, rounding aside."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
