"""Data sets as numpy arrays: a set's name is the name of its file in this folder.

N examples, H x W picture, C channels. A set larger than memory is a `Pictures` in place of an
array: files that are decoded where they are asked for. Nothing here but `pipeline.py` and
`streaming.py`, which carry both kinds into a graph, and the writer of shards needs TensorFlow.

A set's module has two members:

    FIELDS: tuple[str, ...]   # fields of `Config` that this set reads, beyond the common ones
    load(config: Config) -> tuple[Split, Split, tuple[str, ...]]   # train, test, class names

Modules that are no sets start with an underscore, save for `pipeline` and `streaming`.
"""

import dataclasses
import hashlib
import importlib
import math
import os
import pathlib
import pkgutil
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from tfae import checks
from tfae.config import option
from tfae.data._pictures import Pictures as Pictures
from tfae.data._pictures import sides as sides
from tfae.data._split import Split as Split
from tfae.data._split import class_number as class_number
from tfae.data._split import cut as cut
from tfae.data._split import few as few
from tfae.data._split import select
from tfae.data._split import with_test as with_test

_COMMON_FIELDS = (
    'dataset',
    'only_classes',
    'without_classes',
    'validation_fraction',
    'labelled_examples',
    'labelled_seed',
)
_VALIDATION_SEED = 1


class DataSet(NamedTuple):
    """A loaded set; its three parts share no example."""

    name: str
    train: Split
    validation: Split  # may hold 0 examples
    test: Split
    class_names: tuple[str, ...]  # empty when unlabelled

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(H, W, C)`, the same in every part."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> int:
        """How many classes the labels tell apart; 0 without labels."""
        labels = [part.labels for part in (self.train, self.validation, self.test)]
        largest = max(
            (int(found.max(initial=-1)) for found in labels if found is not None), default=-1
        )
        return max(len(self.class_names), largest + 1) if labels[0] is not None else 0

    def fingerprint(self) -> str:
        """Hash of every pixel and label and of the cut into parts, as 32 hexadecimal digits.

        Two sets of one fingerprint hold the same examples in the same parts, so a run that is
        measured later is measured on pictures that it was not trained on. Of picture files the
        names, the lengths and how they are decoded count in place of the pixels; of shards their
        own sums.
        """
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.train, self.validation, self.test):
            for array in part:
                if array is None:
                    digest.update(b'none')
                elif isinstance(array, Pictures):
                    digest.update(array.identity())
                else:
                    digest.update(f'{array.dtype} {array.shape}'.encode())
                    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Config:
    """What to load."""

    dataset: str = option('digits', 'Data set: the name of a file in tfae/data.')
    data_dir: str = option(
        '',
        "Folder with the set's files, or one that holds a folder of the set's name; for npz, the "
        'file. Empty: $TFAE_DATA_DIR/<set> if that exists, else ~/.cache/tfae/<set>.',
    )
    validation_fraction: float = option(
        0.1,
        'Part of the training set kept for validation, in [0, 1). The same fraction always gives '
        'the same examples, and a larger one holds the smaller.',
    )
    only_classes: tuple[str, ...] = option(
        (),
        'Classes, by name or number, that alone are kept in training and validation; the test part '
        'keeps all. Empty: all.',
    )
    without_classes: tuple[str, ...] = option(
        (), 'Classes, by name or number, that training and validation do without.'
    )
    labelled_examples: int = option(
        0,
        'Training examples that are kept, equally many of each class as far as they go; a larger '
        'number keeps those of a smaller one. 0 keeps all.',
    )
    labelled_seed: int = option(0, 'Decides with --labelled_examples which are kept.')
    synthetic_kind: Literal['bars', 'blobs', 'linear'] = option(
        'bars', 'For synthetic alone: what its pictures show.'
    )
    synthetic_shape: str = option('16x16x1', 'For synthetic alone: height x width x channels.')
    synthetic_examples: int = option(
        1000, 'For synthetic alone: training and test pictures together.'
    )
    test_fraction: float = option(
        0.2,
        'Part of a folder of pictures that has no train/ and test/ in it which becomes the test '
        "part, in (0, 1): a function of the files' names.",
    )
    crop: str = option(
        '',
        "Picture files: height x width of the centre that is kept, such as '160x160'. Empty: all.",
    )
    size: str = option(
        '', "Picture files: height x width that they are scaled to, such as '64x64'. Empty: none."
    )
    colour: Literal['as_is', 'grey', 'rgb'] = option(
        'as_is', 'Picture files: how they are decoded; as_is takes grey where every one is.'
    )

    def __post_init__(self):
        checks.one_of('--dataset', self.dataset, names())
        for name in ('labelled_examples', 'labelled_seed'):
            checks.in_range(f'--{name}', getattr(self, name), 0, math.inf)
        if self.labelled_seed and not self.labelled_examples:
            raise checks.UsageError('--labelled_seed needs --labelled_examples')
        if not 0 < self.test_fraction < 1:
            raise checks.UsageError(
                f'--test_fraction is {self.test_fraction}; it must lie in (0, 1)'
            )
        for name in ('crop', 'size'):
            sides(f'--{name}', getattr(self, name))
        if self.only_classes and self.without_classes:
            raise checks.UsageError('--only_classes and --without_classes exclude each other')


def names() -> list[str]:
    """Names of the data sets, sorted."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(
        name for name in modules if name not in ('pipeline', 'streaming') and name[0] != '_'
    )


def module(name: str) -> ModuleType:
    """The module of data set `name`.

    Raises: UsageError with the nearest names if there is none.
    """
    return importlib.import_module(f'{__name__}.{checks.one_of("--dataset", name, names())}')


def load(config: Config) -> DataSet:
    """The data set that `config` names, with its validation part cut from its training part.

    Raises:
      UsageError: an unknown set or class, a field that this set does not read, classes or a
        fraction that leave no training example, or more labelled examples than there are.
      InputError: files that are missing or are not what they should be.
    """
    checks.in_range('--validation_fraction', config.validation_fraction, 0, 1)
    source = module(config.dataset)
    _refuse_unread_fields(config, source.FIELDS)
    train, test, class_names = source.load(config)
    train = of_classes(train, config, tuple(class_names))
    wanted = round(config.validation_fraction * len(train.images))
    if wanted >= len(train.images):
        raise checks.UsageError(
            f'--validation_fraction is {config.validation_fraction}, which leaves none of the '
            f'{len(train.images)} training examples of {config.dataset}; it must be smaller'
        )
    train, validation = cut(train, wanted, _VALIDATION_SEED)
    if config.labelled_examples:
        train = few(train, config.labelled_examples, config.labelled_seed, config.dataset)
    return DataSet(config.dataset, train, validation, test, tuple(class_names))


def pixels(images: Any) -> Any:
    """`images` as float32 in [0, 1]: uint8 is scaled by 1/255, float32 comes back as it is.

    Of `Pictures` this is another `Pictures`, which decodes no more than is asked of it.

    Equal to `tf.image.convert_image_dtype(images, tf.float32)` bit for bit: that multiplies by
    the rounded 1/255 too, where a division would differ in the last place.
    """
    if isinstance(images, Pictures):
        return images.as_floats()
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images.astype(np.float32, copy=False)


def of_classes(split: Split, config: Config, class_names: tuple[str, ...]) -> Split:
    """The examples of the classes that `config` keeps, in their order.

    Raises: UsageError if there are no labels, no such class, or no example of those kept.
    """
    for field in ('only_classes', 'without_classes'):
        words = getattr(config, field)
        if not words:
            continue
        if split.labels is None:
            raise checks.UsageError(f'--{field}: data set {config.dataset} has no labels')
        classes = max(len(class_names), int(split.labels.max(initial=-1)) + 1)
        numbers = [class_number(f'--{field}', word, class_names, classes) for word in words]
        split = select(split, np.isin(split.labels, numbers) == (field == 'only_classes'))
        if not len(split.images):
            raise checks.UsageError(
                f'--{field}={",".join(words)} leaves no training example of {config.dataset}'
            )
    return split


def folder(data_dir: str, name: str) -> pathlib.Path:
    """Where the files of set `name` lie, or will: see the help of `Config.data_dir`."""
    if data_dir:
        given = pathlib.Path(data_dir).expanduser()
        return given / name if (given / name).is_dir() else given
    shared = os.environ.get('TFAE_DATA_DIR')
    if shared and (pathlib.Path(shared) / name).is_dir():
        return pathlib.Path(shared) / name
    return pathlib.Path('~/.cache/tfae').expanduser() / name


def _refuse_unread_fields(config: Config, read: tuple[str, ...]) -> None:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in (*_COMMON_FIELDS, *read) and value != field.default:
            raise checks.UsageError(
                f'--{field.name} is {value!r}, but data set {config.dataset} does not read it; '
                f'leave it at {field.default!r}'
            )
