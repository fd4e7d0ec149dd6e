"""Flag files: `--flagfile=FILE` stands for the flags in a file, one per line.

Empty lines and comments (# or //) are skipped, indented or not. The text is UTF-8, or UTF-16 with a
byte-order mark. Flag files may include others.
"""

import codecs
import pathlib
import re
from collections.abc import Iterable, Sequence

from tfae.core import bounded_files, errors

_FLAG = re.compile(r'--?flagfile(?:=(.*))?', re.DOTALL)
_MAX_BYTES = 2**20


def expanded(words: Iterable[str], within: Sequence[str] = ()) -> list[str]:
    """Returns the arguments with each flag file replaced by its flags.

    Args:
      words: arguments of a command line, or lines of a file.
      within: names of the files that include these lines.
    Raises: UsageError that names a file that cannot be read, is not text or includes itself.
    """
    made: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == '--':  # no flags follow
            return [*made, word, *rest]
        found = _FLAG.fullmatch(word)
        if not found:
            made.append(word)
            continue
        name = found[1] if found[1] is not None else next(rest, '')
        if found[1] is None and not name:
            raise errors.UsageError('--flagfile names no file')
        if name in within:
            raise errors.UsageError(f'--flagfile {name} includes itself')
        if name.strip():
            made += expanded(_lines(name.strip()), (*within, name))
    return made


def _lines(name: str) -> list[str]:
    try:
        with bounded_files.open_regular(pathlib.Path(name).expanduser()) as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise errors.UsageError(f'--flagfile {name} cannot be read: {reason}') from None
    if len(content) > _MAX_BYTES:
        raise errors.UsageError(f'--flagfile {name} is larger than {_MAX_BYTES:,} bytes')
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode('utf-16' if wide else 'utf-8-sig')
    except UnicodeDecodeError as error:
        raise errors.UsageError(f'--flagfile {name} is not text: {error}') from None
    lines = [line.strip() for line in re.split(r'\r\n?|\n', text)]
    return [line for line in lines if line and not line.startswith(('#', '//'))]
