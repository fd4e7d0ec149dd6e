"""Runs the program `tfae` as a user does: a process with arguments, two streams and an exit code.

`cold` starts `python -m tfae`. `start` and `run` execute the same module as `__main__` too, in a
process forked from one that has already imported TensorFlow and tfae's commands: that takes a
tenth of a second in place of five. Both are real processes, which can be killed.
"""

import dataclasses
import functools
import json
import logging
import multiprocessing
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import forkserver

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Fields that differ between runs: times, and checksums of lines with times.
TIMING = ('examples_per_second', 'input_wait', 'seconds', 'crc32')

# Imported before programs are forked.
LIBRARIES = (
    *('tensorflow', 'tensorboard', 'matplotlib.pyplot', 'PIL.Image', 'scipy.linalg', 'h5py'),
    *('sklearn.cluster', 'sklearn.datasets', 'sklearn.decomposition', 'sklearn.linear_model'),
    *('sklearn.mixture', 'sklearn.neighbors', 'sklearn.pipeline'),
)
COMMANDS = tuple(f'tfae.commands.{path.stem}' for path in ROOT.glob('tfae/commands/[a-z]*.py'))
_PATIENCE = 120  # seconds


@dataclasses.dataclass(frozen=True)
class Done:
    """Result of a program: exit code (minus the signal that killed it) and output."""

    code: int
    out: str
    err: str
    warning: str = ''  # of a run that learned nothing, as short runs of tests do

    def __post_init__(self):
        lines = self.err.splitlines(keepends=True)
        found = [line for line in lines if line.startswith('tfae: warning: the run learned noth')]
        object.__setattr__(self, 'warning', ''.join(found))
        rest = ''.join(line for line in lines if line not in found)
        object.__setattr__(self, 'err', rest)

    def refusal(self, code):
        """Returns the only line on stderr; fails on another exit code or a traceback."""
        assert 'Traceback' not in self.out + self.err, self.out + self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith('tfae: error: ')
        assert self.code == code, lines
        return lines[0].removeprefix('tfae: error: ')


class Program:
    """A running `tfae`."""

    def __init__(self, argv, cwd, environment, before=None):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix='tfae_program_'))
        arguments = (list(map(str, argv)), str(cwd), environment, str(self._folder), before)
        self._process = _context().Process(target=_main, args=arguments)
        self._process.start()
        self._died = 0

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process.is_alive()

    def out(self):
        """Returns the output so far."""
        path = self._folder / 'out'
        return path.read_text() if path.exists() else ''

    def send(self, number):
        os.kill(self._process.pid, number)

    def kill(self):
        """Kills the process and waits for its end."""
        self._process.kill()
        return self.wait()

    def wait(self):
        self._process.join(_PATIENCE)
        assert self._process.exitcode is not None, 'the program does not end'
        # A process that was killed at once has no output files yet.
        streams = [self._folder / name for name in ('out', 'err')]
        out, err = (path.read_text() if path.exists() else '' for path in streams)
        shutil.rmtree(self._folder)
        return Done(self._process.exitcode, out, err)


def environment(folder, **more):
    """Returns environment variables that hide the data sets of this machine."""
    kept = {k: v for k, v in os.environ.items() if k != 'TFAE_DATA_DIR'}
    return (
        kept | {'HOME': str(folder), 'CUDA_VISIBLE_DEVICES': '', 'TF_CPP_MIN_LOG_LEVEL': '3'} | more
    )


def warm():
    """Starts the server of processes, which the first program does otherwise."""
    _context()


def start(*argv, cwd='.', before=None, **more):
    """A `Program` with these words behind its name; `more` are environment variables.

    `before` is called in its process before the program begins.
    """
    return Program(argv, cwd, environment(cwd, **more), before)


def run(*argv, cwd='.', **more):
    """Runs the program to its end."""
    return start(*argv, cwd=cwd, **more).wait()


def cold(*argv, cwd='.', **more):
    """Starts `python -m tfae` as a `subprocess.Popen`."""
    return subprocess.Popen(
        [sys.executable, '-m', 'tfae', *map(str, argv)],
        cwd=cwd,
        env=environment(cwd, PYTHONPATH=str(ROOT), **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Waits for a `cold` program and returns its result."""
    out, err = process.communicate(timeout=_PATIENCE)
    return Done(process.returncode, out, err)


def wait_for(condition, program):
    """Waits until `condition` holds; False if the program ended before it did."""
    ended = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < ended, 'waited in vain'
        if not program.running:
            return condition()
        time.sleep(0.005)
    return True


def metrics(logdir):
    """Returns the complete lines of metrics.jsonl, without times."""
    path = pathlib.Path(logdir, 'metrics.jsonl')
    records = []
    for line in path.read_text().splitlines(keepends=True) if path.exists() else []:
        if line.endswith('\n'):
            record = json.loads(line)
            records.append({k: v for k, v in record.items() if k not in TIMING})
    return records


def steps(logdir):
    """Returns the steps of the checkpoints in a run, oldest first."""
    names = [path.stem for path in pathlib.Path(logdir).glob('model-*.index')]
    return sorted(int(name.removeprefix('model-')) for name in names)


def checkpoint(logdir, step=None):
    """Returns variable name -> value of the newest checkpoint, or that of `step`."""
    import tensorflow.compat.v1 as tf

    found = steps(logdir)[-1] if step is None else step
    reader = tf.train.load_checkpoint(str(pathlib.Path(logdir, f'model-{found}')))
    names = reader.get_variable_to_shape_map().keys() - {'_TFAE_CONFIGURATION'}
    return {name: reader.get_tensor(name) for name in sorted(names)}


def same_bytes(a, b):
    """Returns whether two checkpoints have the same variables, bit for bit."""
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and np.array_equal(bits(a[name]), bits(b[name]))
        for name in a
    )


def bits(array):
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)


def contents(folder):
    """Returns relative path -> (bytes, time of the last write) of each file in a folder."""
    files = sorted(path for path in pathlib.Path(folder).rglob('*') if path.is_file())
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
    }


@functools.cache
def _context():
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([*LIBRARIES, *COMMANDS])
    # TensorFlow reads its log level once, on import, which is in the server.
    kept = dict(os.environ)
    os.environ |= {'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONPATH': str(ROOT)}
    forkserver.ensure_running()
    os.environ.clear()
    os.environ.update(kept)
    return context


def _main(argv, cwd, variables, folder, before):
    """Runs the program in the forked process."""
    for number, name in ((1, 'out'), (2, 'err')):
        os.dup2(os.open(f'{folder}/{name}', os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout = os.fdopen(1, 'w', buffering=1)
    sys.stderr = os.fdopen(2, 'w', buffering=1)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ['tfae', *argv]
    sys.path.insert(0, str(ROOT))
    if before:
        before()
    runpy.run_module('tfae', run_name='__main__', alter_sys=True)


def scalars(logdir: pathlib.Path) -> dict[str, set[tuple[int, float]]]:
    """`writer/tag` -> (step, value), as TensorBoard reads them."""
    from tensorboard.backend.event_processing import event_accumulator

    logging.getLogger('tensorboard').setLevel(logging.ERROR)
    found = {}
    for writer in ('train', 'validation'):
        if (logdir / writer).is_dir():
            events = event_accumulator.EventAccumulator(str(logdir / writer), {'scalars': 0})
            events.Reload()
            for tag in events.Tags()['scalars']:
                points = [(event.step, event.value) for event in events.Scalars(tag)]
                assert tag.endswith(TIMING) or len(points) == len({step for step, _ in points}), tag
                found[f'{writer}/{tag}'] = set(points)
    return {tag: points for tag, points in found.items() if not tag.endswith(TIMING)}


def shuffled(count, seed):
    """Returns the order of the first epoch of a stream, by the operations of TensorFlow."""
    import tensorflow.compat.v1 as tf

    key = np.random.SeedSequence([seed]).generate_state(1, np.uint64)
    with tf.Graph().as_default(), tf.Session() as session:
        words = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[8], key=key, counter=np.zeros(2, np.uint64), alg=1, dtype=tf.int32
        )
        places = tf.range(count, dtype=tf.int64)
        order = tf.raw_ops.RandomIndexShuffle(
            index=places, seed=words[:3], max_index=places[-1], rounds=8
        )
        return session.run(order)
