"""Linear probes: logistic regression on codes. Alain and Bengio, arXiv 1610.01644.

N, M examples, D features.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_DECAY = 1e-4  # weight of half the squared weights, added to the mean cross-entropy
_MAX_ITERATIONS = 300  # of L-BFGS
_LARGE = 100_000  # numbers in the training examples, above which the fit is in float32
_MAX_ITERATIONS_LARGE = 50


def linear_error(
    codes: np.ndarray, labels: np.ndarray, queries: np.ndarray, wanted: np.ndarray
) -> float:
    """Returns the classification error of logistic regression, in [0, 1].

    Args:
      codes: `[N, D]`, of training examples; each feature is standardized.
      labels: `[N]`, their classes.
      queries: `[M, D]`, of other examples.
      wanted: `[M]`, the classes of the queries.
    """
    large = codes.size > _LARGE
    dtype, iterations = np.float64, _MAX_ITERATIONS
    if large:
        dtype, iterations = np.float32, _MAX_ITERATIONS_LARGE
    regression = LogisticRegression(C=1 / (_DECAY * len(codes)), max_iter=iterations)
    known = make_pipeline(StandardScaler(), regression)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)
        known.fit(codes.astype(dtype), labels)
    return float(np.mean(known.predict(queries.astype(dtype)) != wanted))
