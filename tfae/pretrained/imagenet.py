"""Crop, color covariance and class names of ImageNet."""

import ast
import json
import pathlib

import numpy as np
from PIL import Image

from tfae.core import bounded_files, errors

_SHORTER = 256  # pixels of the shorter side after scaling
_MAX_BYTES = 2**24  # of a list of names
_UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, RecursionError),
    *(SyntaxError, MemoryError),  # of a literal of Python that is damaged or nested too deeply
)

# Square root of the covariance of R, G and B over ImageNet, one row each, from Lucid: Olah,
# Mordvintsev and Schubert, Feature visualization, Distill 2017.
_COLOR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


def cut(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Scales the shorter side of an RGB image to 256 and returns the central crop.

    Equals Resize(256) and CenterCrop of torchvision up to rounding (1 of 255).

    Args:
      image: RGB.
      height: of the crop in pixels.
      width: of the crop in pixels.

    Returns: uint8 `[height, width, 3]`.

    Reference: Krizhevsky, Sutskever and Hinton, NIPS 2012, section 2.
    """
    shorter, longer = sorted(image.size)
    scaled = _SHORTER, max(_SHORTER, int(_SHORTER * longer / shorter))
    size = scaled if image.width <= image.height else scaled[::-1]
    # Resamples the crop only: an image of 30 000 x 1 would become 7.7 million pixels wide.
    left, top = (round((n - kept) / 2) for n, kept in zip(size, (width, height), strict=True))
    x, y = (old / new for old, new in zip(image.size, size, strict=True))
    box = (left * x, top * y, (left + width) * x, (top + height) * y)
    kept = image.resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(kept)


def color_root() -> np.ndarray:
    """Returns the map `[3, 3]` from decorrelated colors to RGB; its longest row has length 1."""
    root = np.array(_COLOR_ROOT)
    return root / np.linalg.norm(root, axis=1).max()


def class_names(path: str, classes: int) -> tuple[str, ...]:
    """Reads class names from a text file, JSON, or a Python dict or list literal.

    A text file has a name per line. The others have a list of names, or an object or dict of index
    -> name or -> [identifier, name], as the public `imagenet_class_index.json`. Nothing in the file
    is executed.

    Raises: InputError if the file cannot be read, or the number of names is not `classes`.
    """
    place = pathlib.Path(path).expanduser()
    try:
        text = bounded_files.read_bytes(place, _MAX_BYTES).decode('utf-8-sig')
        literal = text.lstrip().startswith(('{', '['))
        found = _from_literal(text.strip()) if literal else text.splitlines()
    except errors.InputError:
        raise
    except _UNREADABLE as error:
        raise errors.InputError(
            f'--class_names {path} cannot be read ({type(error).__name__}: {error}); it must hold '
            f'one name per line, or a JSON object, a Python dict or a list of names'
        ) from None
    if len(found) != classes:
        raise errors.InputError(
            f'--class_names {path} has {len(found)} names; there are {classes} classes'
        )
    return tuple(' '.join(name.split()) for name in found)


def _from_literal(text: str) -> list[str]:
    """Returns the names in JSON or in a literal of Python."""
    try:
        content = json.loads(text)
    except ValueError as error:
        try:
            content = ast.literal_eval(text)
        except _UNREADABLE:
            raise error from None
    if isinstance(content, dict):
        by_index = {str(key): value for key, value in content.items()}
        content = [by_index[str(i)] for i in range(len(by_index))]
    names = [name if isinstance(name, str) else name[1] for name in content]
    if not all(isinstance(name, str) for name in names):
        raise TypeError('a name is not a string')
    return names
