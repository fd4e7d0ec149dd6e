"""Baselines of the regression of a quantity: a constant, and a linear function of the pixels.

    median of the training quantities
    ridge regression, its penalty chosen by generalized cross-validation (Golub, Heath and Wahba,
    Technometrics 21, 1979)

N examples, H W C image.
"""

import math

import numpy as np
from sklearn.linear_model import RidgeCV

from tfae import data

_PENALTIES = np.logspace(-2, 6, 17)
# Bounds of the training set of a ridge regression, whose time is cubic in the smaller of examples
# and values of an image.
_MAX_EXAMPLES = 2**11
_MAX_VALUES = 2**26


def absolute_error(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Returns mean |y - t| of targets `[N]` and predictions `[N]` or one number."""
    return float(np.mean(np.abs(np.asarray(predictions, np.float64) - targets)))


def ridge(train: np.ndarray, targets: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Returns the predictions `[N]` of a ridge regression.

    Args:
      train: training images `[M, H, W, C]` in [0, 1]; evenly spaced ones of a large set.
      targets: their quantities `[M]`.
      images: `[N, H, W, C]`.
    """
    values = math.prod(train.shape[1:])
    most = _MAX_EXAMPLES if values > _MAX_EXAMPLES else max(1, _MAX_VALUES // values)
    every = -(-len(train) // most)
    train, targets = data.flat(train[::every]), targets[::every]
    return RidgeCV(_PENALTIES).fit(train, targets).predict(data.flat(images))
