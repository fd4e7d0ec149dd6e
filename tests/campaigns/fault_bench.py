"""Test bench of the fault campaign: disturbed runs, undisturbed references, and counts."""

import pathlib
import random
import shutil
import signal
import sys
import time
from typing import Any, NamedTuple

import tfae_program

_SIZES = {
    'dense': ('--units=12,4', '--pretraining=greedy', '--pretraining_epochs=2', '--epochs=4',
              '--corruption=masking:0.3'),
    'convolutional': ('--filters=3,4', '--epochs=3'),
}  # fmt: skip
_OFTEN = ('--checkpoint_steps=5', '--summary_steps=10')


class Count(NamedTuple):
    """Outcomes of faults."""

    faults: int = 0
    runs: int = 0  # that were resumed to their end
    identical: int = 0
    explained: int = 0  # programs that stopped with a one-line error
    lost: int = 0

    def __add__(self, other: Any) -> 'Count':
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


class Bench:
    """A folder for runs, and the undisturbed run of each family."""

    def __init__(self, folder: pathlib.Path, seed: int, families: list[str]):
        self.folder = folder
        self.chance = random.Random(seed)
        self.families = families
        self._seconds: dict[str, float] = {}
        self._made = 0

    def words(self, family: str) -> tuple[str, ...]:
        """Returns the command that trains a family, without its folder."""
        return ('train', f'--model={family}', *_SIZES.get(family, ('--epochs=3',)), *_OFTEN)

    def whole(self, family: str) -> pathlib.Path:
        """Returns the undisturbed run of a family."""
        path = self.folder / f'whole_{family}'
        if family not in self._seconds:
            began = time.monotonic()
            done = self.train(family, path).wait()
            assert (done.code, done.err) == (0, ''), done
            self._seconds[family] = time.monotonic() - began
        return path

    def seconds(self, family: str) -> float:
        """Returns the seconds of the undisturbed run."""
        self.whole(family)
        return self._seconds[family]

    def new(self) -> pathlib.Path:
        """Returns the path of a new folder."""
        self._made += 1
        return self.folder / f'run_{self._made}'

    def train(self, family: str, logdir: pathlib.Path, before: Any = None) -> Any:
        """Starts a program that trains."""
        words = (*self.words(family), f'--logdir={logdir}')
        return tfae_program.start(*words, cwd=self.folder, before=before)

    def ended(self, family: str, logdir: pathlib.Path, fault: str) -> Count:
        """Resumes the run to its end and compares it with the undisturbed one."""
        done = self.train(family, logdir).wait()
        what = '' if (done.code, done.err) == (0, '') else f'{done.code}: {done.err or done.out}'
        what = what or difference(logdir, self.whole(family))
        if what:
            report(f'{family}, {fault}: {what}')
        return Count(runs=1, identical=int(not what), lost=int(bool(what)))

    def half(self, family: str) -> pathlib.Path:
        """Returns a copy of a run that was stopped halfway."""
        path = self.folder / f'half_{family}'
        if not path.exists():
            records = len(tfae_program.metrics(self.whole(family))) // 2
            program = self.train(family, path)
            tfae_program.wait_for(lambda: len(tfae_program.metrics(path)) >= records, program)
            program.send(signal.SIGTERM)
            assert program.wait().code in (0, 143)
        copy = self.new()
        shutil.copytree(path, copy)
        return copy


def report(text: str) -> None:
    """Prints lost data."""
    print(f'LOST {text}', file=sys.stderr, flush=True)


def difference(logdir: pathlib.Path, whole: pathlib.Path, curves: bool = True) -> str:
    """Describes how a run differs from another; empty if only in its times."""
    try:
        if tfae_program.steps(logdir)[-1:] != tfae_program.steps(whole)[-1:]:
            return f'its checkpoints are of {tfae_program.steps(logdir)}'
        for part in ('', 'best'):
            if tfae_program.steps(whole / part) and not tfae_program.same_bytes(
                tfae_program.checkpoint(logdir / part), tfae_program.checkpoint(whole / part)
            ):
                return f'{part or "last"} checkpoint has other variables'
        if tfae_program.metrics(logdir) != tfae_program.metrics(whole):
            return 'metrics.jsonl has other lines'
        if curves and tfae_program.scalars(logdir) != tfae_program.scalars(whole):
            return 'TensorBoard shows other curves'
    except Exception as error:  # any error that a corrupt file causes
        return f'{type(error).__name__}: {error}'
    return ''


def line(done: tfae_program.Done) -> str:
    """Returns the one-line error of a program; empty if it ended otherwise."""
    lines = done.err.splitlines()
    told = len(lines) == 1 and lines[0].startswith('tfae: error: ') and done.code in (1, 2)
    return lines[0] if told and 'Traceback' not in done.out else ''


def stopped(done: tfae_program.Done, fault: str) -> Count:
    """Counts the end of a program that may fail with a one-line error."""
    if (done.code, done.err) == (0, ''):
        return Count()
    if line(done):
        return Count(explained=1)
    report(f'{fault}: {done.code}: {done.err or done.out[-300:]}')
    return Count(lost=1)


def await_records(program: Any, logdir: pathlib.Path, more: int) -> None:
    """Waits until a program has recorded `more` epochs, or ends."""
    records = len(tfae_program.metrics(logdir)) + more
    tfae_program.wait_for(lambda: len(tfae_program.metrics(logdir)) >= records, program)
