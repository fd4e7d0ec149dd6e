"""Python 2's `StringIO` and `cStringIO`."""

import io
from collections.abc import Iterator
from typing import Any

__all__ = ['StringIO']


class StringIO:
    """A file in memory: of bytes if the first value that it is given is bytes, else of text."""

    def __init__(self, value: Any = ''):
        self._file: Any = io.BytesIO(value) if isinstance(value, bytes) else io.StringIO(value)

    def write(self, value: Any) -> int:
        """Writes text or bytes; returns how many."""
        if isinstance(value, bytes) and not (self._file.tell() or self._file.getvalue()):
            self._file = io.BytesIO()
        return self._file.write(value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)
