"""Mixtures of Gaussians with full covariances.

N examples, D values of each.
"""

import numpy as np
from sklearn.mixture import GaussianMixture


def fit(
    examples: np.ndarray, count: int, seed: int, floor: float, starts: int = 1
) -> GaussianMixture:
    """Fits a mixture by likelihood.

    Args:
      examples: `[N, D]`.
      count: of Gaussians.
      seed: of the initial k-means.
      floor: added to each variance, as a fraction of the mean variance of the examples.
      starts: number of initializations, of which the most likely result is kept.
    """
    examples = examples.astype(np.float64)
    least = floor * float(examples.var(0).mean()) + np.finfo(np.float32).tiny
    return GaussianMixture(count, reg_covar=least, n_init=starts, random_state=seed).fit(examples)
