"""What native libraries say where nobody asked."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def native_messages_dropped() -> Iterator[None]:
    """TensorFlow's library greets on stderr while it is loaded, before it reads its log level."""
    kept = os.dup(2)
    with pathlib.Path(os.devnull).open('w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
