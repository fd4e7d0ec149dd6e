"""The driver's side of a process of _peers.py."""

import json
import pathlib
import subprocess
import sys
import time
from typing import IO, Any

_PROGRAM = pathlib.Path(__file__).with_name('_peers.py')
_PAUSE = 0.1  # seconds for the threads of the previous worker to become idle


class Worker:
    """A process that works on request and sleeps otherwise."""

    def __init__(self, log: IO[str], **job: Any):
        """Starts the process; its output goes to `log`."""
        command = [sys.executable, str(_PROGRAM), json.dumps(job)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def ready(self) -> str:
        """Waits until the process is ready; sets `parameters` and returns its description.

        Raises: RuntimeError if the process ended before.
        """
        answer = self._answer()
        self.parameters: int = answer['parameters']
        return answer['ready']

    def round(self, seconds: float) -> float:
        """Runs a round of at least `seconds` and returns the work done per second."""
        time.sleep(_PAUSE)
        print(seconds, file=self._process.stdin, flush=True)
        answer = self._answer()
        return answer['done'] / answer['seconds']

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f'{self._process.args[2]} ended without an answer')
        return json.loads(line)
