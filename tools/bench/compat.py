"""Processor time of `tfae.compat.install()`, beyond importing TensorFlow.

    python tools/bench/compat.py [--rounds=7]

Each round is a process of its own. Prints Markdown.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

import _machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLS = ('install()', 'install(as_tensorflow=True, removed=True)')
PROGRAM = """
import time
began = time.process_time()
import tensorflow.compat.v1
imported = time.process_time()
import tfae.compat
tfae.compat.{call}
print(imported - began, time.process_time() - imported)
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--rounds', type=int, default=7)
    flags = parser.parse_args()
    print(f'{_machine.processor()}, medians of {flags.rounds} processes\n')
    print('| call | import tensorflow | import tfae.compat and the call |\n| --- | ---: | ---: |')
    for call in CALLS:
        rounds = [_seconds(call) for _ in range(flags.rounds)]
        tensorflow, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f'| `{call}` | {tensorflow:.1f} s | {1000 * ours:.0f} ms |', flush=True)


def _seconds(call: str) -> list[float]:
    """Returns the processor time of importing TensorFlow, and that of the call."""
    environment = os.environ | {'PYTHONPATH': str(ROOT), 'TF_CPP_MIN_LOG_LEVEL': '3'}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM.format(call=call)],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return [float(number) for number in done.stdout.split()[-2:]]


if __name__ == '__main__':
    main()
