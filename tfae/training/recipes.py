"""Recipes: published systems, each a file of flags with the figures that it must reach."""

import pathlib

from tfae.core import errors

_FOLDER = pathlib.Path(__file__).parents[1] / 'recipes'


def names() -> list[str]:
    """Names of the recipes, sorted."""
    return sorted(path.stem for path in _FOLDER.glob('*.flags'))


def flags(name: str) -> list[str]:
    """The flags of a recipe as they stand on a command line, `--name=value` or `--name`.

    Raises: UsageError with the nearest names if there is no recipe of that name.
    """
    path = _FOLDER / f'{errors.one_of("--recipe", name, names())}.flags'
    lines = map(str.strip, path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith('#')]


def arguments(name: str) -> dict[str, str]:
    """Field name -> text of its value, for each flag of a recipe.

    Raises: UsageError as `flags` does.
    """
    pairs = (flag.removeprefix('--').partition('=') for flag in flags(name))
    return {field: value if sign else 'true' for field, sign, value in pairs}
