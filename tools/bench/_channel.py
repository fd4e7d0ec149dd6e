"""Protocol of a contender's process with its driver: rounds of work and their times."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import _cases

STEPS = 8  # between two readings of the clock
_TRIAL = 0.3  # seconds for each variant of a contender that has several


class Job(NamedTuple):
    """Request of the driver to a process."""

    contender: str
    case: str = ''
    count: int = 60_000  # images
    side: int = 0  # of the matrices of a product
    threads: list[int] = [0, 0]  # inter-op and intra-op, of tfae; 0 is its own choice

    @property
    def trained(self) -> _cases.Case:
        """The case of that name."""
        return _cases.CASES[self.case]


class Channel:
    """Receives seconds to work for; sends the work done and the seconds taken."""

    def __init__(self):
        # Libraries print to standard output; answers go to a copy of the descriptor.
        self._answers = os.fdopen(os.dup(1), 'w')
        os.dup2(2, 1)

    def wait(self) -> float | None:
        """Returns the seconds to work for; None at the end."""
        line = sys.stdin.readline()
        return float(line) if line.strip() else None

    def tell(self, **answer: Any) -> None:
        """Sends a line of JSON."""
        print(json.dumps(answer), file=self._answers, flush=True)


def timed(work: Callable[[], int], seconds: float) -> tuple[int, float]:
    """Calls `work` for at least `seconds`; returns the sum of its results and the time taken."""
    start, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        done += work()
    return done, elapsed


def serve(channel: Channel, work: Callable[[], int], about: str, parameters: int = 0) -> None:
    """Answers rounds of `work` until the driver closes; `parameters` are the model's."""
    channel.tell(ready=about, parameters=parameters)
    while (seconds := channel.wait()) is not None:
        done, elapsed = timed(work, seconds)
        channel.tell(done=done, seconds=elapsed)


def fastest(ways: dict[str, Callable[[], int]], warm: int = 2) -> str:
    """Returns the name of the variant with the highest rate, each tried twice in turn."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(2):
        for name, work in ways.items():
            for _ in range(warm):
                work()
            done, seconds = timed(work, _TRIAL)
            best[name] = max(best[name], done / seconds)
    return max(best, key=best.__getitem__)
