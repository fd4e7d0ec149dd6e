"""Imputation: reconstructions for missing values.

    x_0 = x, with gaps;   x_{i+1} = x where there is a value, else r(x_i)

r is the reconstruction of a model that takes gaps. Each step feeds the values of the last one back:
it is the Gibbs sampler of Rezende, Mohamed and Wierstra (ICML 2014, appendix F) with means instead
of samples. With PCA it converges to the subspace's least squares fit of the values that are there
(Troyanskaya et al., Bioinformatics 17, 2001).
"""

from collections.abc import Callable

import numpy as np


def impute(
    reconstruct: Callable[[np.ndarray], np.ndarray], examples: np.ndarray, iterations: int
) -> np.ndarray:
    """Returns examples `[N, ...]` with reconstructions for NaN.

    Args:
      reconstruct: takes and returns examples `[N, ...]`, of which some values may be NaN.
      examples: `[N, ...]`, NaN where a value is missing.
      iterations: number of reconstructions, at least 1.
    """
    missing = np.isnan(examples)
    filled = examples
    for _ in range(iterations):
        filled = np.where(missing, reconstruct(filled), examples)
    return filled


def hide(examples: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Returns examples in which each value is missing with this probability, besides the gaps."""
    hidden = np.random.RandomState(seed).random_sample(examples.shape) < fraction
    return np.where(hidden, np.float32(np.nan), examples)


def rmse(examples: np.ndarray, hidden: np.ndarray, filled: np.ndarray) -> float:
    """Returns the root mean squared error of the values that were hidden.

    Args:
      examples: `[N, ...]`, NaN where a value is missing.
      hidden: the examples with further gaps; there must be at least one.
      filled: the examples without gaps.
    """
    judged = np.isnan(hidden) & ~np.isnan(examples)
    errors = filled.astype(np.float64) - examples
    return float(np.sqrt(np.mean(np.square(errors[judged]))))
