"""The workers of a run: their addresses, their start and the restart after one is lost.

Every process is a worker: it holds the whole model and trains on its replica of every batch. Worker
0 is the chief, which alone writes the run's folder. As in TensorFlow, the environment variable
TF_CONFIG (set by Kubeflow's training operator) or flags say where the workers are. There is no
graph and no session here.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from tfae.core import errors, json_text
from tfae.core.config import Part, option

_SINCE = 'TFAE_CLUSTER_SINCE'  # start of the timeout, which a restarted process inherits
_CHIEFS = ('chief', 'master')  # TensorFlow's names of the first worker, today and formerly
_RESTART_DELAY = 1.0  # seconds, in which the other workers notice the loss too
_QUIET_SECONDS = 5.0  # of waiting before a message


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The workers of a run; a resumed run may have others, and results change by rounding only."""

    cluster: str = option(
        '',
        'Addresses of all workers: worker=host:port,host:port,... or JSON, '
        '{"worker": ["host:port", ...]}. Default: the environment variable TF_CONFIG; if it is '
        'not set, training is not distributed.',
    )
    job_name: str = option(
        'worker', 'Job of this process in --cluster: worker or chief.', needs=('--cluster',)
    )
    task_index: int = option(
        -1,
        'Index of this process in its job, from 0. Required with --cluster.',
        within='[-1, inf)',
        needs=('--cluster',),
    )
    cluster_timeout_secs: float = option(
        300.0,
        'Timeout for all workers to connect; half of it is the timeout of a training step.',
        within='[1, 1000000000] seconds',
    )

    def members(self) -> 'Members | None':
        """Returns the workers; None where this process trains alone.

        Raises: UsageError if the flags or TF_CONFIG do not describe them.
        """
        found: Members | None
        if self.cluster:
            who = '--cluster'
            jobs = _addresses(who, _jobs(self.cluster))
            found = _members(who, jobs, self.job_name, self.task_index, self)
        elif os.environ.get('TF_CONFIG'):
            found = _from_environment(os.environ['TF_CONFIG'], self)
        else:
            return None
        return found if found and len(found.addresses) > 1 else None


class Lost(Exception):
    """Another worker is lost: the remaining ones restart and wait for it."""

    def __init__(self, text: str, interrupt: int):
        super().__init__(text)
        self.interrupt = interrupt  # number of a signal received meanwhile, or 0


@dataclasses.dataclass(frozen=True)
class Members:
    """The workers of a run."""

    addresses: tuple[str, ...]  # host:port of each, the chief's first
    index: int  # of this process
    timeout: float  # seconds

    def __str__(self) -> str:
        return f'worker {self.index} of {len(self.addresses)}'

    def refuse_taken_port(self) -> None:
        """Raises InputError if another program listens at this worker's port.

        TensorFlow does not detect this: two servers can listen at one port and share its calls.
        """
        host, port = _split(self.addresses[self.index])
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(('', port))
            except OSError as error:
                raise errors.InputError(
                    f'{self} cannot listen at {host}:{port}: {error.strerror}'
                ) from None

    def wait(self) -> None:
        """Waits until every worker accepts connections.

        Raises: InputError after the timeout, which names the missing workers.
        """
        _begin_waiting()
        started, reported = time.monotonic(), False
        missing = set(range(len(self.addresses)))
        while True:
            missing = {i for i in missing if not _listens(self.addresses[i])}
            late = time.monotonic() - float(os.environ[_SINCE]) > self.timeout
            if not missing and not late:
                return
            who = ', '.join(f'worker {i} ({self.addresses[i]})' for i in sorted(missing))
            if late:
                raise errors.InputError(
                    f'{self}: timeout after --cluster_timeout_secs={self.timeout:g} waiting for '
                    f'{who or "the others to join"}'
                )
            if not reported and time.monotonic() - started > _QUIET_SECONDS:
                print(f'{self}: waiting for {who}', flush=True)
                reported = True
            time.sleep(0.2)


def all_joined() -> None:
    """Ends the timeout that began with `wait`: every worker has joined."""
    os.environ.pop(_SINCE, None)


def end(code: int) -> NoReturn:
    """Exits at once: closing a session that has lost a worker may block forever."""
    sys.stdout.flush()
    os._exit(code)


def restart(arguments: Sequence[str]) -> NoReturn:
    """Replaces this process by `tfae` with these arguments, under the same process id.

    There is no other way to end a TensorFlow server, and it keeps the state of lost workers.
    """
    _begin_waiting()
    time.sleep(_RESTART_DELAY)
    for file in pathlib.Path('/proc/self/fd').iterdir():
        # The server's sockets would stay open and receive calls meant for the next server.
        if int(file.name) > 2:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                os.set_inheritable(int(file.name), False)
    # The folder of the package, which may not be installed.
    root = str(pathlib.Path(__file__).resolve().parents[2])
    path = [*filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep)), root]
    os.environ['PYTHONPATH'] = os.pathsep.join(dict.fromkeys(path))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, '-m', 'tfae', *arguments])


def _begin_waiting() -> None:
    """Starts the timeout, unless it runs already; a restart of the process does not reset it."""
    os.environ.setdefault(_SINCE, str(time.monotonic()))


def _listens(address: str) -> bool:
    try:
        with socket.create_connection(_split(address), 1.0):
            return True
    except OSError:
        return False


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(':')
    return host.strip('[]'), int(port)


def _from_environment(text: str, config: Config) -> Members | None:
    """Returns the workers in TF_CONFIG; None where its cluster is absent, empty or a single task.

    TensorFlow, too, trains without distribution then.
    """
    who = 'TF_CONFIG'
    content = _json(who, text)
    if not isinstance(content, dict):
        raise errors.UsageError(f'{who} is {text!r}; it must be a JSON object')
    task, cluster = content.get('task', {}), content.get('cluster', {})
    if not isinstance(task, dict) or not isinstance(cluster, dict):
        raise errors.UsageError(f'{who} is {text!r}; its cluster and task must be objects')
    job, index = task.get('type'), task.get('index')
    if isinstance(index, str) and index.isdecimal():  # some schedulers write texts
        index = int(index)
    jobs = _addresses(who, cluster)
    if not jobs and (job not in (None, 'worker', *_CHIEFS) or index not in (None, 0)):
        raise errors.UsageError(
            f'{who} has no cluster, and this process is task {index} of job {job!r}; without a '
            f'cluster it must be task 0 of job worker'
        )
    if not jobs or (not task and sum(map(len, jobs.values())) == 1):
        return None
    return _members(who, jobs, job, index, config)


def _jobs(text: str) -> Any:
    if text.lstrip().startswith('{'):
        return _json('--cluster', text)
    job, equals, addresses = text.partition('=')
    if not equals:
        raise errors.UsageError(
            f'--cluster is {text!r}; it must be worker=host:port,host:port or a JSON object'
        )
    return {job: addresses.split(',')}


def _json(who: str, text: str) -> Any:
    try:
        return json_text.loads(text)
    except ValueError as error:
        raise errors.UsageError(f'{who} is {text!r}, which is not JSON: {error}') from None


def _addresses(who: str, jobs: dict[str, Any]) -> dict[str, dict[int, str]]:
    """Jobs with at least one task: job -> task index -> host:port, in order of the index.

    As for `tf.train.ClusterSpec`, the tasks of a job are a list, or an object if it is sparse.
    """
    found = {}
    for job, tasks in jobs.items():
        if isinstance(tasks, list | None):
            tasks = dict(enumerate(tasks or ()))
        if not isinstance(tasks, dict):
            raise errors.UsageError(f'{who} has {tasks!r} in job {job}; it must be host:port')
        numbered = {}
        for number, address in tasks.items():
            if not re.fullmatch('[0-9]{1,9}', str(number)):
                raise errors.UsageError(
                    f'{who} has task {number!r} in job {job}; the index must be 0 or more'
                )
            if not _is_address(address):
                raise errors.UsageError(f'{who} has {address!r} in job {job}; it must be host:port')
            if int(number) in numbered:
                raise errors.UsageError(f'{who} has task {int(number)} of job {job} twice')
            numbered[int(number)] = address
        if numbered:
            found[job] = dict(sorted(numbered.items()))
    return found


def _members(
    who: str, jobs: dict[str, dict[int, str]], job: Any, index: Any, config: Config
) -> Members:
    """Returns the workers of these jobs, a chief first."""
    unused = sorted(set(jobs) - {*_CHIEFS, 'worker'})
    if unused:
        raise errors.UsageError(
            f'{who} has job {", ".join(unused)}; tfae has no parameter servers or evaluators, its '
            f'jobs must be worker and, for the first worker, chief'
        )
    tasks = [(name, i) for name in (*_CHIEFS, 'worker') for i in jobs.get(name, {})]
    every = [jobs[name][i] for name, i in tasks]
    twice = sorted({address for address in every if every.count(address) > 1})
    if twice:
        raise errors.UsageError(f'{who} names {", ".join(twice)} more than once')
    chiefs = [name for name, _ in tasks if name in _CHIEFS]
    if len(chiefs) > 1:
        raise errors.UsageError(f'{who} names {len(chiefs)} chiefs; there may be only one')
    if job not in jobs:
        raise errors.UsageError(
            f'{who}: this process has job {job!r}; the cluster has {", ".join(jobs) or "no job"}'
        )
    if type(index) is not int or index not in jobs[job]:
        given = '--task_index' if who == '--cluster' else f'{who}: task index'
        known = list(jobs[job])
        wanted = f'lie in [0, {len(known) - 1}]'
        if known != list(range(len(known))):
            wanted = f'be one of {", ".join(map(str, known))}'
        raise errors.UsageError(
            f'{given} is {index}; job {job} has {len(known)} tasks, so it must {wanted}'
        )
    return Members(tuple(every), tasks.index((job, index)), config.cluster_timeout_secs)


def _is_address(address: Any) -> bool:
    found = re.fullmatch(r'([\w.-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})', str(address))
    if not found:
        return False
    try:
        found[1].encode('idna')  # as Python's sockets do: no empty or long labels
    except UnicodeError:
        return False
    return 0 < int(found[2]) < 2**16
