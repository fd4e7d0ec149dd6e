"""Who trains a run together, and what becomes of them when one is lost. No graph, no session.

Every process is a worker: it holds the whole model and works on its share of every batch. Worker 0
is the chief, which alone writes the run's folder. Workers are found as TensorFlow finds them, by
the variable TF_CONFIG of the environment (Kubeflow's training operator sets it) or by flags.
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

_SINCE = 'TFAE_CLUSTER_SINCE'  # the moment from which a process that starts itself anew waits
_CHIEFS = ('chief', 'master')  # as TensorFlow calls the first worker, and called it
_PAUSE = 1.0  # seconds before that: others may have yet to find out
_SAY_AFTER = 5.0  # seconds of waiting


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Who trains together; changes no result but by rounding, and may change from turn to turn."""

    cluster: str = option(
        '',
        'All workers, worker=host:port,host:port,... or JSON, {"worker": ["host:port", ...]}; '
        'empty takes the variable TF_CONFIG, or trains alone.',
    )
    job_name: str = option(
        'worker', 'Job of this process in --cluster, worker or chief.', needs=('--cluster',)
    )
    task_index: int = option(
        -1,
        'Number of this process in its job, from 0; --cluster requires it.',
        within='[-1, inf)',
        needs=('--cluster',),
    )
    cluster_timeout_secs: float = option(
        300.0,
        'Seconds that workers wait for each other to come; half of it in a step.',
        within='[1, inf) seconds',
    )

    def members(self) -> 'Members | None':
        """The workers; None where this process trains alone.

        Raises: UsageError if flags or TF_CONFIG do not say who they are.
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
    """Another worker is gone: those who are left start anew and wait for it."""

    def __init__(self, text: str, interrupt: int):
        super().__init__(text)
        self.interrupt = interrupt  # number of the signal that came meanwhile


@dataclasses.dataclass(frozen=True)
class Members:
    """The workers of a run."""

    addresses: tuple[str, ...]  # host:port of each, the chief's first
    index: int  # of this process
    timeout: float  # seconds

    def __str__(self) -> str:
        return f'worker {self.index} of {len(self.addresses)}'

    def refuse_taken_port(self) -> None:
        """Raises InputError if another program listens where this worker has to.

        TensorFlow would not say so: two servers can listen at one port and take turns.
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
        """Waits until every worker listens.

        Raises: InputError that names those who did not come in time.
        """
        _begin_waiting()
        started, said = time.monotonic(), False
        missing = set(range(len(self.addresses)))
        while True:
            missing = {i for i in missing if not _listens(self.addresses[i])}
            late = time.monotonic() - float(os.environ[_SINCE]) > self.timeout
            if not missing and not late:
                return
            who = ', '.join(f'worker {i} ({self.addresses[i]})' for i in sorted(missing))
            if late:
                raise errors.InputError(
                    f'{self} waited --cluster_timeout_secs={self.timeout:g} in vain for '
                    f'{who or "the others to train with it"}'
                )
            if not said and time.monotonic() - started > _SAY_AFTER:
                print(f'{self} waits for {who}', flush=True)
                said = True
            time.sleep(0.2)


def together() -> None:
    """Every worker has come: who waits from here on waits anew."""
    os.environ.pop(_SINCE, None)


def end(code: int) -> NoReturn:
    """Ends this process at once: a session that has lost a worker may not let itself be closed."""
    sys.stdout.flush()
    os._exit(code)


def restart(words: Sequence[str]) -> NoReturn:
    """Becomes a new program `tfae` with these words, in the same process.

    A TensorFlow server cannot be ended otherwise, and it remembers those who are gone.
    """
    _begin_waiting()
    time.sleep(_PAUSE)
    for file in pathlib.Path('/proc/self/fd').iterdir():
        # The sockets of the server would stay open, and take the calls meant for the next one.
        if int(file.name) > 2:
            with contextlib.suppress(OSError):  # the listing's own
                os.set_inheritable(int(file.name), False)
    package = str(pathlib.Path(__file__).resolve().parents[1])
    path = [package, *filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep))]
    os.environ['PYTHONPATH'] = os.pathsep.join(dict.fromkeys(path))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, '-m', 'tfae', *words])


def _begin_waiting() -> None:
    """What is waited for from here on counts towards the limit, after a new start too."""
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
    """The workers that TF_CONFIG names; None where TensorFlow would let this process train alone.

    That is where there is no cluster or an empty one, or one of a single task.
    """
    who = 'TF_CONFIG'
    content = _json(who, text)
    if not isinstance(content, dict):
        raise errors.UsageError(f'{who} is {text!r}; it must be a JSON object')
    task, cluster = content.get('task', {}), content.get('cluster', {})
    if not isinstance(task, dict) or not isinstance(cluster, dict):
        raise errors.UsageError(f'{who} is {text!r}; its cluster and task must be objects')
    job, index = task.get('type'), task.get('index')
    if isinstance(index, str) and index.isdecimal():  # some write it so
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
        raise errors.UsageError(f'{who} is {text!r}, which is no JSON: {error}') from None


def _addresses(who: str, jobs: dict[str, Any]) -> dict[str, dict[int, str]]:
    """The jobs that have tasks: job -> number of a task -> host:port, by number.

    As for `tf.train.ClusterSpec`, the tasks of a job are a list, or an object if some lack.
    """
    found = {}
    for job, tasks in jobs.items():
        if isinstance(tasks, list | None):
            tasks = dict(enumerate(tasks or ()))
        if not isinstance(tasks, dict):
            raise errors.UsageError(f'{who} has {tasks!r} in job {job}; wanted is host:port')
        numbered = {}
        for number, address in tasks.items():
            if not re.fullmatch('[0-9]{1,9}', str(number)):
                raise errors.UsageError(
                    f'{who} has task {number!r} in job {job}; its number must be 0 or more'
                )
            if not _is_address(address):
                raise errors.UsageError(f'{who} has {address!r} in job {job}; wanted is host:port')
            if int(number) in numbered:
                raise errors.UsageError(f'{who} has task {int(number)} of job {job} twice')
            numbered[int(number)] = address
        if numbered:
            found[job] = dict(sorted(numbered.items()))
    return found


def _members(
    who: str, jobs: dict[str, dict[int, str]], job: Any, index: Any, config: Config
) -> Members:
    """The workers of these jobs; a chief comes before the workers."""
    unused = sorted(set(jobs) - {*_CHIEFS, 'worker'})
    if unused:
        raise errors.UsageError(
            f'{who} names {", ".join(unused)}; tfae trains without parameter servers and '
            f'evaluators, its jobs are worker and, for the first of them, chief'
        )
    tasks = [(name, i) for name in (*_CHIEFS, 'worker') for i in jobs.get(name, {})]
    every = [jobs[name][i] for name, i in tasks]
    twice = sorted({address for address in every if every.count(address) > 1})
    if twice:
        raise errors.UsageError(f'{who} names {", ".join(twice)} more than once')
    chiefs = [name for name, _ in tasks if name in _CHIEFS]
    if len(chiefs) > 1:
        raise errors.UsageError(f'{who} names {len(chiefs)} chiefs; there can be one')
    if job not in jobs:
        raise errors.UsageError(
            f'{who}: this process is of job {job!r}; there is {", ".join(jobs) or "no job"}'
        )
    if type(index) is not int or index not in jobs[job]:
        given = '--task_index' if who == '--cluster' else f'{who}: task index'
        known = list(jobs[job])
        wanted = f'lie in [0, {len(known) - 1}]'
        if known != list(range(len(known))):
            wanted = f'be one of {", ".join(map(str, known))}'
        raise errors.UsageError(
            f'{given} is {index}; job {job} has {len(known)} tasks, it must {wanted}'
        )
    return Members(tuple(every), tasks.index((job, index)), config.cluster_timeout_secs)


def _is_address(address: Any) -> bool:
    found = re.fullmatch(r'([\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})', str(address))
    return found is not None and 0 < int(found[2]) < 2**16
