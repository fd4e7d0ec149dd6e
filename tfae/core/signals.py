"""SIGINT and SIGTERM as a wish that training looks at between two steps."""

import signal
from types import FrameType
from typing import Any


class Interrupt:
    """While entered, remembers the first signal; a second one goes to the handler before it."""

    def __init__(self) -> None:
        self.number = 0  # of the signal that came
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'Interrupt':
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if before is None:  # not installed by Python, so it could not be put back
                continue
            self._before[number] = before
            try:
                signal.signal(number, self._remember)
            except ValueError:  # not the main thread: whoever owns it decides what signals do
                del self._before[number]
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.number = number
        signal.signal(number, self._before[number])
