"""The standard streams of the program: closed or not, and with names from outside in their lines.

Names of classes, files, shards, runs and modules come from others. What moves a cursor, changes a
color or turns the direction of writing is shown by its escape; so are bytes that are no UTF-8.
"""

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    import tqdm

READER_GONE = 141  # exit code of a program that SIGPIPE would have ended


class ReaderGone(BrokenPipeError):
    """The program that read a stream has ended, as `head` does."""


def shown(text: object, kept: str = '') -> str:
    """`text` with escapes for every character that is not printable and not one of `kept`."""
    found = str(text)
    if found.isprintable():
        return found
    return ''.join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in found)


def take_streams() -> None:
    """Lets this program's stdout and stderr show every line; a stream that is closed drops it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The next file that is opened would be this stream, and be written to as such.
            os.open(os.devnull, os.O_RDWR)
    for descriptor, name in ((1, 'stdout'), (2, 'stderr')):
        stream = getattr(sys, name) or os.fdopen(descriptor, 'w', closefd=False)
        setattr(sys, name, cast(TextIO, _Stream(stream)))


def bar(total: int, unit: str, **more: Any) -> 'tqdm.tqdm':
    """A progress bar on a terminal, elsewhere none."""
    import tqdm  # which `tfae --help` need not wait for

    # The bar itself moves the cursor.
    stream = getattr(sys.stderr, '_wrapped', sys.stderr)
    quiet = not sys.stderr.isatty()
    return tqdm.tqdm(total=total, unit=unit, file=stream, disable=quiet, leave=False, **more)


class _Stream:
    """A text stream that escapes; everything else is that of the stream it wraps."""

    def __init__(self, stream: TextIO):
        self._wrapped = stream  # by this name tqdm finds that its bar shares the terminal

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
            # What is buffered must not raise again where the interpreter ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._wrapped.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise ReaderGone(*error.args) from None
            raise
