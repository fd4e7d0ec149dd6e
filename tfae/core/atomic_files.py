"""Atomic files: complete or absent, even after a loss of power.

A file is written under a temporary name, flushed to the disk and renamed. Until the system writes
the folder, or `flush` forces it to, a loss of power leaves the previous file.

A writer holds a lock on the temporary file, which the system releases when the process dies:
temporary files without a lock are leftovers, and are removed.
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

# Matches `.name.<process>.tmp.<suffix>`.
_TEMPORARY = re.compile(r'\.(.+)\.[0-9]+\.tmp(\.[^.]*)?', re.DOTALL)
_ODD = re.compile(r'[]\[*?\\\udc80-\udcff]')  # glob characters, and bytes that are not UTF-8


def write_text(path: pathlib.Path, text: str, flushed: bool = True) -> None:
    """Writes a text file atomically; `flushed` as in `replacing`."""
    with replacing(path, flushed) as temporary:
        # The text may contain a file name that is not UTF-8.
        temporary.write_text(text, encoding='utf-8', errors='backslashreplace')


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a value as indented JSON, atomically; see `json_text` for non-finite floats."""
    write_text(path, json_text.dumps(value, indent=2) + '\n')


def write_npz(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as an .npz, atomically."""
    # np.savez takes names as keyword arguments, which clash with its own, such as `file`.
    with replacing(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


@contextlib.contextmanager
def replacing(path: pathlib.Path, flushed: bool = True) -> Iterator[pathlib.Path]:
    """Yields a temporary path next to `path`: renamed to it on success, removed on an exception.

    Without `flushed`, a loss of power may leave an empty file: `flush_all` it with others before
    anything relies on it.

    Raises: OSError for a device such as /dev/null, which root could replace by a file.
    """
    if path.is_char_device() or path.is_block_device():
        raise OSError(errno.EINVAL, 'is a device; name a file', str(path))
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.tmp{path.suffix}')

    def create() -> int:
        return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)

    with _held(path, temporary, create):
        try:
            yield temporary
            if flushed:
                flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary folder: renamed to `path` on success, removed on an exception.

    Raises: OSError if anything but an empty folder is at `path` by then.
    """
    path = path.resolve()  # '.' and links cannot be renamed
    with temporary_folder(path) as temporary:
        yield temporary
        flush_all([*temporary.rglob('*'), temporary])
        temporary.replace(path)
        flush(path.parent)


@contextlib.contextmanager
def temporary_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty temporary folder next to `path`, which is removed at the end."""
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
    """Creates a folder and its parents, where they are missing, and flushes their parents."""
    lacking = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for place in lacking:
        flush(place.parent)


def flush(path: pathlib.Path) -> None:
    """Flushes a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # the file system has no flush
            raise
    finally:
        os.close(descriptor)


def flush_all(paths: Iterable[pathlib.Path]) -> None:
    """Flushes all paths in parallel, which takes hardly longer than one."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(flush, path) for path in paths]:
            done.result()


def sweep(folder: pathlib.Path, name: str = '') -> None:
    """Removes temporary files of killed processes: those of `name`, or all if it is empty."""
    with os.scandir(folder) as entries:
        found = [(entry, _TEMPORARY.fullmatch(entry.name)) for entry in entries]
    for entry, match in found:
        if match and name in ('', f'{match[1]}{match[2] or ""}'):
            _remove_unheld(pathlib.Path(entry))


@contextlib.contextmanager
def plain_alias(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path of `folder` for native code, which globs paths and expects UTF-8."""
    if not _ODD.search(os.fspath(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix='tfae-') as temporary:
        alias = pathlib.Path(temporary, 'folder')
        alias.symlink_to(folder.resolve(), target_is_directory=True)
        yield alias


@contextlib.contextmanager
def _held(path: pathlib.Path, temporary: pathlib.Path, create: Callable[[], int]) -> Iterator[None]:
    """Creates and locks a temporary file or folder, after removing leftovers of `path`."""
    make_folder(path.parent)
    sweep(path.parent, path.name)
    while True:
        descriptor = create()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another process may have removed it before it was locked.
        if temporary.exists() and os.path.samestat(os.fstat(descriptor), temporary.stat()):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def _remove_unheld(path: pathlib.Path) -> None:
    """Removes a file or folder that no process has locked, if permissions allow."""
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
