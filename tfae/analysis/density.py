"""A distribution fitted to codes, which makes a generative model. Ghosh et al., ICLR 2020.

N codes, Z latent dimensions.
"""

import numpy as np
from sklearn.mixture import GaussianMixture

from tfae.core import errors


class Density:
    """A mixture of Gaussians with full covariances, fitted by likelihood."""

    def __init__(self, codes: np.ndarray, components: int, seed: int):
        """Fits the mixture to codes; one component is the Gaussian of their moments.

        Args:
          codes: `[N, Z]`, at least as many as components.
          components: of the mixture.
          seed: of the initialization by k-means.
        Raises: InputError if there are fewer than 2 codes.
        """
        if len(codes) < 2:
            raise errors.InputError(
                'the training split holds 1 example; fitting a density of codes takes 2 or more'
            )
        self._mixture = GaussianMixture(components, random_state=seed).fit(codes.astype(np.float64))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Samples codes `[count, Z]` float32, a function of `seed`."""
        self._mixture.random_state = seed
        codes, _ = self._mixture.sample(count)
        # They come component by component; the first few should be a sample of the mixture too.
        return np.random.RandomState(seed).permutation(codes).astype(np.float32)

    def log_likelihood(self, codes: np.ndarray) -> float:
        """Mean log-likelihood of codes `[N, Z]`, in nats."""
        return float(self._mixture.score(codes))
