"""The library of compiled ops: checked against the running TensorFlow and loaded once."""

import functools
import importlib.util
import os
import pathlib
import shlex
import sys
import warnings
from types import ModuleType
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors

CHOICE = 'TFAE_SUBPIXEL'


class Status(NamedTuple):
    """Which definition of the ops is in use, and why."""

    compiled: bool
    why: str


@functools.cache
def load() -> tuple[ModuleType | None, Status]:
    """Loads the compiled ops as a module; None where stock ops are used instead.

    Warns once, with the command that builds the library, where it cannot be used.

    Raises: RuntimeError if TFAE_SUBPIXEL is `compiled` and the library cannot be used;
      UsageError if it is neither that nor `stock` nor `auto`.
    """
    choice = os.environ.get(CHOICE) or 'auto'
    errors.one_of(CHOICE, choice, ('auto', 'compiled', 'stock'))
    if choice == 'stock':
        return None, Status(False, f'stock TensorFlow ops, since {CHOICE} is stock')
    path = library()
    trouble = _trouble(path)
    if not trouble:
        try:
            return tf.load_op_library(str(path)), Status(True, f'compiled op, {path}')
        except tf.errors.OpError as error:
            trouble = f'{path} does not load: {error.message}'
    command = shlex.join([sys.executable, '-m', 'tfae', 'build-op'])
    text = f'the compiled sub-pixel op is not in use: {trouble}; to build it, run {command}'
    if choice == 'compiled':
        raise RuntimeError(text)
    text += '; stock TensorFlow ops give the same results, more slowly'
    warnings.warn(text, RuntimeWarning, stacklevel=4)
    return None, Status(False, f'stock TensorFlow ops: {trouble}')


def library() -> pathlib.Path:
    """Returns the path of the library of compiled ops, built or not."""
    return pathlib.Path(__file__).with_name('_subpixel.so')


def stamp() -> Any:
    """Returns the `Stamp` of `build.py` in the library; None if it has none."""
    return builder().stamp(library()) if _builder_path().exists() else None


def _trouble(path: pathlib.Path) -> str:
    """Returns the reason why the library at `path` cannot be used; empty if it can."""
    if not path.exists():
        return f'there is no {path}'
    if not _builder_path().exists():
        return f'the sources of {path} are missing'
    built_for, source = (builder().stamp(path) or ('an unknown version', ''))[:2]
    if built_for != tf.__version__:
        return f'{path} was built for TensorFlow {built_for}; this is {tf.__version__}'
    # A dash: built by a build system that tracks the sources itself.
    if source not in ('-', builder().digest()):
        return f'{path} was built from other sources than those in {builder().SOURCES}'
    return ''


def _builder_path() -> pathlib.Path:
    """Returns the path of `build.py`: in an installed package, or next to it in a checkout."""
    here = pathlib.Path(__file__).parents[1]
    inside = here / '_ops' / 'build.py'
    return inside if inside.exists() else here.parent / 'ops' / 'build.py'


@functools.cache
def builder() -> Any:
    """Imports `build.py` of the op's sources."""
    spec = importlib.util.spec_from_file_location('tfae_ops_build', _builder_path())
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
