"""Checkpoints of a run: found, loaded, skipped when broken, transferred into another graph.

`resume` loads the newest checkpoint before which every epoch is recorded.
"""

import contextlib
import math
import pathlib
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.runs.directory import METRICS, Folder
from tfae.training.phases import Phase

PREFIX = 'model'

_INDEX = re.compile(rf'{PREFIX}-(0|[1-9][0-9]{{0,17}})\.index')


class Restored(NamedTuple):
    """What became of the variables of a graph and of those of a file."""

    restored: list[str]
    new: list[str]  # in the graph alone: they keep their initial values
    ignored: list[str]  # in the file alone, or of another shape


def path(folder: pathlib.Path, step: int) -> str:
    """What a saver calls the checkpoint of `step` in `folder`."""
    return str(folder / f'{PREFIX}-{step}')


def newest_first(folder: pathlib.Path) -> list[tuple[int, str]]:
    """`(step, path)` of each checkpoint in `folder`, wherever the folder has been moved to."""
    steps = [int(m[1]) for m in map(_INDEX.fullmatch, _file_names(folder)) if m]
    return [(step, path(folder, step)) for step in sorted(steps, reverse=True)]


def newest_step(folder: pathlib.Path) -> int:
    """The step of the newest checkpoint in `folder`, whether it can be read or not; 0 if none."""
    return next((step for step, _ in newest_first(folder)), 0)


def restore_newest(
    saver: tf.train.Saver,
    session: tf.Session,
    folder: pathlib.Path,
    say: Callable[[str], None],
    most: float = math.inf,
) -> int | None:
    """Restores the newest checkpoint, up to step `most`, that can be read; `say` names the others.

    Returns: its step, or None if there is no checkpoint at all.
    Raises: InputError if there are some and none can be read.
    """
    found = [(step, place) for step, place in newest_first(folder) if step <= most]
    for step, place in found:
        try:
            saver.restore(session, place)
        except (tf.errors.OpError, ValueError, LookupError, RuntimeError) as error:
            say(f'checkpoint {place} cannot be read ({reason(error)}); trying the one before')
        else:
            return step
    if found:
        raise errors.InputError(f'none of the {len(found)} checkpoints in {folder} can be read')
    return None


def resume(
    saver: tf.train.Saver,
    session: tf.Session,
    folder: Folder,
    phases: Sequence[Phase],
    batch_size: int,
) -> int | None:
    """Restores the newest checkpoint that can be read, and says which cannot.

    Where metrics.jsonl lacks an epoch before it, an older one: a run is a function of its seed and
    its steps, so training makes the record again, bit for bit.

    Returns: its step, or None if there is no checkpoint at all.
    Raises: InputError if none can be read, or all are newer than a record that is lacking.
    """
    step = restore_newest(saver, session, folder.path, print)
    lacking = _first_lacking(folder, phases, batch_size, step or 0)
    if lacking is None:
        if step is not None:
            _reset_other_sums(session)
        return step
    what = f'{folder.path / METRICS} is damaged: it lacks the record of step {lacking:,}'
    step = restore_newest(saver, session, folder.path, print, lacking - 1)
    if step is None:
        raise errors.InputError(
            f'{what}, and every checkpoint is newer; put the file back as it was, or name another '
            f'--logdir'
        )
    print(f'{what}; training goes back to step {step:,} to make it again')
    _reset_other_sums(session)
    return step


def _reset_other_sums(session: tf.Session) -> None:
    """Zeroes the sums of a checkpoint whose loss had other terms than it has today.

    Those are checkpoints of tfae 0.1.0, in which --weight_decay had no effect.
    """
    for variable in session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES):
        is_sums = variable.op.name.rpartition('/')[2] == names.SUMS
        if is_sums and session.run(variable).shape != tuple(variable.shape.as_list()):
            session.run(variable.initializer)
            print(
                'the loss has terms that it had not when this run was saved (before tfae 0.2.0, '
                '--weight_decay had no effect); training goes on with them'
            )


def write(
    saver: tf.train.Saver, session: tf.Session, folder: pathlib.Path, step: int, last: int
) -> None:
    """Writes the checkpoint of a step.

    Raises: InputError if it cannot be, which names the one of step `last` as the last whole one.
    """
    try:
        saver.save(session, str(folder / PREFIX), step, write_meta_graph=False)
    except (tf.errors.OpError, OSError, ValueError) as error:
        raise errors.InputError(
            f'checkpoint of step {step} cannot be written to {folder} ({reason(error)}); '
            f'the last whole one is of step {last}'
        ) from None


@contextlib.contextmanager
def writing(what: object) -> Iterator[None]:
    """Turns TensorFlow's refusal to write, as on a full disk, into an InputError about `what`."""
    try:
        yield
    except tf.errors.OpError as error:
        raise errors.InputError(f'{what} cannot be written: {reason(error)}') from None


def reason(error: Exception) -> str:
    """The one line of an error's words that says what is wrong."""
    text = (getattr(error, 'message', None) or str(error)).strip()
    if not text:
        return type(error).__name__
    # A session tells first where the operation was defined, last which node it is.
    lines = text.partition('[[')[0].strip().splitlines() if '[[' in text else text.splitlines()[:1]
    return lines[-1].strip()[:200]


def transfer(
    session: tf.Session | None,
    variables: Sequence[tf.Variable],
    path: str,
    scope_map: Sequence[str],
) -> Restored:
    """Gives `variables` the values that `path` holds under their names.

    Args:
      session: in which the variables live; None only looks what would become of them.
      variables: of the graph.
      path: a checkpoint, the folder of a run, or an .npz of arrays by variable name.
      scope_map: `old_scope:new_scope` pairs; an empty old or new scope is the root.
    Raises: UsageError for a malformed pair, InputError if `path` cannot be read or nothing fits.
    """
    pairs = [_pair(text) for text in scope_map]
    with _refusing(path):
        held = _arrays(path) if path.endswith('.npz') else _checkpoint(path)
    found = {_renamed(name, pairs): name for name in held.shapes}
    restored, new = [], []
    for variable in variables:
        name = found.get(variable.op.name)
        # What does not fit is not read, however large a file says that it is.
        if name is not None and variable.shape.is_compatible_with(held.shapes[name]):
            with _refusing(path):
                value = held.read(name).astype(variable.dtype.base_dtype.as_numpy_dtype)
            if session:
                variable.load(value, session)
            restored.append(variable.op.name)
        else:
            new.append(variable.op.name)
    if not restored:
        raise errors.InputError(
            f'--restore_from {path} has no variable of the name and shape of any of this model; '
            f'it holds {", ".join(sorted(found)[:8])}'
        )
    return Restored(restored, new, sorted(set(found) - set(restored)))


def _first_lacking(
    folder: Folder, phases: Sequence[Phase], batch_size: int, step: int
) -> int | None:
    """The first end of an epoch up to `step` that is not recorded."""
    recorded = {record['step'] for record in folder.metrics()}
    for phase in phases:
        at = phase.start
        while at < min(step, phase.stop):
            at = phase.epoch_end(at, batch_size)
            if at <= step and at not in recorded:
                return at
    return None


class _Held(NamedTuple):
    """What a file holds."""

    shapes: Mapping[str, Sequence[int]]
    read: Callable[[str], np.ndarray]


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
    what = 'cannot be read' if path.endswith('.npz') else 'is no checkpoint, run or .npz'
    try:
        yield
    except Exception as error:  # damaged bytes draw nearly anything from zipfile and TensorFlow
        raise errors.InputError(f'--restore_from {path} {what}: {reason(error)}') from None


def _arrays(path: str) -> _Held:
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as member, warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of headers that Python 2 wrote
                version = np.lib.format.read_magic(member)
                if version != (1, 0):  # (2, 0) may declare a header of 4 GB
                    raise ValueError(f'{info.filename} is .npy version {version}, not (1, 0)')
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            if dtype.kind not in 'biuf':
                raise ValueError(f'{info.filename} holds {dtype}; it must hold numbers')
            shapes[info.filename.removesuffix('.npy')] = shape

    def read(name: str) -> np.ndarray:
        with zipfile.ZipFile(path) as archive, archive.open(f'{name}.npy') as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    return _Held(shapes, read)


def _checkpoint(path: str) -> _Held:
    folder = pathlib.Path(path)
    if folder.is_dir():
        path = newest_first(folder)[0][1] if newest_first(folder) else _named(folder)
    reader = tf.train.load_checkpoint(path)
    return _Held(reader.get_variable_to_shape_map(), reader.get_tensor)


def _named(folder: pathlib.Path) -> str:
    """What the file `checkpoint` names, in the same folder wherever that was moved to."""
    state = tf.train.get_checkpoint_state(str(folder))
    if state is None or not state.model_checkpoint_path:
        raise ValueError('its file `checkpoint` names none')
    return str(folder / pathlib.PurePath(state.model_checkpoint_path).name)


def _pair(text: str) -> tuple[str, str]:
    old, colon, new = text.partition(':')
    if not colon:
        raise errors.UsageError(f'--restore_map is {text!r}; each pair must be old_scope:new_scope')
    return old.strip('/'), new.strip('/')


def _renamed(name: str, pairs: Sequence[tuple[str, str]]) -> str:
    """`name` with the first old scope that it lies under replaced."""
    for old, new in pairs:
        if not old or name == old or name.startswith(f'{old}/'):
            return f'{new}/{name[len(old) :].lstrip("/")}'.strip('/')
    return name


def _file_names(folder: pathlib.Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []
