"""Principal component analysis, the baseline beside every reconstruction.

N examples, H x W image, C channels, Z components.
"""

import math

import numpy as np
from sklearn.decomposition import PCA

from tfae import data

_MOST_NUMBERS = 2**28  # that are fitted
_LARGE = 4096  # pixels from which the components are found one by one, to the last place too


class Baseline:
    """PCA with as many components as a code has numbers, fitted on training images."""

    def __init__(self, images: np.ndarray, components: int):
        """Fits images `[N, H, W, C]`; more components than N or the pixels are not kept.

        Of more than 2^28 numbers as many images are taken, evenly spaced, as hold that many.
        """
        flat = _flat(images[:: -(-math.prod(images.shape) // _MOST_NUMBERS)])
        self._shape = images.shape[1:]
        self.components = min(components, *flat.shape)
        # Exact: the randomised solver's error would be counted as PCA's.
        large = flat.shape[1] > _LARGE and self.components < min(flat.shape)
        solver = 'arpack' if large else 'covariance_eigh'
        self._pca = PCA(self.components, svd_solver=solver, random_state=0)
        with np.errstate(invalid='ignore'):  # of equal images, whose variance is 0
            self._pca.fit(flat if len(flat) > 1 else np.repeat(flat, 2, 0))
        if len(flat) == 1:  # no direction: everything is projected to the image
            self._pca.components_[:] = 0

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Images `[N, H, W, C]` -> scores `[N, Z]`."""
        return self._pca.transform(_flat(images))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Images `[N, H, W, C]` -> their projections `[N, H, W, C]`, not clipped to [0, 1]."""
        return self.decode(self.encode(images))

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """Scores `[N, Z]` -> images `[N, H, W, C]`, not clipped to [0, 1]."""
        return self._pca.inverse_transform(scores).reshape(-1, *self._shape)


def _flat(images: np.ndarray) -> np.ndarray:
    return data.pixels(images).reshape(len(images), -1)
