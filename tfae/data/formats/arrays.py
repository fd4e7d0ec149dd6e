"""Conversion of arrays of examples and labels to splits.

The rank says what the examples are, unless their array is named as sequences or volumes:

    rows of a table  `[N, D]`
    images           `[N, H, W, C]`, or `[N, H, W]` (C is 1)
    volumes          `[N, D, H, W, C]`; of that name also `[N, D, H, W]` (C is 1)
    sequences        of that name only: `[N, L, C]`, or `[N, L]` (C is 1)

Rows, sequences and volumes hold any finite numbers, and NaN where missing values are allowed. Those
of type uint8 are bytes, 255 for 1, as they are in images. Integers of images must lie in [0, 255],
where 255 is white; types wider than uint8 must also exceed 16, since the white of images of few
gray levels would be ambiguous. Floats and bools lie in [0, 1]. Labels are integers from 0, `[N]` or
`[N, 1]`. The largest label decides the number of classes; `description.refuse_gaps` refuses to
train if a class has no example.
"""

from typing import Literal, NamedTuple

import numpy as np

from tfae.core import errors
from tfae.data import dataset, splits

Kind = Literal['', 'sequences', 'volumes']  # '': the rank decides

_SHAPES = {
    '': ('[N, H, W, C], [N, H, W], [N, D] or, of volumes, [N, D, H, W, C]', (2, 3, 4, 5)),
    'sequences': ('[N, L, C] or [N, L]', (2, 3)),
    'volumes': ('[N, D, H, W, C] or [N, D, H, W]', (4, 5)),
}  # and their ranks
_RANKS = {'sequences': 3, 'volumes': 5}  # with channels
# Up to here, integers may be gray levels, or bytes of images that are nearly black.
_GRAY_LEVELS = 16
# Wrong orders of the dimensions, and their corrections.
_LAYOUTS = {
    'NCHW': 'numpy.moveaxis(images, 1, -1)',
    'HWCN': 'numpy.moveaxis(images, -1, 0)',
}
_MIN_CHANNELS = {'NCHW': 1, 'HWCN': 3}  # [N, T, 1, C] may be a sequence
_MAX_CHANNELS = 4
# A larger number is an identifier or a measurement, not a class.
_MAX_CLASSES = 2**16


class Named(NamedTuple):
    """An array and its name in errors: `path/to/file.npz: x_train`, or an argument."""

    who: str
    values: np.ndarray


class Pair(NamedTuple):
    """Images and their labels."""

    images: Named
    labels: Named | None


def loaded(
    who: str,
    train: Pair,
    validation: Pair | None,
    test: Pair | None,
    kind: Kind = '',
    missing: bool = False,
) -> dataset.Loaded:
    """Converts arrays to the splits of a data set.

    Args:
      who: source of the arrays, for errors.
      train, validation, test: the arrays; without `test`, a fixed fifth of the training images is
        the test split.
      kind: of the examples.
      missing: whether NaN is a missing value of other examples than images, instead of refused.
    Returns: the splits; classes are named by their numbers.
    Raises: InputError that names an array that does not hold images or labels, or two that do not
      match.
    """
    training = split(train, kind, missing)
    validating = None if validation is None else split(validation, kind, missing)
    if test is None:
        training, testing = splits.with_test(training, who)
    else:
        testing = split(test, kind, missing)
    for name, other in (('validation', validating), ('test', testing)):
        if other is not None:
            refuse_disagreement(who, training, other, name)
    labels = [p.labels for p in (training, testing, validating) if p and p.labels is not None]
    classes = max((int(of.max()) for of in labels), default=-1) + 1
    shapes = [pair.images.values.shape for pair in (train, validation, test) if pair]
    notes = tuple(note for shape in shapes for note in _doubts(shape, kind))
    return dataset.Loaded(training, testing, tuple(map(str, range(classes))), validating, notes)


def _doubts(shape: tuple[int, ...], kind: Kind) -> list[str]:
    """Warnings of other meanings that a shape may have."""
    if len(shape) != 3:
        return []
    n, height, width = shape
    if kind == 'sequences':
        if height > _MAX_CHANNELS or width <= 4 * height:
            return []
        return [
            f'warning: shape {shape} is read as {n} sequences of {height} steps of {width} '
            f'channels; if it is [N, C, L], give numpy.moveaxis(sequences, 1, -1)'
        ]
    taken = f'warning: shape {shape} is read as {n} images of {height} x {width}; if it is'
    if width in (3, 4) and _alike(n, height):
        return [f'{taken} one image [H, W, C], give images[None]']
    if n == height and width > 4 * height:
        return [f'{taken} [H, W, N], give numpy.moveaxis(images, -1, 0)']
    if width <= _MAX_CHANNELS and height > 4 * width:
        return [f'{taken} sequences [N, L, C], name the array sequences']
    return []


def _alike(*sides: int) -> bool:
    """Returns whether these may be the height and width of an image."""
    return min(sides) > _MAX_CHANNELS and max(sides) <= 4 * min(sides)


def split(pair: Pair, kind: Kind = '', missing: bool = False) -> splits.Split:
    """Converts the arrays of a split; `missing` as in `loaded`.

    Raises: InputError that names an array that does not hold images or labels, or has another
      length.
    """
    images = _examples(pair.images.who, pair.images.values, kind, missing)
    if pair.labels is None:
        return splits.Split(images, None)
    classes = _classes(pair.labels.who, pair.labels.values)
    if len(images) != len(classes):
        shape = pair.images.values.shape
        cure = ': numpy.moveaxis(images, -1, 0) makes them' if shape[-1] == len(classes) else ''
        raise errors.InputError(
            f'{pair.labels.who}: holds {len(classes)} labels for {len(images)} images; the counts '
            f'must match{cure}'
        )
    return splits.Split(images, classes)


def refuse_disagreement(who: str, train: splits.Split, other: splits.Split, name: str) -> None:
    """Refuses a split whose images have another shape or type, or that lacks the labels."""
    for of_train, of_other in (
        (train.images.shape[1:], other.images.shape[1:]),
        (train.images.dtype, other.images.dtype),
        (_labeled(train), _labeled(other)),
    ):
        if of_train != of_other:
            raise errors.InputError(
                f'{who}: training images are {of_train}, {name} images are {of_other}; they must '
                'match'
            )


def _labeled(part: splits.Split) -> str:
    return 'unlabeled' if part.labels is None else 'labeled'


def _examples(who: str, array: np.ndarray, kind: Kind, missing: bool) -> np.ndarray:
    """Returns `[N, H, W, C]`, uint8 or float32 within [0, 1], or others, uint8 or float32."""
    values = array
    wanted, ranks = _SHAPES[kind]
    if values.ndim not in ranks:
        more = '' if kind else '; sequences [N, L, C] are given by the name sequences'
        raise errors.InputError(f'{who}: shape is {array.shape}; it must be {wanted}{more}')
    if values.ndim == (_RANKS[kind] - 1 if kind else 3):
        values = values[..., None]
    if not values.size:
        raise errors.InputError(f'{who}: shape is {array.shape}; it must hold at least one example')
    if values.dtype.kind not in 'buif':
        raise errors.InputError(
            f'{who}: holds {values.dtype}; images must be uint8, or floats in [0, 1]'
        )
    if not dataset.is_image(values.shape[1:]):
        return _unbounded(who, values, missing)
    _refuse_layout(who, array.shape)
    integers = values.dtype.kind in 'ui'
    _check_range(who, values, 255 if integers else 1, array.ndim == 3)
    if integers and values.dtype != np.uint8 and 0 < values.max() <= _GRAY_LEVELS:
        raise errors.InputError(
            f'{who}: holds {values.dtype} up to {values.max()}, which is no more than '
            f'{_GRAY_LEVELS}; if {values.max()} is white, divide by it; if 255 is, convert to uint8'
        )
    return values.astype(np.uint8 if integers else np.float32, copy=False)


def _unbounded(who: str, values: np.ndarray, missing: bool) -> np.ndarray:
    """Returns `[N, ...]`, uint8 or float32; refuses numbers that are not finite."""
    if values.dtype == np.uint8:
        return values
    with np.errstate(over='ignore'):
        rows = values.astype(np.float32, copy=False)
    finite = ~np.isinf(rows) if missing else np.isfinite(rows)
    if not finite.all():
        first = np.argwhere(~finite)[0].tolist()
        where = f'{dataset.noun(values.shape[1:])} {first[0]}, at {first[1:]}'
        if dataset.tabular(values.shape[1:]):
            where = f'row {first[0]}, column {first[1]}'
        raise errors.InputError(
            f'{who}: {int((~finite).sum())} of {rows.size} values are not finite in float32; the '
            f'first is {values[tuple(first)]} in {where}, from 0'
            f'{"; --missing=mask takes NaN" if np.isnan(values[tuple(first)]) else ""}'
        )
    return rows


def _refuse_layout(who: str, shape: tuple[int, ...]) -> None:
    """Refuses a shape that looks like another order of the dimensions than `[N, H, W, C]`.

    It has few channels in the place of a side, and sides of similar lengths elsewhere.
    """
    for layout, cure in _LAYOUTS.items():
        if len(shape) != len(layout):
            continue
        sides = [n for n, name in zip(shape, layout, strict=True) if name in 'HW']
        channels = shape[layout.index('C')]
        if channels in range(_MIN_CHANNELS[layout], _MAX_CHANNELS + 1) and _alike(*sides):
            raise errors.InputError(
                f'{who}: shape is {shape}, which looks like [{", ".join(layout)}]; it must be '
                f'[N, H, W, C], which {cure} returns'
            )


def _check_range(who: str, values: np.ndarray, high: int, gray: bool) -> None:
    low, top = values.min(), values.max()
    if low >= 0 and top <= high:  # false if any is NaN
        return
    missing = int(np.isnan(values).sum()) if values.dtype.kind == 'f' else 0
    if missing:
        raise errors.InputError(
            f'{who}: {missing} of {values.size} pixels are NaN; they must lie in [0, {high}]'
        )
    outside = int(((values < 0) | (values > high)).sum())
    cure = _cure(float(low), float(top), high)
    if gray and not cure:
        cure = 'if they are sequences [N, L, C], name the array sequences'
    raise errors.InputError(
        f'{who}: {outside} of {values.size} pixels lie outside [0, {high}], the range is '
        f'[{low}, {top}]; {values.dtype} pixels must lie in [0, {high}]{cure and ": "}{cure}'
    )


def _cure(low: float, top: float, high: int) -> str:
    """Returns the conversion to the interval for common ranges; empty for other ranges."""
    if high == 255:
        cure = 'divide them by the value of white (65535, or 4095 for 12 bits) to get floats'
        return cure if low >= 0 and top < 2**16 else ''
    if low >= -1e-3 and top <= 1 + 1e-3:
        return 'use numpy.clip(images, 0, 1)'
    if -1 <= low < 0 and top <= 1:
        return 'use (images + 1) / 2 if they lie in [-1, 1]'
    if low >= 0 and top <= _GRAY_LEVELS:
        return f'divide them by {top:g} if that is white'
    if low >= 0 and top <= 255:
        return 'divide them by 255, or convert them to uint8'
    return ''


def _classes(who: str, values: np.ndarray) -> np.ndarray:
    """Returns `[N]` int64, from 0 up."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in 'bui':
        cure = ''
        if values.ndim == 1 and values.dtype.kind in 'OSU':
            cure = ': numpy.unique(labels, return_inverse=True) returns the classes and the numbers'
        elif values.ndim == 1 and values.dtype.kind == 'f' and np.all(values == np.round(values)):
            cure = ': labels.astype(int) is'
        elif values.ndim == 2 and values.dtype.kind in 'buif' and values.size:
            one_hot = np.all((values == 0) | (values == 1)) and np.all(values.sum(1) == 1)
            cure = ': of one-hot labels, labels.argmax(1) is' if one_hot else ''
            cure = ': labels[0] is' if values.shape[0] == 1 else cure
        raise errors.InputError(
            f'{who}: is {values.dtype} {values.shape}; labels must be integers [N] or [N, 1]{cure}'
        )
    if values.size and (values.min() < 0 or values.max() >= _MAX_CLASSES):
        raise errors.InputError(
            f'{who}: labels span {values.min()} to {values.max()}; they must be class numbers '
            f'from 0, below {_MAX_CLASSES}'
        )
    return values.astype(np.int64)
