"""Common interface of the formats: tensors by name, with headers that are read first."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors


class Header(NamedTuple):
    """Shape and type of a tensor."""

    shape: tuple[int, ...]
    dtype: str  # numpy's name, or bfloat16


class Source(Protocol):
    """An open file; `read` never takes more memory than the header declares."""

    path: pathlib.Path
    kind: str  # 'torchvision', 'keras', 'lists' or 'arrays'

    @property
    def tensors(self) -> Mapping[str, Header]:
        """Returns name -> header of all tensors."""

    def read(self, name: str) -> np.ndarray:
        """Returns the values, float32; raises InputError if they do not match the header."""


def shape_of(who: str, value: Any) -> tuple[int, ...]:
    """Validates the shape of a tensor in a file; raises InputError if it is none."""
    whole = isinstance(value, tuple) and all(type(n) is int and 0 <= n < 2**40 for n in value)
    if not whole or len(value) > 8:
        raise errors.InputError(
            f'{who}: its shape is not a tuple of at most 8 lengths; the file is damaged'
        )
    return value


def item(who: str, dtype: str) -> np.dtype:
    """Returns the numpy type of a name; bfloat16, which numpy lacks, becomes uint16.

    Raises: InputError if it is not a float of 2, 4 or 8 bytes.
    """
    if dtype == 'bfloat16':
        return np.dtype(np.uint16)
    try:
        found = np.dtype(dtype)
    except TypeError:  # numpy cannot parse all names that it produces
        found = np.dtype(object)
    if found.kind != 'f' or found.itemsize > 8:
        raise errors.InputError(f'{who}: holds {dtype}; weights must be floats of 2, 4 or 8 bytes')
    return found


def floats(who: str, dtype: str, content: Any, count: int) -> np.ndarray:
    """Converts bytes to float32 values `[count]`.

    Args:
      who: tensor and file, for errors.
      dtype: type of the bytes, as in `Header`.
      content: the bytes.
      count: number of values.

    Raises: InputError if the type is not a float, or the number of bytes does not match.
    """
    item(who, dtype)  # refuses other types
    return numbers(who, dtype, content, count).astype(np.float32, copy=False)


def numbers(who: str, dtype: str, content: Any, count: int) -> np.ndarray:
    """Converts bytes to values `[count]` of their own type.

    Raises: InputError if the number of bytes does not match.
    """
    kind = np.dtype(tf.bfloat16.as_numpy_dtype if dtype == 'bfloat16' else dtype)
    if len(content) != count * kind.itemsize:
        raise errors.InputError(
            f'{who}: {count} values of {dtype} take {count * kind.itemsize} bytes, the file holds '
            f'{len(content)}; it is damaged'
        )
    return np.frombuffer(content, kind)


def spelled(dtype: np.dtype) -> str:
    """Returns the name of a type, or its characters if its bytes are not in the native order."""
    return dtype.name if dtype.isnative else dtype.str


def array(who: str, header: Header, content: Any, fortran: bool) -> np.ndarray:
    """Returns the float32 tensor of a header from its bytes; raises InputError as `floats`."""
    values = floats(who, header.dtype, content, math.prod(header.shape))
    return values.reshape(header.shape, order='F' if fortran else 'C')


def unreadable(path: pathlib.Path, error: Exception, wanted: str) -> errors.InputError:
    """Returns the InputError for an exception of a library, which may be any on damaged bytes."""
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:200]
    return errors.InputError(f'{path}: cannot be read ({reason}); it must be {wanted}')
