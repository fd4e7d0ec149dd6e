"""Losses of the best constant prediction; a model that has learned something has a lower one.

The constants come from the training split, so that they do not fit a split of few images better:

    squared error   mean over pixels of the squared distance to the mean training image
    Bernoulli       mean over pixels of the cross-entropy of the mean training image
    cross-entropy   of the class frequencies in training

H W C image, K classes.
"""

import math
from typing import NamedTuple

import numpy as np

from tfae import data

_MAX_EXAMPLES = 10_000
_MAX_VALUES = 2**28  # that are read in all, so that large images take seconds
_CHUNK = 2**22  # values at a time


class Constants(NamedTuple):
    """Losses of constant predictions from the training split, means over the judged split."""

    squared_error: float  # of the mean training image, per pixel
    bernoulli: float  # cross-entropy of the mean training image, in nats per pixel
    cross_entropy: float  # of the class frequencies in training, in nats; 0 without labels
    error: float  # of the most frequent class of the judged split, in [0, 1]; 0 without labels
    # [2, K], of the classes in training and in the judged split; [2, 0] without labels
    frequencies: np.ndarray = np.zeros([2, 0])
    present: float = 1.0  # share of the values of the judged split that are not missing


def constants(train: data.Split, judged: data.Split, classes: int) -> Constants:
    """Returns the losses of constant predictions over a split.

    Args:
      train: split that the constants are of; at least one example, of which 10,000 are read.
      judged: split that the losses are of, likewise; may be `train`.
      classes: K; 0 without labels.
    """
    mean, square, there, count = _moments(train)
    seen, judging = mean, count
    if judged is not train:
        seen, square, there, judging = _moments(judged)
    squared = square - 2 * seen * mean + np.square(mean)

    # A pixel or class that is constant in training has a small probability of another value.
    least = 0.5 / (count + 1)
    p = np.clip(mean, least, 1 - least)
    nats = -seen * np.log(p) - (1 - seen) * np.log1p(-p)
    found = Constants(
        float(np.average(squared, weights=there)),
        float(np.average(nats, weights=there)),
        *(0.0, 0.0),
        present=float(np.mean(there) / judging),
    )
    if not classes:
        return found
    known, asked = (_frequencies(split, classes) for split in (train, judged))
    return found._replace(
        cross_entropy=float(-np.sum(asked * np.log(np.maximum(known, least)))),
        error=float(1 - np.max(asked)),
        frequencies=np.stack([known, asked]),
    )


def _moments(split: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Returns means of the values of examples that were read, and how many examples these are.

    Returns: the mean image, the mean of its square and the number of values of each pixel that are
      not missing, three arrays of the shape of an example; and the number of examples.
    """
    values = math.prod(split.images.shape[1:])
    limit = min(_MAX_EXAMPLES, max(1, _MAX_VALUES // values))
    # Evenly spaced: the first examples of a set that is sorted by class are all of one.
    places = np.arange(0, len(split.images), -(-len(split.images) // limit))
    chunk = max(1, _CHUNK // values)
    sums = np.zeros([3, *split.images.shape[1:]])
    for start in range(0, len(places), chunk):
        pixels = data.pixels(split.images[places[start : start + chunk]])
        pixels = np.asarray(pixels, np.float64)
        there = ~np.isnan(pixels)
        pixels = np.where(there, pixels, 0)
        sums += pixels.sum(0), np.square(pixels).sum(0), there.sum(0)
    mean, square = sums[:2] / np.maximum(sums[2], 1)
    return mean, square, sums[2], len(places)


def _frequencies(split: data.Split, classes: int) -> np.ndarray:
    labels = np.asarray(split.labels)
    return np.bincount(labels, minlength=classes) / len(labels)


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
    return f'{name} is {value:.4g}; for {prediction} it is {constant:.4g}'
