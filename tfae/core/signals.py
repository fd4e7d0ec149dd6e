"""Ends of processes: SIGINT and SIGTERM as a request to stop, and the end of a parent."""

import multiprocessing.connection
import os
import signal
import threading
from types import FrameType
from typing import Any


def end_with_parent() -> None:
    """Exits this process when its parent has ended, for example by a signal."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Interrupt:
    """While entered, records the first signal; a second one goes to the previous handler."""

    def __init__(self) -> None:
        self.number = 0  # of the signal received, or 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'Interrupt':
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if before is None:  # not installed by Python, so it could not be reinstalled
                continue
            self._before[number] = before
            try:
                signal.signal(number, self._remember)
            except ValueError:  # not the main thread, where signals are handled
                del self._before[number]
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.number = number
        signal.signal(number, self._before[number])
