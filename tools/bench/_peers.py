"""One contender of training.py, in its own process: thread pools and allocators are not shared.

    python _peers.py '{"contender": "tfae", "case": "dense-64"}'

Reads a number of seconds per line from standard input, works for that time, and prints a line of
JSON: the work done (examples, or floating-point operations) and the seconds taken. All contenders
train the same model on the same images (`_cases.py`).
"""

import json
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import _channel
import numpy as np


def main(job: _channel.Job, channel: _channel.Channel) -> None:
    """Runs the contender, which imports only its own library."""
    kind, _, library = job.contender.partition('/')
    if kind == 'product':
        product(job, channel, library)
    elif kind == 'tfae':
        import _tfae

        _tfae.run(job, channel)
    elif kind == 'keras':
        import _keras

        _keras.run(job, channel)
    else:
        import _torch

        _torch.run(job, channel, compiled=kind == 'torch.compile')


def product(job: _channel.Job, channel: _channel.Channel, library: str) -> None:
    """Multiplies two square float32 matrices; the work is counted in floating-point operations."""
    random = np.random.RandomState(0)
    a, b = (random.standard_normal([job.side, job.side]).astype(np.float32) for _ in range(2))
    if library == 'tensorflow':
        import tensorflow as tf

        a, b = tf.constant(a), tf.constant(b)
        multiply = lambda: tf.matmul(a, b).numpy()  # noqa: E731
    elif library == 'torch':
        import torch

        a, b = torch.from_numpy(a), torch.from_numpy(b)
        multiply = lambda: a @ b  # noqa: E731
    else:
        multiply = lambda: a @ b  # noqa: E731

    def work() -> int:
        multiply()
        return 2 * job.side**3

    work()
    _channel.serve(channel, work, library)


if __name__ == '__main__':
    main(_channel.Job(**json.loads(sys.argv[1])), _channel.Channel())
