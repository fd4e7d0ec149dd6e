"""Decides when events are due between two steps of a phase; needs no graph and no session."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tfae.training.phases import Phase


class Moment(NamedTuple):
    """The state of training between two steps."""

    phase: Phase
    before: int  # step at which the last run of steps started; `step` at the start of a phase
    step: int
    interrupted: int  # number of the signal that was received, or 0


class When(Protocol):
    """A rule for the steps at which an event is due."""

    def next(self, phase: Phase, step: int) -> int:
        """Returns the first step after `step` at which it is due, apart from clock and signals."""

    def due(self, moment: Moment) -> bool:
        """Returns whether it is due now."""


class Event(NamedTuple):
    """An action between two steps, and its rule."""

    when: When
    act: Callable[[Any], None]  # of the phase's program


@dataclasses.dataclass
class Scalars:
    """Due every `every` steps of a phase, its first step included."""

    every: int

    def next(self, phase: Phase, step: int) -> int:
        """See `When`."""
        return step + self.every - (step - phase.start) % self.every

    def due(self, moment: Moment) -> bool:
        """See `When`."""
        return (moment.step - moment.phase.start) % self.every == 0


@dataclasses.dataclass
class EpochEnd:
    """Due at the step that completes an epoch."""

    batch_size: int

    def next(self, phase: Phase, step: int) -> int:
        """See `When`."""
        return phase.epoch_end(step, self.batch_size)

    def due(self, moment: Moment) -> bool:
        """See `When`."""
        return moment.step == self.next(moment.phase, moment.before)


@dataclasses.dataclass
class Checkpoint:
    """Due every `every` global steps, after a signal, and `seconds` after the last checkpoint."""

    every: int
    seconds: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self):
        self.restart()

    def restart(self) -> None:
        """Records that a checkpoint was written now."""
        self._since = self.clock()

    def next(self, phase: Phase, step: int) -> int:
        """See `When`."""
        return (step // self.every + 1) * self.every

    def due(self, moment: Moment) -> bool:
        """See `When`."""
        late = self.clock() - self._since >= self.seconds
        return bool(moment.interrupted) or late or moment.step % self.every == 0
