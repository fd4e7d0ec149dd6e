"""Weights in numpy files: `.npz`, and the pickled dicts written by converters from Caffe.

.npz                 'conv1_1/kernel', or 'conv1_1_W' as in the published vgg16_weights.npz
.npy, not unpickled  {'conv1_1': [kernel, bias]}, as in bvlc_alexnet.npy and vgg16.npy
"""

import math
import pathlib
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from tfae.core import errors, names
from tfae.pretrained.weights import _pickle
from tfae.pretrained.weights._source import Header, array, item, shape_of, spelled, unreadable

MAGIC = b'\x93NUMPY'

_WANTED = 'a file written by numpy.savez'
_LISTS = 'a dict of lists of arrays written by numpy.save'
_RECONSTRUCT = {
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', '_reconstruct'),
}
_PARTS = {0: names.KERNEL, 1: names.BIAS, 'weights': names.KERNEL, 'biases': names.BIAS}


class Arrays:
    """An `.npz` file; see `Source`."""

    kind = 'arrays'

    def __init__(self, path: pathlib.Path, archive: zipfile.ZipFile):
        """Reads the headers.

        Raises: InputError for a member that is not an array.
        """
        self.path = path
        self._archive = archive
        self.tensors = {}
        self._fortran = {}
        for info in archive.infolist():
            name = info.filename.removesuffix('.npy')
            with self._open(name, info.filename) as member:
                self.tensors[name], self._fortran[name] = _header(f'{path}: {name}', member)

    def read(self, name: str) -> np.ndarray:
        """See `Source`."""
        who, header = f'{self.path}: {name}', self.tensors[name]
        with self._open(name, f'{name}.npy') as member:
            _header(who, member)
            size = math.prod(header.shape) * item(who, header.dtype).itemsize
            try:
                content = member.read(size)  # bounded: the member may decompress to more
            except Exception as error:
                raise unreadable(self.path, error, _WANTED) from None
        return array(who, header, content, self._fortran[name])

    def _open(self, name: str, member: str) -> Any:
        try:
            return self._archive.open(member)
        except Exception as error:
            raise unreadable(self.path, error, _WANTED) from None


class Lists:
    """An `.npy` file of a dict of lists; names are `<layer>/kernel` and `<layer>/bias`."""

    kind = 'lists'

    def __init__(self, path: pathlib.Path, file: BinaryIO, limit: int):
        """Reads the whole file, at most `limit` bytes.

        Raises: InputError for a larger file, or any other content.
        """
        header, _ = _header(str(path), file)
        if header.dtype != 'object' or header.shape:
            raise errors.InputError(
                f'{path}: holds {header.dtype} {header.shape}; it must be {_LISTS}'
            )
        if path.stat().st_size > limit:
            raise errors.InputError(
                f'{path}: holds {path.stat().st_size} bytes, more than the {limit} that the '
                f'network could need'
            )
        try:
            stated = _pickle.load(file)
        except _pickle.NotData as error:
            raise errors.InputError(f'{path}: its pickle {error}; it must be {_LISTS}') from None
        self.path = path
        self._values = dict(_parts(path, stated))
        self.tensors = {name: value[0] for name, value in self._values.items()}

    def read(self, name: str) -> np.ndarray:
        """See `Source`."""
        header, content, fortran = self._values[name]
        return array(f'{self.path}: {name}', header, content, fortran)


def _header(who: str, file: BinaryIO) -> tuple[Header, bool]:
    """Reads the header of an .npy, and whether it is in Fortran order."""
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):  # (2, 0) may declare a header of 4 GB
            raise errors.InputError(f'{who}: is .npy version {version}; it must be (1, 0)')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about headers of Python 2, or damaged ones
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except errors.InputError:
        raise
    except Exception as error:
        raise unreadable(pathlib.Path(who), error, 'a numpy array') from None
    return Header(shape_of(who, shape), spelled(dtype)), fortran


def _parts(path: pathlib.Path, stated: Any) -> Iterator[tuple[str, tuple[Header, bytes, bool]]]:
    """Yields `(name, (header, bytes, fortran))` of each array."""
    # numpy pickles a dict as the only item of a zero-dimensional array.
    content = _state(stated)
    layers = content[4][0] if content and isinstance(content[4], list) and content[4] else None
    if not isinstance(layers, dict) or not layers:
        raise errors.InputError(f'{path}: does not hold a dict; it must be {_LISTS}')
    for layer, parts in layers.items():
        if isinstance(parts, list | tuple):
            parts = dict(enumerate(parts))
        for key, value in parts.items() if isinstance(parts, dict) else [(None, None)]:
            part = _PARTS.get(key) if isinstance(key, str | int) else None
            if part is None or not isinstance(layer, str):
                raise errors.InputError(
                    f'{path}: {str(layer)[:80]} is not a list of kernel and bias; the file must be '
                    f'{_LISTS}'
                )
            yield f'{layer}/{part}', _array(f'{path}: {layer}/{part}', value)


def _array(who: str, value: Any) -> tuple[Header, bytes, bool]:
    """Returns header, bytes and order of a pickled array."""
    state = _state(value)
    if not state:
        raise errors.InputError(f'{who}: is not an array; the file must be {_LISTS}')
    _, shape, dtype, fortran, content = state
    if isinstance(content, _pickle.Call) and content.function == ('_codecs', 'encode'):
        content = (*content.arguments, None)[0]  # bytes in protocols before 3
    if isinstance(content, str):
        content = content.encode('latin-1', 'replace')
    if not isinstance(content, bytes):
        raise errors.InputError(f'{who}: holds objects; it must hold floats')
    return Header(shape_of(who, shape), _dtype(who, dtype)), content, fortran is True


def _state(value: Any) -> tuple | None:
    """Returns `(version, shape, dtype, fortran, content)` of an array, None for anything else."""
    if not isinstance(value, _pickle.Call) or not isinstance(value.function, _pickle.Global):
        return None
    if value.function in _RECONSTRUCT:
        state = value.state
        return state if isinstance(state, tuple) and len(state) == 5 else None
    return None


def _dtype(who: str, value: Any) -> str:
    """Returns `'<f4'` for a pickled type: `dtype('f4')` with state `(3, '<', ...)`."""
    if isinstance(value, _pickle.Call) and value.function == ('numpy', 'dtype'):
        state = value.state if isinstance(value.state, tuple) else ()
        kind, order = value.arguments[:1], state[1:2]
        if kind in (('f2',), ('f4',), ('f8',)) and order in (('<',), ('>',)):
            return order[0] + kind[0]
    raise errors.InputError(f'{who}: its values must be floats of 2, 4 or 8 bytes')
