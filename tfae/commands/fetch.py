"""Download a data set: `tfae fetch mnist` or `tfae fetch fashion_mnist`.

Files arrive under a temporary name, are checked against known lengths and SHA-256 sums and only
then get their own name, so that a file which is there is a whole one. What is there already is left
alone. A server that stops sending is given up after half a minute.
"""

import contextlib
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

from absl import flags

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.data.formats import shards

_PATIENCE = 30.0  # seconds in which a server must answer, and then send something
_SLOWEST = 1000  # bytes a second that it must send on average, after `_PATIENCE`
_CHUNK = 2**16  # bytes
_MOST_BYTES = 2**32  # of a file whose length its data set does not tell


@runtime_checkable
class Published(Protocol):
    """A data set's module whose files can be downloaded.

    It may also tell their lengths, `BYTES`, name of a file -> bytes.
    """

    URL: str  # which the names of the files are appended to
    SHA256: Mapping[str, str]  # name of a file -> its sum


def main(argv: list[str]) -> int:
    """Runs `tfae fetch` with the words behind it; returns the exit code 0.

    Raises:
      UsageError: an unknown flag, or not exactly one set of those that can be downloaded.
      InputError: a download that fails, or that brings other bytes than the published ones.
      OSError: a folder that cannot be written.
    """
    values = flags.FlagValues()
    module = 'tfae.commands.fetch'
    data_dir = flags.DEFINE_string(
        'data_dir',
        '',
        "Folder to fill, or one that holds a folder of the set's name. Empty: "
        '$TFAE_DATA_DIR/<set> if that exists, else ~/.cache/tfae/<set>.',
        values,
        module_name=module,
    )
    url = flags.DEFINE_string(
        'url',
        '',
        "Address that the files' names are appended to, in place of the official one.",
        values,
        module_name=module,
    )
    words = [word for word in argv if not word.startswith('-')]
    command_flags.parse('fetch', __doc__, values, [word for word in argv if word.startswith('-')])
    sources = {name: data.module(name) for name in data.names()}
    fetchable = {name: source for name, source in sources.items() if isinstance(source, Published)}
    if len(words) != 1:
        raise errors.UsageError(
            f'tfae fetch: names {len(words)} sets; it must name one of {", ".join(fetchable)}'
        )
    name = errors.one_of('tfae fetch: set', words[0], fetchable)
    source = fetchable[name]
    fetch(source, data.folder(data_dir.value, name), url.value or source.URL)
    return 0


def fetch(source: Published, folder: pathlib.Path, url: str) -> None:
    """Fills `folder` with the files of a set's module, each from `url` and its own name.

    Raises: see `main`.
    """
    sums = {file: _sum(folder / file) for file in source.SHA256}
    wanted = {file: good for file, good in source.SHA256.items() if sums[file] != good}
    if not wanted:
        print(f'{folder}: all {len(sums)} files are here, and their sums are right.')
        return
    for file in filter(sums.get, wanted):
        print(f'{folder / file}: is not the published file, and will be replaced by it.')
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
    print(f'{folder}: {len(wanted)} of {len(sums)} files fetched, and their sums are right.')


@contextlib.contextmanager
def _arriving(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its name if the block ends well, and else is removed.

    Its name is always the same, so that what a killed program left is used up by the next one.

    Raises: InputError if another program fetches the same file.
    """
    temporary = path.with_name(f'.fetch-{path.name}')
    with temporary.open('ab') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.InputError(
                f'{path} is being fetched by another program; wait for it'
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
    """Brings what is at `url` into a file.

    Raises: InputError if it has another length or sum; whatever `urllib` raises, or OSError if the
      server is too slow.
    """
    most = _MOST_BYTES if length is None else length
    digest, count, began = hashlib.sha256(), 0, time.monotonic()
    with _answer(url) as answer:
        declared = answer.headers.get('Content-Length', '')
        while count <= most and (chunk := answer.read1(_CHUNK)):
            count += len(chunk)
            seconds = time.monotonic() - began
            if seconds > _PATIENCE and count < _SLOWEST * seconds:
                raise TimeoutError(f'only {count:,} bytes came in {seconds:.0f} s')
            digest.update(chunk)
            file.write(chunk)
    if count > most:
        raise errors.InputError(f'{url}: it has more than {most:,} bytes, so it is not kept')
    if declared.isdecimal() and count < int(declared):
        raise ConnectionError(f'cut short, {count:,} bytes of {int(declared):,}')
    came = digest.hexdigest()
    if came != sha256:
        raise errors.InputError(
            f'{url}: SHA-256 is {came}; it must be {sha256}, so the file is not kept'
        )


def _answer(url: str) -> Any:
    """What a server answers, its headers read.

    Raises: whatever `urlopen` raises, or TimeoutError if the headers do not come, be it because
      they trickle, which the timeout of a socket does not tell.
    """
    came: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            came.put(urllib.request.urlopen(url, timeout=_PATIENCE))
        except Exception as error:
            came.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = came.get(timeout=2 * _PATIENCE)
    except queue.Empty:
        raise TimeoutError(f'no answer in {2 * _PATIENCE:g} s') from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextlib.contextmanager
def _explained(url: str, folder: pathlib.Path) -> Iterator[None]:
    """Turns what `urllib` raises into an InputError that tells how to get the file by hand."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, errors.InputError):
            raise
        reason = ' '.join(f'{error}'.split()) or type(error).__name__
        raise errors.InputError(
            f'{url}: cannot be fetched ({reason}); name another address with --url, or copy the '
            f'file to {folder}'
        ) from error


def _sum(path: pathlib.Path) -> str:
    """SHA-256 of a file, or an empty text if there is none."""
    return shards.sha256(path) if path.is_file() else ''
