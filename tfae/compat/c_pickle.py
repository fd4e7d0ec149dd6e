"""Python 2's `cPickle`, which also loads the text and the arrays of Python 2's files."""

import pickle
from pickle import HIGHEST_PROTOCOL, PickleError, Pickler, UnpicklingError, dump, dumps
from typing import Any, BinaryIO

__all__ = [
    'HIGHEST_PROTOCOL',
    'PickleError',
    'Pickler',
    'Unpickler',
    'UnpicklingError',
    'dump',
    'dumps',
    'load',
    'loads',
]


class Unpickler(pickle.Unpickler):
    """Loads objects from a file."""

    def __init__(self, file: BinaryIO, encoding: str = 'latin1', **options: Any):
        super().__init__(file, encoding=encoding, **options)


def load(file: BinaryIO, encoding: str = 'latin1', **options: Any) -> Any:
    """Loads an object from a file."""
    return pickle.load(file, encoding=encoding, **options)


def loads(content: bytes, encoding: str = 'latin1', **options: Any) -> Any:
    """Loads an object from bytes."""
    return pickle.loads(content, encoding=encoding, **options)
