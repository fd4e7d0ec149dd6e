"""scikit-learn's `sklearn.utils.linear_assignment_`, which version 0.23 removed."""

import numpy as np
from scipy import optimize


def linear_assignment(X: np.ndarray) -> np.ndarray:  # noqa: N803
    """Returns the assignment of rows to columns of the least cost (Hungarian algorithm).

    Args:
      X: costs `[R, C]`.
    Returns: pairs of a row and its column `[min(R, C), 2]`, by row.
    """
    return np.stack(optimize.linear_sum_assignment(X), 1)
