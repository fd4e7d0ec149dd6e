"""A worker that is not the chief: it runs the steps that the chief requests, and writes nothing."""

from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.core.signals import Interrupt
from tfae.distributed.coordinator import Turn
from tfae.training import graph


class Follower:
    """Trains together with a `Trainer` in another process, from the variables of that one."""

    def __init__(self, built: graph.Graph, session: tf.Session):
        self._built = built
        self._session = session
        self._coordinator = built.coordinator
        with built.graph.as_default():
            self._initialize = [tf.global_variables_initializer(), tf.local_variables_initializer()]
        self.interrupt = Interrupt()
        self._phase = -1

    def follow(self) -> int:
        """Runs all turns; returns the chief's exit code.

        Raises: InputError if the chief failed.
        """
        run = self._session.run
        with self.interrupt:
            while True:
                turn = self._coordinator.turn(run, Turn(stop=self.interrupt.number))
                if turn.done:
                    break
                if turn.load:
                    self._load(turn.phase)
                if turn.steps and not turn.stop:
                    self._make(turn)
            self._coordinator.leave(run)
        if turn.failed:
            raise errors.InputError('the chief, worker 0, failed; see its output')
        return turn.code

    def begin(self) -> dict[str, Any]:
        """Receives the chief's variables; returns its content of config.json."""
        self._session.run(self._initialize)
        return self._coordinator.begin(self._session.run, {})

    def _load(self, phase: int) -> None:
        """Loads the examples of a phase, and releases those of the one before."""
        program, run = self._built.programs[phase], self._session.run
        program.phase.source.load(self._coordinator.loading(run))
        if self._phase >= 0:
            self._built.programs[self._phase].phase.source.release(run)
        self._phase = phase
        self._step = self._session.make_callable(program.train)
        if program.begin is not None:
            run(program.begin)

    def _make(self, turn: Turn) -> None:
        """Runs the steps of a turn."""
        program, run = self._built.programs[turn.phase], self._session.run
        steps = turn.steps
        if turn.scalars:  # the chief fetches the scalars with the first step
            run([program.scalars, program.train])
            steps -= 1
        for _ in range(steps):
            self._step()
