"""When something is due between two steps of a phase. No graph, no session."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tfae.training.phases import Phase


class Moment(NamedTuple):
    """Where training stands between two steps."""

    phase: Phase
    before: int  # step at which the last row of steps began; `step` before the first of a phase
    step: int
    interrupted: int  # number of the signal that came, or 0


class When(Protocol):
    """The steps at which something is due."""

    def next(self, phase: Phase, step: int) -> int:
        """The first step after `step` at which it is due, whatever the clock and signals say."""

    def due(self, moment: Moment) -> bool:
        """Whether it is due now."""


class Event(NamedTuple):
    """Something that is done between two steps."""

    when: When
    act: Callable[[Any], None]  # of the phase's program


@dataclasses.dataclass
class Scalars:
    """Every so many steps of a phase, its first step included."""

    every: int

    def next(self, phase: Phase, step: int) -> int:
        """See `When`."""
        return step + self.every - (step - phase.start) % self.every

    def due(self, moment: Moment) -> bool:
        """See `When`."""
        return (moment.step - moment.phase.start) % self.every == 0


@dataclasses.dataclass
class EpochEnd:
    """The steps by which one more epoch is seen."""

    batch_size: int

    def next(self, phase: Phase, step: int) -> int:
        """See `When`."""
        return phase.epoch_end(step, self.batch_size)

    def due(self, moment: Moment) -> bool:
        """See `When`."""
        return moment.step == self.next(moment.phase, moment.before)


@dataclasses.dataclass
class Checkpoint:
    """Every so many global steps; and when a signal came or the last one is too old."""

    every: int
    seconds: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self):
        self.restart()

    def restart(self) -> None:
        """A checkpoint is there: its age counts from now on."""
        self._since = self.clock()

    def next(self, phase: Phase, step: int) -> int:
        """See `When`."""
        return (step // self.every + 1) * self.every

    def due(self, moment: Moment) -> bool:
        """See `When`."""
        late = self.clock() - self._since >= self.seconds
        return bool(moment.interrupted) or late or moment.step % self.every == 0
