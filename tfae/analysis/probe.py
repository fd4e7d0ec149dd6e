"""Linear probes: logistic regression on codes. Alain and Bengio, arXiv 1610.01644.

N, M examples, D features.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_DECAY = 1e-4  # weight of the squared weights, added to the mean cross-entropy
_MAX_ITERATIONS = 300  # of L-BFGS


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
    regression = LogisticRegression(C=1 / (_DECAY * len(codes)), max_iter=_MAX_ITERATIONS)
    known = make_pipeline(StandardScaler(), regression)
    known.fit(codes.astype(np.float64), labels)
    return float(np.mean(known.predict(queries.astype(np.float64)) != wanted))
