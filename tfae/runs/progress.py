"""Progress of training: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import NamedTuple

from tfae.core import terminal


class Pace(NamedTuple):
    """The speed of training between two marks."""

    examples_per_second: float
    input_wait: float  # fraction of the time that training waited for input
    seconds: float


class Progress:
    """Counts steps, and prints a line at the end of each epoch."""

    def __init__(self, step: int, steps: int, batch_size: int):
        self._steps = steps
        self._batch_size = batch_size
        self._first = self._last = step
        self._started = self._marked = time.monotonic()
        self._waited = self._waited_before = 0.0
        self._examples_per_second = 0.0
        self._bar = terminal.bar(
            steps * batch_size, ' examples', initial=step * batch_size, unit_scale=True
        )

    def advance(self, step: int) -> None:
        """Moves the bar to `step`."""
        self._bar.update(step * self._batch_size - self._bar.n)

    def waited(self, seconds: float) -> None:
        """Adds to the seconds that training waited for input."""
        self._waited += seconds

    def mark(self, step: int) -> Pace:
        """Returns the pace since the last mark, and sets a new one."""
        now = time.monotonic()
        elapsed = max(now - self._marked, 1e-9)
        rate = (step - self._last) * self._batch_size / elapsed
        share = (self._waited - self._waited_before) / elapsed
        self._marked, self._last, self._waited_before = now, step, self._waited
        self._bar.set_postfix_str(f'step {step:,}, input {share:.0%}', refresh=False)
        return Pace(rate, share, elapsed)

    def line(self, step: int, text: str, pace: Pace) -> None:
        """Prints a line about an epoch, above the bar if there is one."""
        elapsed = time.monotonic() - self._started
        left = elapsed / max(step - self._first, 1) * (self._steps - step)
        self._bar.write(
            f'{text}  {pace.examples_per_second:,.0f} examples/s  input {pace.input_wait:.0%}  '
            f'eta {_duration(left)}',
            file=sys.stdout,
        )
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Prints a line, above the bar if there is one."""
        self._bar.write(text, file=sys.stdout)

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()


def _duration(seconds: float) -> str:
    """Returns a time as `HH:MM:SS`, after the days if there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f'{hour:02}:{minute:02}:{second:02}'
    return f'{days:,} d {clock}' if days else clock
