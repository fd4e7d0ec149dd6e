"""Checks of user-defined data sets: of their modules, and of the splits that they load.

A built-in data set checks its own files. The results of user code are checked here, so that a
mistake in it is reported in one line and does not reach a graph.
"""

import dataclasses
import traceback
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from tfae.core import errors
from tfae.data.dataset import Config, Loaded, Source
from tfae.data.formats import arrays
from tfae.data.lazy_images import LazyImages
from tfae.data.splits import Split

_WANTED = 'it must return (train, test, class_names), each split (images, labels)'


def problem(source: Any) -> str:
    """Describes the first attribute of `dataset.Source` that a module lacks; '' if none."""
    fields = getattr(source, 'FIELDS', None)
    known = [field.name for field in dataclasses.fields(Config)]
    if not isinstance(fields, tuple) or not all(isinstance(name, str) for name in fields):
        return (
            'it has no FIELDS; it must be a tuple of the names of the fields of tfae.data.Config '
            'that it reads'
        )
    for name in fields:
        if name not in known:
            return f'FIELDS has {name!r}; it must be one of {", ".join(known)}'
    if not callable(getattr(source, 'load', None)):
        return 'it has no function load(config), which returns (train, test, class_names)'
    return ''


def load(source: Source, config: Config) -> Loaded:
    """Loads a data set and checks its splits.

    Args:
      source: the module.
      config: what to load; errors use the name of the data set in it.
    Raises: InputError that names the data set and the split if the result is wrong, or if `load`
      raises or exits. UsageError, InputError and an OSError that names a file pass through.
    """
    who = f'--dataset={config.dataset}'
    try:
        found = source.load(config)
    except (errors.UsageError, errors.InputError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.filename and error.strerror:
            raise  # one line that names the file
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise errors.InputError(
            f'{who}: load raised {text} ({last.filename}, line {last.lineno})'
        ) from error
    if not isinstance(found, tuple) or len(found) not in range(3, 8):
        raise errors.InputError(f'{who}: load returned {_kind(found)}; {_WANTED}')
    train, test, class_names, validation, notes, columns, kind = Loaded(*found)
    if kind not in get_args(arrays.Kind):
        known = ' or '.join(map(repr, get_args(arrays.Kind)))
        raise errors.InputError(f'{who}: kind is {kind!r}; it must be {known}')
    if not _are_texts(notes):
        raise errors.InputError(f'{who}: notes are {notes!r}; they must be a tuple of strings')
    splits = {'train': train, 'test': test, 'validation': validation}
    if validation is None:
        del splits['validation']
    pairs = {k: _pair(f'{who}: {k}', split) for k, split in splits.items()}
    if all(isinstance(pair.images.values, np.ndarray) for pair in pairs.values()):
        three = (pairs['train'], pairs.get('validation'), pairs['test'])
        loaded = arrays.loaded(who, *three, kind, config.missing == 'mask')
    elif kind:
        raise errors.InputError(
            f'{who}: kind is {kind!r}, which is for arrays; LazyImages are images'
        )
    else:
        made = {name: _split(pair) for name, pair in pairs.items()}
        for name, split in made.items():
            arrays.refuse_disagreement(who, made['train'], split, name)
        loaded = Loaded(made['train'], made['test'], (), made.get('validation'))
    names = _names(who, loaded, class_names)
    if columns and (not _are_texts(columns) or len(columns) != loaded.train.images.shape[-1]):
        raise errors.InputError(
            f'{who}: columns are {columns!r}; they must be a tuple of strings, one for each of '
            f'{loaded.train.images.shape[1:]}'
        )
    return loaded._replace(class_names=names, notes=(*loaded.notes, *notes), columns=tuple(columns))


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) for each in value)


def _kind(value: Any) -> str:
    many = isinstance(value, tuple | list)
    return f'{type(value).__name__} of {len(value)}' if many else type(value).__name__


def _pair(who: str, split: Any) -> arrays.Pair:
    """Names the arrays of a split.

    Raises: InputError if it is not a pair, or its images are neither an array nor `LazyImages`.
    """
    if not isinstance(split, tuple) or len(split) != 2:
        raise errors.InputError(f'{who} is {_kind(split)}; {_WANTED}')
    images, labels = split
    if not isinstance(images, np.ndarray | LazyImages):
        raise errors.InputError(
            f'{who} images are {_kind(images)}; they must be a numpy array or tfae.data.LazyImages'
        )
    named = None if labels is None else arrays.Named(f'{who} labels', np.asarray(labels))
    values: Any = images  # `arrays.loaded` sees no `LazyImages`
    return arrays.Pair(arrays.Named(f'{who} images', values), named)


def _split(pair: arrays.Pair) -> Split:
    """Checks a split, of image files only the labels."""
    images = pair.images.values
    if isinstance(images, np.ndarray):
        return arrays.split(pair)
    if not len(images):
        raise errors.InputError(f'{pair.images.who} are empty; there must be at least one')
    if pair.labels is None:
        return Split(images, None)
    labels = pair.labels.values
    right = labels.dtype.kind in 'iu' and labels.shape == (len(images),) and labels.min() >= 0
    if not right:
        raise errors.InputError(
            f'{pair.labels.who} are {labels.dtype} {labels.shape}; they must be integers from 0, '
            f'one for each of {len(images)} images'
        )
    return Split(images, labels.astype(np.int64))


def _names(who: str, loaded: Loaded, given: Any) -> tuple[str, ...]:
    """Returns the names of the classes: those given, or their numbers.

    Raises: InputError if they are not texts, fewer than the classes, or given without labels.
    """
    many = isinstance(given, Sequence) and not isinstance(given, str)  # a set has no order
    if not many or not all(isinstance(name, str) for name in given):
        raise errors.InputError(
            f'{who}: class names are {given!r}; they must be a tuple of strings'
        )
    splits = (loaded.train, loaded.test, loaded.validation)
    labels = [split.labels for split in splits if split is not None and split.labels is not None]
    classes = max((int(found.max(initial=-1)) for found in labels), default=-1) + 1
    if given and len(given) < classes:
        raise errors.InputError(
            f'{who}: there are {len(given)} class names for labels up to {classes - 1}; there must '
            f'be {classes} or more, or none'
        )
    if given and not labels:
        raise errors.InputError(f'{who}: there are class names but no labels; omit the class names')
    return tuple(given) or tuple(map(str, range(classes)))
