"""Download a data set: `tfae fetch mnist` or `tfae fetch fashion_mnist`.

Files are checked against known lengths and SHA-256 sums before they get their names, so incomplete
files never appear. Files that exist already are kept. The download is
aborted if the server sends nothing for half a minute.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import http.client
import os
import pathlib
import queue
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Protocol, runtime_checkable

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import Part, option
from tfae.data.formats import shards

_TIMEOUT = 30.0  # seconds for a server to answer, and then to send some bytes
_MIN_RATE = 1000  # bytes per second on average, after `_TIMEOUT`
_CHUNK = 2**16  # bytes
_MAX_BYTES = 2**32  # of a file of unknown length


@runtime_checkable
class Published(Protocol):
    """A module of a data set whose files can be downloaded.

    It may also have their lengths, `BYTES`, name of a file -> bytes.
    """

    URL: str  # prefix of the addresses of files
    SHA256: Mapping[str, str]  # file name -> SHA-256 sum


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Where the files come from, and where they go."""

    data_dir: str = option(
        '',
        "Folder for the files, or the parent of a folder with the data set's name (default: "
        '$TFAE_DATA_DIR/<set> if it exists, else ~/.cache/tfae/<set>).',
    )
    url: str = option('', 'Base URL of the files, instead of the official one.')


def main(argv: list[str]) -> int:
    """Runs `tfae fetch`; returns the exit code 0.

    Raises:
      UsageError: an unknown flag, or not exactly one data set that can be downloaded.
      InputError: a download that fails, or is not the published file.
      OSError: a folder that cannot be written.
    """
    sources = {name: data.module(name) for name in data.names()}
    fetchable = {name: source for name, source in sources.items() if isinstance(source, Published)}
    takes = ' | '.join(fetchable)
    flags, words = command_flags.read_words('fetch', __doc__, Config, argv, takes)
    if len(words) != 1:
        raise errors.UsageError(
            f'tfae fetch takes one data set; {len(words)} given; it must be one of '
            f'{", ".join(fetchable)}'
        )
    name = errors.one_of('tfae fetch: data set', words[0], fetchable)
    source = fetchable[name]
    fetch(source, data.folder(flags.data_dir, name), flags.url or source.URL)
    return 0


def fetch(source: Published, folder: pathlib.Path, url: str) -> None:
    """Downloads the files of a data set to `folder`, each from `url` followed by its name.

    Raises: see `main`.
    """
    sums = {file: _sum(folder / file) for file in source.SHA256}
    wanted = {file: good for file, good in source.SHA256.items() if sums[file] != good}
    if not wanted:
        print(f'{folder}: all {len(sums)} files exist, and their SHA-256 sums match.')
        return
    for file in filter(sums.get, wanted):
        print(f'{folder / file}: is not the published file, and will be replaced.')
    if not url.startswith(('https://', 'http://', 'file://')):
        raise errors.UsageError(
            f'--url is {url!r}; it must begin with https://, http:// or file://'
        )
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lengths: Mapping[str, int] = getattr(source, 'BYTES', {})
    try:
        for file, sha256 in wanted.items():
            place = f'{url.rstrip("/")}/{file}'
            with _arriving(folder / file) as arriving, _explained(place, folder):
                _download(place, arriving, lengths.get(file), sha256)
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    print(f'{folder}: {len(wanted)} of {len(sums)} files downloaded, and their SHA-256 sums match.')


@contextlib.contextmanager
def _arriving(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A temporary file that is renamed to `path` if the block succeeds, and removed if not.

    Its name is always the same, so the next program reuses what a killed one left.

    Raises: InputError if another program fetches the same file.
    """
    temporary = path.with_name(f'.fetch-{path.name}')
    with temporary.open('ab') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The other program may have renamed the file before this one locked it.
            if not (
                temporary.exists() and os.path.samestat(os.fstat(file.fileno()), temporary.stat())
            ):
                raise BlockingIOError
        except BlockingIOError:
            raise errors.InputError(
                f'{path} is being downloaded by another process; wait until it finishes'
            ) from None
        try:
            file.truncate(0)
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _download(url: str, file: BinaryIO, length: int | None, sha256: str) -> None:
    """Downloads `url` to a file.

    Raises: InputError if its length or sum is wrong, OSError if the server is too slow, and the
      errors of `urllib`.
    """
    limit = _MAX_BYTES if length is None else length
    digest, count, began = hashlib.sha256(), 0, time.monotonic()
    with _answer(url) as answer:
        declared = answer.headers.get('Content-Length', '')
        while count <= limit and (chunk := answer.read1(_CHUNK)):
            count += len(chunk)
            seconds = time.monotonic() - began
            if seconds > _TIMEOUT and count < _MIN_RATE * seconds:
                raise TimeoutError(f'only {count:,} bytes received in {seconds:.0f} s')
            digest.update(chunk)
            file.write(chunk)
    if count > limit:
        raise errors.InputError(f'{url}: it is larger than {limit:,} bytes and was discarded')
    if declared.isdecimal() and count < int(declared):
        raise ConnectionError(f'truncated, {count:,} of {int(declared):,} bytes')
    came = digest.hexdigest()
    if came != sha256:
        raise errors.InputError(
            f'{url}: SHA-256 is {came}; it must be {sha256}; the file was discarded'
        )


def _answer(url: str) -> Any:
    """Returns the response of a server, its headers read.

    Raises: the errors of `urlopen`, or TimeoutError if the headers are not complete in time; the
      timeout of a socket starts again with every byte.
    """
    came: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            came.put(urllib.request.urlopen(url, timeout=_TIMEOUT))
        except Exception as error:
            came.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = came.get(timeout=2 * _TIMEOUT)
    except queue.Empty:
        raise TimeoutError(f'no response in {2 * _TIMEOUT:g} s') from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextlib.contextmanager
def _explained(url: str, folder: pathlib.Path) -> Iterator[None]:
    """Turns errors of `urllib` into an InputError that says how to get the file by hand."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, errors.InputError):
            raise
        reason = ' '.join(f'{error}'.split()) or type(error).__name__
        raise errors.InputError(
            f'{url}: cannot be downloaded ({reason}); choose another address with --url, or copy '
            f'the file to {folder}'
        ) from error


def _sum(path: pathlib.Path) -> str:
    """Returns the SHA-256 sum of a file; empty if there is no such file."""
    return shards.sha256(path) if path.is_file() else ''
