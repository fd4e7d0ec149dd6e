"""A distribution fitted to codes, to draw new ones from. Ghosh et al., ICLR 2020.

An autoencoder without a prior so becomes one that makes new images.

N codes, Z numbers of a code.
"""

import numpy as np
from sklearn.mixture import GaussianMixture

from tfae.core import errors


class Density:
    """Normal distributions with covariances of their own, mixed as likelihood has it."""

    def __init__(self, codes: np.ndarray, components: int, seed: int):
        """Fits `components` of them to codes `[N, Z]`; one is the Gaussian of their moments.

        Args:
          codes: at least as many as components.
          components: of the mixture.
          seed: of the first guess, which k-means makes.
        Raises: InputError if there are fewer than 2 codes.
        """
        if len(codes) < 2:
            raise errors.InputError(
                'the training split holds 1 example; a density of codes is fitted to 2 or more'
            )
        self._mixture = GaussianMixture(components, random_state=seed).fit(codes.astype(np.float64))

    def draw(self, count: int, seed: int) -> np.ndarray:
        """Codes `[count, Z]` float32, a function of `seed`."""
        self._mixture.random_state = seed
        codes, _ = self._mixture.sample(count)
        # They come component by component; any part of them should be a sample of the whole.
        return np.random.RandomState(seed).permutation(codes).astype(np.float32)

    def log_likelihood(self, codes: np.ndarray) -> float:
        """Mean of log p over codes `[N, Z]`, in nats."""
        return float(self._mixture.score(codes))
