"""What a data set is, and the configuration that says what to load.

N examples, H x W image, C channels. A set larger than memory is a `LazyImages` in place of an
array: files that are decoded where they are asked for.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from tfae.core.config import Part, option
from tfae.data.lazy_images import LazyImages, sides
from tfae.data.splits import Split


class DataSet(NamedTuple):
    """A loaded set; its three splits share no example."""

    name: str
    train: Split
    validation: Split  # may hold 0 examples
    test: Split
    class_names: tuple[str, ...]  # empty when unlabeled
    notes: tuple[str, ...] = ()  # what was left out of the set, and why

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(H, W, C)`, the same in every split."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> int:
        """How many classes the labels tell apart; 0 without labels."""
        labels = [split.labels for split in (self.train, self.validation, self.test)]
        largest = max(
            (int(found.max(initial=-1)) for found in labels if found is not None), default=-1
        )
        return max(len(self.class_names), largest + 1) if labels[0] is not None else 0

    def fingerprint(self) -> str:
        """Hash of every pixel and label and of the cut into splits, as 32 hexadecimal digits.

        Two sets of one fingerprint hold the same examples in the same splits, so a run that is
        measured later is measured on images that it was not trained on. Of image files the
        names, the lengths and how they are decoded count in place of the pixels; of shards their
        own sums.
        """
        digest = hashlib.blake2b(digest_size=16)
        for split in (self.train, self.validation, self.test):
            for array in split:
                if array is None:
                    digest.update(b'none')
                elif isinstance(array, LazyImages):
                    digest.update(array.identity())
                else:
                    digest.update(f'{array.dtype} {array.shape}'.encode())
                    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


class Loaded(NamedTuple):
    """The splits of a set before validation examples and classes are taken out of them."""

    train: Split
    test: Split
    class_names: Sequence[str]  # empty when unlabeled
    validation: Split | None = None  # None: it is cut from the training split
    notes: tuple[str, ...] = ()  # what was left out, and why


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """What to load."""

    dataset: str = option(
        'digits', "Name of the data set, or a module of one's own, package.module."
    )
    data_dir: str = option(
        '',
        "Folder with the set's files, or one that holds a folder of the set's name; for npz, the "
        'file. Empty: $TFAE_DATA_DIR/<set> if that exists, else ~/.cache/tfae/<set>.',
    )
    validation_fraction: float = option(
        0.1,
        'Part of the training set kept for validation. The same fraction always gives the same '
        'examples, and a larger one holds the smaller.',
        within='[0, 1)',
    )
    only_classes: tuple[str, ...] = option(
        (),
        'Classes, by name or number, that alone are kept in training and validation; the test part '
        'keeps all. Empty: all.',
        excludes=('--without_classes',),
    )
    without_classes: tuple[str, ...] = option(
        (), 'Classes, by name or number, that training and validation do without.'
    )
    labeled_examples: int = option(
        0,
        'Training examples that are kept, equally many of each class as far as they go; a larger '
        'number keeps those of a smaller one. 0 keeps all.',
        within='[0, inf) examples',
        formerly='labelled_examples',
    )
    labeled_seed: int = option(
        0,
        'Decides with --labeled_examples which are kept.',
        within='[0, 4294967295]',
        needs=('--labeled_examples',),
        formerly='labelled_seed',
    )
    synthetic_kind: Literal['bars', 'blobs', 'linear'] = option(
        'bars', 'For synthetic alone: what its images show.'
    )
    synthetic_shape: str = option('16x16x1', 'For synthetic alone: height x width x channels.')
    synthetic_examples: int = option(
        1000,
        'For synthetic alone: training and test images together.',
        within='[2, inf) examples',
    )
    test_fraction: float = option(
        0.2,
        'Part of a folder of images that has no train/ and test/ in it which becomes the test '
        "part: a function of the files' names.",
        within='(0, 1)',
    )
    crop: str = option(
        '',
        "Image files: height x width of the center that is kept, such as '160x160'. Empty: all.",
    )
    size: str = option(
        '', "Image files: height x width that they are scaled to, such as '64x64'. Empty: none."
    )
    color: Literal['as_is', 'gray', 'rgb'] = option(
        'as_is',
        'Image files: how they are decoded; as_is takes gray where every one is.',
        formerly='colour',
        former_values={'grey': 'gray'},
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ('crop', 'size'):
            sides(f'--{name}', getattr(self, name))


class Source(Protocol):
    """The contract of a data set: its module, or an object in place of one."""

    @property
    def FIELDS(self) -> tuple[str, ...]:
        """Names of the fields of `Config` that this set reads, beyond the common ones."""

    def load(self, config: Config, /) -> Loaded | tuple[Split, Split, Sequence[str]]:
        """Returns the training split, the test split and the names of the classes.

        Raises: UsageError or InputError that names the flag or file that is wrong.
        """


def pixels(images: Any) -> Any:
    """`images` as float32 in [0, 1]: uint8 is scaled by 1/255, float32 comes back as it is.

    Of `LazyImages` this is another `LazyImages`, which decodes no more than is asked of it.

    Equal to `tf.image.convert_image_dtype(images, tf.float32)` bit for bit: that multiplies by
    the rounded 1/255 too, where a division would differ in the last place.
    """
    if isinstance(images, LazyImages):
        return images.as_floats()
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images.astype(np.float32, copy=False)


def folder(data_dir: str, name: str) -> pathlib.Path:
    """Where the files of set `name` lie, or will: see the help of `Config.data_dir`."""
    if data_dir:
        given = pathlib.Path(data_dir).expanduser()
        return given / name if (given / name).is_dir() else given
    shared = os.environ.get('TFAE_DATA_DIR')
    if shared and (pathlib.Path(shared) / name).is_dir():
        return pathlib.Path(shared) / name
    return pathlib.Path('~/.cache/tfae').expanduser() / name
