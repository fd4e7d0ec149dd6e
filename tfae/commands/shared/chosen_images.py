"""Pictures that flags name: by class, by place in a part of a data set, or as files."""

import pathlib
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from tfae import data
from tfae.core import errors

_LONGEST = 30_000  # pixels a side of a file that is read
# Those that pillow decodes by itself: others start programs (EPS) or fetch what they name.
_FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
_MODES = {1: 'L', 3: 'RGB'}


def chosen(
    classes: Sequence[str], indices: Sequence[int], loaded: data.DataSet, part: data.Split
) -> list[int]:
    """Places in `part` of the pictures of `--indices`, or of the first one of each of `--classes`.

    Raises: UsageError if both are given, a place or a class is none of the set's, or it has no
      labels; InputError if the part has no picture of a class.
    """
    if classes and indices:
        raise errors.UsageError('--classes and --indices exclude each other')
    for index in indices:
        errors.in_range('--indices', index, 0, len(part.images) - 1)
    if classes and part.labels is None:
        raise errors.UsageError(f'--classes: {loaded.name} has no labels; --indices names pictures')
    return [*indices, *(_first(word, loaded, part) for word in classes)]


def read(path: pathlib.Path, shape: Sequence[int]) -> np.ndarray:
    """The picture in a file as `[H, W, C]` in [0, 1], scaled to `shape`.

    Raises: InputError that names the file if it is no picture that can be read, or C is neither 1
      nor 3.
    """
    height, width, channels = shape
    if channels not in _MODES:
        raise errors.InputError(
            f'{path}: the run takes pictures of {channels} channels, a file has 1 or 3'
        )
    picture = opened(path, _MODES[channels])
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return data.pixels(np.asarray(picture)).reshape(height, width, channels)


def opened(path: pathlib.Path, mode: str) -> Image.Image:
    """The picture in a file in a mode of pillow's, upright.

    Raises: InputError that names the file if it is no picture that can be read.
    """
    try:
        with warnings.catch_warnings():
            # Between pillow's bound, where it warns, and twice that, where it raises.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as found:
                if max(found.size) > _LONGEST:
                    raise errors.InputError(
                        f'{path} is {found.width} x {found.height}; no side may exceed {_LONGEST}'
                    )
                return ImageOps.exif_transpose(found).convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, FileNotFoundError | errors.InputError):
            raise
        raise errors.InputError(f'{path} cannot be read as a picture: {error}') from None


def _first(word: str, loaded: data.DataSet, part: data.Split) -> int:
    """The place of the first picture of a class."""
    number = data.class_number('--classes', word, loaded.class_names, loaded.classes)
    places = np.flatnonzero(part.labels == number)
    if not len(places):
        raise errors.InputError(f'--classes: the part holds no picture of class {word}')
    return int(places[0])
