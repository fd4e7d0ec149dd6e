"""Data sets from outside: whether a module is one, and whether what it loads is right.

A built-in set checks its own files, in its own words; the code of somebody else is checked here, so
that a mistake in it is one line and not a graph of wrong numbers.
"""

import dataclasses
import traceback
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfae.core import errors
from tfae.data.dataset import Config, Loaded, Source
from tfae.data.formats import arrays
from tfae.data.lazy_images import LazyImages
from tfae.data.splits import Split

_WANTED = 'it must give (train, test, class_names), each split (images, labels)'


def problem(source: Any) -> str:
    """Returns the first part of `dataset.Source` that a module lacks; '' if it has all."""
    fields = getattr(source, 'FIELDS', None)
    known = [field.name for field in dataclasses.fields(Config)]
    if not isinstance(fields, tuple) or not all(isinstance(name, str) for name in fields):
        return (
            'it has no FIELDS; a tuple is wanted, the names of the fields of tfae.data.Config that '
            'it reads'
        )
    for name in fields:
        if name not in known:
            return f'FIELDS has {name!r}; it must be of {", ".join(known)}'
    if not callable(getattr(source, 'load', None)):
        return 'it has no function load(config), which gives (train, test, class_names)'
    return ''


def load(source: Source, config: Config) -> Loaded:
    """Returns the splits of a set, checked.

    Args:
      source: the module.
      config: what to load; errors call the set by the name in it.
    Raises: InputError that names the set and the split if it gives what is no split, or raises or
      exits; UsageError, InputError and an OSError that names a file pass.
    """
    who = f'--dataset={config.dataset}'
    try:
        found = source.load(config)
    except (errors.UsageError, errors.InputError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.filename and error.strerror:
            raise  # is one line that names the file
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise errors.InputError(
            f'{who}: load raised {text} ({last.filename}, line {last.lineno})'
        ) from error
    if not isinstance(found, tuple) or len(found) not in (3, 4, 5):
        raise errors.InputError(f'{who}: load gave {_kind(found)}; {_WANTED}')
    train, test, class_names, validation, notes = Loaded(*found)
    if not isinstance(notes, tuple) or not all(isinstance(note, str) for note in notes):
        raise errors.InputError(f'{who}: notes are {notes!r}; they must be a tuple of texts')
    parts = {'train': train, 'test': test, 'validation': validation}
    if validation is None:
        del parts['validation']
    pairs = {k: _pair(f'{who}: {k}', part) for k, part in parts.items()}
    if all(isinstance(pair.images.values, np.ndarray) for pair in pairs.values()):
        loaded = arrays.loaded(who, pairs['train'], pairs.get('validation'), pairs['test'])
    else:
        lazy = {name: _lazy(pair) for name, pair in pairs.items()}
        loaded = Loaded(lazy['train'], lazy['test'], (), lazy.get('validation'))
    names = _names(who, loaded, class_names)
    return loaded._replace(class_names=names, notes=(*loaded.notes, *notes))


def _kind(value: Any) -> str:
    many = isinstance(value, tuple | list)
    return f'{type(value).__name__} of {len(value)}' if many else type(value).__name__


def _pair(who: str, part: Any) -> arrays.Pair:
    """A split with names for its arrays.

    Raises: InputError if it is no pair, or its images are neither an array nor `LazyImages`.
    """
    if not isinstance(part, tuple) or len(part) != 2:
        raise errors.InputError(f'{who} is {_kind(part)}; {_WANTED}')
    images, labels = part
    if not isinstance(images, np.ndarray | LazyImages):
        raise errors.InputError(
            f'{who} images are {_kind(images)}; they must be a numpy array or tfae.data.LazyImages'
        )
    named = None if labels is None else arrays.Named(f'{who} labels', np.asarray(labels))
    values: Any = images  # `arrays.loaded` sees no `LazyImages`
    return arrays.Pair(arrays.Named(f'{who} images', values), named)


def _lazy(pair: arrays.Pair) -> Split:
    """A split of images that lie in files; only their labels can be checked here."""
    images = pair.images.values
    if not len(images):
        raise errors.InputError(f'{pair.images.who} are none; there must be at least one')
    if pair.labels is None:
        return Split(images, None)
    labels = pair.labels.values
    right = labels.dtype.kind in 'iu' and labels.shape == (len(images),) and labels.min() >= 0
    if not right:
        raise errors.InputError(
            f'{pair.labels.who} are {labels.dtype} {labels.shape}; they must be whole numbers from '
            f'0, one for each of {len(images)} images'
        )
    return Split(images, labels.astype(np.int64))


def _names(who: str, loaded: Loaded, given: Any) -> tuple[str, ...]:
    """The names of the classes: those given, or their numbers.

    Raises: InputError if they are no texts, fewer than the classes, or given without labels.
    """
    many = isinstance(given, Iterable) and not isinstance(given, str)
    if not many or not all(isinstance(name, str) for name in given):
        raise errors.InputError(f'{who}: class names are {given!r}; they must be a tuple of texts')
    parts = (loaded.train, loaded.test, loaded.validation)
    labels = [part.labels for part in parts if part is not None and part.labels is not None]
    classes = max((int(found.max(initial=-1)) for found in labels), default=-1) + 1
    if given and len(given) < classes:
        raise errors.InputError(
            f'{who}: there are {len(given)} class names for labels up to {classes - 1}; there must '
            f'be {classes} or more, or none'
        )
    if given and not labels:
        raise errors.InputError(f'{who}: there are class names and no labels; leave one out')
    return tuple(given) or tuple(map(str, range(classes)))
