"""The driver's end of a contender's process: rounds of work, and how long they took."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import _cases

STEPS = 8  # between two looks at the clock
_TRIAL = 0.3  # seconds for each way to run, where a contender has several


class Job(NamedTuple):
    """What the driver asks of a process."""

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
    """Seconds come, work and seconds go."""

    def __init__(self):
        # Libraries print to standard output what they like; the answers get a copy of it.
        self._answers = os.fdopen(os.dup(1), 'w')
        os.dup2(2, 1)

    def wait(self) -> float | None:
        """Seconds to work for; None at the end."""
        line = sys.stdin.readline()
        return float(line) if line.strip() else None

    def tell(self, **answer: Any) -> None:
        """Answers a line."""
        print(json.dumps(answer), file=self._answers, flush=True)


def timed(work: Callable[[], int], seconds: float) -> tuple[int, float]:
    """What `work` says it has done, called for at least so many seconds."""
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
    """Name of the way that does most a second, each tried twice in turn."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(2):
        for name, work in ways.items():
            for _ in range(warm):
                work()
            done, seconds = timed(work, _TRIAL)
            best[name] = max(best[name], done / seconds)
    return max(best, key=best.__getitem__)
