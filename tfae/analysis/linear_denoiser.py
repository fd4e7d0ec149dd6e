"""The best linear denoiser of a rank, as a baseline. Izenman, Reduced-rank regression, 1975.

    x' = mean + V V^T B (y - mean of y),   B = argmin |x - mean - B (y - mean of y)|^2

of corrupted images y and clean images x. V are the leading singular vectors of the fitted values.
x' of images is clipped to [0, 1].

N examples, H x W image, C channels, D = H W C, Z rank.
"""

import numpy as np

from tfae import data

MAX_VALUES = 4096  # D; beyond, the covariance matrices take too long
_CHUNK = 4096  # images
_RELATIVE_TOLERANCE = 1e-10  # of the variance in a direction that counts


class LinearDenoiser:
    """A linear map from corrupted to clean images, with the rank of an autoencoder's code."""

    def __init__(self, corrupted: np.ndarray, clean: np.ndarray, rank: int):
        """Fits the map by least squares.

        Args:
          corrupted: y, `[N, H, W, C]`.
          clean: x, `[N, H, W, C]`.
          rank: Z, at most D.
        """
        y, x = data.flat(corrupted), data.flat(clean)
        self._input_mean, self._mean = (a.mean(0, dtype=np.float64) for a in (y, x))
        # Covariances.
        within, across = np.zeros([2, y.shape[1], x.shape[1]])
        for start in range(0, len(y), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            centered = y[chunk] - self._input_mean
            within += centered.T @ centered
            across += centered.T @ (x[chunk] - self._mean)
        # In whitened coordinates the fitted values have the spectrum of the cross-covariance.
        variances, directions = np.linalg.eigh(within)
        kept = variances > _RELATIVE_TOLERANCE * variances[-1]
        whitening = directions[:, kept] / np.sqrt(variances[kept])
        left, values, right = np.linalg.svd(whitening.T @ across, full_matrices=False)
        self._encoder = whitening @ (left[:, :rank] * values[:rank])
        self._decoder = right[:rank]

    def denoise(self, images: np.ndarray) -> np.ndarray:
        """Returns denoised examples `[N, ...]` of corrupted ones, images in [0, 1]."""
        codes = (data.flat(images) - self._input_mean) @ self._encoder
        made = self._mean + codes @ self._decoder
        made = np.clip(made, 0, 1) if data.is_image(images.shape[1:]) else made
        return made.reshape(images.shape)
