"""Files that are there whole or not at all: written under a temporary name, then renamed."""

import contextlib
import os
import pathlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfae.core import json_text


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a value as indented JSON; see `json_text` for floats that are not finite."""
    write_text(path, json_text.dumps(value, indent=2) + '\n')


def write_npz(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, whole or not at all."""
    # np.savez takes names as arguments, of which it has some itself, such as `file`.
    with replacing(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


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
