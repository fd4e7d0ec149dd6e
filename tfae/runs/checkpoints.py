"""Checkpoints of a run: writes them, finds the newest, loads it or the one before it if damaged.

`resume` loads the newest checkpoint before which every epoch is recorded.

Checkpoints have the format and the variable names of `tf.train.Saver`, which can load them. The
class itself is not used: it gives a variable any shape that a file has, treats the path of a folder
as a pattern, and flushes nothing to the disk.
"""

import contextlib
import math
import os
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import atomic_files, bounded_files, errors, json_text, names
from tfae.runs.directory import BEST, CONFIG, EPOCHS, METRICS, Folder
from tfae.training.experiment import Experiment
from tfae.training.phases import Phase

PREFIX = 'model'
STATE = 'checkpoint'  # the file that names the newest

_STEP = '(0|[1-9][0-9]{0,17})'
_INDEX = re.compile(rf'{PREFIX}-{_STEP}\.index')
# Names that end in `tempstate` are of files that a killed program of tfae 0.1.0 left unfinished.
_FILE = re.compile(rf'{PREFIX}-{_STEP}\.(?:index|meta|data-[0-9-of]+)(\.tempstate[0-9]+)?')
_PATIENCE = 5.0  # seconds for which a folder that changes while it is read is read again
_PAUSE = 0.05  # seconds between two looks at the folder
_MAX_SHOWN = 80  # characters of a value in an error
_UNREADABLE = (tf.errors.OpError, OSError, ValueError, LookupError, RuntimeError)


class Unreadable(errors.InputError):
    """None of the checkpoints in a folder can be read."""


class Saver:
    """Operations in the default graph that write variables to checkpoints and load them."""

    def __init__(self, variables: Sequence[tf.Variable], experiment: Experiment | None = None):
        """Builds the operations.

        Args:
          variables: of the default graph.
          experiment: configuration that trains them, as config.json holds it. Each checkpoint
            records it, and is refused if it records another. None records and compares nothing.
        """
        self._variables = {v.op.name: v for v in variables}
        self._experiment = experiment
        with tf.name_scope(names.SAVE):
            self._prefix = tf.placeholder(tf.string, [])
            tensors = {name: v.read_value() for name, v in self._variables.items()}
            if experiment:
                # A tensor of bytes has its length in the index, so a reader can bound it; a text
                # has not.
                text = json_text.dumps(experiment.fixed()).encode()
                tensors[names.CONFIGURATION] = tf.constant(np.frombuffer(text, np.uint8))
            self._write = tf.raw_ops.SaveV2(
                prefix=self._prefix,
                tensor_names=list(tensors),
                shape_and_slices=[''] * len(tensors),
                tensors=list(tensors.values()),
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

        Raises: InputError if it is of another model than the graph or of another configuration;
          the errors of TensorFlow and the system if it cannot be read.
        """
        with opened(place) as held:
            _refuse_other_configuration(self._experiment, held, place)
            other = _other_sums(session.graph, held) & self._variables.keys()
            _refuse_other_model(session.graph, held, place, self._variables.keys())
            wanted = [name for name in self._variables if name not in other]
            values = {self._values[name]: held.read(name) for name in wanted}
        session.run([self._load[name] for name in wanted], values)
        if other:
            session.run([self._variables[name].initializer for name in other])
            print(
                'tfae: warning: the loss has terms that it lacked when this checkpoint was written '
                '(before tfae 0.2.0, --weight_decay had no effect); training continues with them'
            )

    @contextlib.contextmanager
    def written(
        self, session: tf.Session, folder: pathlib.Path, step: int, keep: int
    ) -> Iterator[list[pathlib.Path]]:
        """Writes the checkpoint of a step; its files get their names if the block does not raise.

        The file `checkpoint` then lists the newest `keep` checkpoints up to this one.

        Yields: the files under their temporary names.
        """
        with atomic_files.temporary_folder(folder / f'{PREFIX}-{step}') as temporary:
            prefix = temporary / f'{PREFIX}-{step}'
            session.run(self._write, {self._prefix: os.fsencode(prefix)})
            made = sorted(temporary.iterdir())  # the index last: with it the checkpoint counts
            before = [at for at, _ in newest_first(folder) if at < step]
            (temporary / STATE).write_text(_listed([step, *before][:keep]))
            made.append(temporary / STATE)
            yield made
            for path in made:
                path.replace(folder / path.name)


def tidy(folder: pathlib.Path, step: int, keep: int) -> None:
    """Removes all checkpoints except the newest `keep` up to `step`.

    Newer ones were written before training went back to an older one.
    """
    _remove_all_but(folder, [at for at, _ in newest_first(folder) if at <= step][:keep])


def keep_only(folder: pathlib.Path, step: int) -> None:
    """Removes all checkpoints except that of `step`, and lists only it in `checkpoint`."""
    listed = folder / STATE  # written before others are removed: it always names one that exists
    if [at for at, _ in newest_first(folder)] != [step] or not listed.is_file():
        atomic_files.write_text(listed, _listed([step]))
    tidy(folder, step, 1)


def _listed(steps: Sequence[int]) -> str:
    """Returns the text of the file `checkpoint`; `steps` are newest first."""
    lines = [f'model_checkpoint_path: "{PREFIX}-{steps[0]}"']
    lines += [f'all_model_checkpoint_paths: "{PREFIX}-{step}"' for step in reversed(steps)]
    return ''.join(f'{line}\n' for line in lines)


def sweep(folder: pathlib.Path) -> None:
    """Removes unfinished checkpoints, which a program left that was killed while it wrote them."""
    _remove_all_but(folder, [step for step, _ in newest_first(folder)])


def _remove_all_but(folder: pathlib.Path, steps: Sequence[int]) -> None:
    """Removes unfinished checkpoints and those of other steps than `steps`."""
    for name in sorted(_file_names(folder), reverse=True):  # index before data
        match = _FILE.fullmatch(name)
        if match and (match[2] or int(match[1]) not in steps):
            (folder / name).unlink(missing_ok=True)


def path(folder: pathlib.Path, step: int) -> str:
    """Returns the path of the checkpoint of `step`, without the suffixes of its files."""
    return str(folder / f'{PREFIX}-{step}')


def newest_first(folder: pathlib.Path) -> list[tuple[int, str]]:
    """Returns `(step, path)` of each checkpoint in `folder`, newest first."""
    steps = [int(m[1]) for m in map(_INDEX.fullmatch, _file_names(folder)) if m]
    return [(step, path(folder, step)) for step in sorted(steps, reverse=True)]


def newest_step(folder: pathlib.Path) -> int:
    """Returns the step of the newest checkpoint, readable or not; 0 if there is none."""
    return next((step for step, _ in newest_first(folder)), 0)


def load_newest(
    saver: Saver,
    session: tf.Session,
    folder: pathlib.Path,
    say: Callable[[str], None],
    max_step: float = math.inf,
) -> int | None:
    """Loads the newest checkpoint that can be read.

    A program that trains meanwhile replaces checkpoints: a folder that changes is read again.

    Args:
      saver: of the variables.
      session: that holds them.
      folder: of the checkpoints.
      say: takes a line about each newer checkpoint that cannot be read.
      max_step: of a checkpoint.
    Returns: its step, or None if there is no checkpoint.
    Raises: Unreadable if there are some and none can be read; InputError if one is of another
      model or configuration.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        before = _state(folder)
        step, said = _load_newest(saver, session, folder, max_step)
        if step is None and said and time.monotonic() < until:
            time.sleep(_PAUSE)
            if _state(folder) != before:
                continue
        for k, text in enumerate(said):
            another = step is not None or k + 1 < len(said)
            say(f'{text}; trying the previous one' if another else text)
        if step is None and said:
            raise Unreadable(f'none of the {len(said)} checkpoints in {folder} can be read')
        return step


def values(
    graph: tf.Graph,
    place: str,
    variables: Sequence[tf.Variable],
    experiment: Experiment,
    required: bool = False,
) -> dict[str, np.ndarray]:
    """Reads those of `variables` that a checkpoint holds.

    Args:
      graph: of the run.
      place: path of the checkpoint.
      variables: of the graph.
      experiment: configuration of the run.
      required: whether the checkpoint must hold all of `variables`.
    Returns: name -> value; empty if there is no such checkpoint.
    Raises: InputError if it cannot be read or is of another model or configuration.
    """
    try:
        with opened(place) as held:
            _refuse_other_configuration(experiment, held, place)
            wanted = [v.op.name for v in variables] if required else ()
            _refuse_other_model(graph, held, place, wanted)
            return {v.op.name: held.read(v.op.name) for v in variables if v.op.name in held.shapes}
    except errors.InputError:
        raise
    except tf.errors.NotFoundError:
        return {}
    except _UNREADABLE as error:
        raise errors.InputError(f'checkpoint {place} cannot be read ({reason(error)})') from None


def _load_newest(
    saver: Saver, session: tf.Session, folder: pathlib.Path, max_step: float
) -> tuple[int | None, list[str]]:
    """Returns the step of the loaded checkpoint, or None, and a line about each unreadable one."""
    said = []
    for step, place in newest_first(folder):
        if step <= max_step:
            try:
                saver.restore(session, place)
            except errors.InputError:
                raise
            except _UNREADABLE as error:
                said.append(f'checkpoint {place} cannot be read ({reason(error)})')
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
    """Loads the newest checkpoint that can be read, and prints which cannot.

    If metrics.jsonl lacks an epoch before it, an older checkpoint is loaded. A run is a function of
    its seed and its steps, so training then makes the record again, bit for bit.

    Args:
      saver: of the variables.
      session: that holds them.
      folder: of the run.
      phases: of the run, in order.
      batch_size: examples per step.
    Returns: its step, or None if there is no checkpoint.
    Raises: InputError if none can be read, or all are newer than a record that is missing.
    """
    step = load_newest(saver, session, folder.path, print)
    missing = _first_missing(folder, phases, batch_size, step or 0)
    if missing is None:
        return step
    what = f'{folder.path / METRICS} is damaged: it lacks the record of step {missing:,}'
    step = load_newest(saver, session, folder.path, print, missing - 1)
    if step is None:
        raise errors.InputError(
            f'{what}, and every checkpoint is newer; restore the file from a copy, or choose '
            'another --logdir'
        )
    print(f'{what}; training goes back to step {step:,} to record it again')
    return step


def _other_sums(graph: tf.Graph, held: 'Content') -> set[str]:
    """Returns the names of the sums whose shape differs because the loss had other terms.

    Such checkpoints are of tfae 0.1.0, in which --weight_decay had no effect.
    """
    return {
        v.op.name
        for v in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
        if v.op.name.rpartition('/')[2] == names.SUMS
        and v.op.name in held.shapes
        and not v.shape.is_compatible_with(held.shapes[v.op.name])
    }


def _refuse_other_model(
    graph: tf.Graph, held: 'Content', place: str, wanted: Iterable[str]
) -> None:
    """Refuses a checkpoint whose variables differ from those of `graph` in name, shape or type.

    Args:
      graph: built from config.json.
      held: content of the checkpoint.
      place: path of the checkpoint.
      wanted: names of variables that it must hold; it may lack others.
    Raises: InputError that names the first difference.
    """
    known = {v.op.name: v for v in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    wrong = []
    for name in sorted({*wanted, *held.shapes} - _other_sums(graph, held)):
        there, here, same = 'missing', 'unknown', name in held.shapes and name in known
        if name in held.shapes:
            there = f'{held.types[name].name} {list(held.shapes[name])}'
        if name in known:
            here = _kind(known[name])
        if same:
            type_, shape = known[name].dtype.base_dtype, known[name].shape
            same = type_ == held.types[name] and shape.is_compatible_with(held.shapes[name])
        if not same:
            wrong.append(f'variable {name} is {there} in the checkpoint and {here} in {CONFIG}')
    _refuse_unfit(place, wrong)


def refuse_other_configuration(experiment: Experiment, folder: pathlib.Path) -> bool:
    """Refuses a folder whose newest readable checkpoint is of another configuration.

    Before a graph is built: that of an altered configuration may take minutes, or the memory.

    Returns: whether there is a readable checkpoint.
    Raises: InputError that names the first field that differs.
    """
    for _, place in newest_first(folder):
        try:
            with opened(place) as held:
                _refuse_other_configuration(experiment, held, place)
            return True
        except errors.InputError:
            raise
        except _UNREADABLE:
            continue  # loading it says so
    return False


def _refuse_other_configuration(experiment: Experiment | None, held: 'Content', place: str) -> None:
    """Refuses a checkpoint that was written under another configuration than `experiment`.

    Checkpoints of tfae 0.1.0 and of other programs record none and are accepted.

    Raises: InputError that names the first field that differs; ValueError if the record is damaged.
    """
    recorded = held.configuration()
    if experiment is None or recorded is None:
        return
    _refuse_unfit(
        place,
        [
            f'{field} is {_shown(there)} in the checkpoint and {_shown(here)} in {CONFIG}'
            for field, there, here in experiment.departures(recorded, f'checkpoint {place}')
        ],
    )


def _refuse_unfit(place: str, wrong: Sequence[str]) -> None:
    """Refuses the checkpoint at `place` if there are differences; the first is named."""
    if wrong:
        folder = pathlib.Path(place).parent
        config = (folder.parent if folder.name in (BEST, EPOCHS) else folder) / CONFIG
        more = f' ({len(wrong) - 1} more differ)' if len(wrong) > 1 else ''
        raise errors.InputError(
            f'checkpoint {place} does not fit {config}: {wrong[0]}{more}; restore the {CONFIG} '
            'that the run was trained with, or remove the checkpoint if it belongs to another run'
        )


def _shown(value: object) -> str:
    """Returns a value as JSON, truncated if it is long."""
    text = json_text.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f'{text[:_MAX_SHOWN]}...'


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
    """Writes the checkpoint of a step, whole or not at all, and removes all but the newest `keep`.

    Args:
      saver: of the variables.
      session: that holds them.
      folder: to write to.
      step: of the checkpoint.
      keep: number of checkpoints, this one included.
      unflushed: files and folders that must be on the disk before the checkpoint counts. The
        checkpoint is on the disk when this returns; with None, the system writes it later.
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
    """Turns TensorFlow's errors of writing, such as a full disk, into an InputError on `what`."""
    try:
        yield
    except tf.errors.OpError as error:
        raise errors.InputError(f'{what} cannot be written: {reason(error)}') from None


def reason(error: Exception) -> str:
    """Returns the line of an error's text that states the cause."""
    text = (getattr(error, 'message', None) or str(error)).strip()
    if not text:
        return type(error).__name__
    # An error of a session begins with where the operation was defined and ends with its node.
    lines = text.partition('[[')[0].strip().splitlines() if '[[' in text else text.splitlines()[:1]
    return lines[-1].strip()[:200]


def _first_missing(
    folder: Folder, phases: Sequence[Phase], batch_size: int, step: int
) -> int | None:
    """Returns the step of the first end of an epoch up to `step` that is not recorded, or None."""
    recorded = {record['step'] for record in folder.metrics()}
    for phase in phases:
        at = phase.start
        while at < min(step, phase.stop):
            at = phase.epoch_end(at, batch_size)
            if at <= step and at not in recorded:
                return at
    return None


class Content(NamedTuple):
    """The content of a file of variables, by their names."""

    shapes: Mapping[str, Sequence[int]]
    types: Mapping[str, tf.DType]
    read: Callable[[str], np.ndarray]
    configuration: Callable[[], Any] = lambda: None  # recorded in it; None if there is none


@contextlib.contextmanager
def opened(place: str) -> Iterator[Content]:
    """Opens a checkpoint of TensorFlow; a value is read when it is requested.

    Raises: the errors of TensorFlow and the system if it cannot be read.
    """
    at = pathlib.Path(place)
    for path in at.parent.iterdir() if at.parent.is_dir() else ():
        if path.name.startswith(f'{at.name}.') and not path.is_file():
            raise ValueError(f'{path.name} is not a regular file')  # which TensorFlow waits for
    with atomic_files.plain_alias(at.parent) as folder:
        reader = tf.train.load_checkpoint(str(folder / at.name))
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        kind = (types.pop(names.CONFIGURATION, None), shapes.pop(names.CONFIGURATION, None))

        def configuration() -> Any:
            if kind == (None, None):
                return None
            type_, shape = kind
            if type_ != tf.uint8 or len(shape) != 1 or shape[0] > bounded_files.JSON_BYTES:
                raise ValueError(f'{names.CONFIGURATION} is {type_} {shape}')
            return json_text.loads(reader.get_tensor(names.CONFIGURATION).tobytes())

        yield Content(shapes, types, reader.get_tensor, configuration)


def _file_names(folder: pathlib.Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _state(folder: pathlib.Path) -> set[tuple[str, int, int]]:
    """Returns a state that changes when a checkpoint in `folder` is added, removed or replaced."""
    found = set()
    for name in filter(_FILE.fullmatch, _file_names(folder)):
        with contextlib.suppress(FileNotFoundError):
            status = (folder / name).stat()
            found.add((name, status.st_ino, status.st_mtime_ns))
    return found
