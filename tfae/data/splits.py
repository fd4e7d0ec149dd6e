"""Train, validation and test splits, and subsets of them."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae.core import errors

_TEST_SEED = 2
_MAX_VALUES = 2**28  # of thinned images


class Split(NamedTuple):
    """Examples and their classes."""

    # Images [N, H, W, C], an array or `LazyImages`, or rows [N, D]: uint8, or float32, in [0, 1] in
    # images
    images: Any
    labels: np.ndarray | None  # [N] int64


def cut(split: Split, count: int, seed: int) -> tuple[Split, Split]:
    """Splits off `count` random examples; returns the others first. Both keep their order.

    The choice is a function of `(seed, N)` alone, and a smaller count takes a subset.
    """
    # RandomState: its streams never change, those of a Generator may.
    order = np.random.RandomState(seed).permutation(len(split.images))
    taken = np.zeros(len(order), bool)
    taken[order[:count]] = True
    return select(split, ~taken), select(split, taken)


def few(split: Split, count: int, seed: int, who: str) -> Split:
    """Selects `count` examples, balanced over classes as far as possible; they keep their order.

    The choice is a function of `seed`, the labels and `count`; a smaller count takes a subset.

    Raises: UsageError that names `who` if there are no labels or fewer examples.
    """
    if split.labels is None:
        raise errors.UsageError(f'--labeled_examples is {count}; data set {who} has no labels')
    if count > len(split.labels):
        raise errors.UsageError(
            f'--labeled_examples is {count}; {who} has {len(split.labels)} for training'
        )
    order = np.random.RandomState(seed).permutation(len(split.labels))
    labels = split.labels[order]
    rank = np.zeros(len(order), np.int64)  # of an example within its class, in that order
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.sum(labels == label))
    taken = np.zeros(len(order), bool)
    taken[order[np.argsort(rank, kind='stable')[:count]]] = True
    return select(split, taken)


def sample(examples: Any, count: int, seed: int) -> Any:
    """Returns examples `[N, ...]`, or a random `count` of them, in their order, if N is larger."""
    if len(examples) <= count:
        return examples
    return examples[np.sort(np.random.RandomState(seed).permutation(len(examples))[:count])]


def thinned(images: Any) -> Any:
    """Returns images `[N, H, W, C]`, evenly spaced ones where all have more than 2^28 values."""
    return images[:: -(-math.prod(images.shape) // _MAX_VALUES)]


def class_number(who: str, word: str, class_names: tuple[str, ...], classes: int) -> int:
    """Returns the number of a class that is given by its name or number.

    Raises: UsageError that names the flag `who` if there is no such class.
    """
    errors.one_of(who, word, [*class_names, *map(str, range(classes))])
    return class_names.index(word) if word in class_names else int(word)


def class_words(labels: np.ndarray, class_names: Sequence[str]) -> list[str]:
    """Returns the class name of each of N labels, or its number where classes have no names."""
    return [class_names[k] if class_names else str(k) for k in labels]


def with_test(split: Split, who: str) -> tuple[Split, Split]:
    """Splits a data set that was published as one: a fixed fifth, rounded up, is the test split.

    Raises: InputError that names `who` if there are fewer than two examples, or unequal numbers of
      images and labels.
    """
    count = len(split.images)
    if count < 2:
        raise errors.InputError(f'{who}: holds {count} example; a train and a test split need two')
    _refuse_uneven(who, split, count)
    return cut(split, -(-count // 5), _TEST_SEED)


def select(split: Split, mask: np.ndarray) -> Split:
    """Selects the examples of a split where `mask` `[N]` is true.

    Raises: InputError if the split does not hold arrays of N images and labels.
    """
    _refuse_uneven('a split', split, len(mask))
    images = split.images.take(np.flatnonzero(mask), axis=0)
    return Split(images, None if split.labels is None else split.labels[mask])


def _refuse_uneven(who: str, split: Split, count: int) -> None:
    """Refuses a split that does not hold arrays of `count` images and labels."""
    for name, values in zip(('images', 'labels'), split, strict=True):
        if values is None and name == 'labels':
            continue
        if not hasattr(values, 'take'):  # an array's or `LazyImages`'
            kind = type(values).__name__
            raise errors.InputError(f'{who}: {name} are of type {kind}; they must be an array')
        if len(values) != count:
            raise errors.InputError(f'{who}: holds {len(values)} {name} for {count} images')
