"""User-defined modules and functions, by name: `package.module`, `package.module:function`.

They are imported as usual, with the working directory last on the search path, so that nothing in
it hides an installed package. `who` names the flag or argument in errors.
"""

import importlib
import importlib.util
import pathlib
import re
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from tfae.core import errors

FUNCTION = 'package.module:function'

_NAME = r'[^\W\d]\w*'
_MODULE = re.compile(rf'{_NAME}(\.{_NAME})*')
_FUNCTION = re.compile(rf'{_MODULE.pattern}:{_NAME}')


class Function(str):
    """The name of a function, `package.module:function`, together with the function itself.

    A configuration can so hold a function that cannot be imported, such as one of a notebook; only
    the name is written to files.
    """

    held: Callable[..., Any]

    def __new__(cls, function: Callable[..., Any]) -> 'Function':
        """Names a function by its module and its qualified name."""
        name = getattr(function, '__qualname__', type(function).__qualname__)
        made = super().__new__(cls, f'{getattr(function, "__module__", "?")}:{name}')
        made.held = function
        return made

    def __getnewargs__(self) -> tuple[Callable[..., Any]]:  # type: ignore[override]
        return (self.held,)


def names_function(text: str) -> bool:
    """Returns whether a text has the form `package.module:function`."""
    return _FUNCTION.fullmatch(text) is not None


def exists(name: str) -> bool:
    """Returns whether a top-level module of that name exists, without importing it."""
    if not re.fullmatch(_NAME, name):
        return False
    _search_working_directory()
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # such as `__main__`
        return False


def module(who: str, spelling: str) -> ModuleType:
    """Imports the module `package.module`.

    Raises: UsageError if the spelling is malformed, there is no such module, or importing it raises
      an exception, whose type and text are in the message.
    """
    if not _MODULE.fullmatch(spelling):
        raise errors.UsageError(f'{who} is {spelling!r}; it must be package.module')
    return _imported(who, spelling, spelling)


def function(who: str, spelling: str) -> Callable[..., Any]:
    """Imports the function `package.module:function`.

    Raises: UsageError as `module` does, and if the module has no such function or it is not
      callable.
    """
    if isinstance(spelling, Function):
        return spelling.held
    if not names_function(spelling):
        raise errors.UsageError(f'{who} is {spelling!r}; it must be package.module:function')
    path, _, name = spelling.partition(':')
    holder = _imported(who, spelling, path)
    if not hasattr(holder, name):
        near = errors.nearest(name, vars(holder))
        raise errors.UsageError(f'{who} is {spelling!r}; module {path} has no {name}{near}')
    found = getattr(holder, name)
    if not callable(found):
        raise errors.UsageError(
            f'{who} is {spelling!r}; {name} is of type {type(found).__name__}, it must be a '
            f'function'
        )
    return found


def choice(who: str, text: str, built_in: Iterable[str]) -> Callable[..., Any] | None:
    """Imports the function that a text names; returns None for a built-in name.

    Raises: UsageError as `function` does, if the text is neither, or if the function or its module
      has a built-in name, which would be ambiguous in a configuration.
    """
    known = list(built_in)
    if not names_function(text):
        errors.one_of(who, text, [*known, FUNCTION])
        return None
    for name in text.split(':'):
        if name in known:
            raise errors.UsageError(f'{who} is {text!r}; {name} is a built-in name, choose another')
    return function(who, text)


def _imported(who: str, spelling: str, path: str) -> ModuleType:
    """Imports the module `path`; `spelling` is the value of the flag."""
    _search_working_directory()
    try:
        return importlib.import_module(path)
    except (Exception, SystemExit) as error:
        raise errors.UsageError(f'{who} is {spelling!r}; {_reason(path, error)}') from error


def _search_working_directory() -> None:
    """Appends the working directory to the search path, and makes new files visible."""
    try:
        here = str(pathlib.Path.cwd())
    except FileNotFoundError:  # it was removed
        return
    if not {'', here} & set(sys.path):
        sys.path.append(here)
    importlib.invalidate_caches()


def _reason(spelling: str, error: BaseException) -> str:
    """Returns why an import failed, as the end of a sentence."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and f'{spelling}.'.startswith(f'{missing}.'):
        return f'there is no module {missing}; it must be installed or be in the working directory'
    text = ' '.join(str(error).split())
    return f'importing it raised {type(error).__name__}: {text}'
