"""A distribution fitted to codes, which makes a generative model. Ghosh et al., ICLR 2020.

N codes, Z latent dimensions.
"""

import numpy as np

from tfae import data
from tfae.analysis import _mixture
from tfae.core import errors

_MAX_FITTED = 20_000  # codes that a mixture is fitted to
_VARIANCE_FLOOR = 1e-7  # added to each variance, as a fraction of the mean
_PER_COMPONENT = 2  # codes for each latent dimension of a component


class Density:
    """A mixture of Gaussians with full covariances, fitted by likelihood."""

    def __init__(self, codes: np.ndarray, components: int, seed: int):
        """Fits a mixture to codes `[N, Z]`; one component is the Gaussian of their moments.

        Args:
          codes: `[N, Z]`; of more than 20,000, a mixture is fitted to as many at random.
          components: maximum number; each has 2 Z codes or more.
          seed: of the initial k-means, and of the choice of codes.
        Raises: InputError if there are fewer than 2 codes.
        """
        if len(codes) < 2:
            raise errors.InputError(
                'the training split has 1 example; fitting a density of codes requires at least 2'
            )
        if components > 1:
            codes = data.sample(codes, _MAX_FITTED, seed)
        components = max(1, min(components, len(codes) // (_PER_COMPONENT * codes.shape[1])))
        self._mixture = _mixture.fit(codes, components, seed, _VARIANCE_FLOOR)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Samples codes `[count, Z]` float32, a function of `seed`."""
        self._mixture.random_state = seed
        codes, _ = self._mixture.sample(count)
        # They come component by component; the first few should be a sample of the mixture too.
        return np.random.RandomState(seed).permutation(codes).astype(np.float32)

    def log_likelihood(self, codes: np.ndarray) -> float:
        """Returns the mean log-likelihood of codes `[N, Z]`, in nats."""
        return float(self._mixture.score(codes))
