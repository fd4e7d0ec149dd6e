"""Errors and checks with one message form: the subject, its value, the values allowed.

Mistakes of a caller raise; `assert` is for our own. The error class decides the exit code of a
command: 2 for `UsageError`, 1 for `InputError`. Both print one line, without a traceback.
"""

import contextlib
import difflib
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

# The first alternatives keep their dashes: quoted values, command lines, and longer words.
_FLAG = re.compile(
    r"""
    `\w[^`]*`
    | (?<!\w)'(?:[^'\\]|\\.)*'(?!\w) | (?<!\w)"(?:[^"\\]|\\.)*"(?!\w)
    | \btfae\ [a-z-]+(?:\ --\S+)*
    | (?<![^\s(\[]) --(?P<name>[a-z]\w*)
    """,
    re.VERBOSE,
)


class UsageError(ValueError):
    """A flag, field or argument is wrong: fixed by another command line."""


class InputError(ValueError):
    """A file, an image or a run is invalid: fixed by another input."""


@contextlib.contextmanager
def naming_arguments() -> Iterator[None]:
    """Makes errors that pass through name Python arguments, `units` instead of `--units`.

    A context, or a decorator of a function of the Python interface. Quoted values and command lines
    (`tfae train --units=8`) keep their dashes.
    """
    try:
        yield
    except (UsageError, InputError) as error:
        error.args = (of_arguments(str(error)), *error.args[1:])
        raise


def of_arguments(text: str) -> str:
    """Replaces flags by names of arguments in the text of an error."""
    return _FLAG.sub(lambda match: match['name'] or match[0], text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `'; did you mean a, b?'` for the most similar names, ignoring case, or ''.

    Numbers are not misspelled: 11 is not taken for 1.
    """
    if name.isdecimal():
        return ''
    names = {word.lower(): word for word in known}
    close = [names[word] for word in difflib.get_close_matches(name.lower(), names)]
    return f'; did you mean {", ".join(close)}?' if close else ''


def counted(count: int, one: str, many: str) -> str:
    """Formats `'1 class'` or `'1,000 classes'`."""
    return f'{count:,} {one if count == 1 else many}'


def classes(model: str, count: int) -> None:
    """Refuses a data set of fewer than two classes, for a family that needs them."""
    if count < 2:
        raise UsageError(
            f'--model is {model}; the data set has {counted(count, "class", "classes")}; it must '
            f'have 2 or more'
        )


def one_of(who: str, value: str, known: Iterable[str]) -> str:
    """Returns `value` if it is one of `known`.

    Raises: UsageError that lists the known values and suggests similar ones.
    """
    known = list(dict.fromkeys(known))
    if value not in known:
        raise UsageError(
            f'{who} is {value!r}; it must be one of {", ".join(known)}{nearest(value, known)}'
        )
    return value


def rank(who: str, tensor: Any, wanted: int) -> None:
    """Refuses a tensor or array whose static rank is known and is not `wanted`."""
    ndims = tensor.shape.rank if hasattr(tensor.shape, 'rank') else tensor.ndim
    if ndims is not None and ndims != wanted:
        raise ValueError(
            f'{who}: shape is {tensor.shape}, rank {ndims}; it must have rank {wanted}.'
        )


def same_shape(who: str, **tensors: Any) -> None:
    """Refuses two tensors whose static shapes cannot be equal; the keywords name them."""
    (a, x), (b, y) = tensors.items()
    if not x.shape.is_compatible_with(y.shape):
        raise ValueError(f'{who}: {a} is {x.shape}, {b} is {y.shape}; they must match.')


def in_range(who: str, value: float, low: float, high: float) -> None:
    """Refuses a number outside [low, high], and infinities in any case."""
    if not low <= value <= high or math.isinf(value):
        end = ')' if math.isinf(high) else ']'
        raise UsageError(f'{who} is {value}; it must lie in [{low}, {high}{end}')
