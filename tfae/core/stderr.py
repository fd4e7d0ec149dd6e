"""Redirection of native libraries' messages on stderr."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


def native_messages_dropped() -> contextlib.AbstractContextManager[None]:
    """Drops messages of native code: importing TensorFlow logs before its level can be set."""
    return appended_to(pathlib.Path(os.devnull))


@contextlib.contextmanager
def appended_to(path: pathlib.Path) -> Iterator[None]:
    """Appends what native code, and processes that start meanwhile, write on stderr to a file."""
    kept = os.dup(2)
    with path.open('ab') as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
