"""Checkpoints of a run: found, loaded, skipped when broken, transferred into another graph.

`resume` loads the newest checkpoint before which every epoch is recorded.

A checkpoint is in TensorFlow's format and under the names of its `tf.train.Saver`, which reads it
too. That class is not used: it gives a variable whatever shape a file has, takes the path of a
folder for a pattern, and flushes nothing to the disk.
"""

import contextlib
import math
import os
import pathlib
import re
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import atomic_files, bounded_files, errors, names
from tfae.runs.directory import BEST, CONFIG, METRICS, Folder
from tfae.training.phases import Phase

PREFIX = 'model'
STATE = 'checkpoint'  # the file that names the newest

_STEP = '(0|[1-9][0-9]{0,17})'
_INDEX = re.compile(rf'{PREFIX}-{_STEP}\.index')
# A name that ends in `tempstate` is of a file that a killed program of tfae 0.1.0 did not finish.
_FILE = re.compile(rf'{PREFIX}-{_STEP}\.(?:index|meta|data-[0-9-of]+)(\.tempstate[0-9]+)?')
_PATIENCE = 5.0  # seconds for which a folder is read again that changes under the reader
_PAUSE = 0.05  # seconds until it is seen whether it does
_UNREADABLE = (tf.errors.OpError, OSError, ValueError, LookupError, RuntimeError)


class Unreadable(errors.InputError):
    """There are checkpoints, and none can be read."""


class Restored(NamedTuple):
    """What became of the variables of a graph and of those of a file."""

    restored: list[str]
    new: list[str]  # in the graph alone: they keep their initial values
    ignored: list[str]  # in the file alone, or of another shape


class Saver:
    """Writes variables to checkpoints and loads them: operations in the default graph."""

    def __init__(self, variables: Sequence[tf.Variable]):
        """Builds the operations."""
        self._variables = {v.op.name: v for v in variables}
        with tf.name_scope(names.SAVE):
            self._prefix = tf.placeholder(tf.string, [])
            self._write = tf.raw_ops.SaveV2(
                prefix=self._prefix,
                tensor_names=list(self._variables),
                shape_and_slices=[''] * len(self._variables),
                tensors=[v.read_value() for v in variables],
            )
            self._values = {
                name: tf.placeholder(v.dtype.base_dtype, v.shape)
                for name, v in self._variables.items()
            }
            self._load = {
                name: v.assign(self._values[name]).op for name, v in self._variables.items()
            }

    def restore(self, session: tf.Session, place: str) -> None:
        """Loads the checkpoint at `place`.

        Raises: InputError if it is of another model than the graph; whatever TensorFlow and the
          system raise if it cannot be read.
        """
        with _opened(place) as held:
            other = _other_sums(session.graph, held) & self._variables.keys()
            _refuse_other_model(session.graph, held, place, self._variables.keys())
            wanted = [name for name in self._variables if name not in other]
            values = {self._values[name]: held.read(name) for name in wanted}
        session.run([self._load[name] for name in wanted], values)
        if other:
            session.run([self._variables[name].initializer for name in other])
            print(
                'the loss has terms that it had not when this run was saved (before tfae 0.2.0, '
                '--weight_decay had no effect); training goes on with them'
            )

    @contextlib.contextmanager
    def written(
        self, session: tf.Session, folder: pathlib.Path, step: int, keep: int
    ) -> Iterator[list[pathlib.Path]]:
        """Writes the checkpoint of a step; its files get their names when the block ends well.

        The file `checkpoint` then lists it and those before it, the newest `keep` of all.
        """
        with atomic_files.temporary_folder(folder / f'{PREFIX}-{step}') as temporary:
            prefix = temporary / f'{PREFIX}-{step}'
            session.run(self._write, {self._prefix: os.fsencode(prefix)})
            made = sorted(temporary.iterdir())  # data before index, by which it counts
            before = [at for at, _ in newest_first(folder) if at < step]
            (temporary / STATE).write_text(_listed([step, *before][:keep]))
            made.append(temporary / STATE)
            yield made
            for path in made:
                path.replace(folder / path.name)


def tidy(folder: pathlib.Path, step: int, keep: int) -> None:
    """Removes all checkpoints but the newest `keep` up to `step`.

    What is newer was left behind where training went back to an older one.
    """
    _remove_all_but(folder, [at for at, _ in newest_first(folder) if at <= step][:keep])


def keep_only(folder: pathlib.Path, step: int) -> None:
    """Removes all checkpoints but that of `step`, and lists it alone in `checkpoint`."""
    listed = folder / STATE  # is written before others go, so that it is right where none is there
    if [at for at, _ in newest_first(folder)] != [step] or not listed.is_file():
        atomic_files.write_text(listed, _listed([step]))
    tidy(folder, step, 1)


def _listed(steps: Sequence[int]) -> str:
    """The file `checkpoint` in TensorFlow's format; `steps` are newest first."""
    lines = [f'model_checkpoint_path: "{PREFIX}-{steps[0]}"']
    lines += [f'all_model_checkpoint_paths: "{PREFIX}-{step}"' for step in reversed(steps)]
    return ''.join(f'{line}\n' for line in lines)


def sweep(folder: pathlib.Path) -> None:
    """Removes what is no whole checkpoint: left by a program that was killed as it wrote it."""
    _remove_all_but(folder, [step for step, _ in newest_first(folder)])


def _remove_all_but(folder: pathlib.Path, steps: Sequence[int]) -> None:
    """Removes the files of other checkpoints than those of `steps`, and unfinished ones."""
    for name in sorted(_file_names(folder), reverse=True):  # index before data
        match = _FILE.fullmatch(name)
        if match and (match[2] or int(match[1]) not in steps):
            (folder / name).unlink(missing_ok=True)


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
    saver: Saver,
    session: tf.Session,
    folder: pathlib.Path,
    say: Callable[[str], None],
    most: float = math.inf,
) -> int | None:
    """Restores the newest checkpoint, up to step `most`, that can be read; `say` names the others.

    A program that trains meanwhile replaces checkpoints: a folder that changes is read again.

    Returns: its step, or None if there is no checkpoint at all.
    Raises: Unreadable if there are some and none can be read; InputError if one is of another
      model.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        before = _state(folder)
        step, said = _restore_newest(saver, session, folder, most)
        if step is None and said and time.monotonic() < until:
            time.sleep(_PAUSE)
            if _state(folder) != before:
                continue
        for text in said:
            say(text)
        if step is None and said:
            raise Unreadable(f'none of the {len(said)} checkpoints in {folder} can be read')
        return step


def values(graph: tf.Graph, place: str, variables: Sequence[tf.Variable]) -> dict[str, np.ndarray]:
    """Returns name -> value of those of `variables` that a checkpoint holds; none if it is gone.

    Raises: InputError if it cannot be read, or is of another model than `graph`.
    """
    try:
        with _opened(place) as held:
            _refuse_other_model(graph, held, place, ())
            return {v.op.name: held.read(v.op.name) for v in variables if v.op.name in held.shapes}
    except errors.InputError:
        raise
    except tf.errors.NotFoundError:
        return {}
    except _UNREADABLE as error:
        raise errors.InputError(f'checkpoint {place} cannot be read ({reason(error)})') from None


def _restore_newest(
    saver: Saver, session: tf.Session, folder: pathlib.Path, most: float
) -> tuple[int | None, list[str]]:
    """The step of what was restored, or None, and what is wrong with those that are newer."""
    said = []
    for step, place in newest_first(folder):
        if step <= most:
            try:
                saver.restore(session, place)
            except errors.InputError:
                raise
            except _UNREADABLE as error:
                said.append(
                    f'checkpoint {place} cannot be read ({reason(error)}); trying the one before'
                )
            else:
                return step, said
    return None, said


def resume(
    saver: Saver,
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
        return step
    what = f'{folder.path / METRICS} is damaged: it lacks the record of step {lacking:,}'
    step = restore_newest(saver, session, folder.path, print, lacking - 1)
    if step is None:
        raise errors.InputError(
            f'{what}, and every checkpoint is newer; put the file back as it was, or name another '
            f'--logdir'
        )
    print(f'{what}; training goes back to step {step:,} to make it again')
    return step


def _other_sums(graph: tf.Graph, held: '_Held') -> set[str]:
    """Names of the sums that a checkpoint has in another shape: its loss had other terms.

    Those are checkpoints of tfae 0.1.0, in which --weight_decay had no effect.
    """
    return {
        v.op.name
        for v in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
        if v.op.name.rpartition('/')[2] == names.SUMS
        and v.op.name in held.shapes
        and not v.shape.is_compatible_with(held.shapes[v.op.name])
    }


def _refuse_other_model(graph: tf.Graph, held: '_Held', place: str, wanted: Iterable[str]) -> None:
    """Refuses a checkpoint that has not what `graph` has: names, shapes and types of variables.

    Args:
      graph: built from config.json.
      held: by the checkpoint; it may lack all but those of `wanted`.
      place: of the checkpoint.
      wanted: names of variables that it must hold.
    Raises: InputError that names the first difference.
    """
    known = {v.op.name: v for v in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    wrong = []
    for name in sorted({*wanted, *held.shapes} - _other_sums(graph, held)):
        there, here, same = 'lacking', 'unknown', name in held.shapes and name in known
        if name in held.shapes:
            there = f'{held.types[name].name} {list(held.shapes[name])}'
        if name in known:
            here = _kind(known[name])
        if same:
            type_, shape = known[name].dtype.base_dtype, known[name].shape
            same = type_ == held.types[name] and shape.is_compatible_with(held.shapes[name])
        if not same:
            wrong.append(f'variable {name} is {there} in the checkpoint and {here} by {CONFIG}')
    if wrong:
        folder = pathlib.Path(place).parent
        config = (folder.parent if folder.name == BEST else folder) / CONFIG
        more = f' ({len(wrong) - 1} more differ)' if len(wrong) > 1 else ''
        raise errors.InputError(
            f'checkpoint {place} does not fit {config}: {wrong[0]}{more}; put back the {CONFIG} '
            f'that the run was trained with'
        )


def _kind(variable: tf.Variable) -> str:
    shape = '[?]' if variable.shape.rank is None else str(variable.shape.as_list())
    return f'{variable.dtype.base_dtype.name} {shape}'


def write(
    saver: Saver,
    session: tf.Session,
    folder: pathlib.Path,
    step: int,
    keep: int,
    unflushed: Sequence[pathlib.Path] | None,
) -> None:
    """Writes the checkpoint of a step, whole or not at all, and removes all but `keep`.

    Args:
      saver: of its variables.
      session: that holds them.
      folder: to write to.
      step: of the checkpoint.
      keep: how many there may be, this one included.
      unflushed: what the disk must have before the checkpoint counts, which it has too when this
        returns; None where it may still get lost.
    Raises: InputError if it cannot be written.
    """
    try:
        with saver.written(session, folder, step, keep) as made:
            if unflushed is not None:
                atomic_files.flush_all([*made, *unflushed])
        if unflushed is not None:
            atomic_files.flush(folder)
        tidy(folder, step, keep)
    except (tf.errors.OpError, OSError, ValueError) as error:
        raise errors.InputError(
            f'checkpoint of step {step} cannot be written to {folder} ({reason(error)})'
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
    restored, new = [], []
    with contextlib.ExitStack() as stack:
        with _refusing(path):
            opened = _arrays(path) if path.endswith('.npz') else _opened(_place(path))
            held = stack.enter_context(opened)
        found = {_renamed(name, pairs): name for name in held.shapes}
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
    types: Mapping[str, tf.DType]
    read: Callable[[str], np.ndarray]


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
    what = 'cannot be read' if path.endswith('.npz') else 'is no checkpoint, run or .npz'
    try:
        yield
    except Exception as error:  # damaged bytes draw nearly anything from zipfile and TensorFlow
        raise errors.InputError(f'--restore_from {path} {what}: {reason(error)}') from None


@contextlib.contextmanager
def _arrays(path: str) -> Iterator[_Held]:
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

    yield _Held(shapes, types, read)


@contextlib.contextmanager
def _opened(place: str) -> Iterator[_Held]:
    """What a checkpoint of TensorFlow holds."""
    at = pathlib.Path(place)
    for path in at.parent.iterdir() if at.parent.is_dir() else ():
        if path.name.startswith(f'{at.name}.') and not path.is_file():
            raise ValueError(f'{path.name} is not a regular file')  # which TensorFlow waits for
    with atomic_files.plain_alias(at.parent) as folder:
        reader = tf.train.load_checkpoint(str(folder / at.name))
        types = reader.get_variable_to_dtype_map()
        yield _Held(reader.get_variable_to_shape_map(), types, reader.get_tensor)


def _place(path: str) -> str:
    """The checkpoint at `path`, or the newest in that folder."""
    folder = pathlib.Path(path)
    if not folder.is_dir():
        return path
    found = newest_first(folder)
    return found[0][1] if found else _named(folder)


def _named(folder: pathlib.Path) -> str:
    """What the file `checkpoint` names, in the same folder wherever that was moved to."""
    if (folder / 'checkpoint').exists():  # TensorFlow would wait for a FIFO
        bounded_files.read_bytes(folder / 'checkpoint', bounded_files.JSON_BYTES)
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


def _state(folder: pathlib.Path) -> set[tuple[str, int, int]]:
    """Differs where a checkpoint in `folder` was added, removed or replaced."""
    found = set()
    for name in filter(_FILE.fullmatch, _file_names(folder)):
        with contextlib.suppress(FileNotFoundError):
            status = (folder / name).stat()
            found.add((name, status.st_ino, status.st_mtime_ns))
    return found
