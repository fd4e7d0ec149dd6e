r"""Times `tfae train` as 1, 2 and 4 workers on this machine, each pinned to a core of its own.

    python tools/bench/scaling.py [--workers=1,2,4] [--batch=256] [--steps=400] \
        [--train=--units=1000,500,30]

The batch grows with the workers, --batch examples each: an efficiency of 1 would be n times the
examples per second of one. Bytes are those that the loopback device counts between two epochs;
beside them stands the least that an all-reduce can send, 2 (n - 1) / n of the gradients from each
worker. More workers than cores share them: what they reach says nothing of scaling. A machine where
nothing else runs is needed for figures worth quoting.

Then it reckons, for --on_paper workers, T = C + 2 (n - 1) / n * 4 P / W + k * 2 (n - 1) L seconds a
step: C is a worker's own work, P are the parameters, W bytes a second of its network, L is the time
of a message and k the number of collectives. Nothing is taken to hide behind the work, so C / T is
the least efficiency.
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
_BATCH = flags.DEFINE_integer('batch', 256, 'Examples a step of each worker.', lower_bound=1)
_STEPS = flags.DEFINE_integer('steps', 400, 'Steps that are timed.', lower_bound=10)
_TRAIN = flags.DEFINE_multi_string(
    'train', ['--units=1000,500,30'], 'Flags of the model, as `tfae train` takes them.'
)

_PAPER = flags.DEFINE_list('on_paper', ['8', '32', '128'], 'Numbers of workers to reckon.')
_WORK = flags.DEFINE_float('work', 0.1, 'C, in seconds.')
_NETWORK = flags.DEFINE_float('network', 1.25e9, 'W, in bytes a second; 1.25e9 are 10 Gbit/s.')
_MESSAGE = flags.DEFINE_float('message', 1e-4, 'L, in seconds.')

_EPOCHS = 5  # of which the first is not timed
_BYTES = 4  # of a gradient


class Figures(NamedTuple):
    """What a number of workers reached."""

    workers: int
    examples_per_second: float  # median over the epochs
    sent: float  # bytes a step, of all workers
    sizes: list[int]  # of the tensors that training moves

    @property
    def parameters(self) -> int:
        """Numbers that training moves."""
        return sum(self.sizes)


def main(argv: list[str]) -> None:
    """Measures and prints."""
    if len(argv) > 1:
        raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
    cores = sorted(os.sched_getaffinity(0))
    print(f'`python {" ".join(sys.argv)}`\n')
    print(f'{len(cores)} cores, Python {platform.python_version()}, TensorFlow {tf.__version__}, ')
    print(f'load {os.getloadavg()[0]:.1f} before the first run\n')
    print('| workers | examples/s | efficiency | MB a step | least MB | |\n|--|--|--|--|--|--|')
    first = None
    for count in map(int, _WORKERS.value):
        found = measure(count, cores)
        first = first or found
        print(line(found, first, len(cores)), flush=True)
    if first and _PAPER.value:
        print(f'\nP = {first.parameters:,}, C = {_WORK.value * 1000:g} ms, W = ', end='')
        print(f'{_NETWORK.value / 1e9:g} GB/s, L = {_MESSAGE.value * 1000:g} ms\n')
        print('| n | k | bytes term, ms | message term, ms | C / T |\n|--|--|--|--|--|')
        for count in map(int, _PAPER.value):
            print(reckoned(count, first.sizes))


def reckoned(n: int, sizes: list[int]) -> str:
    """A row of the table on paper."""
    alone = sum(size >= all_reduce.ALONE * n for size in sizes)
    k = alone + (alone < len(sizes) or not sizes)
    sent = 2 * (n - 1) / n * _BYTES * sum(sizes) / _NETWORK.value
    told = k * 2 * (n - 1) * _MESSAGE.value
    efficiency = _WORK.value / (_WORK.value + sent + told)
    return f'| {n} | {k} | {sent * 1000:.1f} | {told * 1000:.1f} | {efficiency:.2f} |'


def line(found: Figures, first: Figures, cores: int) -> str:
    """A row of the table; the efficiency is that against the first number of workers."""
    n = found.workers
    efficiency = found.examples_per_second / first.examples_per_second * first.workers / n
    least = 2 * (n - 1) * found.parameters * _BYTES  # 2 (n - 1) / n from each of n
    remark = f'{n} workers share {cores} cores' if n > cores else ''
    return (
        f'| {n} | {found.examples_per_second:,.0f} | {efficiency:.2f} | {found.sent / 1e6:.3f} '
        f'| {least / 1e6:.3f} | {remark} |'
    )


def measure(count: int, cores: list[int]) -> Figures:
    """Trains as `count` workers and looks at the clock and at the loopback device."""
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
    """Worker `k`, on one core."""
    batch = _BATCH.value * len(addresses)
    examples = batch * _STEPS.value // (_EPOCHS - 1)
    task = {'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': k}}
    words = [
        *_TRAIN.value,
        '--dataset=synthetic',
        '--synthetic_shape=28x28x1',
        f'--synthetic_examples={round(examples / 0.9)}',
        '--validation_fraction=0',
        '--optimizer=sgd',  # no slots: what a checkpoint holds is the model
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
    """Addresses at which nothing listens."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    found = [f'127.0.0.1:{each.getsockname()[1]}' for each in sockets]
    for each in sockets:
        each.close()
    return found


def metrics(folder: pathlib.Path) -> list[dict[str, Any]]:
    """The whole lines of metrics.jsonl."""
    path = folder / 'run' / 'metrics.jsonl'
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(text) for text in lines if text.endswith('\n')]


def loopback() -> int:
    """Bytes that the loopback device has sent so far."""
    rows = pathlib.Path('/proc/net/dev').read_text().splitlines()
    (row,) = [row for row in rows if row.strip().startswith('lo:')]
    return int(row.partition(':')[2].split()[8])


def sizes(folder: pathlib.Path) -> list[int]:
    """Numbers of each tensor that training moves."""
    shapes = dict(tf.train.list_variables(str(folder / 'run')))
    kept = [shape for name, shape in shapes.items() if name.endswith(('/kernel', '/bias'))]
    return [int(tf.TensorShape(shape).num_elements() or 0) for shape in kept]


if __name__ == '__main__':
    app.run(main)
