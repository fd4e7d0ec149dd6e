"""Bounded readers for the files of a run, which may come from an untrusted source.

They open regular files only, so a FIFO, a folder or a device is refused without blocking. Memory
is bounded, and an error names the file in one line.
"""

import contextlib
import errno
import math
import os
import pathlib
import stat
import warnings
import zipfile
from typing import Any, BinaryIO

import numpy as np

from tfae.core import errors, json_text

JSON_BYTES = 2**24  # largest JSON file; those of runs have a few kilobytes
ARRAY_BYTES = 2**28  # largest .npz file

_CHUNK = 2**20  # bytes per read
_MAX_LIST_BYTES = 2**20  # of the list of arrays in an .npz file


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading. The caller closes it.

    Raises: OSError that names the file if it cannot be opened or is not a regular file.
    """
    _refuse_irregular(path, pathlib.Path(path).stat())  # opening a device may have side effects
    # Without O_NONBLOCK, opening a FIFO that replaced the file meanwhile would block.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), 'rb')
    with contextlib.ExitStack() as stack:
        stack.push(file)
        _refuse_irregular(path, os.fstat(file.fileno()))
        stack.pop_all()
    return file


def read_bytes(path: pathlib.Path, max_bytes: int) -> bytes:
    """Reads a file of at most `max_bytes`.

    Raises: FileNotFoundError if it does not exist; InputError that names the file if it is not
      regular, larger, or cannot be read.
    """
    try:
        return _content(path, max_bytes)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise errors.InputError(f'{path} cannot be read: {_reason(error)}') from None


def read_json(path: pathlib.Path, max_bytes: int = JSON_BYTES) -> Any:
    """Reads a JSON file within the bounds of `json_text.loads`.

    Raises: as `read_bytes`; InputError also if it is not JSON, or beyond the bounds.
    """
    content = read_bytes(path, max_bytes)
    try:
        return json_text.loads(content)
    except ValueError as error:
        raise errors.InputError(f'{path} cannot be read: {_reason(error)}') from None


def read_npz(path: pathlib.Path, kind: str, max_bytes: int = ARRAY_BYTES) -> dict[str, np.ndarray]:
    """Reads arrays that `atomic_files.write_npz` wrote, within the memory of the file's length.

    Args:
      path: of the file.
      kind: of file, for errors.
      max_bytes: of all arrays together.
    Returns: name -> numeric array.
    Raises: InputError that names the file if it is missing, not regular, larger, or holds anything
      but uncompressed numeric arrays.
    """
    try:
        with open_regular(path) as file:
            _refuse_large(file, max_bytes)
            _refuse_many_members(file)
            with zipfile.ZipFile(file) as archive:
                return _arrays(archive, os.fstat(file.fileno()).st_size)
    except Exception as error:  # zipfile and numpy raise many types for damaged bytes
        raise errors.InputError(f'{path} is not {kind}: {_reason(error)}') from None


def _content(path: pathlib.Path, max_bytes: int) -> bytes:
    with open_regular(path) as file:
        _refuse_large(file, max_bytes)
        content = bytearray()
        # Up to its end: the file may grow meanwhile, and files in /proc have length 0.
        while len(content) <= max_bytes and (chunk := file.read(_CHUNK)):
            content += chunk
    if len(content) > max_bytes:
        raise ValueError(f'it has more than {max_bytes:,} bytes, the largest size read')
    return bytes(content)


def _refuse_irregular(path: str | os.PathLike[str], found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, 'it is not a regular file', os.fspath(path))


def _refuse_large(file: BinaryIO, max_bytes: int) -> None:
    size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
        raise ValueError(f'it has {size:,} bytes; at most {max_bytes:,} are read')


def _reason(error: Exception) -> str:
    """Returns the message of an error in one line, without the name of the file."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ' '.join(text.split()) or type(error).__name__


def _refuse_many_members(file: BinaryIO) -> None:
    """Refuses an archive with a long list of members, which `zipfile` reads into memory.

    The length of the list is in the last 22 bytes of an archive without a comment, as `write_npz`
    writes it; a zip64 record before them would override it.
    """
    file.seek(max(0, os.fstat(file.fileno()).st_size - 42))
    end = file.read().rjust(42)
    if end[20:24] != b'PK\x05\x06' or end[-2:] != bytes(2) or end[:4] == b'PK\x06\x07':
        raise ValueError('it is not a zip file as numpy writes it')
    length = int.from_bytes(end[32:36], 'little')
    if length > _MAX_LIST_BYTES:
        raise ValueError(
            f'its list of arrays has {length:,} bytes; at most {_MAX_LIST_BYTES:,} are read'
        )


def _arrays(archive: zipfile.ZipFile, size: int) -> dict[str, np.ndarray]:
    """Reads the arrays of an archive of `size` bytes."""
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError('its arrays are compressed')
    if total > size:
        raise ValueError(f'it declares {total:,} bytes, more than it has')
    return {member.filename.removesuffix('.npy'): _array(archive, member) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array, after comparing its header with its length: memory is allocated last."""
    with archive.open(member) as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about damaged headers
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f'{member.filename} is not in version 1.0 of the .npy format')
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        length = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind not in 'biuf' or length != member.file_size:
        raise ValueError(
            f'{member.filename} declares {dtype} {shape}, which its length contradicts'
        )
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
