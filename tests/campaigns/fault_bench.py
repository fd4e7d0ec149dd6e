"""The bench of the fault campaign: injured runs, the same runs uninjured, and the counts."""

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
    """What became of faults."""

    faults: int = 0
    runs: int = 0  # that were given again to their end
    identical: int = 0
    explained: int = 0  # programs that stopped with one line
    lost: int = 0

    def __add__(self, other: Any) -> 'Count':
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


class Bench:
    """A folder for runs, and the runs of each family that nothing happened to."""

    def __init__(self, folder: pathlib.Path, seed: int, families: list[str]):
        self.folder = folder
        self.chance = random.Random(seed)
        self.families = families
        self._seconds: dict[str, float] = {}
        self._made = 0

    def words(self, family: str) -> tuple[str, ...]:
        """The command that trains a family, without its folder."""
        return ('train', f'--model={family}', *_SIZES.get(family, ('--epochs=3',)), *_OFTEN)

    def whole(self, family: str) -> pathlib.Path:
        """The run that nothing happened to."""
        path = self.folder / f'whole_{family}'
        if family not in self._seconds:
            began = time.monotonic()
            done = self.train(family, path).wait()
            assert (done.code, done.err) == (0, ''), done
            self._seconds[family] = time.monotonic() - began
        return path

    def seconds(self, family: str) -> float:
        """How long that took."""
        self.whole(family)
        return self._seconds[family]

    def new(self) -> pathlib.Path:
        """A folder that is not there yet."""
        self._made += 1
        return self.folder / f'run_{self._made}'

    def train(self, family: str, logdir: pathlib.Path, before: Any = None) -> Any:
        """A program that trains."""
        words = (*self.words(family), f'--logdir={logdir}')
        return tfae_program.start(*words, cwd=self.folder, before=before)

    def ended(self, family: str, logdir: pathlib.Path, fault: str) -> Count:
        """Gives the command again and compares the run with the whole one."""
        done = self.train(family, logdir).wait()
        what = '' if (done.code, done.err) == (0, '') else f'{done.code}: {done.err or done.out}'
        what = what or difference(logdir, self.whole(family))
        if what:
            report(f'{family}, {fault}: {what}')
        return Count(runs=1, identical=int(not what), lost=int(bool(what)))

    def half(self, family: str) -> pathlib.Path:
        """A copy of a run that was stopped halfway."""
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
    """Says what went wrong."""
    print(f'LOST {text}', file=sys.stderr, flush=True)


def difference(logdir: pathlib.Path, whole: pathlib.Path, curves: bool = True) -> str:
    """In what a run differs from another; an empty text if in nothing but times."""
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
    except Exception as error:  # whatever a damaged file raises
        return f'{type(error).__name__}: {error}'
    return ''


def line(done: tfae_program.Done) -> str:
    """The one line with which a program stopped; empty if it did otherwise."""
    lines = done.err.splitlines()
    told = len(lines) == 1 and lines[0].startswith('tfae: error: ') and done.code in (1, 2)
    return lines[0] if told and 'Traceback' not in done.out else ''


def stopped(done: tfae_program.Done, fault: str) -> Count:
    """What it counts that a program ended so, which may have ended well."""
    if (done.code, done.err) == (0, ''):
        return Count()
    if line(done):
        return Count(explained=1)
    report(f'{fault}: {done.code}: {done.err or done.out[-300:]}')
    return Count(lost=1)


def await_records(program: Any, logdir: pathlib.Path, more: int) -> None:
    """Waits until a program has recorded so many more epochs, or ends."""
    records = len(tfae_program.metrics(logdir)) + more
    tfae_program.wait_for(lambda: len(tfae_program.metrics(logdir)) >= records, program)
