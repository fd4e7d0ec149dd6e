"""Event files, which TensorBoard reads.

Their layout is that of Keras. Training writes to `train/` and `validation/` of a run, with the same
tags in both; the configuration and the figures of commands are events of the run's own folder.

Not `tf.summary.FileWriter`: it writes from a thread, whose errors (a full disk) reach no caller,
and two programs that start in the same second would share its file.

Training marks each checkpoint in its files, as TensorFlow's Supervisor did. A run that resumes from
a checkpoint first drops the events after its mark, because it writes them again.
"""

import contextlib
import os
import pathlib
import re
import socket
import time
from collections.abc import Iterable

import tensorflow.compat.v1 as tf
from google.protobuf import message

from tfae.core import atomic_files, bounded_files
from tfae.runs import checkpoints

_PREFIX = 'events.out.tfevents.'
_NAME = re.compile(rf'{re.escape(_PREFIX)}([0-9]{{1,10}})\.')
_DESCRIPTION = f'{_PREFIX}0.run'  # read before all other files of its folder
_MAX_MARK = 1000  # bytes
_FRAME = 12  # bytes before a record: its length and the checksum of that


class EventFile:
    """Events in the order in which they are added; `flush` passes them to the operating system."""

    def __init__(
        self, folder: pathlib.Path, step: int | None = None, graph: tf.Graph | None = None
    ):
        """Creates a file in `folder`.

        Args:
          folder: an existing folder.
          step: of training, at which this file starts: TensorBoard drops later events of older
            files. None for a command, which adds to them.
          graph: for the Graphs dashboard.
        """
        # TensorBoard reads the files of a folder in the order of their names: this one must be the
        # last, even if the clock was set back or another program started in the same second.
        now = max(int(time.time()), *(second + 1 for second, _ in _created(folder)), 0)
        self._path = folder / f'{_PREFIX}{now}.{socket.gethostname()}.{os.getpid()}'
        self._path.touch(exist_ok=False)  # does not follow links
        with checkpoints.writing(self._path):
            self._file = tf.io.TFRecordWriter(os.fsencode(self._path))
        self._add(tf.Event(file_version='brain.Event:2'))
        if graph is not None:
            definition = graph.as_graph_def(add_shapes=True).SerializeToString()
            self._add(tf.Event(graph_def=definition))
        if step is not None:
            started = tf.SessionLog(status=tf.SessionLog.START)
            self._add(tf.Event(session_log=started, step=step + 1))

    def add(self, summary: tf.Summary | bytes, step: int) -> None:
        """Adds a summary, serialized or not.

        Raises: InputError if it cannot be written, as every method except `close` does.
        """
        if isinstance(summary, bytes):
            summary = tf.Summary.FromString(summary)
        self._add(tf.Event(summary=summary, step=step))

    def flush(self) -> None:
        """Passes the events to the operating system, to survive a kill of this program."""
        with checkpoints.writing(self._path):
            self._file.flush()

    def mark(self, step: int) -> pathlib.Path:
        """Marks the checkpoint of `step`; returns the file, to be synchronized before it."""
        status = tf.SessionLog(
            status=tf.SessionLog.CHECKPOINT, checkpoint_path=f'{checkpoints.PREFIX}-{step}'
        )
        self._add(tf.Event(session_log=status, step=step))
        self.flush()
        return self._path

    def close(self) -> None:
        """Closes the file; raises nothing, because it also runs while an exception is handled."""
        with contextlib.suppress(tf.errors.OpError):
            self._file.close()

    def _add(self, event: tf.Event) -> None:
        event.wall_time = time.time()
        with checkpoints.writing(self._path):
            self._file.write(event.SerializeToString())


def describe(folder: pathlib.Path, summaries: Iterable[bytes]) -> None:
    """Writes the events that describe a run, instead of those written before.

    Args:
      folder: of the run.
      summaries: serialized summaries.
    Raises: InputError if they cannot be written.
    """
    events = [tf.Event(file_version='brain.Event:2')]
    events += [tf.Event(summary=tf.Summary.FromString(summary)) for summary in summaries]
    path = folder / _DESCRIPTION
    with (
        checkpoints.writing(path),
        atomic_files.replacing(path) as temporary,
        tf.io.TFRecordWriter(os.fsencode(temporary)) as file,
    ):
        for event in events:
            event.wall_time = time.time()
            file.write(event.SerializeToString())


def rewind(folder: pathlib.Path, step: int) -> None:
    """Drops events of training after the mark of the checkpoint of `step`.

    Files of tfae 0.1.0 have no marks and are not changed.

    Args:
      folder: of event files; it may be missing.
      step: of the checkpoint.
    """
    if not folder.is_dir():
        return
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
    """Returns `(second of creation, path)` of each event file in `folder`; links are ignored."""
    found = [(path, _NAME.match(path.name)) for path in folder.iterdir()]
    return [(int(match[1]), path) for path, match in found if match and not path.is_symlink()]


def _marked(path: pathlib.Path, step: int) -> tuple[bool, int]:
    """Returns whether training wrote a file, and the end of the mark of `step`, or 0."""
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
