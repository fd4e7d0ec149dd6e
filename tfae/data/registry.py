"""Data sets by name. The module of a data set has the interface of `dataset.Source`.

`--dataset` is the name of a built-in data set, a name that an installed package provides by an
entry point of the group `tfae.datasets`, or a module that Python can import, `package.module`.
"""

import dataclasses
from typing import cast

import numpy as np

from tfae.core import errors, registry
from tfae.core.config import text
from tfae.data import outside, scikit_learn, targets
from tfae.data.dataset import Config, DataSet, Loaded, Source, is_image, tabular
from tfae.data.sets import (
    arrays,
    celeba,
    cifar10,
    csv,
    digits,
    fairface,
    fashion_mnist,
    images,
    mnist,
    npz,
    records,
    synthetic,
    windows,
)
from tfae.data.splits import Split, class_number, cut, few, select

ENTRY_POINTS = 'tfae.datasets'  # group of the entry points of packages that provide data sets

SETS: dict[str, Source] = {
    'arrays': arrays,
    'celeba': celeba,
    'cifar10': cifar10,
    'csv': csv,
    'digits': digits,
    'fairface': fairface,
    'fashion_mnist': fashion_mnist,
    'images': images,
    'mnist': mnist,
    'npz': npz,
    'records': records,
    'synthetic': synthetic,
    'windows': windows,
}

COMMON_FIELDS = (
    'dataset',
    'only_classes',
    'without_classes',
    'validation_fraction',
    'labeled_examples',
    'labeled_seed',
    'attributes',
    'target',
    'normalize',
    'missing',
)
_VALIDATION_SEED = 1


def names() -> list[str]:
    """Returns the names of built-in data sets and of those of installed packages, sorted."""
    return registry.names(SETS, ENTRY_POINTS)


def module(name: str) -> Source:
    """Returns the module of a data set by its name, or by its spelling as a module.

    Raises: UsageError with similar names if there is none, if importing it raises an exception, or
      if it lacks an attribute of `dataset.Source`.
    """
    if name.startswith(scikit_learn.PREFIX):
        return scikit_learn.table(name)
    source = registry.find('--dataset', name, SETS, ENTRY_POINTS)
    if fault := outside.problem(source):
        raise errors.UsageError(f'--dataset is {name!r}, a module that is not a data set: {fault}')
    return cast(Source, source)


def load(config: Config, source: Source | None = None) -> DataSet:
    """Loads a data set and splits off its validation examples.

    Args:
      config: the data set, and the examples to keep.
      source: replaces the module of `config.dataset`.
    Raises:
      UsageError: an unknown data set or class, a field that this data set does not read, classes or
        a fraction that leave no training example, or more labeled examples than there are.
      InputError: missing or invalid files.
    """
    source = source or module(config.dataset)
    _refuse_unread_fields(config, source.FIELDS)
    if config.target and not config.attributes and 'target' not in source.FIELDS:
        raise errors.UsageError('--target needs --attributes')
    found = _loaded(source, config)
    if config.normalize != 'none' and is_image(found.train.images.shape[1:]):
        raise errors.UsageError(
            f'--normalize is {config.normalize}; it is for tables, sequences and volumes, and '
            f'data set {config.dataset} consists of images, whose values lie in [0, 1]'
        )
    if config.missing != 'refuse' and is_image(found.train.images.shape[1:]):
        raise errors.UsageError(
            f'--missing is {config.missing}; it is for tables, sequences and volumes, and data set '
            f'{config.dataset} consists of images'
        )
    if config.attributes:
        found = targets.labeled(config, found)
    train, test, class_names, validation, notes, columns, _ = found
    class_names = tuple(class_names)
    train = of_classes(train, config, class_names)
    if validation is None:
        train, validation = _cut(train, config)
    else:
        if 'validation_fraction' not in source.FIELDS:
            _refuse_fraction(config)
        validation = of_classes(validation, config, class_names, 'validation')
    if config.labeled_examples:
        train = few(train, config.labeled_examples, config.labeled_seed, config.dataset)
    loaded = DataSet(config.dataset, train, validation, test, class_names, notes, columns)
    if config.missing != 'refuse':
        _refuse_without_values(loaded)
    return loaded


def _loaded(source: Source, config: Config) -> Loaded:
    if source in SETS.values() or isinstance(source, arrays.Arrays | scikit_learn.Table):
        return Loaded(*source.load(config))
    return outside.load(source, config)


def _refuse_without_values(loaded: DataSet) -> None:
    """Refuses a column or a channel without any value in training."""
    rows = loaded.train.images.reshape(-1, loaded.image_shape[-1])
    if (lacking := np.flatnonzero(np.isnan(rows).all(0))).size:
        kind = 'column' if tabular(loaded.image_shape) else 'channel'
        raise errors.InputError(
            f'data set {loaded.name}: {kind} {loaded.column(int(lacking[0]))} has no value in the '
            f'training split; remove the {kind}'
        )


def _cut(train: Split, config: Config) -> tuple[Split, Split]:
    """Splits training examples into training and validation."""
    wanted = round(config.validation_fraction * len(train.images))
    if wanted >= len(train.images):
        raise errors.UsageError(
            f'--validation_fraction is {config.validation_fraction}, which leaves none of the '
            f'{len(train.images)} training examples of {config.dataset}; it must be smaller'
        )
    return cut(train, wanted, _VALIDATION_SEED)


def _refuse_fraction(config: Config) -> None:
    """Refuses an explicit fraction where the data set has its own validation split."""
    if config.validation_fraction not in (0, Config.validation_fraction):
        raise errors.UsageError(
            f'--validation_fraction is {config.validation_fraction}, but data set '
            f'{config.dataset} has its own validation split; omit the flag'
        )


def of_classes(
    split: Split, config: Config, class_names: tuple[str, ...], name: str = 'training'
) -> Split:
    """Selects the examples of the classes that `config` keeps, in their order.

    Raises: UsageError if there are no labels, no such class, or no example of those kept.
    """
    for field in ('only_classes', 'without_classes'):
        words = getattr(config, field)
        if not words:
            continue
        if split.labels is None:
            raise errors.UsageError(f'--{field}: data set {config.dataset} has no labels')
        classes = max(len(class_names), int(split.labels.max(initial=-1)) + 1)
        numbers = [class_number(f'--{field}', word, class_names, classes) for word in words]
        split = select(split, np.isin(split.labels, numbers) == (field == 'only_classes'))
        if not len(split.images):
            raise errors.UsageError(
                f'--{field}={text(words)} leaves no {name} example of {config.dataset}'
            )
    return split


def _refuse_unread_fields(config: Config, read: tuple[str, ...]) -> None:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in (*COMMON_FIELDS, *read) and value != field.default:
            raise errors.UsageError(
                f'--{field.name} is {value!r}, but data set {config.dataset} does not use it; '
                f'leave it at {field.default!r}'
            )
