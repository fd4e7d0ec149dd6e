"""How well a linear classifier tells classes apart from codes. Alain and Bengio, arXiv 1610.01644.

N examples, D numbers each.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_DECAY = 1e-4  # of the squared weights, beside the mean cross-entropy
_ROUNDS = 300  # of L-BFGS


def linear_error(
    codes: np.ndarray, labels: np.ndarray, queries: np.ndarray, wanted: np.ndarray
) -> float:
    """Share of `queries` that logistic regression gives another class than is wanted.

    Args:
      codes: `[N, D]`, of training examples, which `labels` `[N]` belong to; each number is brought
        to mean 0 and variance 1.
      queries: `[M, D]`, of other examples, which `wanted` `[M]` belong to.
    """
    regression = LogisticRegression(C=1 / (_DECAY * len(codes)), max_iter=_ROUNDS)
    known = make_pipeline(StandardScaler(), regression)
    known.fit(codes.astype(np.float64), labels)
    return float(np.mean(known.predict(queries.astype(np.float64)) != wanted))
