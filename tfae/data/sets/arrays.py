"""Arrays that a Python program passes to `tfae.fit`.

A run stores only their fingerprint. Commands that read the images of such a run take the flag
`--data_dir` with a file of the same arrays, as `numpy.savez` writes it. See `tfae.data.sets.npz`
for the names in the file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfae.core import errors
from tfae.data import dataset
from tfae.data.formats import arrays
from tfae.data.sets import npz

NAME = 'arrays'
FIELDS = ('data_dir',)


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits from the file that `config.data_dir` names.

    Raises: UsageError if it is empty; InputError as the data set npz does.
    """
    if not config.data_dir:
        raise errors.UsageError(
            'data set arrays consists of arrays passed from Python, which a run does not store; '
            '--data_dir=FILE.npz must name a file of the same arrays, written by numpy.savez'
        )
    return npz.load(config)


class Arrays:
    """Arrays in memory as a data set; follows `dataset.Source`."""

    FIELDS = ()

    def __init__(
        self,
        images: Any,
        labels: Any = None,
        validation_data: Any = None,
        test_data: Any = None,
        columns: Sequence[str] = (),
        kind: arrays.Kind = '',
    ):
        """Checks that the arguments are arrays; `load` checks the rest.

        Args:
          images: for training, of a shape of `arrays`; uint8, or float, in [0, 1] in images.
          labels: their classes, `[N]` integers from 0, or None.
          validation_data: `(images, labels)` or images; None holds out `--validation_fraction` of
            the training images.
          test_data: `(images, labels)` or images; None takes a fixed fifth of the training images.
          columns: names of those of a table, if they have names.
          kind: of the examples.
        Raises: InputError that names the argument.
        """
        self._kind: arrays.Kind = kind
        self._train = _pair(images, labels, kind or 'images', 'labels')
        self._validation = _given('validation_data', validation_data, labels is not None)
        self._test = _given('test_data', test_data, labels is not None)
        self._columns = tuple(columns)

    def load(self, config: dataset.Config) -> dataset.Loaded:
        """Converts the arrays to splits.

        Raises: InputError that names the argument that is not images or not labels.
        """
        who = self._kind or 'images'
        given = (self._train, self._validation, self._test)
        found = arrays.loaded(who, *given, self._kind, config.missing == 'mask')
        return found._replace(columns=self._columns)


def _given(who: str, value: Any, labeled: bool) -> arrays.Pair | None:
    """Accepts `(images, labels)`, `(images, None)`, `(images,)` or images alone."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:  # one of the pair, or two images?
        raise errors.InputError(
            f'{who}: is a list of 2; it must be a tuple (images, labels) or an array of images'
        )
    if not isinstance(value, tuple):
        value = (value, None)
    if len(value) not in (1, 2):
        raise errors.InputError(
            f'{who}: holds {len(value)} arrays; it must be (images, labels) or images'
        )
    images, labels = value if len(value) == 2 else (*value, None)
    if labeled and labels is None:
        raise errors.InputError(
            f'{who}: holds no labels, but labels is given; it must be (images, labels)'
        )
    if not labeled and labels is not None:
        raise errors.InputError(
            f'{who}: holds labels, but labels is None; it must be images alone, or labels given'
        )
    return _pair(images, labels, f'{who}: images', f'{who}: labels')


def _pair(images: Any, labels: Any, who: str, who_labels: str) -> arrays.Pair:
    return arrays.Pair(
        arrays.Named(who, _array(who, images)),
        None if labels is None else arrays.Named(who_labels, _array(who_labels, labels)),
    )


def _array(who: str, value: Any) -> np.ndarray:
    if isinstance(value, str | bytes | dict):
        raise errors.InputError(f'{who}: is {type(value).__name__}; it must be an array')
    if isinstance(value, np.ma.MaskedArray):
        raise errors.InputError(
            f'{who}: is a masked array; it must be an array without a mask, such as its filled(0)'
        )
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        # For ragged lists, numpy names the dimension that varies.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise errors.InputError(f'{who}: is not an array ({reason})') from None
