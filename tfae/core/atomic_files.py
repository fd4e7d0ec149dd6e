"""Files that are there whole or not at all: written under a temporary name, then renamed."""

import contextlib
import math
import os
import pathlib
import shutil
import warnings
import zipfile
from collections.abc import Iterator, Mapping

import numpy as np

from tfae.core import errors


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def write_npz(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, whole or not at all."""
    # np.savez takes names as arguments, of which it has some itself, such as `file`.
    with replacing(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_npz(path: pathlib.Path, kind: str, max_bytes: int = 2**28) -> dict[str, np.ndarray]:
    """Reads arrays that `write_npz` wrote; a hostile file takes no more memory than its own length.

    Args:
      path: of the file.
      kind: of file, for errors.
      max_bytes: of all arrays together.
    Returns: name -> array of numbers.
    Raises: InputError that names the file if it is missing, not a regular file, larger, or anything
      else than uncompressed arrays of numbers.
    """
    if not path.is_file():
        raise errors.InputError(f'{path} is no {kind}: it is not a regular file')
    size = path.stat().st_size
    if size > max_bytes:
        raise errors.InputError(
            f'{path} is no {kind}: it has {size:,} bytes; at most {max_bytes:,} are read'
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise ValueError('its arrays are compressed')
            if total > size:
                raise ValueError(f'it declares {total:,} bytes, more than it has')
            return {
                member.filename.removesuffix('.npy'): _read_array(archive, member)
                for member in members
            }
    except Exception as error:  # damaged bytes raise nearly anything in zipfile and numpy
        reason = ' '.join(f'{error}'.split()) or type(error).__name__
        raise errors.InputError(f'{path} is no {kind}: {reason}') from None


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
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


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary name beside `path`, renamed to it if the block ends well, else removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.tmp{path.suffix}')
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder under a temporary name, renamed to `path` if the block ends well, else removed.

    Raises: OSError if there is anything at `path` by then but an empty folder.
    """
    path = path.resolve()  # neither '.' nor a link is renamed
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        temporary.mkdir()
        yield temporary
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
