r"""Times `tfae train` with 1, 2 and 4 workers on this machine, each pinned to its own core.

    python tools/bench/scaling.py [--workers=1,2,4] [--batch=256] [--steps=400] \
        [--train=--units=1000,500,30]

The batch grows with the number of workers, --batch examples each; an efficiency of 1 is n times the
examples per second of one worker. Bytes are counted by the loopback device between two epochs, next
to the minimum of an all-reduce: each worker sends 2 (n - 1) / n of the gradients. If there are more
workers than cores, the result says nothing about scaling. Use an idle machine for results to quote.

Then it estimates, for --on_paper workers, T = C + 2 (n - 1) / n * 4 P / W + k * 2 (n - 1) L seconds
per step: C is the computation of one worker, P the number of parameters, W the bandwidth in bytes
per second, L the latency of a message and k the number of collectives. No overlap of computation
and communication is assumed, so C / T is a lower bound of the efficiency.
"""

import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import tensorflow as tf
from absl import app, flags

from tfae.distributed import all_reduce

_WORKERS = flags.DEFINE_list('workers', ['1', '2', '4'], 'Numbers of workers.')
_BATCH = flags.DEFINE_integer('batch', 256, 'Examples per step and worker.', lower_bound=1)
_STEPS = flags.DEFINE_integer('steps', 400, 'Timed steps.', lower_bound=10)
_TRAIN = flags.DEFINE_multi_string('train', ['--units=1000,500,30'], 'Model flags of `tfae train`.')

_PAPER = flags.DEFINE_list('on_paper', ['8', '32', '128'], 'Numbers of workers to estimate for.')
_WORK = flags.DEFINE_float('work', 0.1, 'C: computation of a step, in seconds.')
_NETWORK = flags.DEFINE_float(
    'network', 1.25e9, 'W: bandwidth in bytes per second; 1.25e9 is 10 Gbit/s.'
)
_MESSAGE = flags.DEFINE_float('message', 1e-4, 'L: latency of a message, in seconds.')

_EPOCHS = 5  # the first is not timed
_BYTES = 4  # per element of a gradient


class Figures(NamedTuple):
    """Measurements with a number of workers."""

    workers: int
    examples_per_second: float  # median over the epochs
    sent: float  # bytes per step, by all workers
    sizes: list[int]  # elements of each trained tensor

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(self.sizes)


def main(argv: list[str]) -> None:
    """Measures and prints the tables."""
    if len(argv) > 1:
        raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
    cores = sorted(os.sched_getaffinity(0))
    print(f'`python {" ".join(sys.argv)}`\n')
    print(f'{len(cores)} cores, Python {platform.python_version()}, TensorFlow {tf.__version__}, ')
    print(f'load {os.getloadavg()[0]:.1f} before the first run\n')
    print('| workers | examples/s | efficiency | MB per step | lower bound, MB | |')
    print('|--|--|--|--|--|--|')
    first = None
    for count in map(int, _WORKERS.value):
        found = measure(count, cores)
        first = first or found
        print(line(found, first, len(cores)), flush=True)
    if first and _PAPER.value:
        print(f'\nP = {first.parameters:,}, C = {_WORK.value * 1000:g} ms, W = ', end='')
        print(f'{_NETWORK.value / 1e9:g} GB/s, L = {_MESSAGE.value * 1000:g} ms\n')
        print('| n | k | bandwidth term, ms | latency term, ms | C / T |\n|--|--|--|--|--|')
        for count in map(int, _PAPER.value):
            print(estimated(count, first.sizes))


def estimated(n: int, sizes: list[int]) -> str:
    """Returns a row of the table of estimates."""
    alone = sum(size >= all_reduce.ALONE * n for size in sizes)
    k = alone + (alone < len(sizes) or not sizes)
    sent = 2 * (n - 1) / n * _BYTES * sum(sizes) / _NETWORK.value
    latency = k * 2 * (n - 1) * _MESSAGE.value
    efficiency = _WORK.value / (_WORK.value + sent + latency)
    return f'| {n} | {k} | {sent * 1000:.1f} | {latency * 1000:.1f} | {efficiency:.2f} |'


def line(found: Figures, first: Figures, cores: int) -> str:
    """Returns a row of the table; the efficiency is relative to the first number of workers."""
    n = found.workers
    efficiency = found.examples_per_second / first.examples_per_second * first.workers / n
    least = 2 * (n - 1) * found.parameters * _BYTES  # 2 (n - 1) / n from each of n
    remark = f'{n} workers share {cores} cores' if n > cores else ''
    return (
        f'| {n} | {found.examples_per_second:,.0f} | {efficiency:.2f} | {found.sent / 1e6:.3f} '
        f'| {least / 1e6:.3f} | {remark} |'
    )


def measure(count: int, cores: list[int]) -> Figures:
    """Trains with `count` workers and measures time and bytes on the loopback device."""
    with tempfile.TemporaryDirectory(prefix='tfae_scaling_') as name:
        folder = pathlib.Path(name)
        addresses = free(count)
        workers = [start(folder, k, addresses, cores[k % len(cores)]) for k in range(count)]
        marks = []
        while any(worker.poll() is None for worker in workers):
            records = metrics(folder)
            if len(records) > len(marks):
                marks += [loopback()] * (len(records) - len(marks))
            time.sleep(0.005)
        if any(worker.returncode for worker in workers):
            raise SystemExit((folder / 'log').read_text()[-2000:])
        timed = metrics(folder)[1:]
        speeds = [record['examples_per_second'] for record in timed]
        steps = timed[-1]['step'] - metrics(folder)[0]['step']
        sent = (marks[_EPOCHS - 1] - marks[0]) / steps
        return Figures(count, statistics.median(speeds), sent, sizes(folder))


def start(folder: pathlib.Path, k: int, addresses: list[str], core: int) -> subprocess.Popen:
    """Starts worker `k`, pinned to one core."""
    batch = _BATCH.value * len(addresses)
    examples = batch * _STEPS.value // (_EPOCHS - 1)
    task = {'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': k}}
    words = [
        *_TRAIN.value,
        '--dataset=synthetic',
        '--synthetic_shape=28x28x1',
        f'--synthetic_examples={round(examples / 0.9)}',
        '--validation_fraction=0',
        '--optimizer=sgd',  # no slots: a checkpoint has only the variables of the model
        f'--batch_size={batch}',
        f'--epochs={_EPOCHS}',
        '--summary_steps=1000000',
        '--checkpoint_steps=1000000',
        f'--logdir={folder / "run"}',
    ]
    with (folder / 'log').open('a') as log:
        return subprocess.Popen(
            [sys.executable, '-m', 'tfae', 'train', *words],
            env=os.environ | {'TF_CONFIG': json.dumps(task)},
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )


def free(count: int) -> list[str]:
    """Returns free addresses of this machine."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    found = [f'127.0.0.1:{each.getsockname()[1]}' for each in sockets]
    for each in sockets:
        each.close()
    return found


def metrics(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the records of metrics.jsonl, without an incomplete last line."""
    path = folder / 'run' / 'metrics.jsonl'
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(text) for text in lines if text.endswith('\n')]


def loopback() -> int:
    """Returns the bytes that the loopback device has sent so far."""
    rows = pathlib.Path('/proc/net/dev').read_text().splitlines()
    (row,) = [row for row in rows if row.strip().startswith('lo:')]
    return int(row.partition(':')[2].split()[8])


def sizes(folder: pathlib.Path) -> list[int]:
    """Returns the number of elements of each trained tensor."""
    shapes = dict(tf.train.list_variables(str(folder / 'run')))
    kept = [shape for name, shape in shapes.items() if name.endswith(('/kernel', '/bias'))]
    return [int(tf.TensorShape(shape).num_elements() or 0) for shape in kept]


if __name__ == '__main__':
    app.run(main)
