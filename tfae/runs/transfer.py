"""Transfer of variables by name: from a checkpoint, a run or an .npz into the graph of another run.

`--restore_from` names the file, `--restore_map` renames scopes. The configurations may differ:
variables of the same name and shape are loaded, whatever they were trained for.
"""

import contextlib
import pathlib
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import bounded_files, errors
from tfae.runs import checkpoints


class Transferred(NamedTuple):
    """Names of the variables of a graph and of a file, by what happened to them."""

    loaded: list[str]
    new: list[str]  # only in the graph: they keep their initial values
    ignored: list[str]  # only in the file, or of another shape


def transfer(
    session: tf.Session | None,
    variables: Sequence[tf.Variable],
    path: str,
    scope_map: Sequence[str],
) -> Transferred:
    """Loads the variables of the same name and shape that a file holds.

    Args:
      session: that holds the variables; None loads nothing.
      variables: of the graph.
      path: a checkpoint, the folder of a run, or an .npz of arrays by variable name.
      scope_map: `old_scope:new_scope` pairs; an empty scope is the root.
    Returns: the names of the variables that are loaded, new and ignored.
    Raises: UsageError for a malformed pair; InputError if the file cannot be read or no variable
      fits.
    """
    pairs = [_pair(text) for text in scope_map]
    loaded, new = [], []
    with contextlib.ExitStack() as stack:
        with _refusing(path):
            npz = path.endswith('.npz')
            opened = _arrays(path) if npz else checkpoints.opened(_place(path))
            held = stack.enter_context(opened)
        found = {_renamed(name, pairs): name for name in held.shapes}
        for variable in variables:
            name = found.get(variable.op.name)
            # Values of another shape, which may be of any size, are not read.
            if name is not None and variable.shape.is_compatible_with(held.shapes[name]):
                with _refusing(path):
                    value = held.read(name).astype(variable.dtype.base_dtype.as_numpy_dtype)
                if session:
                    variable.load(value, session)
                loaded.append(variable.op.name)
            else:
                new.append(variable.op.name)
    if not loaded:
        raise errors.InputError(
            f'--restore_from {path} has no variable of the name and shape of any of this model; '
            f'it holds {", ".join(sorted(found)[:8])}'
        )
    return Transferred(loaded, new, sorted(set(found) - set(loaded)))


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
    """Turns any error of reading into an InputError that names the file."""
    what = 'cannot be read' if path.endswith('.npz') else 'is no checkpoint, run or .npz'
    try:
        yield
    except Exception as error:  # damaged bytes raise nearly anything in zipfile and TensorFlow
        reason = checkpoints.reason(error)
        raise errors.InputError(f'--restore_from {path} {what}: {reason}') from None


@contextlib.contextmanager
def _arrays(path: str) -> Iterator[checkpoints.Content]:
    """Opens an .npz; an array is read when it is requested."""
    shapes, types = {}, {}
    with bounded_files.open_regular(path) as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            with archive.open(info) as member, warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of headers that Python 2 wrote
                version = np.lib.format.read_magic(member)
                if version != (1, 0):  # (2, 0) may declare a header of 4 GB
                    raise ValueError(f'{info.filename} is .npy version {version}, not (1, 0)')
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            if dtype.kind not in 'biuf':
                raise ValueError(f'{info.filename} holds {dtype}; it must hold numbers')
            name = info.filename.removesuffix('.npy')
            shapes[name], types[name] = shape, tf.as_dtype(dtype)

    def read(name: str) -> np.ndarray:
        with zipfile.ZipFile(path) as archive, archive.open(f'{name}.npy') as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    yield checkpoints.Content(shapes, types, read)


def _place(path: str) -> str:
    """Returns the path of the checkpoint itself, or of the newest one in a folder."""
    folder = pathlib.Path(path)
    if not folder.is_dir():
        return path
    found = checkpoints.newest_first(folder)
    return found[0][1] if found else _listed(folder)


def _listed(folder: pathlib.Path) -> str:
    """Returns the newest checkpoint by the file `checkpoint`: in this folder, even if moved."""
    if (folder / checkpoints.STATE).exists():  # TensorFlow would wait for a FIFO
        bounded_files.read_bytes(folder / checkpoints.STATE, bounded_files.JSON_BYTES)
    state = tf.train.get_checkpoint_state(str(folder))
    if state is None or not state.model_checkpoint_path:
        raise ValueError('its file `checkpoint` names none')
    return str(folder / pathlib.PurePath(state.model_checkpoint_path).name)


def _pair(text: str) -> tuple[str, str]:
    """Returns the old and the new scope of `old_scope:new_scope`."""
    old, colon, new = text.partition(':')
    if not colon:
        raise errors.UsageError(f'--restore_map is {text!r}; each pair must be old_scope:new_scope')
    return old.strip('/'), new.strip('/')


def _renamed(name: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Returns `name` with the old scope of the first pair that matches replaced by the new one."""
    for old, new in pairs:
        if not old or name == old or name.startswith(f'{old}/'):
            return f'{new}/{name[len(old) :].lstrip("/")}'.strip('/')
    return name
