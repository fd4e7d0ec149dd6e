"""Measures the share of training time that a run spends in flushing files to the disk.

    python tools/bench/flushing.py --logdir=/a/disk/runs/flushing --dataset=mnist --epochs=10

Trains with the default flags except those given. The share is the time in which at least one thread
is in `os.fsync`, divided by the time of all steps. The last line has the number of flushes, their
seconds, the seconds of training and the share.
"""

import os
import sys
import time
from typing import Any

from tfae.commands import train
from tfae.runs import trainer


def main() -> None:
    """Trains, and prints the share."""
    flushed: list[tuple[float, float]] = []
    trained: list[float] = []
    flush, steps = os.fsync, trainer.Trainer.train

    def timed_flush(descriptor: int) -> None:
        started = time.monotonic()
        flush(descriptor)
        flushed.append((started, time.monotonic()))

    def timed_train(self: trainer.Trainer, *arguments: Any) -> int:
        flushed.clear()
        started = time.monotonic()
        code = steps(self, *arguments)
        trained.append(time.monotonic() - started)
        return code

    os.fsync = timed_flush
    trainer.Trainer.train = timed_train  # type: ignore[method-assign, assignment]
    train.main(sys.argv[1:])
    waited, until = 0.0, 0.0
    for started, ended in sorted(flushed):
        waited += max(ended - max(started, until), 0.0)
        until = max(until, ended)
    share = waited / trained[0]
    print(f'{len(flushed)} flushes, {waited:.3f} s of {trained[0]:.2f} s: {share:.2%}')


if __name__ == '__main__':
    main()
