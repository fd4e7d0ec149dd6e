"""Principal component analysis: the best linear autoencoder of a code size, as a baseline.

Its images are clipped to [0, 1], as those of the models are: this is nearer to every image. Rows of
a table, sequences and volumes are not.

N examples, H x W image, C channels, Z components.
"""

import numpy as np

from tfae import data
from tfae.analysis import _subspace


class Baseline:
    """PCA with as many components as the code has dimensions, fitted to training images."""

    def __init__(self, images: np.ndarray, components: int):
        """Fits PCA.

        Args:
          images: `[N, H, W, C]`, which are thinned.
          components: Z; at most N and the pixels are kept.
        """
        self._shape = images.shape[1:]
        self._subspace = _subspace.fit(data.flat(data.thinned(images)), components)
        self.components = len(self._subspace.axes)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Returns scores `[N, Z]` of images `[N, H, W, C]`."""
        return self._subspace.flatten(data.flat(images))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns the projections `[N, ...]` of examples, those of images clipped to [0, 1]."""
        return self.decode(self.encode(images))

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """Returns the examples `[N, ...]` of scores `[N, Z]`, images clipped to [0, 1]."""
        made = self._subspace.lift(scores)
        made = np.clip(made, 0, 1) if data.is_image(self._shape) else made
        return made.reshape(-1, *self._shape)
