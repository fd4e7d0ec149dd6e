"""Losses of the best constant prediction, which a model that has learned something is below.

    squared error   mean over pixels of their variance, at the mean image
    Bernoulli       mean over pixels of the entropy of their mean, at the mean image
    cross-entropy   entropy of the class frequencies

H W C image, K classes.
"""

import math
from typing import NamedTuple

import numpy as np

from tfae import data

_MAX_EXAMPLES = 10_000
_MAX_VALUES = 2**28  # that are read in all, so that large images take seconds
_CHUNK = 2**22  # values at a time


class Moments(NamedTuple):
    """Statistics of a split that determine its best constant prediction."""

    mean: np.ndarray  # [H, W, C], of the pixels
    variance: np.ndarray  # [H, W, C]
    frequencies: np.ndarray  # [K], of the classes; empty without labels


def moments(split: data.Split, classes: int) -> Moments:
    """Returns the statistics of the first examples of a split, at most 10,000.

    Args:
      split: at least one example.
      classes: K; 0 without labels.
    """
    values = math.prod(split.images.shape[1:])
    count = min(len(split.images), _MAX_EXAMPLES, max(1, _MAX_VALUES // values))
    chunk = max(1, _CHUNK // values)
    sums = np.zeros([2, *split.images.shape[1:]])
    for start in range(0, count, chunk):
        pixels = data.pixels(split.images[start : min(start + chunk, count)])
        pixels = np.asarray(pixels, np.float64)
        sums += pixels.sum(0), np.square(pixels).sum(0)
    mean, square = sums / count
    labels = np.zeros(0, np.int64) if split.labels is None else np.asarray(split.labels[:count])
    frequencies = np.bincount(labels, minlength=classes) / max(len(labels), 1)
    return Moments(mean, np.maximum(square - np.square(mean), 0), frequencies)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Returns -p log p in nats, 0 where p is 0."""
    return -probabilities * np.log(np.where(probabilities > 0, probabilities, 1))


def bernoulli(found: Moments) -> float:
    """Returns the cross-entropy of the mean image, in nats per pixel."""
    return float(np.mean(entropy(found.mean) + entropy(1 - found.mean)))


def no_better(name: str, value: float, constant: float, prediction: str, slack: float = 0.0) -> str:
    """Returns a sentence with both figures if a loss is not below that of a constant, or ''.

    Args:
      name: of the loss.
      value: of the model.
      constant: of the constant prediction.
      prediction: its name.
      slack: fraction of `constant` by which the loss must be below it.
    """
    if value < constant * (1 - slack):
        return ''
    return f'{name} is {value:.4g}, that of {prediction} {constant:.4g}'
