"""Modules and functions of the user's own, by name: `package.module`, `package.module:function`.

They are imported as Python imports any module, and from the working directory too, which comes
last: nothing there hides an installed package. `who` names the flag or argument in the errors.
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
    """The name of a function, `package.module:function`, that holds the function itself.

    So a configuration can carry a function that cannot be imported, such as one of a notebook, as
    long as the program runs; what is written of it is the name.
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
    """Whether a text has the form `package.module:function`."""
    return _FUNCTION.fullmatch(text) is not None


def exists(name: str) -> bool:
    """Returns whether there is a top-level module of that name; imports nothing."""
    if not re.fullmatch(_NAME, name):
        return False
    _search_working_directory()
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # such as `__main__`
        return False


def module(who: str, spelling: str) -> ModuleType:
    """Imports the module `package.module`.

    Raises: UsageError if the spelling is none of a module, there is no such module, or it raises
      an exception while it is imported; the line holds the exception's type and text.
    """
    if not _MODULE.fullmatch(spelling):
        raise errors.UsageError(f'{who} is {spelling!r}; it must be package.module')
    return _imported(who, spelling, spelling)


def function(who: str, spelling: str) -> Callable[..., Any]:
    """Imports the function `package.module:function`.

    Raises: UsageError as `module` does, and if the module has no such function or it cannot be
      called.
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
    """The function `package.module:function` that a text names; None for a built-in name.

    Raises: UsageError as `function` does, if the text is neither, or if the function or its module
      has a built-in name: a reader of a configuration could not tell the two apart.
    """
    known = list(built_in)
    if not names_function(text):
        errors.one_of(who, text, [*known, FUNCTION])
        return None
    for name in text.split(':'):
        if name in known:
            raise errors.UsageError(f'{who} is {text!r}; {name} is a built-in name, take another')
    return function(who, text)


def _imported(who: str, spelling: str, path: str) -> ModuleType:
    """The module `path`, which `spelling` names or holds."""
    _search_working_directory()
    try:
        return importlib.import_module(path)
    except (Exception, SystemExit) as error:
        raise errors.UsageError(f'{who} is {spelling!r}; {_reason(path, error)}') from error


def _search_working_directory() -> None:
    """Puts the working directory at the end of the search path, and sees files made since."""
    try:
        here = str(pathlib.Path.cwd())
    except FileNotFoundError:  # it was removed
        return
    if not {'', here} & set(sys.path):
        sys.path.append(here)
    importlib.invalidate_caches()


def _reason(spelling: str, error: BaseException) -> str:
    """Why an import failed, as the end of a sentence."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and f'{spelling}.'.startswith(f'{missing}.'):
        return f'there is no module {missing}; it must be installed or lie in the working directory'
    text = ' '.join(str(error).split())
    return f'importing it raised {type(error).__name__}: {text}'
