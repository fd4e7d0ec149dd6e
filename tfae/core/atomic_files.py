"""Files that are there whole or not at all, after a loss of power too.

A file is written under a temporary name, flushed to the disk and renamed. Until the system writes
the folder, or `flush` has it written, a loss of power brings back the file before it.

Who writes holds a lock on the temporary file, which the system frees when the program dies: what
lies under a temporary name without one was left behind, and is removed.
"""

import concurrent.futures
import contextlib
import errno
import fcntl
import os
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tfae.core import json_text

# Of `.name.<process>.tmp.<suffix>`.
_TEMPORARY = re.compile(r'\.(.+)\.[0-9]+\.tmp(\.[^.]*)?', re.DOTALL)
_ODD = re.compile(r'[]\[*?\\\udc80-\udcff]')  # signs of patterns, and bytes that are no UTF-8


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    with replacing(path) as temporary:
        # A file's name that is no UTF-8 may stand in the text.
        temporary.write_text(text, encoding='utf-8', errors='backslashreplace')


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
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.tmp{path.suffix}')

    def create() -> int:
        return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)

    with _held(path, temporary, create):
        try:
            yield temporary
            flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder under a temporary name, renamed to `path` if the block ends well, else removed.

    Raises: OSError if there is anything at `path` by then but an empty folder.
    """
    path = path.resolve()  # neither '.' nor a link is renamed
    with temporary_folder(path) as temporary:
        yield temporary
        flush_all([*temporary.rglob('*'), temporary])
        temporary.replace(path)
        flush(path.parent)


@contextlib.contextmanager
def temporary_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """An empty folder under a temporary name beside `path`; removed when the block ends."""
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')

    def create() -> int:
        temporary.mkdir(exist_ok=True)
        return os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

    with _held(path, temporary, create):
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: pathlib.Path) -> None:
    """Makes a folder and those above it, where they are not there, and flushes what holds them."""
    lacking = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for place in lacking:
        flush(place.parent)


def flush(path: pathlib.Path) -> None:
    """Returns when a file, or the names in a folder, would survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(descriptor)


def flush_all(paths: Iterable[pathlib.Path]) -> None:
    """As `flush`, all at a time, for which the disk takes hardly longer than for one."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(flush, path) for path in paths]:
            done.result()


def sweep(folder: pathlib.Path, name: str = '') -> None:
    """Removes what killed programs left in `folder`: temporary files of `name`, of any if empty."""
    with os.scandir(folder) as entries:
        found = [(entry, _TEMPORARY.fullmatch(entry.name)) for entry in entries]
    for entry, match in found:
        if match and name in ('', f'{match[1]}{match[2] or ""}'):
            _remove_unheld(pathlib.Path(entry))


@contextlib.contextmanager
def plain_alias(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A path of `folder` for native code that takes a path for a pattern and for UTF-8."""
    if not _ODD.search(os.fspath(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix='tfae-') as temporary:
        alias = pathlib.Path(temporary, 'folder')
        alias.symlink_to(folder.resolve(), target_is_directory=True)
        yield alias


@contextlib.contextmanager
def _held(path: pathlib.Path, temporary: pathlib.Path, create: Callable[[], int]) -> Iterator[None]:
    """Holds what `create` makes and opens for this program, after what others left of `path`."""
    make_folder(path.parent)
    sweep(path.parent, path.name)
    while True:
        descriptor = create()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another program may have swept it away before it was locked.
        if temporary.exists() and os.path.samestat(os.fstat(descriptor), temporary.stat()):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def _remove_unheld(path: pathlib.Path) -> None:
    """Removes a file or folder that no program holds; leaves what cannot be opened or removed."""
    with contextlib.suppress(OSError):
        if path.is_symlink():
            path.unlink()
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        finally:
            os.close(descriptor)
