"""Images chosen by flags: by class, by index in a split, or as files."""

import pathlib
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from tfae import data
from tfae.core import errors
from tfae.data import lazy_images
from tfae.data.formats import image_files
from tfae.pretrained import imagenet
from tfae.pretrained.classifier import Reference
from tfae.runs.saved_run import Run


def chosen(
    classes: Sequence[str], indices: Sequence[int], loaded: data.DataSet, part: data.Split
) -> list[int]:
    """Returns indices in `part` of the images of `--indices` or of the first of each `--classes`.

    Raises: UsageError if both are given, an index or a class is unknown, or there are no labels;
      InputError if the split has no image of a class.
    """
    if classes and indices:
        raise errors.UsageError('--classes and --indices exclude each other')
    for index in indices:
        errors.in_range('--indices', index, 0, len(part.images) - 1)
    if classes and part.labels is None:
        raise errors.UsageError(
            f'--classes: {loaded.name} has no labels; choose images by --indices'
        )
    return [*indices, *(_first(word, loaded, part) for word in classes)]


def of_each_class(split: data.Split, count: int) -> list[int]:
    """Returns indices of `count` images: the first of each class, then the first of the others."""
    rest = range(len(split.images))
    if split.labels is None:
        return list(rest[:count])
    firsts = np.unique(split.labels, return_index=True)[1].tolist()
    return [*firsts, *(i for i in rest if i not in firsts)][:count]


def read(run: Run, paths: Iterable[str | pathlib.Path]) -> np.ndarray:
    """Reads image files as images `[N, H, W, C]` in [0, 1], preprocessed as the training images.

    Raises: InputError as `lazy_images.read` does.
    """
    form = run.experiment.form()
    found = []
    for path in map(pathlib.Path, paths):
        found.append(lazy_images.read(path, form))
        _warn_of_remark(path)
    return data.pixels(np.stack(found))


def cut(network: Reference, paths: Iterable[str | pathlib.Path]) -> np.ndarray:
    """Reads image files as images `[N, H, W, 3]` uint8, preprocessed for a published network.

    Raises: InputError that names a file that cannot be read as an image.
    """
    height, width, _ = network.image_shape
    # One at a time: the files may be a hundred times as large as the crops.
    return np.stack([imagenet.cut(_rgb(pathlib.Path(path)), height, width) for path in paths])


def _rgb(path: pathlib.Path) -> Image.Image:
    image = image_files.eight_bits(image_files.content(path), image_files.shown(path))
    _warn_of_remark(path)
    return image.convert('RGB')


def _warn_of_remark(path: pathlib.Path) -> None:
    """Warns of what is unusual about a file, such as 16 bits or CMYK, as training does."""
    who = image_files.shown(path)
    if remark := image_files.header(path, who).remark:
        warnings.warn(f'{who} {remark}', stacklevel=2)


def _first(word: str, loaded: data.DataSet, part: data.Split) -> int:
    """Returns the index of the first image of a class."""
    number = data.class_number('--classes', word, loaded.class_names, loaded.classes)
    places = np.flatnonzero(part.labels == number)
    if not len(places):
        raise errors.InputError(f'--classes: the split has no image of class {word}')
    return int(places[0])
