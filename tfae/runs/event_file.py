"""The event file that one program writes for TensorBoard.

Not `tf.summary.FileWriter`: that one writes from a thread, whose errors (a full disk) reach no
caller, and two programs that begin in the same second would share its file.
"""

import contextlib
import os
import pathlib
import re
import socket
import time

import tensorflow.compat.v1 as tf

from tfae.runs import checkpoints

_PREFIX = 'events.out.tfevents.'
_NAME = re.compile(rf'{re.escape(_PREFIX)}([0-9]{{1,10}})\.')


class EventFile:
    """Events in the order in which they are added; what is written is in the file after `flush`."""

    def __init__(self, folder: pathlib.Path, graph: tf.Graph | None, step: int):
        """Begins a file in `folder`; TensorBoard forgets what older files tell of after `step`.

        Without a graph it forgets nothing.
        """
        # TensorBoard reads the files in the order of their names: a clock that was set back, or
        # another program in the same second, must not bring this one before the older ones.
        begun = [int(m[1]) for m in map(_NAME.match, (path.name for path in folder.iterdir())) if m]
        now = max(int(time.time()), *(second + 1 for second in begun), 0)
        self._path = folder / f'{_PREFIX}{now}.{socket.gethostname()}.{os.getpid()}'
        with checkpoints.writing(self._path):
            self._file = tf.io.TFRecordWriter(str(self._path))
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

    def close(self) -> None:
        """Ends the file; raises nothing, since it also runs while an error is on its way."""
        with contextlib.suppress(tf.errors.OpError):
            self._file.close()

    def _add(self, event: tf.Event) -> None:
        event.wall_time = time.time()
        with checkpoints.writing(self._path):
            self._file.write(event.SerializeToString())
