"""The one way in which tfae reads a file of a run, which somebody else may have made.

A reader opens regular files alone, so that a FIFO, a folder or a device is refused and never waited
for; it takes no more memory than its bound says; and it names the file in one line where the
content is not what it should be.
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

JSON_BYTES = 2**24  # of a JSON file; those of runs have some thousands
ARRAY_BYTES = 2**28  # of an .npz

_CHUNK = 2**20  # bytes that are read at once
_LIST_BYTES = 2**20  # of the list of arrays in an .npz


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading. The caller closes it.

    Raises: OSError that names the file if it cannot be opened or is not a regular one.
    """
    _refuse_irregular(path, pathlib.Path(path).stat())  # opening a device may do something
    # Without O_NONBLOCK, to open a FIFO that came in between would wait for a writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), 'rb')
    with contextlib.ExitStack() as undone:
        undone.push(file)
        _refuse_irregular(path, os.fstat(file.fileno()))
        undone.pop_all()
    return file


def read_bytes(path: pathlib.Path, max_bytes: int) -> bytes:
    """The content of a file of at most `max_bytes`.

    Raises: FileNotFoundError if there is none; InputError that names the file if it is anything
      else than a regular file, larger, or cannot be read.
    """
    try:
        return _content(path, max_bytes)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise errors.InputError(f'{path} cannot be read: {_reason(error)}') from None


def read_json(path: pathlib.Path, max_bytes: int = JSON_BYTES) -> Any:
    """The value in a JSON file, as `json_text.loads` bounds it.

    Raises: as `read_bytes`; InputError also if it is no such JSON.
    """
    content = read_bytes(path, max_bytes)
    try:
        return json_text.loads(content)
    except ValueError as error:
        raise errors.InputError(f'{path} cannot be read: {_reason(error)}') from None


def read_npz(path: pathlib.Path, kind: str, max_bytes: int = ARRAY_BYTES) -> dict[str, np.ndarray]:
    """Reads arrays that `atomic_files.write_npz` wrote, in no more memory than the file's length.

    Args:
      path: of the file.
      kind: of file, for errors.
      max_bytes: of all arrays together.
    Returns: name -> array of numbers.
    Raises: InputError that names the file if it is missing, not a regular file, larger, or anything
      else than uncompressed arrays of numbers.
    """
    try:
        with open_regular(path) as file:
            _refuse_large(file, max_bytes)
            _refuse_many_members(file)
            with zipfile.ZipFile(file) as archive:
                return _arrays(archive, os.fstat(file.fileno()).st_size)
    except Exception as error:  # damaged bytes raise nearly anything in zipfile and numpy
        raise errors.InputError(f'{path} is no {kind}: {_reason(error)}') from None


def _content(path: pathlib.Path, max_bytes: int) -> bytes:
    with open_regular(path) as file:
        _refuse_large(file, max_bytes)
        content = bytearray()
        # To its end, wherever that is: the file may grow meanwhile, and in /proc all have length 0.
        while len(content) <= max_bytes and (chunk := file.read(_CHUNK)):
            content += chunk
    if len(content) > max_bytes:
        raise ValueError(f'it has more than {max_bytes:,} bytes, the most that are read')
    return bytes(content)


def _refuse_irregular(path: str | os.PathLike[str], found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, 'it is not a regular file', os.fspath(path))


def _refuse_large(file: BinaryIO, max_bytes: int) -> None:
    size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
        raise ValueError(f'it has {size:,} bytes; at most {max_bytes:,} are read')


def _reason(error: Exception) -> str:
    """The words of an error in one line, without the name of the file."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ' '.join(text.split()) or type(error).__name__


def _refuse_many_members(file: BinaryIO) -> None:
    """Refuses an archive whose list of members, which `zipfile` reads whole, is long.

    The list's length stands in the last 22 bytes of an archive without a comment, as `write_npz`
    leaves it; a record of 64 bits before them would have its place.
    """
    file.seek(max(0, os.fstat(file.fileno()).st_size - 42))
    end = file.read().rjust(42)
    if end[20:24] != b'PK\x05\x06' or end[-2:] != bytes(2) or end[:4] == b'PK\x06\x07':
        raise ValueError('it is not a zip file as numpy writes it')
    length = int.from_bytes(end[32:36], 'little')
    if length > _LIST_BYTES:
        raise ValueError(f'its list of arrays has {length:,} bytes; {_LIST_BYTES:,} is the most')


def _arrays(archive: zipfile.ZipFile, size: int) -> dict[str, np.ndarray]:
    """The arrays of an archive of `size` bytes."""
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError('its arrays are compressed')
    if total > size:
        raise ValueError(f'it declares {total:,} bytes, more than it has')
    return {member.filename.removesuffix('.npy'): _array(archive, member) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, whose header is compared with its length before memory is taken."""
    with archive.open(member) as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of damaged headers
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f'{member.filename} is not in version 1.0 of the format')
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        length = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind not in 'biuf' or length != member.file_size:
        raise ValueError(f'{member.filename} declares {dtype} {shape}, which it does not hold')
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
