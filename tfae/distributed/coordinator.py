"""Messages by which workers agree on the next steps.

The chief, worker 0, decides which steps all workers make; each worker may request a stop.
"""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.core.signals import Interrupt
from tfae.distributed import all_reduce
from tfae.distributed.replica import Replica

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
FAILED = -1  # exit code of a run that the chief could not continue
_MIN_SECONDS, _MAX_SECONDS = 0.25, 1.0  # between two messages
_MAX_STEPS = 64  # between two messages


class Turn(NamedTuple):
    """The work of all workers until the next message; set by the chief, except for `stop`
    and `busy`."""

    stop: int = 0  # number of the signal by which a worker requests a stop
    phase: int = 0
    scalars: int = 0  # whether the first step computes its scalars
    steps: int = 0
    done: int = 0  # whether this is the last message
    failed: int = 0
    code: int = 0  # exit code
    load: int = 0  # whether to load the examples of the phase
    busy: int = 0  # whether a worker still loads them


def lost(error: Exception) -> bool:
    """Returns whether an error of a session means that another worker does not respond."""
    # A group that has lost a worker is reported as a failed precondition.
    stale = isinstance(error, tf.errors.OpError) and 'ollective' in error.message
    return isinstance(error, _LOST) or stale


class Coordinator:
    """The messages of one worker: built into the default graph, sent through a session's `run`."""

    def __init__(self, replica: Replica, variables: Sequence[tf.Variable]):
        """Builds the messages; `variables` are those that the chief broadcasts at the start."""
        self.replica = replica
        self.begun = False
        self._steps, self._last = 1, 0.0
        if replica.workers == 1:
            return
        with tf.name_scope(f'{names.TEAM}/'), tf.device('/cpu:0'):
            self._text = tf.placeholder(tf.int32, [None])
            length = all_reduce.from_chief(tf.shape(self._text), [1], replica)
            with tf.control_dependencies([length]):
                self._received = all_reduce.from_chief(self._text, length, replica)
            self._broadcast = self._received.op
            for variable in variables:
                # One after another: a pending broadcast blocks a thread, and every worker must
                # block on the same one.
                with tf.control_dependencies([self._broadcast]):
                    value = all_reduce.from_chief(variable.read_value(), variable.shape, replica)
                    self._broadcast = variable.assign(value).op
            self._sent = tf.placeholder(tf.int32, [len(Turn._fields)])
            self._agreed = all_reduce.reduce(self._sent, 'Max', 'Id', replica)

    def begin(self, run: Callable[..., Any], content: dict[str, Any]) -> dict[str, Any]:
        """Broadcasts the chief's variables and its content of config.json, which is returned."""
        if self.replica.workers == 1:
            return content
        coded = np.frombuffer(json.dumps(content).encode(), np.uint8)
        content_bytes, _ = run([self._received, self._broadcast], {self._text: coded})
        self.begun = True
        return json.loads(bytes(content_bytes.astype(np.uint8)))

    def turn(self, run: Callable[..., Any], sent: Turn) -> Turn:
        """Exchanges messages; returns the maximum of each field over the workers."""
        return Turn(*map(int, run(self._agreed, {self._sent: list(sent)})))

    def lead(
        self, run: Callable[..., Any], interrupt: Interrupt, phase: int, scalars: bool, steps: int
    ) -> int:
        """As the chief: decides how many steps all workers make before the next message.

        Args:
          run: a session's.
          interrupt: of this process; receives the signal of another worker.
          phase: number of the phase.
          scalars: whether the first step computes its scalars.
          steps: largest number; fewer are made where messages would come too rarely.
        Returns: the number of steps; 0 where a worker requests a stop.
        """
        if self.replica.workers == 1:
            return steps
        passed = time.monotonic() - self._last
        if passed < _MIN_SECONDS:
            self._steps = min(self._steps * 2, _MAX_STEPS)
        elif passed > _MAX_SECONDS:
            self._steps = max(self._steps // 2, 1)
        turn = self.turn(run, Turn(interrupt.number, phase, int(scalars), min(steps, self._steps)))
        self._last = time.monotonic()
        interrupt.number = interrupt.number or turn.stop
        return 0 if turn.stop else turn.steps

    def wait_for_examples(self, run: Callable[..., Any], phase: int) -> None:
        """As the chief: waits until all workers have loaded the examples of a phase."""
        if self.replica.workers > 1:
            self.turn(run, Turn(phase=phase, load=1))
            while self.turn(run, Turn()).busy:
                pass
            self._last = time.monotonic()

    def loading(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """As another worker: `run` with messages before it that keep the chief from a timeout."""

        def send_and_run(*given: Any) -> Any:
            self.turn(run, Turn(busy=1))
            return run(*given)

        return send_and_run

    def keeping_alive(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """As the chief: `run` with messages in between that keep the others from a timeout.

        For work of many calls without steps, such as validation.
        """

        def run_and_send(*given: Any) -> Any:
            if self.begun and time.monotonic() - self._last > _MIN_SECONDS:
                self.turn(run, Turn())  # a request to stop is sent again
                self._last = time.monotonic()
            return run(*given)

        return run_and_send

    def end(self, run: Callable[..., Any], code: int) -> None:
        """As the chief: ends the run on all workers, with this exit code or `FAILED`."""
        if self.begun:
            failed = code == FAILED
            with contextlib.suppress(*(_LOST if failed else ())):  # the first error is reported
                self.turn(run, Turn(done=1, failed=int(failed), code=max(code, 0)))
            self.leave(run)

    def leave(self, run: Callable[..., Any]) -> None:
        """Waits until all workers have the last message: a process that exits drops its own."""
        with contextlib.suppress(*_LOST):
            self.turn(run, Turn())
