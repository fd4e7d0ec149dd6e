"""The event file that one program writes for TensorBoard.

Not `tf.summary.FileWriter`: that one writes from a thread, whose errors (a full disk) reach no
caller, and two programs that begin in the same second would share its file.

Training marks each checkpoint in its files, as TensorFlow's Supervisor did. A run that goes on from
one drops what stands behind that mark, since it tells it again.
"""

import contextlib
import os
import pathlib
import re
import socket
import time

import tensorflow.compat.v1 as tf
from google.protobuf import message

from tfae.core import atomic_files, bounded_files
from tfae.runs import checkpoints

_PREFIX = 'events.out.tfevents.'
_NAME = re.compile(rf'{re.escape(_PREFIX)}([0-9]{{1,10}})\.')
_LONGEST_MARK = 1000  # bytes
_FRAME = 12  # before a record: its length and the sum of that


class EventFile:
    """Events in the order in which they are added; what is written is in the file after `flush`."""

    def __init__(self, folder: pathlib.Path, graph: tf.Graph | None, step: int):
        """Begins a file in `folder`; TensorBoard forgets what older files tell of after `step`.

        Without a graph it forgets nothing.
        """
        # TensorBoard reads the files in the order of their names: a clock that was set back, or
        # another program in the same second, must not bring this one before the older ones.
        now = max(int(time.time()), *(second + 1 for second, _ in _begun(folder)), 0)
        self._path = folder / f'{_PREFIX}{now}.{socket.gethostname()}.{os.getpid()}'
        self._path.touch(exist_ok=False)  # a link of that name would lead elsewhere
        with checkpoints.writing(self._path):
            self._file = tf.io.TFRecordWriter(os.fsencode(self._path))
        self._add(tf.Event(file_version='brain.Event:2'))
        if graph is None:
            return
        definition = graph.as_graph_def(add_shapes=True).SerializeToString()
        self._add(tf.Event(graph_def=definition))
        started = tf.SessionLog(status=tf.SessionLog.START)
        self._add(tf.Event(session_log=started, step=step + 1))

    def add(self, summary: tf.Summary | bytes, step: int) -> None:
        """Adds a summary, serialised or not.

        Raises: InputError if the disk does not take it, as every method but `close` does.
        """
        if isinstance(summary, bytes):
            summary = tf.Summary.FromString(summary)
        self._add(tf.Event(summary=summary, step=step))

    def flush(self) -> None:
        """Hands what was added to the system, where a kill of this program does not reach it."""
        with checkpoints.writing(self._path):
            self._file.flush()

    def mark(self, step: int) -> pathlib.Path:
        """Marks the checkpoint of `step`; returns the file, which is to be flushed before it."""
        status = tf.SessionLog(
            status=tf.SessionLog.CHECKPOINT, checkpoint_path=f'{checkpoints.PREFIX}-{step}'
        )
        self._add(tf.Event(session_log=status, step=step))
        self.flush()
        return self._path

    def close(self) -> None:
        """Ends the file; raises nothing, since it also runs while an error is on its way."""
        with contextlib.suppress(tf.errors.OpError):
            self._file.close()

    def _add(self, event: tf.Event) -> None:
        event.wall_time = time.time()
        with checkpoints.writing(self._path):
            self._file.write(event.SerializeToString())


def rewind(folder: pathlib.Path, step: int) -> None:
    """Drops from the event files of training what they tell of after the checkpoint of `step`.

    Files of tfae 0.1.0 have no marks and stay as they are.
    """
    later: list[pathlib.Path] = []
    for _, path in sorted(_begun(folder), reverse=True):
        trained, end = _marked(path, step)
        if end:
            for other in later:
                other.unlink()
            os.truncate(path, end)
            for flushed in (path, folder):
                atomic_files.flush(flushed)
            return
        later += [path] * trained


def _begun(folder: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """The event files in `folder`, links left out, and the second in which each was begun."""
    found = [(path, _NAME.match(path.name)) for path in folder.iterdir()]
    return [(int(match[1]), path) for path, match in found if match and not path.is_symlink()]


def _marked(path: pathlib.Path, step: int) -> tuple[bool, int]:
    """Whether training wrote this file, and where the mark of `step` ends in it, 0 for nowhere."""
    trained = False
    with bounded_files.open_regular(path) as file:
        while len(head := file.read(_FRAME)) == _FRAME:
            length = int.from_bytes(head[:8], 'little')
            if length > _LONGEST_MARK:
                file.seek(min(length + 4, path.stat().st_size), os.SEEK_CUR)
                continue
            try:
                event = tf.Event.FromString(file.read(length))
            except message.DecodeError:
                break
            file.seek(4, os.SEEK_CUR)  # its own sum
            trained = trained or event.session_log.status == tf.SessionLog.START
            if event.session_log.status == tf.SessionLog.CHECKPOINT and event.step == step:
                return trained, file.tell()
    return trained, 0
