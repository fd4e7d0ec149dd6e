"""Baselines of the regression of a quantity: a constant, and a linear function of the pixels.

    median of the training quantities
    ridge regression, its penalty chosen by generalized cross-validation (Golub, Heath and Wahba,
    Technometrics 21, 1979)

N examples, H W C image.
"""

import math
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV

from tfae import data

_PENALTIES = np.logspace(-2, 6, 17)
# Bounds of the training set of a ridge regression, whose time is cubic in the smaller of examples
# and values of an image.
_MAX_EXAMPLES = 2**11
_MAX_VALUES = 2**26
_CHUNK = 2**24  # values that are predicted from at a time


def absolute_error(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Returns mean |y - t| of targets `[N]` and predictions `[N]` or one number."""
    return float(np.mean(np.abs(np.asarray(predictions, np.float64) - targets)))


def ridge(train: Any, targets: np.ndarray, images: Any) -> tuple[np.ndarray, int]:
    """Predicts by ridge regression.

    Args:
      train: training images `[M, H, W, C]`, of which a random sample is used if there are many.
      targets: their quantities `[M]`.
      images: `[N, H, W, C]`.
    Returns: the predictions `[N]`, and the number of training images used.
    """
    values = math.prod(train.shape[1:])
    most = _MAX_EXAMPLES if values > _MAX_EXAMPLES else max(1, _MAX_VALUES // values)
    known = _flat(data.sample(train, most, seed=0))
    fitted = RidgeCV(_PENALTIES).fit(known, data.sample(targets, most, seed=0))
    step = max(1, _CHUNK // values)
    chunks = (images[start : start + step] for start in range(0, len(images), step))
    return np.concatenate([fitted.predict(_flat(chunk)) for chunk in chunks]), len(known)


def _flat(images: Any) -> np.ndarray:
    return data.flat(images).astype(np.float64)
