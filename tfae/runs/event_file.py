"""The event file that a program writes for TensorBoard.

`tf.summary.FileWriter` is not used: it writes in a thread, whose errors (a full disk) reach no
caller, and two programs that start in the same second would share its file.

Training marks each checkpoint in its files, as TensorFlow's Supervisor did. A run that is resumed
from a checkpoint removes the events after its mark, since it writes them again.
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
_MAX_MARK = 1000  # bytes
_FRAME = 12  # bytes before a record: its length and the checksum of that


class EventFile:
    """Writes events in the order in which they are added; `flush` hands them to the system."""

    def __init__(self, folder: pathlib.Path, graph: tf.Graph | None, step: int):
        """Creates a file in `folder`.

        Args:
          folder: of the run.
          graph: shown by TensorBoard, which then also ignores events of older files after `step`;
            None for a file of another command.
          step: of the checkpoint from which the run goes on.
        """
        # TensorBoard reads the files in the order of their names: this one must be the last, even
        # if the clock was set back or another program started in the same second.
        now = max(int(time.time()), *(second + 1 for second, _ in _created(folder)), 0)
        self._path = folder / f'{_PREFIX}{now}.{socket.gethostname()}.{os.getpid()}'
        self._path.touch(exist_ok=False)  # refuses a link of that name
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
        """Adds a summary, serialized or not.

        Raises: InputError if it cannot be written, as all methods except `close` do.
        """
        if isinstance(summary, bytes):
            summary = tf.Summary.FromString(summary)
        self._add(tf.Event(summary=summary, step=step))

    def flush(self) -> None:
        """Hands the events to the system: they survive if this program is killed."""
        with checkpoints.writing(self._path):
            self._file.flush()

    def mark(self, step: int) -> pathlib.Path:
        """Marks the checkpoint of `step`; returns the file, which must be on the disk before it."""
        status = tf.SessionLog(
            status=tf.SessionLog.CHECKPOINT, checkpoint_path=f'{checkpoints.PREFIX}-{step}'
        )
        self._add(tf.Event(session_log=status, step=step))
        self.flush()
        return self._path

    def close(self) -> None:
        """Closes the file; raises nothing, since it also runs while an exception is raised."""
        with contextlib.suppress(tf.errors.OpError):
            self._file.close()

    def _add(self, event: tf.Event) -> None:
        event.wall_time = time.time()
        with checkpoints.writing(self._path):
            self._file.write(event.SerializeToString())


def rewind(folder: pathlib.Path, step: int) -> None:
    """Removes from the event files of training the events after the checkpoint of `step`.

    Files of tfae 0.1.0 have no marks and are left as they are.
    """
    later: list[pathlib.Path] = []
    for _, path in sorted(_created(folder), reverse=True):
        trained, end = _marked(path, step)
        if end:
            for other in later:
                other.unlink()
            os.truncate(path, end)
            for flushed in (path, folder):
                atomic_files.flush(flushed)
            return
        later += [path] * trained


def _created(folder: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """Returns `(second of creation, path)` of each event file in `folder`, except links."""
    found = [(path, _NAME.match(path.name)) for path in folder.iterdir()]
    return [(int(match[1]), path) for path, match in found if match and not path.is_symlink()]


def _marked(path: pathlib.Path, step: int) -> tuple[bool, int]:
    """Returns whether training wrote this file, and the end of the mark of `step`, 0 if none."""
    trained = False
    with bounded_files.open_regular(path) as file:
        while len(head := file.read(_FRAME)) == _FRAME:
            length = int.from_bytes(head[:8], 'little')
            if length > _MAX_MARK:
                file.seek(min(length + 4, path.stat().st_size), os.SEEK_CUR)
                continue
            try:
                event = tf.Event.FromString(file.read(length))
            except message.DecodeError:
                break
            file.seek(4, os.SEEK_CUR)  # its checksum
            trained = trained or event.session_log.status == tf.SessionLog.START
            if event.session_log.status == tf.SessionLog.CHECKPOINT and event.step == step:
                return trained, file.tell()
    return trained, 0
