"""Modules by name: built-in ones, those of installed packages, and any that can be imported.

An installed package adds modules by entry points, `name = "package.module"`, in a group such as
`tfae.models`. Their names, and spellings like `package.module`, work like built-in names. A
built-in name takes precedence over others, with a warning.
"""

import functools
import importlib.metadata
import pathlib
import sys
import warnings
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TypeVar

from tfae.core import errors, plugins

T = TypeVar('T')


def names(built_in: Iterable[str], group: str) -> list[str]:
    """Returns the built-in names and those of installed packages, sorted; imports nothing."""
    return sorted({*built_in, *_installed(group)})


def find(who: str, spelling: str, built_in: Mapping[str, T], group: str) -> T | ModuleType:
    """Returns the module of a name, importing it if necessary.

    Args:
      who: the flag or argument, for errors.
      spelling: a built-in name, the name of an entry point, or `package.module`.
      built_in: name -> module.
      group: of the entry points.
    Raises: UsageError with the names if there is no such module, with the packages if several
      provide it, or with the exception if it cannot be imported.
    """
    points = _installed(group).get(spelling, ())
    if spelling in built_in:
        hidden = [_origin(point) for point in points] + _files_here(spelling)
        if hidden:
            _warn_once(
                f'{who}={spelling} is the built-in one; {" and ".join(hidden)} must be renamed to '
                f'be used'
            )
        return built_in[spelling]
    if len({point.value for point in points}) > 1:
        raise errors.UsageError(
            f'{who} is {spelling!r}, which {" and ".join(map(_origin, points))} provide; name the '
            f'module, {" or ".join(point.value for point in points)}'
        )
    if points:
        try:
            return plugins.module(who, points[0].value)
        except errors.UsageError as error:
            raise errors.UsageError(f'{error} ({spelling} of {_origin(points[0])})') from error
    if '.' in spelling.strip('.') or plugins.exists(spelling):
        return plugins.module(who, spelling)
    known = names(built_in, group)
    absent = ''
    if spelling.isidentifier():
        absent = (
            f'; there is no module {spelling} either, which must be installed or be in the '
            f'working directory'
        )
    raise errors.UsageError(
        f'{who} is {spelling!r}; it must be one of {", ".join(known)}, or a module such as '
        f'package.module{absent}{errors.nearest(spelling, known)}'
    )


@functools.cache
def _warn_once(text: str) -> None:
    """Warns once; Python's own record is cleared when TensorFlow changes the filters."""
    warnings.warn(text, stacklevel=3)


def _installed(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    return _scanned(group, tuple(sys.path))


@functools.cache
def _scanned(group: str, path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Returns name -> entry points of a group, for packages on this search path."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in importlib.metadata.entry_points(group=group):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else '?'
    return f'{point.value} of package {package}'


def _files_here(name: str) -> list[str]:
    """Modules of that name in the working directory."""
    try:
        here = pathlib.Path.cwd()
    except FileNotFoundError:  # it was removed
        return []
    return [
        str(path) for path in (here / f'{name}.py', here / name / '__init__.py') if path.is_file()
    ]
