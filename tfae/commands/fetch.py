"""Download a data set: `tfae fetch mnist` or `tfae fetch fashion_mnist`.

Files arrive under a temporary name, are checked against known SHA-256 sums and only then get
their own name, so that a file which is there is a whole one. What is there already is left alone.
"""

import hashlib
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from absl import flags

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import errors


@runtime_checkable
class Published(Protocol):
    """A data set's module whose files can be downloaded."""

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
    try:
        # Inside the folder: a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(prefix='.fetch-', dir=folder) as temporary:
            for file, sha256 in wanted.items():
                path = pathlib.Path(temporary) / file
                _download(f'{url.rstrip("/")}/{file}', path, sha256, folder)
                path.replace(folder / file)
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    print(f'{folder}: {len(wanted)} of {len(sums)} files fetched, and their sums are right.')


def _download(url: str, path: pathlib.Path, sha256: str, folder: pathlib.Path) -> None:
    """Brings `url` to `path`; `folder` is only told to the user, for a download by hand."""
    # Here, because it brings in TensorFlow, which an answer from the disk need not wait for.
    import keras

    try:
        keras.utils.get_file(
            path.name, url, file_hash=sha256, cache_dir=str(path.parent), cache_subdir=''
        )
    except Exception as error:  # get_file raises bare Exception where an address does not answer
        came = _sum(path)  # get_file keeps a file of another sum, and none that came in part
        if came:
            raise errors.InputError(
                f'{url}: SHA-256 is {came}; it must be {sha256}, so the file is not kept'
            ) from error
        reason = ' '.join(str(error.__context__ or error).split())
        raise errors.InputError(
            f'{url}: cannot be fetched ({reason}); name another address with --url, or copy the '
            f'file to {folder}'
        ) from error


def _sum(path: pathlib.Path) -> str:
    """SHA-256 of a file, or an empty text if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ''
