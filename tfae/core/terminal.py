"""The standard streams: closed ones are tolerated, and control characters are escaped.

Names of classes, files, shards, runs and modules are untrusted. Characters that move the cursor,
change colors or reverse the text direction are shown as escapes, and so are bytes that are not
UTF-8.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

if TYPE_CHECKING:
    import tqdm

T = TypeVar('T')

_without_bars = False
READER_GONE = 141  # exit code of a process that SIGPIPE would have ended


class ReaderGone(BrokenPipeError):
    """The process that read a stream has ended, as `head` does."""


def shown(text: object, kept: str = '') -> str:
    """Escapes every character of `text` that is neither printable nor one of `kept`."""
    found = str(text)
    if found.isprintable():
        return found
    return ''.join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in found)


def take_streams() -> None:
    """Wraps stdout and stderr to escape control characters; closed streams drop their output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The next file that is opened would get this descriptor and receive the output.
            os.open(os.devnull, os.O_RDWR)
    for descriptor, name in ((1, 'stdout'), (2, 'stderr')):
        stream = getattr(sys, name) or os.fdopen(descriptor, 'w', closefd=False)
        setattr(sys, name, cast(TextIO, _Stream(stream)))


def release_streams() -> None:
    """Gives stdout and stderr back as they were, for a program whose output is its own."""
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        setattr(sys, name, stream._wrapped if isinstance(stream, _Stream) else stream)


def bar(total: int, unit: str, **more: Any) -> 'tqdm.tqdm':
    """Returns a progress bar, which is shown on a terminal only."""
    import tqdm  # here, since `tfae --help` does not need it

    # The unwrapped stream: the bar itself moves the cursor.
    stream = getattr(sys.stderr, '_wrapped', sys.stderr)
    quiet = _without_bars or not sys.stderr.isatty()
    return tqdm.tqdm(total=total, unit=unit, file=stream, disable=quiet, leave=False, **more)


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Hides progress bars on a terminal too."""
    global _without_bars
    before, _without_bars = _without_bars, True
    try:
        yield
    finally:
        _without_bars = before


def progress(items: Sequence[T], unit: str) -> Iterator[T]:
    """Yields the items in turn, with a progress bar on a terminal."""
    with bar(len(items), unit) as shown_bar:
        for item in items:
            yield item
            shown_bar.update()


def write(line: str) -> None:
    """Prints a line to stdout, above the progress bar where there is one."""
    import tqdm

    tqdm.tqdm.write(line, file=sys.stdout)


class _Stream:
    """A text stream that escapes control characters of the stream it wraps."""

    def __init__(self, stream: TextIO):
        self._wrapped = stream  # tqdm looks for this name to find the stream of its bar

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def write(self, text: str) -> int:
        encoding = self._wrapped.encoding or 'utf-8'
        line = shown(text, '\n\t').encode(encoding, 'backslashreplace').decode(encoding)
        return self._try(self._wrapped.write, line)

    def flush(self) -> None:
        self._try(self._wrapped.flush)

    def _try(self, act: Any, *given: str) -> Any:
        try:
            return act(*given)
        except OSError as error:
            # Buffered output must not raise again when the interpreter exits.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._wrapped.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise ReaderGone(*error.args) from None
            raise
