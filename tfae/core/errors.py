"""Errors and checks with one message form: who, what came, what is wanted.

A caller's mistake raises; `assert` is only for our own. The two error classes decide a command's
exit code: `UsageError` gives 2, `InputError` gives 1. Both print as one line, without a traceback.
"""

import contextlib
import difflib
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

# What keeps its dashes comes first: quoted command lines and values, other command lines, and the
# rest of a longer word.
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
    """A flag, field or argument is wrong: the cure is another command line."""


class InputError(ValueError):
    """A file, an image or a run is not what it should be: the cure is another input."""


@contextlib.contextmanager
def naming_arguments() -> Iterator[None]:
    """Lets errors that pass name Python arguments, `units` in place of `--units`.

    A context, or a decorator of a function that a Python program calls. Quoted values and command
    lines (`tfae train --units=8`) in a text keep their dashes.
    """
    try:
        yield
    except (UsageError, InputError) as error:
        error.args = (of_arguments(str(error)), *error.args[1:])
        raise


def of_arguments(text: str) -> str:
    """Returns the text of an error with the names of arguments in place of flags."""
    return _FLAG.sub(lambda match: match['name'] or match[0], text)


def nearest(name: str, known: Iterable[str]) -> str:
    """`'; did you mean a, b?'` for the names closest to `name` in any case, or an empty text."""
    names = {word.lower(): word for word in known}
    close = [names[word] for word in difflib.get_close_matches(name.lower(), names)]
    return f'; did you mean {", ".join(close)}?' if close else ''


def classes(model: str, count: int) -> None:
    """Refuses a set without two classes or more, for a family that needs them."""
    if count < 2:
        raise UsageError(
            f'--model is {model}; the data set tells {count} classes apart, it must have labels of '
            f'2 or more'
        )


def one_of(who: str, value: str, known: Iterable[str]) -> str:
    """`value`, which must be one of `known`.

    Raises: UsageError that lists what is known and the nearest names.
    """
    known = list(known)
    if value not in known:
        raise UsageError(
            f'{who} is {value!r}; it must be one of {", ".join(known)}{nearest(value, known)}'
        )
    return value


def rank(who: str, tensor: Any, wanted: int) -> None:
    """Refuses a tensor or array whose static rank is known and is not `wanted`."""
    ndims = getattr(tensor.shape, 'rank', None) if hasattr(tensor.shape, 'rank') else tensor.ndim
    if ndims is not None and ndims != wanted:
        raise ValueError(
            f'{who}: shape is {tensor.shape}, rank {ndims}; it must have rank {wanted}.'
        )


def same_shape(who: str, **tensors: Any) -> None:
    """Refuses two tensors whose static shapes cannot be equal; the keywords name them."""
    (a, x), (b, y) = tensors.items()
    if not x.shape.is_compatible_with(y.shape):
        raise ValueError(f'{who}: {a} is {x.shape}, {b} is {y.shape}; they must agree.')


def in_range(who: str, value: float, low: float, high: float) -> None:
    """Refuses a number outside [low, high], and an infinite one in any case."""
    if not low <= value <= high or math.isinf(value):
        end = ')' if math.isinf(high) else ']'
        raise UsageError(f'{who} is {value}; it must lie in [{low}, {high}{end}')
