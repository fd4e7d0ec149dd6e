"""`Split`, the train, validation or test examples of a data set, and smaller ones cut from it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae.core import errors

_TEST_SEED = 2


class Split(NamedTuple):
    """Images and their classes."""

    # [N, H, W, C], an array or `LazyImages`; uint8 counts 1/255, float32 lies in [0, 1]
    images: Any
    labels: np.ndarray | None  # [N] int64


def cut(split: Split, count: int, seed: int) -> tuple[Split, Split]:
    """All but `count` examples of `split`, and those `count`; both keep their order.

    Which examples go is a function of `(seed, N)` alone, and a smaller count takes a subset.
    """
    # RandomState, whose streams are frozen for good: a Generator's may change between versions.
    order = np.random.RandomState(seed).permutation(len(split.images))
    taken = np.zeros(len(order), bool)
    taken[order[:count]] = True
    return select(split, ~taken), select(split, taken)


def few(split: Split, count: int, seed: int, who: str) -> Split:
    """`count` examples of `split`, in its order, equally many of each class as far as they go.

    Which are taken is a function of `seed`, the labels and `count`; a smaller count takes a subset.

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
    rank = np.zeros(len(order), np.int64)  # of an example among those of its class, in that order
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.sum(labels == label))
    taken = np.zeros(len(order), bool)
    taken[order[np.argsort(rank, kind='stable')[:count]]] = True
    return select(split, taken)


def class_number(who: str, word: str, class_names: tuple[str, ...], classes: int) -> int:
    """The number of the class that `word` names, or is.

    Raises: UsageError that names `who`, which asked for it, if there is no such class.
    """
    errors.one_of(who, word, [*class_names, *map(str, range(classes))])
    return class_names.index(word) if word in class_names else int(word)


def class_words(labels: np.ndarray, class_names: Sequence[str]) -> list[str]:
    """The name of the class of each of N labels, its number where it has none."""
    return [class_names[k] if class_names else str(k) for k in labels]


def with_test(split: Split, who: str) -> tuple[Split, Split]:
    """Train and test splits of a set published as one: a fixed fifth, rounded up, is the test.

    Raises: InputError that names `who` if there are fewer than two examples, or no arrays of as
      many images as labels.
    """
    count = len(split.images)
    if count < 2:
        raise errors.InputError(f'{who}: holds {count} example; a train and a test part take two')
    _refuse_uneven(who, split, count)
    return cut(split, -(-count // 5), _TEST_SEED)


def select(split: Split, mask: np.ndarray) -> Split:
    """Returns the examples of `split` where `mask` `[N]` is true.

    Raises: InputError if the split holds no arrays, or not N images and labels.
    """
    _refuse_uneven('a split', split, len(mask))
    images = split.images.take(np.flatnonzero(mask), axis=0)
    return Split(images, None if split.labels is None else split.labels[mask])


def _refuse_uneven(who: str, split: Split, count: int) -> None:
    """Refuses a split that holds no arrays, or not `count` images and labels."""
    for name, values in zip(('images', 'labels'), split, strict=True):
        if values is None and name == 'labels':
            continue
        if not hasattr(values, 'take'):  # an array's or `LazyImages`'
            kind = type(values).__name__
            raise errors.InputError(f'{who}: {name} are of type {kind}; they must be an array')
        if len(values) != count:
            raise errors.InputError(f'{who}: holds {len(values)} {name} for {count} images')
