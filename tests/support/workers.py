"""Several programs of this machine that train one run."""

import json
import socket

import tfae_program


def addresses(count):
    """As many of this machine that are free."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    found = [f'127.0.0.1:{each.getsockname()[1]}' for each in sockets]
    for each in sockets:
        each.close()
    return found


class Workers:
    """Real programs of one run, each in a folder of its own."""

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
