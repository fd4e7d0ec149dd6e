"""Frechet distance between two sets of features. Heusel et al., NIPS 2017.

    d^2 = |m - n|^2 + tr(C + D - 2 (C D)^(1/2))

of Gaussians with the means m, n and covariances C, D of the two sets (Dowson and Landau, 1982).
The smaller the sets, the larger d^2, even between samples of one distribution: compare a distance
with that of two sets of real examples of the same sizes.

N examples, F features of each.
"""

from typing import NamedTuple

import numpy as np

from tfae.core import errors


class Moments(NamedTuple):
    """Mean and covariance of a set of features."""

    mean: np.ndarray  # [F]
    covariance: np.ndarray  # [F, F]


def moments(features: np.ndarray) -> Moments:
    """Returns the mean and unbiased covariance of features `[N, F]`.

    Raises: ValueError if the array is not of rank 2, InputError if N is below 2.
    """
    if features.ndim != 2:
        raise ValueError(f'moments: features have shape {features.shape}; it must be [N, F].')
    if len(features) < 2:
        raise errors.InputError(
            f'a Frechet distance needs at least 2 images in each set; there is {len(features)}'
        )
    features = features.astype(np.float64)
    covariance = np.cov(features, rowvar=False).reshape(features.shape[1], -1)
    return Moments(features.mean(0), covariance)


def distance(a: Moments, b: Moments) -> float:
    """Returns d^2 between two sets, 0 or more; symmetric.

    Raises: ValueError if they have different numbers of features.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f'distance: {len(a.mean)} and {len(b.mean)} features; the numbers must be equal.'
        )
    # tr (C D)^(1/2) is the sum of the singular values of C^(1/2) D^(1/2): unlike the root of C D,
    # which is not symmetric, it stays real and works for singular covariances.
    product = _root(a.covariance) @ _root(b.covariance)
    shared = np.linalg.svd(product, compute_uv=False).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * shared
    return max(0.0, float(np.sum(np.square(a.mean - b.mean)) + spread))


def _root(covariance: np.ndarray) -> np.ndarray:
    """Returns the square root of a positive semidefinite matrix, up to rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
