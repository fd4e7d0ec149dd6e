"""How workers agree on what to do next: the messages of a session.

The chief, worker 0, says which steps all make; each worker may ask to stop.
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

_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
FAILED = -1  # the end of a run that the chief could not go on with
_SHORT, _LONG = 0.25, 1.0  # seconds between which a turn is to lie
_MOST = 64  # steps of a turn


class Turn(NamedTuple):
    """The work of all workers until they next synchronize; set by the chief except for `wish`."""

    wish: int = 0  # number of the signal by which someone wishes to stop
    phase: int = 0
    look: int = 0  # whether the scalars of the step to come are wanted
    steps: int = 0
    over: int = 0  # whether there is no further turn
    failed: int = 0
    code: int = 0  # exit code


def lost(error: Exception) -> bool:
    """Whether an error of a session says that another worker does not answer."""
    # The state of a group that a worker has left is told as a failed precondition.
    stale = isinstance(error, tf.errors.OpError) and 'ollective' in error.message
    return isinstance(error, _GONE) or stale


class Coordinator:
    """The messages of one worker: built into the default graph, sent by a session's `run`."""

    def __init__(self, replica: Replica, variables: Sequence[tf.Variable]):
        """Builds the messages; `variables` are those that all take over from the chief."""
        self.replica = replica
        self.begun = False
        self._steps, self._met = 1, 0.0
        if replica.workers == 1:
            return
        with tf.name_scope(f'{names.TEAM}/'), tf.device('/cpu:0'):
            self._text = tf.placeholder(tf.int32, [None])
            length = all_reduce.from_chief(tf.shape(self._text), [1], replica)
            with tf.control_dependencies([length]):
                self._told = all_reduce.from_chief(self._text, length, replica)
            self._shared = self._told.op
            for variable in variables:
                # One after another: those that wait hold a thread, and all must hold the same.
                with tf.control_dependencies([self._shared]):
                    told = all_reduce.from_chief(variable.read_value(), variable.shape, replica)
                    self._shared = variable.assign(told).op
            self._said = tf.placeholder(tf.int32, [len(Turn._fields)])
            self._agreed = all_reduce.reduce(self._said, 'Max', 'Id', replica)

    def begin(self, run: Callable[..., Any], content: dict[str, Any]) -> dict[str, Any]:
        """Gives all the chief's variables and its content of config.json, which it returns."""
        if self.replica.workers == 1:
            return content
        coded = np.frombuffer(json.dumps(content).encode(), np.uint8)
        told, _ = run([self._told, self._shared], {self._text: coded})
        self.begun = True
        return json.loads(bytes(told.astype(np.uint8)))

    def turn(self, run: Callable[..., Any], said: Turn) -> Turn:
        """What all have said, the largest of each number."""
        return Turn(*map(int, run(self._agreed, {self._said: list(said)})))

    def lead(
        self, run: Callable[..., Any], interrupt: Interrupt, phase: int, look: bool, steps: int
    ) -> int:
        """As the chief: how many steps all make now, at most `steps`, so that no signal waits long.

        It is 0 where a signal came to one of them, which `interrupt` then knows too.
        """
        if self.replica.workers == 1:
            return steps
        passed = time.monotonic() - self._met
        if passed < _SHORT:
            self._steps = min(self._steps * 2, _MOST)
        elif passed > _LONG:
            self._steps = max(self._steps // 2, 1)
        turn = self.turn(run, Turn(interrupt.number, phase, int(look), min(steps, self._steps)))
        self._met = time.monotonic()
        interrupt.number = interrupt.number or turn.wish
        return 0 if turn.wish else turn.steps

    def patient(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """As the chief: `run`, which also keeps those from giving up who wait for the next turn.

        For what is many runs and no steps, as validation is.
        """

        def patiently(*given: Any) -> Any:
            if self.begun and time.monotonic() - self._met > _SHORT:
                self.turn(run, Turn())  # a wish to stop is uttered again
                self._met = time.monotonic()
            return run(*given)

        return patiently

    def end(self, run: Callable[..., Any], code: int) -> None:
        """As the chief: tells all that the run is over, with this exit code or `FAILED`."""
        if self.begun:
            failed = code == FAILED
            with contextlib.suppress(*(_GONE if failed else ())):  # there is another error to tell
                self.turn(run, Turn(over=1, failed=int(failed), code=max(code, 0)))
            self.leave(run)

    def leave(self, run: Callable[..., Any]) -> None:
        """Waits until all know that the run is over: a process that ends takes its words along."""
        with contextlib.suppress(*_GONE):
            self.turn(run, Turn())
