"""Data sets and their configuration.

N examples: rows of a table of D columns, sequences of L steps, images of H x W pixels or volumes of
D x H x W voxels, the last three of C channels. The rank of their array says which:

    rows `[N, D]`    sequences `[N, L, C]`    images `[N, H, W, C]`    volumes `[N, D, H, W, C]`

Images in the wide sense, as in `Split.images`, are examples of any of these. Instead of an array,
the images of a set larger than memory are `LazyImages`: files that are decoded on access.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from tfae.core import errors
from tfae.core.config import Part, option
from tfae.data import normalization
from tfae.data.lazy_images import LazyImages, sides
from tfae.data.splits import Split

# By the rank of an example: `(D,)`, `(L, C)`, `(H, W, C)` and `(D, H, W, C)`.
_NOUNS = {1: 'row', 2: 'sequence', 3: 'image', 4: 'volume'}
_AXES = {
    1: ('columns',),
    2: ('steps', 'channels'),
    3: ('height', 'width', 'channels'),
    4: ('depth', 'height', 'width', 'channels'),
}


class DataSet(NamedTuple):
    """A loaded data set with three disjoint splits."""

    name: str
    train: Split
    validation: Split  # may hold 0 examples
    test: Split
    class_names: tuple[str, ...]  # empty when unlabeled
    notes: tuple[str, ...] = ()  # what was skipped, and why
    columns: tuple[str, ...] = ()  # names of those of a table, or of channels; or empty

    def column(self, k: int) -> str:
        """Returns the name of a column of a table or of a channel, or its number from 0."""
        return self.columns[k] if self.columns else str(k)

    def column_names(self) -> list[str]:
        """Returns the names of the columns of a table, or of channels; without names, numbers."""
        before = '' if self.columns or tabular(self.image_shape) else 'channel '
        return [f'{before}{self.column(k)}' for k in range(self.image_shape[-1])]

    @property
    def noun(self) -> str:
        """The noun for an example: row, sequence, image or volume."""
        return noun(self.image_shape)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of an example, `(H, W, C)` of an image; the same in every split."""
        return tuple(self.train.images.shape[1:])

    def reshaped(self, shape: Sequence[int]) -> 'DataSet':
        """Returns the data set with the arrays of all splits reshaped to `[N, *shape]`."""

        def of(split: Split) -> Split:
            return split._replace(images=split.images.reshape(-1, *shape))

        return self._replace(
            train=of(self.train), validation=of(self.validation), test=of(self.test)
        )

    @property
    def classes(self) -> int:
        """The number of classes; 0 without labels."""
        labels = [split.labels for split in (self.train, self.validation, self.test)]
        largest = max(
            (int(found.max(initial=-1)) for found in labels if found is not None), default=-1
        )
        return max(len(self.class_names), largest + 1) if labels[0] is not None else 0

    def fingerprint(self) -> str:
        """Returns a hash of all pixels, labels and splits, as 32 hexadecimal digits.

        Equal fingerprints mean the same examples in the same splits, so a run is never evaluated on
        images that it was trained on. Image files count by name, length and decoding instead of
        pixels; shards count by their checksums.
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
    """The splits of a data set before its validation split and classes are selected."""

    train: Split
    test: Split
    class_names: Sequence[str]  # empty when unlabeled
    validation: Split | None = None  # None: it is taken from the training split
    notes: tuple[str, ...] = ()  # what was skipped, and why
    columns: tuple[str, ...] = ()  # names of those of a table, or of channels; or empty
    kind: Literal['', 'sequences', 'volumes'] = ''  # of arrays from outside; '': the rank decides


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The data set of a run."""

    dataset: str = option(
        'digits',
        'Data set: digits, mnist, fashion_mnist, cifar10, celeba, fairface, synthetic, npz (a file '
        'of arrays), csv (a table), windows (of series in a folder of CSV files), images (a folder '
        'of image files), records (shards of `tfae convert`), sklearn:breast_cancer, '
        'sklearn:diabetes, sklearn:digits, sklearn:iris, sklearn:wine, a name that an installed '
        'package provides, or a module, package.module.',
    )
    data_dir: str = option(
        '',
        'Folder with the files of the data set, or the parent of a folder with its name; for npz '
        'and csv, the file. Default: $TFAE_DATA_DIR/<dataset> if it exists, else '
        '~/.cache/tfae/<dataset>.',
    )
    validation_fraction: float = option(
        0.1,
        'Fraction of the training set held out for validation. The same fraction always selects '
        'the same examples, and a larger fraction includes those of a smaller one.',
        within='[0, 1)',
    )
    only_classes: tuple[str, ...] = option(
        (),
        'Keeps only these classes, by name or number, in training and validation; the test split '
        'keeps all (default: all classes).',
        excludes=('--without_classes',),
    )
    without_classes: tuple[str, ...] = option(
        (), 'Removes these classes, by name or number, from training and validation.'
    )
    labeled_examples: int = option(
        0,
        'Keeps this number of training examples, balanced over classes; a larger number includes '
        'the examples of a smaller one. 0: all are kept.',
        within='[0, inf) examples',
        formerly='labelled_examples',
    )
    labeled_seed: int = option(
        0,
        'Random seed of the selection by --labeled_examples.',
        within='[0, 4294967295]',
        needs=('--labeled_examples',),
        formerly='labelled_seed',
    )
    attributes: str = option(
        '',
        'Table of attributes of image files, for --target: CSV whose first column names the file, '
        "or CelebA's format.",
        needs=('--target',),
    )
    target: str = option(
        '',
        'Column that replaces the labels, in all splits: of --attributes, or of the table of data '
        'set csv. Examples without a value are skipped. The classes are its distinct values, in '
        'numerical order where they are numbers; --model=regressor uses the values as quantities.',
    )
    normalize: normalization.Kind = option(
        'none',
        'Normalization of the columns of a table, or of the channels of sequences and volumes, '
        'fitted to the training split: none, minmax (to [0, 1]), standard (mean 0, standard '
        'deviation 1) or robust (median 0, quartiles 1 apart). Losses and errors are in normalized '
        'units.',
    )
    missing: Literal['refuse', 'mask'] = option(
        'refuse',
        'Missing values (NaN, empty cells) of tables, sequences and volumes. mask: the model sees '
        '0 in their place, after normalization, and neither the normalization nor losses and '
        'errors depend on them; refuse: they are an error.',
    )
    synthetic_kind: Literal['bars', 'blobs', 'linear', 'waves', 'solids'] = option(
        'bars',
        'Content of the synthetic examples: bars, blobs and linear are images, waves are '
        'sequences, solids are volumes.',
    )
    synthetic_shape: str = option(
        '16x16x1',
        'Shape of the synthetic examples: height x width x channels of images, length x channels '
        'of sequences, depth x height x width x channels of volumes.',
    )
    synthetic_examples: int = option(
        1000,
        'Total number of synthetic training and test examples.',
        within='[2, inf) examples',
    )
    test_fraction: float = option(
        0.2,
        'Fraction of the images that forms the test split if their folder has no train/ and '
        'test/, selected by a hash of their file names; for data set windows the fraction of the '
        'steps of each series, at its end.',
        within='(0, 1)',
    )
    window: str = option(
        '',
        'Length and step of the windows into which data set windows cuts its series, LENGTH:STEP '
        'such as 256:64.',
    )
    crop: str = option(
        '',
        'Central crop of image files, height x width such as 160x160 (default: no cropping).',
    )
    size: str = option(
        '',
        'Size to which image files are scaled, height x width such as 64x64 (default: no scaling).',
    )
    color: Literal['as_is', 'gray', 'rgb'] = option(
        'as_is',
        'Color of decoded image files; as_is means gray if every file is gray, else rgb.',
        formerly='colour',
        former_values={'grey': 'gray'},
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ('crop', 'size'):
            sides(f'--{name}', getattr(self, name))
        if self.window:
            window(self.window)


class Source(Protocol):
    """The interface of a data set: a module, or an object with the same attributes."""

    @property
    def FIELDS(self) -> tuple[str, ...]:
        """Names of the fields of `Config` that this data set reads, besides the common ones.

        With `validation_fraction` among them, it cuts its validation split itself.
        """

    def load(self, config: Config, /) -> Loaded | tuple[Split, Split, Sequence[str]]:
        """Returns the training split, the test split and the names of the classes.

        Raises: UsageError or InputError that names the wrong flag or file.
        """


def pixels(images: Any) -> Any:
    """Converts examples to float32: uint8 is scaled by 1/255 to [0, 1], float32 is unchanged.

    `LazyImages` become `LazyImages` of floats, still decoded on access. The result equals that of
    `tf.image.convert_image_dtype(images, tf.float32)` bit for bit: both multiply by the rounded
    1/255, where a division would differ in the last bit.
    """
    if isinstance(images, LazyImages):
        return images.as_floats()
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images.astype(np.float32, copy=False)


def flat(images: Any) -> np.ndarray:
    """Returns the values `[N, D]` of examples `[N, ...]` as float32; see `pixels`."""
    return pixels(images).reshape(len(images), -1)


def axes(shape: Sequence[int]) -> tuple[str, ...]:
    """Returns the names of the axes of examples of this shape."""
    return _AXES[len(shape)]


def noun(shape: Sequence[int]) -> str:
    """Returns the noun for examples of this shape: the rank alone decides."""
    return _NOUNS[len(shape)]


def values(shape: Sequence[int]) -> str:
    """Returns the noun for the values of examples of this shape: columns, pixels or others."""
    return {'row': 'columns', 'image': 'pixels'}.get(noun(shape), 'values')


def tabular(shape: Sequence[int]) -> bool:
    """Returns whether examples of this shape are rows of a table, `(D,)`."""
    return len(shape) == 1


def is_image(shape: Sequence[int]) -> bool:
    """Returns whether examples of this shape are images, `(H, W, C)`.

    Only the values of images are bounded: they lie in [0, 1], as do the outputs of models.
    """
    return len(shape) == 3


def file(data_dir: str, name: str) -> pathlib.Path:
    """Returns the file of data set `name`, whose suffix is that name.

    Raises: UsageError if `data_dir` is empty; InputError unless it is a file, or a folder with one.
    """
    if not data_dir:
        raise errors.UsageError(
            f'--data_dir is empty; data set {name} needs --data_dir=path/to/file.{name}'
        )
    path = pathlib.Path(data_dir).expanduser()
    if not path.exists():
        raise errors.InputError(f'{path}: no such file; data set {name} needs a .{name} file')
    if not path.is_dir():
        return path
    found = sorted(path.glob(f'*.{name}'))
    if len(found) != 1:
        raise errors.InputError(
            f'{path}: holds {len(found)} .{name} files; it must hold one, or --data_dir must name '
            f'one'
        )
    return found[0]


def window(text: str) -> tuple[int, int]:
    """Parses `'256:64'`: the length of windows, and the steps from one to the next.

    Raises: UsageError that shows the text.
    """
    length, _, step = text.partition(':')
    parts = length, step
    if not all(re.fullmatch(r'[1-9]\d{0,7}', part, re.ASCII) for part in parts):
        raise errors.UsageError(
            f'--window is {text[:80]!r}; it must be LENGTH:STEP, such as 256:64, two integers in '
            f'[1, 99999999]'
        )
    return int(length), int(step)


def folder(data_dir: str, name: str) -> pathlib.Path:
    """Returns the folder for the files of data set `name`: see the help of `--data_dir`."""
    if data_dir:
        given = pathlib.Path(data_dir).expanduser()
        return given / name if (given / name).is_dir() else given
    shared = os.environ.get('TFAE_DATA_DIR')
    if shared and (pathlib.Path(shared) / name).is_dir():
        return pathlib.Path(shared) / name
    return pathlib.Path('~/.cache/tfae').expanduser() / name
