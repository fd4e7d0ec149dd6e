"""Several programs on this machine that train one run."""

import json
import socket

import numpy as np
import pytest
import tfae_program

DENSE = ('train', '--units=12,4', '--epochs=3', '--batch_size=48', '--corruption=gaussian:0.2')
GREEDY = (*DENSE, '--pretraining=greedy', '--pretraining_epochs=2', '--order=with_replacement')
CONVOLUTIONAL = (
    *('train', '--model=variational', '--filters=4', '--units=6', '--epochs=2'),
    *('--batch_size=48', '--optimizer=momentum', '--learning_rate=0.001', '--clip_norm=1'),
    *('--accumulation_steps=2', '--augment=flip,crop:1,jitter:0.1', '--summary_steps=5'),
)
GAN = (
    *('train', '--model=gan', '--units=12', '--epochs=2', '--batch_size=48'),
    *('--optimizer=momentum', '--learning_rate=0.01'),
)
NO_MEANS = (  # of a share of the batch, not over all examples
    *('active_units', 'trouble', 'generator/diversity', 'validation_generator/diversity'),
)


def assert_equal(logdir, alone, tolerance=2e-5):
    """Asserts equal losses and variables up to rounding."""
    records = [tfae_program.metrics(folder) for folder in (logdir, alone)]
    for one, other in zip(*records, strict=True):
        assert {*one, *NO_MEANS} == {*other, *NO_MEANS}
        for name, value in other.items():
            if name in NO_MEANS:
                continue
            wanted = value if isinstance(value, str) else pytest.approx(value, rel=1e-4, abs=1e-6)
            assert one[name] == wanted, name
    variables = tfae_program.checkpoint(alone)
    made = tfae_program.checkpoint(logdir)
    assert made.keys() == variables.keys()
    for name, value in variables.items():
        np.testing.assert_allclose(made[name], value, rtol=1e-3, atol=tolerance, err_msg=name)


def addresses(count):
    """Returns free addresses of this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    found = [f'127.0.0.1:{each.getsockname()[1]}' for each in sockets]
    for each in sockets:
        each.close()
    return found


class Workers:
    """Programs that train one run, each in its own folder."""

    def __init__(self, folder, count, *argv, timeout=100):
        self.logdir = folder / 'worker_0' / 'run'
        self._addresses = addresses(count)
        self._folder, self._argv, self._timeout = folder, argv, timeout
        self.all = [self.start(k) for k in range(count)]

    def start(self, k):
        folder = self._folder / f'worker_{k}'
        folder.mkdir(exist_ok=True, parents=True)
        task = {'cluster': {'worker': self._addresses}, 'task': {'type': 'worker', 'index': k}}
        flags = ('--logdir=run', f'--cluster_timeout_secs={self._timeout}')
        return tfae_program.start(*self._argv, *flags, cwd=folder, TF_CONFIG=json.dumps(task))

    def wait(self):
        return [program.wait() for program in self.all]

    def until(self, condition):
        assert tfae_program.wait_for(condition, self.all[0]), self.all[0].wait()

    def newest(self):
        return max(tfae_program.steps(self.logdir), default=0)
