"""Suppression of native libraries' messages on stderr."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def native_messages_dropped() -> Iterator[None]:
    """Drops messages of native code: importing TensorFlow logs before its level can be set."""
    kept = os.dup(2)
    with pathlib.Path(os.devnull).open('w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
