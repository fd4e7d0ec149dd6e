"""Principal component analysis: the best linear autoencoder of a code size, as a baseline.

Its images are clipped to [0, 1], as those of the models are: this is nearer to every image.

N examples, H x W image, C channels, Z components.
"""

import math

import numpy as np
from sklearn.decomposition import PCA

from tfae import data

_MAX_VALUES = 2**28  # pixels of all images that are fitted
_MAX_EIGH = 4096  # pixels of an image; beyond, components are computed iteratively, but exactly


def thinned(images: np.ndarray) -> np.ndarray:
    """Returns images `[N, H, W, C]`, evenly spaced ones where all have more than 2^28 values."""
    return images[:: -(-math.prod(images.shape) // _MAX_VALUES)]


class Baseline:
    """PCA with as many components as the code has dimensions, fitted to training images."""

    def __init__(self, images: np.ndarray, components: int):
        """Fits PCA.

        Args:
          images: `[N, H, W, C]`, which are thinned.
          components: Z, at most N and the pixels.
        """
        flat = _flat(thinned(images))
        self._shape = images.shape[1:]
        self.components = min(components, *flat.shape)
        # Exact: the error of the randomized solver would count as that of PCA.
        large = flat.shape[1] > _MAX_EIGH and self.components < min(flat.shape)
        solver = 'arpack' if large else 'covariance_eigh'
        self._pca = PCA(self.components, svd_solver=solver, random_state=0)
        with np.errstate(invalid='ignore'):  # equal images have no variance
            self._pca.fit(flat if len(flat) > 1 else np.repeat(flat, 2, 0))
        if len(flat) == 1:  # no direction: everything is projected to that image
            self._pca.components_[:] = 0

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Returns scores `[N, Z]` of images `[N, H, W, C]`."""
        return self._pca.transform(_flat(images))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns the projections `[N, H, W, C]` of images, clipped to [0, 1]."""
        return self.decode(self.encode(images))

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """Returns images `[N, H, W, C]` of scores `[N, Z]`, clipped to [0, 1]."""
        images = self._pca.inverse_transform(scores).reshape(-1, *self._shape)
        return np.clip(images, 0, 1)


def _flat(images: np.ndarray) -> np.ndarray:
    return data.pixels(images).reshape(len(images), -1)
