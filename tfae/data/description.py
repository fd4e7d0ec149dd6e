"""The description of a data set that training prints before its first step."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfae.core import errors
from tfae.data.dataset import Config, DataSet, axes, is_image, noun, tabular
from tfae.data.formats import image_files
from tfae.data.lazy_images import LazyImages

_MAX_CLASSES = 10  # or columns, named in one line
_MAX_DECODED = 2**24  # values of image files whose range is measured
_MAX_FILES = 64
_UNEQUAL = 10  # ratio of the ranges of columns
_DARK = 0.25  # fraction of white; few data sets stay below


def described(loaded: DataSet, normalize: str = 'none') -> list[str]:
    """Returns lines with the counts, shape, classes and range of a data set, and warnings.

    Args:
      loaded: the data set.
      normalize: how columns or channels are normalized, `--normalize`.
    """
    counts = [len(split.images) for split in (loaded.train, loaded.validation, loaded.test)]
    lines = [
        '{:,} training, {:,} validation and {:,} test '.format(*counts)
        + _of_shape(loaded.image_shape, counts[-1]),
        *_of_classes(loaded),
        *(
            _of_values(loaded.train.images)
            if is_image(loaded.image_shape)
            else _of_columns(loaded, normalize)
        ),
        *loaded.notes,
    ]
    return [f'data set {loaded.name}: {line}' for line in lines]


def refuse_gaps(loaded: DataSet, config: Config) -> None:
    """Refuses labels with gaps, where classes have no names.

    Labels from 1 to 10 would make eleven classes, and a single label 3 four of them. Classes may be
    empty where `config` keeps only some of the examples.

    Raises: InputError that says how to renumber them.
    """
    if config.only_classes or config.without_classes or config.labeled_examples:
        return
    splits = (loaded.train, loaded.validation, loaded.test)
    there = [np.unique(split.labels) for split in splits if split.labels is not None]
    if not there or loaded.class_names != tuple(map(str, range(loaded.classes))):
        return
    found = np.unique(np.concatenate(there))
    if len(found) < loaded.classes:
        first = np.setdiff1d(np.arange(loaded.classes), found)[0]
        raise errors.InputError(
            f'data set {loaded.name}: its labels lie in [{found[0]}, {found[-1]}], and none is '
            f'{first}; they must be consecutive class numbers from 0, as '
            f'numpy.unique(labels, return_inverse=True)[1] does'
        )


def counted(names: Sequence[str], counts: Sequence[int]) -> str:
    """Formats `'cat 12, dog 7'`; of many names the first ones and the number of others."""
    words = [
        f'{image_files.shown(name)} {count:,}' for name, count in zip(names, counts, strict=True)
    ]
    more = f' and {len(words) - _MAX_CLASSES:,} more' if len(words) > _MAX_CLASSES else ''
    return ', '.join(words[:_MAX_CLASSES]) + more


def _of_shape(shape: Sequence[int], count: int) -> str:
    """Returns `'images of 8 x 8 x 1 (height x width x channels)'`, in the singular for 1."""
    what = noun(shape) + 's' * (count != 1)
    if tabular(shape):
        return f'{what} of {errors.counted(shape[0], "column", "columns")}'
    return f'{what} of {" x ".join(map(str, shape))} ({" x ".join(axes(shape))})'


def _of_classes(loaded: DataSet) -> list[str]:
    labels = loaded.train.labels
    if labels is None:
        return ['no classes']
    names = loaded.class_names or tuple(map(str, range(loaded.classes)))
    counts = np.bincount(labels, minlength=len(names))
    kinds = errors.counted(len(names), 'class', 'classes')
    what = noun(loaded.image_shape)
    lines = [f'training {what}s of {kinds}: {counted(names, counts.tolist())}']
    if lacking := [
        image_files.shown(name) for name, count in zip(names, counts, strict=True) if not count
    ]:
        shown = ', '.join(lacking[:_MAX_CLASSES])
        more = f' and {len(lacking) - _MAX_CLASSES:,} more' if len(lacking) > _MAX_CLASSES else ''
        which = 'class' if len(lacking) == 1 else 'classes'
        lines.append(f'warning: no training {what} is of {which} {shown}{more}')
    return lines


def _of_values(images: np.ndarray | LazyImages) -> list[str]:
    """Returns the range of the values, and a warning where it does not fit the assumed white."""
    where = ''
    if isinstance(images, LazyImages):
        size = math.prod(images.shape[1:])
        values = images[: min(max(_MAX_DECODED // size, 1), _MAX_FILES)]
        where = f' in the first {len(values)} training images' if len(values) < len(images) else ''
    else:
        values = images
    return ranged(float(values.min()), float(values.max()), values.dtype, where)


def _of_columns(loaded: DataSet, normalize: str) -> list[str]:
    """Returns the range of the values, and warnings of constant columns and of unequal scales.

    Channels count as columns.
    """
    rows = loaded.train.images
    low, high = (f(rows, axis=tuple(range(rows.ndim - 1))) for f in (np.nanmin, np.nanmax))
    lines = [f'values {low.min():g} to {high.max():g}, {rows.dtype}']
    if (missing := np.isnan(rows).mean(axis=tuple(range(rows.ndim - 1)))).any():
        lines.append(_of_missing(loaded, missing))
    spreads = high.astype(np.float64) - low
    column = 'column' if tabular(loaded.image_shape) else 'channel'
    if constant := np.flatnonzero(spreads == 0).tolist():
        shown = ', '.join(
            f'{image_files.shown(loaded.column(k))} ({low[k]:g})' for k in constant[:_MAX_CLASSES]
        )
        more = f' and {len(constant) - _MAX_CLASSES:,} more' * (len(constant) > _MAX_CLASSES)
        lines.append(f'warning: constant in training: {column} {shown}{more}')
    varying = spreads[spreads > 0]
    if normalize == 'none' and len(varying) and varying.max() > _UNEQUAL * varying.min():
        lines.append(
            f'warning: the ranges of its {column}s are from {varying.min():g} to {varying.max():g} '
            f'wide, and the widest dominate the loss; --normalize=standard gives all {column}s one '
            f'scale'
        )
    return lines


def _of_missing(loaded: DataSet, missing: np.ndarray) -> str:
    """Describes the fractions of missing values `[C]` of columns, or channels."""
    order = np.argsort(-missing, kind='stable')
    order = order[missing[order] > 0]
    shown = ', '.join(
        f'{image_files.shown(loaded.column(k))} {100 * missing[k]:.3g} %'
        for k in order[:_MAX_CLASSES].tolist()
    )
    more = f' and {len(order) - _MAX_CLASSES:,} more' * (len(order) > _MAX_CLASSES)
    return f'{100 * missing.mean():.3g} % of the training values are missing: {shown}{more}'


def ranged(low: float, high: float, dtype: Any, where: str = '') -> list[str]:
    """Describes a range of values, with a warning where it does not fit the assumed white.

    Args:
      low, high: the smallest and the largest value.
      dtype: of the images, uint8 or float32.
      where: the images that were measured, if not all.
    """
    white = 255 if dtype == np.uint8 else 1
    lines = [f'values {low:g} to {high:g}{where}, {np.dtype(dtype)}; white is {white}']
    if low == high:
        lines.append(f'warning: every value is {low:g}{where}')
    elif high < _DARK * white:
        lines.append(
            f'warning: no value is above {high:g}{where}, and white is {white}: the images are '
            f'nearly black; if {high:g} is meant to be white, scale arrays to floats in '
            f'[0, 1]{", or to bools" if high == 1 else ""}, and files to 0 to 255'
        )
    return lines
