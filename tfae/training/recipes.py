"""Recipes: published systems, each a file of flags with target figures."""

import pathlib

from tfae.core import errors

_FOLDER = pathlib.Path(__file__).parents[1] / 'recipes'


def names() -> list[str]:
    """Returns the sorted names of the recipes."""
    return sorted(path.stem for path in _FOLDER.glob('*.flags'))


def path(name: str) -> pathlib.Path:
    """Returns the file of flags of a recipe.

    Raises: UsageError with the nearest names if there is no recipe of that name.
    """
    return _FOLDER / f'{errors.one_of("--recipe", name, names())}.flags'


def flags(name: str) -> list[str]:
    """Returns the flags of a recipe as on a command line, `--name=value` or `--name`.

    Raises: UsageError as `path` does.
    """
    lines = map(str.strip, path(name).read_text().splitlines())
    return [line for line in lines if line and not line.startswith('#')]


def arguments(name: str) -> dict[str, str]:
    """Returns field name -> text of its value, for each flag of a recipe.

    Raises: UsageError as `path` does.
    """
    pairs = (flag.removeprefix('--').partition('=') for flag in flags(name))
    return {field: value if sign else 'true' for field, sign, value in pairs}
