"""Labels of images from a column of an attribute table."""

import math
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfae.core import errors
from tfae.data import attributes
from tfae.data.dataset import Config, Loaded
from tfae.data.lazy_images import LazyImages
from tfae.data.splits import Split, select

_MAX_CLASSES = 10_000


def labeled(config: Config, loaded: Loaded) -> Loaded:
    """Returns a data set whose classes are the values of the column `--target`.

    Images without a value are left out.

    Raises: UsageError if the images have no names, or there is no such column; InputError if the
      table cannot be read, or gives no training image a value.
    """
    table = attributes.read(pathlib.Path(config.attributes).expanduser())
    cells = table.columns[errors.one_of('--target', config.target, list(table.columns))]

    def values(split: Split) -> list[str]:
        if not isinstance(split.images, LazyImages):
            raise errors.UsageError(
                f'--target is {config.target!r}; the images of data set {config.dataset} have no '
                f'names, which a table of attributes refers to'
            )
        rows = table.places(split.images.names, len(split.images))
        return [cells[row] if row >= 0 else '' for row in rows]

    splits: dict[str, Any] = {
        'train': loaded.train,
        'test': loaded.test,
        'validation': loaded.validation,
    }
    found = {name: values(split) for name, split in splits.items() if split is not None}
    names, numbers = classes(config, found.values())
    for name, kind in (('train', 'training'), ('test', 'test')):
        if not any(found[name]):
            raise errors.InputError(
                f'--attributes {config.attributes} gives no {kind} image of {config.dataset} a '
                f'value of {config.target}; its first column must be names such as '
                f'{splits[name].images.names[0]}'
            )
    bare = [
        name
        for split, each in found.items()
        for name, value in zip(splits[split].images.names, each, strict=True)
        if not value
    ]
    notes = loaded.notes
    if bare:
        total = sum(map(len, found.values()))
        notes += (
            f'warning: left out: {len(bare):,} of {total:,} images without a value of '
            f'{config.target}, such as {bare[0]}',
        )
    changed: dict[str, Any] = {'class_names': names, 'notes': notes}
    for (name, each), labels in zip(found.items(), numbers, strict=True):
        kept = select(splits[name], np.array([value != '' for value in each]))
        changed[name] = Split(kept.images, labels)
    return loaded._replace(**changed)


def classes(
    config: Config, columns: Iterable[Sequence[str]]
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Returns the classes of texts, in the order of their numbers, and the class of each text.

    Args:
      config: with the name of the column, for errors.
      columns: texts of each split; empty ones are left out.
    Raises: UsageError if there are more than 10,000 classes.
    """
    columns = list(columns)
    names = sorted({value for each in columns for value in each if value}, key=_order)
    if len(names) > _MAX_CLASSES:
        raise errors.UsageError(
            f'--target {config.target} has {len(names):,} different values; there must be at most '
            f'{_MAX_CLASSES:,}'
        )
    number = {name: k for k, name in enumerate(names)}
    return tuple(names), [np.array([number[v] for v in each if v], np.int64) for each in columns]


def _order(value: str) -> tuple[float, str]:
    """Orders values by their numbers; others come last."""
    number = attributes.quantity(value)
    return (math.inf if number is None else number, value)
