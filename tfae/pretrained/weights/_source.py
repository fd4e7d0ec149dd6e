"""What every kind of file is to its reader: tensors by name, looked at before they are read."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from tfae.core import errors


class Header(NamedTuple):
    """What a file says of a tensor before it is read."""

    shape: tuple[int, ...]
    dtype: str  # as numpy names it, or bfloat16


class Source(Protocol):
    """An open file. `read` takes no more memory than the header says, however the file lies."""

    path: pathlib.Path
    kind: str  # 'torchvision', 'keras', 'lists' or 'arrays'

    @property
    def tensors(self) -> Mapping[str, Header]:
        """Name -> header of each tensor."""

    def read(self, name: str) -> np.ndarray:
        """The values, float32. Raises InputError if they are not what the header says."""


def shape_of(who: str, value: Any) -> tuple[int, ...]:
    """A tuple of lengths as a file states it; InputError if it is anything else."""
    whole = isinstance(value, tuple) and all(type(n) is int and 0 <= n < 2**40 for n in value)
    if not whole or len(value) > 8:
        raise errors.InputError(f'{who}: its shape is no list of at most 8 lengths; it is damaged')
    return value


def item(who: str, dtype: str) -> np.dtype:
    """The type of a number; that of bfloat16, which numpy has not, as bare bits.

    Raises: InputError if it is none of floats of 2, 4 or 8 bytes.
    """
    if dtype == 'bfloat16':
        return np.dtype(np.uint16)
    try:
        found = np.dtype(dtype)
    except TypeError:  # numpy does not read all of the names that it gives
        found = np.dtype(object)
    if found.kind != 'f' or found.itemsize > 8:
        raise errors.InputError(f'{who}: holds {dtype}; weights must be floats of 2, 4 or 8 bytes')
    return found


def floats(who: str, dtype: str, content: Any, count: int) -> np.ndarray:
    """`count` numbers `[count]` of a type as float32 from their bytes.

    Raises: InputError if the type is none of floats, or there are not as many bytes.
    """
    kind = item(who, dtype)
    if len(content) != count * kind.itemsize:
        raise errors.InputError(
            f'{who}: {count} numbers of {dtype} are {count * kind.itemsize} bytes, the file holds '
            f'{len(content)}; it is damaged'
        )
    values = np.frombuffer(content, kind)
    if dtype == 'bfloat16':  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False)


def array(who: str, header: Header, content: Any, fortran: bool) -> np.ndarray:
    """The tensor of this header, float32, from its bytes; InputError as `floats`."""
    values = floats(who, header.dtype, content, math.prod(header.shape))
    return values.reshape(header.shape, order='F' if fortran else 'C')


def unreadable(path: pathlib.Path, error: Exception, wanted: str) -> errors.InputError:
    """What to raise where a library met damaged bytes: nearly any exception comes of those."""
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:200]
    return errors.InputError(f'{path}: cannot be read ({reason}); it must be {wanted}')
