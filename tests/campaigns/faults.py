r"""Injures runs of tfae and counts what became of them.

    python tests/campaigns/faults.py [--kinds=kill,full] [--families=dense,gan] [--rounds=300] \
        [--seed=0] [--json=faults.json]

    kill         SIGKILL at random moments of training, again and again until the run ends
    verbs        SIGKILL at random moments of the other commands that write
    full         a file system that is full after some pages, of training and of the others
    readonly     a folder that loses its rights while training writes into it
    flip, cut    some bits of a random file of a run turned over, or its end cut off
    shards       the same in a folder of shards
    clock        each program starts on a clock that was set back or forth
    two          a second program begins on a folder in which one trains
    tensorboard  TensorBoard's reader reads while training writes and is killed
    workers      SIGKILL of one of two workers that train a run together, which then comes back

Each run is a small one of the real program, in a process of its own. A run that was injured and
then given again must end as one that was not: every variable, every line of metrics.jsonl but its
times, the best checkpoint and the curves, byte for byte. What stops a program must be said in one
line, and once the cause is gone the run must end as above. Anything else is data lost, and is
printed. Exits with 1 if there is any. --rounds are faults of each kind.
"""

import contextlib
import ctypes
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))

import tfae_program  # noqa: E402
import workers as cluster  # noqa: E402

from tfae.core import stderr  # noqa: E402

PAGE = 4096
SIZES = {
    'dense': ('--units=12,4', '--pretraining=greedy', '--pretraining_epochs=2', '--epochs=4',
              '--corruption=masking:0.3'),
    'convolutional': ('--filters=3,4', '--epochs=3'),
}  # fmt: skip
OFTEN = ('--checkpoint_steps=5', '--summary_steps=10')

_KINDS = flags.DEFINE_list('kinds', [], 'Some of those above; none: all.')
_FAMILIES = flags.DEFINE_list('families', [], 'Families of models; none: all.')
_ROUNDS = flags.DEFINE_integer('rounds', 100, 'Faults of each kind.', lower_bound=1)
_SEED = flags.DEFINE_integer('seed', 0, 'Decides what is injured and, but for pace, when.')
_JSON = flags.DEFINE_string('json', '', 'File for the counts.')


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
        return ('train', f'--model={family}', *SIZES.get(family, ('--epochs=3',)), *OFTEN)

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
    except Exception as error:  # whatever a damaged file draws
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


def kill(bench: Bench, family: str, rounds: int) -> Count:
    """SIGKILL, at a moment that is even over the whole program or lies soon after a record."""
    count, logdir = Count(), bench.new()
    while count.faults < rounds:
        program = bench.train(family, logdir)
        if bench.chance.random() < 0.5:
            wait = bench.chance.uniform(0, bench.seconds(family))
        else:
            await_records(program, logdir, bench.chance.randrange(2))
            wait = bench.chance.uniform(0, 0.1)
        until = time.monotonic() + wait
        while program.running and time.monotonic() < until:
            time.sleep(0.002)
        done = program.kill()
        if done.code == -signal.SIGKILL:
            count += Count(faults=1)
        else:  # it came to its end
            count += stopped(done, f'{family}, killed')
            count += bench.ended(family, logdir, 'killed')
            shutil.rmtree(logdir, ignore_errors=True)
            logdir = bench.new()
    return count + bench.ended(family, logdir, 'killed')


def await_records(program: Any, logdir: pathlib.Path, more: int) -> None:
    """Waits until a program has recorded so many more epochs, or ends."""
    records = len(tfae_program.metrics(logdir)) + more
    tfae_program.wait_for(lambda: len(tfae_program.metrics(logdir)) >= records, program)


VERBS = {
    'evaluate': (), 'reconstruct': (), 'embed': (), 'latent': (), 'report': (), 'cluster': (),
    'probe': ('--labels=100,300', '--repeats=2'), 'interpolate': ('--indices=0,1',),
    'sample': ('--count=4',), 'convert': (), 'anomaly': (), 'compare': (),
    'explain': ('--method=saliency', '--indices=0,1'), 'export': ('--output=run/export',),
    'variables': ('--export=run/variables.npz',), 'morph': ('--attribute=class>4', '--indices=0,1'),
}  # fmt: skip


def outputs(folder: pathlib.Path) -> dict[str, bytes]:
    """What a command has written: no events, whose names and times differ, nothing unfinished."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob('*'))}
    return {
        str(name): path.read_bytes()
        for name, path in files.items()
        if path.is_file()
        and not path.name.startswith(('events', 'lock'))
        and not any(part.startswith('.') for part in name.parts)
    }


def command(bench: Bench, verb: str) -> tuple[str, ...]:
    """A command that writes into the folder `run`."""
    if verb == 'convert':
        return ('convert', f'--input={bench.folder / "pictures"}', '--output=run',
                '--shard_examples=4', '--processes=2')  # fmt: skip
    if verb == 'compare':
        return (verb, '--output=run/comparison', 'run', str(bench.whole('dense')))
    return (verb, '--logdir=run', *VERBS[verb])


def place(bench: Bench, verb: str, family: str) -> pathlib.Path:
    """A folder for a command: a copy of a run, or an empty one."""
    copy = bench.new() / 'run'
    if verb == 'convert':
        import pictures

        if not (bench.folder / 'pictures').exists():
            pictures.fill(bench.folder / 'pictures', 24)
        copy.mkdir(parents=True)
    else:
        shutil.copytree(bench.whole(family), copy)
    return copy


@functools.cache
def undisturbed(bench: Bench, verb: str, family: str) -> tuple[dict[str, bytes], float]:
    """What a command writes, and how long it takes; nothing where a family lacks what it wants."""
    folder, began = place(bench, verb, family), time.monotonic()
    done = tfae_program.run(*command(bench, verb), cwd=folder.parent)
    if done.code and line(done):
        return {}, time.monotonic() - began
    assert (done.code, done.err) == (0, ''), done
    return outputs(folder), time.monotonic() - began


def chosen(bench: Bench, i: int) -> tuple[str, str]:
    """Number `i` of the commands, on one family after another of those that it suits."""
    turn, verb = divmod(i, len(VERBS))
    name = list(VERBS)[verb]
    suited = [family for family in bench.families if undisturbed(bench, name, family)[0]]
    return name, (suited or bench.families)[turn % len(suited or bench.families)]


def repeated(
    bench: Bench, verb: str, family: str, folder: pathlib.Path, before: dict[str, bytes]
) -> Count:
    """What a command left behind must be what was there or what it writes; then it is repeated."""
    whole, _ = undisturbed(bench, verb, family)
    left = outputs(folder)
    wrong = [n for n, c in left.items() if c not in (before.get(n), whole.get(n))]
    lost = [name for name in before if name not in left]
    done = tfae_program.run(*command(bench, verb), cwd=folder.parent)
    made = outputs(folder)
    again = [n for n in whole.keys() | made.keys() if made.get(n) != whole.get(n)] if whole else []
    # A command that came to its end may refuse to do it twice.
    fine = not (wrong or lost or again) and (done.code == 0 or bool(line(done)))
    if not fine:
        report(f'{verb} of {family}: wrong {wrong}, lost {lost}, again {again}, {done}')
    return Count(runs=1, identical=int(fine), lost=int(not fine))


def verbs(bench: Bench, family: str, rounds: int) -> Count:
    """SIGKILL of the commands that look into a run, or make shards."""
    del family  # each verb goes through those that it suits
    count = Count()
    for i in range(rounds):
        verb, family = chosen(bench, i)
        _, seconds = undisturbed(bench, verb, family)
        folder = place(bench, verb, family)
        before = outputs(folder)
        program = tfae_program.start(*command(bench, verb), cwd=folder.parent)
        time.sleep(bench.chance.uniform(0, seconds))
        program.kill()
        count += Count(faults=1) + repeated(bench, verb, family, folder, before)
        shutil.rmtree(folder.parent)
    return count


@contextlib.contextmanager
def mounted(folder: pathlib.Path) -> Iterator[Any]:
    """A file system in memory; gives a function that sets its size in bytes."""

    def mount(*options: str) -> None:
        done = subprocess.run(['mount', *options], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f'a file system cannot be mounted here: {done.stderr.strip()}')

    folder.mkdir(parents=True)
    mount('-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', str(folder))
    try:
        yield lambda size: mount('-o', f'remount,size={size}', str(folder))
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def used(folder: pathlib.Path) -> int:
    """Bytes that a folder takes in whole pages."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in files)


def full(bench: Bench, family: str, rounds: int) -> Count:
    """A file system that is full after so many pages: sizes are spread over all that is written."""
    count = Count()
    for i in range(rounds):
        disk = bench.new()
        with mounted(disk) as resize:
            if i % 3 < 2:
                part = (i + bench.chance.random()) / rounds
                resize(2 * PAGE + int(1.1 * part * used(bench.whole(family))) // PAGE * PAGE)
                done = bench.train(family, disk / 'run').wait()
                resize(2**30)
                count += Count(faults=1) + stopped(done, f'{family}, disk full')
                count += bench.ended(family, disk / 'run', f'disk full, {line(done)}')
            else:
                verb = bench.chance.choice(list(VERBS))
                source = place(bench, verb, family)
                shutil.copytree(source, disk / 'run')
                shutil.rmtree(source.parent)
                before, (whole, _) = outputs(disk / 'run'), undisturbed(bench, verb, family)
                more = sum(len(content) for n, content in whole.items() if n not in before)
                resize(used(disk / 'run') + PAGE + int(bench.chance.random() * more))
                done = tfae_program.run(*command(bench, verb), cwd=disk)
                resize(2**30)
                count += Count(faults=1) + stopped(done, f'{verb}, disk full')
                count += repeated(bench, verb, family, disk / 'run', before)
    return count


def without_rights() -> None:
    """Root may write anywhere: a program that is to be kept from it gives that right up."""
    version, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(version, none):
        raise OSError(ctypes.get_errno(), 'rights cannot be given up')


def readonly(bench: Bench, family: str, rounds: int) -> Count:
    """A folder that loses its rights while training writes into it."""
    count = Count()
    before = without_rights if os.geteuid() == 0 else None
    for _ in range(rounds):
        logdir = bench.new()
        logdir.mkdir()
        program = bench.train(family, logdir, before)
        until = time.monotonic() + bench.chance.uniform(0, bench.seconds(family))
        while program.running and time.monotonic() < until:
            time.sleep(0.002)
        folders = [logdir, *(path for path in logdir.rglob('*') if path.is_dir())]
        for path in folders:
            path.chmod(0o555)
        done = program.wait()
        for path in folders:
            path.chmod(0o755)
        count += Count(faults=1) + stopped(done, f'{family}, read-only')
        done = bench.train(family, logdir, before).wait()
        count += stopped(done, f'{family}, read-only before')
        count += bench.ended(family, logdir, f'read-only, {line(done)}')
        shutil.rmtree(logdir)
    return count


def injured(chance: random.Random, content: bytes, how: str) -> bytes:
    """Some bits turned over, or the end cut off."""
    if how == 'cut' or not content:
        return content[: chance.randrange(max(len(content), 1))]
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 4, 16))):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def named(path: pathlib.Path, text: str) -> bool:
    """Whether a text says which file of a run is meant."""
    if path.name.startswith('model-') or path.name == 'checkpoint':
        return 'checkpoint' in text and path.parent.name in text
    return path.name in text


def damage(bench: Bench, family: str, rounds: int, how: str) -> Count:
    """A random file of a run that was stopped halfway is damaged."""
    count = Count()
    for _ in range(rounds):
        logdir = bench.half(family)
        files = sorted(path for path in logdir.rglob('*') if path.is_file())
        kinds = sorted(
            {path.name.split('.')[0].split('-')[0] for path in files if path.name != 'lock'}
        )
        kind = bench.chance.choice(kinds)  # there are many checkpoints and one config.json
        path = bench.chance.choice([path for path in files if path.name.startswith(kind)])
        sound, others = path.read_bytes(), outputs(logdir)
        path.write_bytes(injured(bench.chance, sound, how))
        what = f'{path.relative_to(logdir)} {how}'
        count += Count(faults=1) + judged(bench, family, logdir, path, sound, others, what)
        shutil.rmtree(logdir)
    return count


def judged(
    bench: Bench, family: str, logdir: pathlib.Path, path: pathlib.Path, sound: bytes,
    others: dict[str, bytes], what: str,
) -> Count:  # fmt: skip
    """What becomes of a run with a damaged file; then, if that stopped it, with the file mended."""
    whole, curves = bench.whole(family), kind_of(path) != 'events'
    done = bench.train(family, logdir).wait()
    if (done.code, done.err) == (0, ''):
        differs = difference(logdir, whole, curves)
        if not differs:
            return Count(runs=1, identical=1)
        best = ('evaluate', f'--logdir={logdir}', '--checkpoint=best')
        said = line(tfae_program.run(*best, cwd=bench.folder))
        if path.parent.name == 'best' and named(path, said):
            return Count(runs=1, explained=1)  # the run went on; what was best is gone and told
        report(f'{family}, {what}: {differs}')
        return Count(runs=1, lost=1)
    name = str(path.relative_to(logdir))
    touched = [n for n, c in others.items() if n != name and outputs(logdir).get(n) != c]
    if not named(path, line(done)) or touched:
        report(f'{family}, {what}: {done.code} {done.err}, changed {touched}')
        return Count(lost=1)
    path.write_bytes(sound)
    return Count(explained=1) + bench.ended(family, logdir, f'{what} and mended')


def kind_of(path: pathlib.Path) -> str:
    """`model`, `config`, `events` ... of a file's name."""
    return path.name.split('.')[0].split('-')[0]


def shards(bench: Bench, family: str, rounds: int) -> Count:
    """A file of a folder of shards is damaged: verify must see it, and loading or training too."""
    del family  # there is none in pictures
    count = Count()
    for i in range(rounds):
        folder = place(bench, 'convert', '')
        tfae_program.run(*command(bench, 'convert'), cwd=folder.parent)
        path = bench.chance.choice([path for path in folder.iterdir() if path.name != '.'])
        sound = path.read_bytes()
        bad = injured(bench.chance, sound, 'cut' if i % 2 else 'flip')
        path.write_bytes(bad)
        told = tfae_program.run('verify', '--input=run', cwd=folder.parent)
        words = ('train', '--dataset=records', '--data_dir=run', '--units=4', '--epochs=1')
        train = tfae_program.run(*words, '--batch_size=4', '--logdir=trained', cwd=folder.parent)
        count += Count(faults=1) + stopped(train, f'{path.name} of shards')
        if bad != sound and not line(told):
            report(f'verify does not see that {path.name} is damaged: {told}')
            count += Count(lost=1)
        done = tfae_program.run(*command(bench, 'convert'), cwd=folder.parent)
        whole, _ = undisturbed(bench, 'convert', '')
        made = {n: c for n, c in outputs(folder).items() if n in whole}
        if done.code or made != whole:
            report(f'convert does not mend {path.name}: {done}')
        fine = done.code == 0 and made == whole
        count += Count(runs=1, identical=int(fine), lost=int(not fine))
        shutil.rmtree(folder.parent)
    return count


def on_clock(seconds: float) -> None:
    """This process thinks that it is so much later."""
    real = time.time
    time.time = lambda: real() + seconds  # type: ignore[assignment]


def clock(bench: Bench, family: str, rounds: int) -> Count:
    """Each program of a run that is killed begins on a clock of its own."""
    count, logdir = Count(), bench.new()
    for i in range(rounds):
        hours = bench.chance.choice((-10_000, -24, -1, -0.001, 1, 10_000))
        program = bench.train(family, logdir, functools.partial(on_clock, 3600 * hours))
        await_records(program, logdir, 1)
        done = program.kill()
        count += Count(faults=1) + (stopped(done, 'clock') if done.code >= 0 else Count())
        if done.code >= 0 or i + 1 == rounds:
            count += bench.ended(family, logdir, 'clock')
            logdir = bench.new()
    return count


def two(bench: Bench, family: str, rounds: int) -> Count:
    """Two programs begin on one folder, the second at a random moment of the first."""
    count = Count()
    for _ in range(rounds):
        logdir = bench.new()
        first = bench.train(family, logdir)
        time.sleep(bench.chance.uniform(0, bench.seconds(family)))
        second = bench.train(family, logdir)
        for done in (first.wait(), second.wait()):
            count += stopped(done, f'{family}, two programs')
        count += Count(faults=1) + bench.ended(family, logdir, 'two programs')
        shutil.rmtree(logdir)
    return count


def tensorboard(bench: Bench, family: str, rounds: int) -> Count:
    """TensorBoard's reader reads while training writes, which is killed in between."""
    from tensorboard.backend.event_processing import event_accumulator

    count, logdir = Count(), bench.new()
    logdir.mkdir()
    reader = event_accumulator.EventAccumulator(str(logdir), {'scalars': 0})
    while count.faults < rounds:
        program = bench.train(family, logdir)
        until = time.monotonic() + bench.chance.uniform(0.3, 1) * bench.seconds(family)
        while program.running and time.monotonic() < until:
            reader.Reload()
            count += Count(faults=1)
            time.sleep(0.02)
        done = program.kill()
        if done.code == 0:
            count += bench.ended(family, logdir, 'TensorBoard reads')
            reader.Reload()
            seen = {
                tag: {(e.step, e.value) for e in reader.Scalars(tag)}
                for tag in reader.Tags()['scalars']
                if not tag.endswith(tfae_program.TIMING)
            }
            if seen != tfae_program.scalars(bench.whole(family)):
                report(f'{family}: what TensorBoard saw on the way is not what it sees at the end')
                count += Count(lost=1)
            logdir = bench.new()
            logdir.mkdir()
            reader = event_accumulator.EventAccumulator(str(logdir), {'scalars': 0})
    return count + bench.ended(family, logdir, 'TensorBoard reads')


@functools.cache
def together(bench: Bench, family: str) -> pathlib.Path:
    """The run of two workers that nothing happened to."""
    made = cluster.Workers(bench.folder / f'together_{family}', 2, *bench.words(family))
    for done in made.wait():
        assert (done.code, done.err) == (0, ''), done
    return made.logdir


def workers(bench: Bench, family: str, rounds: int) -> Count:
    """One of two workers is killed, at random, and started again, until their run ends."""
    count, whole = Count(), together(bench, family)
    while count.faults < rounds:
        made = cluster.Workers(bench.new(), 2, *bench.words(family), timeout=30)
        while count.faults < rounds:
            await_records(made.all[0], made.logdir, bench.chance.randrange(2))
            time.sleep(bench.chance.uniform(0, 0.3))
            k = bench.chance.randrange(2)
            if not all(program.running for program in made.all):
                break
            made.all[k].kill()
            count += Count(faults=1)
            made.all[k] = made.start(k)
        ended = [stopped(done, f'{family}, workers') for done in made.wait()]
        count += sum(ended, Count())
        if any(end.explained for end in ended):
            # One that was killed after the other had heard of the end waits for it in vain.
            made.all = [made.start(k) for k in range(2)]
            count += sum((stopped(done, f'{family}, again') for done in made.wait()), Count())
        what = difference(made.logdir, whole)
        if what:
            report(f'{family}, workers: {what}')
        count += Count(runs=1, identical=int(not what), lost=int(bool(what)))
    return count


KINDS = {
    'kill': kill,
    'verbs': verbs,
    'full': full,
    'readonly': readonly,
    'flip': functools.partial(damage, how='flip'),
    'cut': functools.partial(damage, how='cut'),
    'shards': shards,
    'clock': clock,
    'two': two,
    'tensorboard': tensorboard,
    'workers': workers,
}


HEAD = (
    '| kind | faults | given again to the end | as if nothing had happened | stopped and said why '
    'in one line | data lost | seconds |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
)


def row(kind: str, count: Count, seconds: float) -> str:
    """A line of the table."""
    return f'| {kind} | {" | ".join(f"{n:,}" for n in count)} | {seconds:,.0f} |'


def main(argv: list[str]) -> int:
    """Runs the campaign and prints the table; returns 1 if anything was lost."""
    known = {'kinds': list(KINDS), 'families': ['dense', 'classifier', 'convolutional', 'gan',
                                                'siamese', 'variational']}  # fmt: skip
    asked = {
        'kinds': _KINDS.value or known['kinds'],
        'families': _FAMILIES.value or known['families'],
    }
    unknown = [
        *argv[1:],
        *(name for what, of in asked.items() for name in of if name not in known[what]),
    ]
    if unknown:
        raise app.UsageError(f'unknown {unknown}; there are {known}')
    os.environ |= {'CUDA_VISIBLE_DEVICES': '', 'TF_CPP_MIN_LOG_LEVEL': '3'}
    with stderr.native_messages_dropped():
        import tensorflow  # noqa: F401

        tfae_program.warm()
    counts, started = {}, time.monotonic()
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix='tfae_faults_') as folder:
        pathlib.Path(folder).chmod(0o755)
        bench = Bench(pathlib.Path(folder).resolve(), _SEED.value, asked['families'])
        for kind in asked['kinds']:
            began, counts[kind] = time.monotonic(), Count()
            families = asked['families'][:1] if kind in ('verbs', 'shards') else asked['families']
            for i, family in enumerate(families):
                some = (_ROUNDS.value + len(families) - 1 - i) // len(families)
                if some:
                    counts[kind] += KINDS[kind](bench, family, some)
            print(row(kind, counts[kind], time.monotonic() - began), flush=True)
    print(row('**all**', sum(counts.values(), Count()), time.monotonic() - started))
    if _JSON.value:
        found = {kind: count._asdict() for kind, count in counts.items()}
        pathlib.Path(_JSON.value).write_text(json.dumps(found, indent=1) + '\n')
    return int(any(count.lost for count in counts.values()))


if __name__ == '__main__':
    app.run(main)
