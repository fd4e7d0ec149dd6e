"""How images are cut for networks of ImageNet, how its colors go together, and its classes."""

import json
import pathlib

import numpy as np
from PIL import Image

from tfae.core import errors

_SHORTER = 256  # pixels that the shorter side is scaled to
_MOST_BYTES = 2**24  # of a list of names

# A root of the covariance of R, G and B over its images, a row each, from Lucid, the program of
# Olah, Mordvintsev and Schubert, Feature visualization, Distill 2017.
_COLORS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


def cut(image: Image.Image, height: int, width: int) -> np.ndarray:
    """The middle `[height, width, 3]` uint8 of an RGB image whose shorter side becomes 256.

    As torchvision's Resize(256) and CenterCrop do; where pillow rounds in another order, a value
    is another by 1.
    Reference: Krizhevsky, Sutskever and Hinton, NIPS 2012, section 2.
    """
    shorter, longer = sorted(image.size)
    scaled = _SHORTER, max(_SHORTER, int(_SHORTER * longer / shorter))
    size = scaled if image.width <= image.height else scaled[::-1]
    # Only what is kept is made: the middle of an image of 30 000 x 1 would be 7.7 million wide.
    left, top = (round((n - kept) / 2) for n, kept in zip(size, (width, height), strict=True))
    x, y = (old / new for old, new in zip(image.size, size, strict=True))
    box = (left * x, top * y, (left + width) * x, (top + height) * y)
    kept = image.resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(kept)


def color_root() -> np.ndarray:
    """`[3, 3]`, independent numbers -> R, G and B that go together; the longest row is 1 long."""
    root = np.array(_COLORS)
    return root / np.linalg.norm(root, axis=1).max()


def class_names(path: str, classes: int) -> tuple[str, ...]:
    """Names of the classes, from a file of one a line or from `imagenet_class_index.json`.

    That public file is an object of `"number": ["identifier", "name"]`.

    Raises: InputError if the file cannot be read, or has not one name for each of `classes`.
    """
    place = pathlib.Path(path).expanduser()
    try:
        with place.open('rb') as file:
            text = file.read(_MOST_BYTES).decode()
        found = _from_json(text) if text.lstrip().startswith('{') else text.splitlines()
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise errors.InputError(
            f'--class_names {path} cannot be read ({type(error).__name__}: {error}); it must hold '
            f'one name a line or be as imagenet_class_index.json'
        ) from None
    if len(found) != classes:
        raise errors.InputError(
            f'--class_names {path} has {len(found)} names; there are {classes} classes'
        )
    return tuple(' '.join(name.split()) for name in found)


def _from_json(text: str) -> list[str]:
    content = json.loads(text)
    names = [content[str(i)][1] for i in range(len(content))]
    if not all(isinstance(name, str) for name in names):
        raise TypeError('a name is no text')
    return names
