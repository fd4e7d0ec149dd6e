"""The table of variables that commands print, and the flag that selects them."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfae.core import errors


def check_scope(scope: str) -> None:
    """Raises UsageError if `--scope` is not a regular expression."""
    try:
        re.compile(scope)
    except (re.error, RecursionError, OverflowError) as error:
        raise errors.UsageError(
            f'--scope is {scope!r}; it must be a regular expression: {error}'
        ) from None


def show(
    names: Sequence[str],
    read: Callable[[str], np.ndarray],
    collections: Mapping[str, str] | None = None,
) -> None:
    """Prints name, shape, type and statistics of variables, and the collections of each.

    Args:
      names: of the variables, one or more.
      read: returns the value of a variable.
      collections: variable -> its collections; None prints none.
    """
    width, total = max(map(len, names)), 0
    heads = f'{"name":{width}}  {"shape":>12}  {"type":8}  {"mean":>10} {"std":>10} '
    print(f'{heads}{"min":>10} {"max":>10}{"  collections" if collections else ""}')
    for name in names:
        value = read(name)
        total += value.size
        shape = 'x'.join(map(str, value.shape)) or 'scalar'
        wide = value.astype(float) if value.dtype.kind not in 'biufc' else value  # bfloat16
        numbers = [f(wide) for f in (np.mean, np.std, np.min, np.max)] if value.size else [0] * 4
        print(
            f'{name:{width}}  {shape:>12}  {value.dtype.name:8}  '
            f'{" ".join(f"{number:10.4g}" for number in numbers)}'
            f'{f"  {collections[name]}" if collections else ""}'
        )
    print(f'{len(names)} variables, {total:,} values')
