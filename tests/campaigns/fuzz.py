r"""Feeds corrupt and hostile files to every reader of tfae and counts failures.

    python tests/campaigns/fuzz.py --cases=1000000 [--targets=idx,npz] [--seconds=3600] [--seed=0]
    python tests/campaigns/fuzz.py --replay=runs/fuzz/npz_0.bin --targets=npz

A case is a valid file of the target in which a few bytes, words, numbers or JSON values are
replaced, removed, repeated or inserted; cases that reach a new line of a reader are mutated
further. A reader must return what its docstring promises, or raise a user error of one line that
names the file. It fails if it raises anything else, warns, prints, uses more than 256 MB (more for
TensorFlow's) or 2 s of processor time, opens a file outside its own folder, executes code from the
file, ends the process or hangs. Failures are stored in --corpus.

Exits with 1 if a case failed. The seed, the targets and the number of cases determine the cases.
"""

import contextlib
import copy
import json
import logging
import math
import mmap
import multiprocessing
import os
import pathlib
import random
import re
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from typing import Any, NamedTuple

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ['CUDA_VISIBLE_DEVICES'] = ''

from absl import app, flags

from tfae.core import errors, stderr

with stderr.native_messages_dropped():
    import fuzz_targets as targets

ROUNDS = 25  # maximum number of chunks of a target, each in its own process
LEAST = 40_000  # cases of a round, since starting a process takes time
SECONDS = 2  # of processor time per case
STILL = 60  # seconds without a finished case after which a process is killed
KEPT = 64  # cases of a chunk that are mutated further

_CASES = flags.DEFINE_integer(
    'cases', 1_000_000, 'Number of cases of all targets together.', lower_bound=1
)
_SECONDS = flags.DEFINE_float('seconds', math.inf, 'Seconds after which no new cases start.')
SEED = flags.DEFINE_integer('seed', 0, 'Seed of the cases, together with the chunk.')
_TARGETS = flags.DEFINE_list('targets', list(targets.TARGETS), 'Targets to fuzz.')
CORPUS = flags.DEFINE_string('corpus', 'runs/fuzz', 'Folder for the cases that fail.')
_REPLAY = flags.DEFINE_string('replay', '', 'A file to read once, by the target in --targets.')
_JSON = flags.DEFINE_string('json', '', 'File for the counts.')


class Failure(NamedTuple):
    """Forbidden behavior of a reader."""

    what: str  # equal for equal faults
    detail: str
    content: bytes


class Count(NamedTuple):
    """Outcomes of the cases of a target."""

    cases: int = 0
    read: int = 0
    refused: int = 0
    failed: int = 0

    def __add__(self, other: Any) -> 'Count':
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
VALUES = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**70, 10**300, -0.0, 1e308, math.inf, math.nan),
    *('', 'a', '../../x', '/etc/passwd', '\ud800', '\n', '\x1b[2J', 'x' * 5000, [], {}, [[]]),
    *([1] * 9, {'a': {}}, '0', [None], [-1], [2**63]),
)


def damaged(chance: random.Random, target: targets.Target, pool: list[bytes]) -> bytes:
    """Returns a mutation of a case from the pool."""
    content = chance.choice(pool)
    if target.json and chance.random() < 0.7:
        try:
            return exchanged(chance, json.loads(content))
        except (ValueError, RecursionError):
            pass
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        place = chance.randrange(len(made) + 1)
        if chance.random() < 0.5:  # headers matter more than the data after them
            place = chance.randrange(min(len(made), 128) + 1)
        damage(chance, target, made, place, pool)
    return bytes(made)


def damage(
    chance: random.Random, target: targets.Target, made: bytearray, place: int, pool: list[bytes]
) -> None:
    """Mutates `made` once, at a position."""
    kind = chance.randrange(10)
    if kind <= 1 and place < len(made):
        made[place] ^= 1 << chance.randrange(8)
    elif kind == 2 and place < len(made):
        made[place] = chance.randrange(256)
    elif kind == 3:
        size, order = chance.choice((1, 2, 4, 8)), chance.choice(('little', 'big'))
        number = chance.choice(NUMBERS) % 256**size
        made[place : place + size] = number.to_bytes(size, order)
    elif kind == 4 and target.words:
        word = chance.choice(target.words)
        made[place : place + chance.choice((0, len(word)))] = word
    elif kind == 5:
        del made[place : place + chance.choice((1, 2, 4, 16, 64))]
    elif kind == 6:
        del made[place:]
    elif kind == 7:
        part = made[place : place + chance.choice((1, 8, 64))]
        made[place:place] = part * chance.choice((1, 2, 100))
    elif kind == 8:
        other = chance.choice(pool)
        start = chance.randrange(len(other) + 1)
        made[place : place + 32] = other[start : start + 32]
    else:
        made[place:place] = chance.randbytes(chance.choice((1, 4, 20)))


def exchanged(chance: random.Random, content: Any) -> bytes:
    """Returns JSON with some values replaced, removed or renamed."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = list(inside(content))
        if not places:
            break
        holder, key = chance.choice(places)
        kind = chance.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[chance.choice((f'{key}s', '', 'step', '\ud800'))] = holder.pop(key)
        elif kind == 2:
            _, other = chance.choice(places), chance.choice(places)
            try:
                holder[key] = json.loads(json.dumps(other[0][other[1]]))
            except (LookupError, ValueError):
                holder[key] = None
        else:
            holder[key] = copy.deepcopy(chance.choice(VALUES))  # must not change by later mutations
    return json.dumps(content).encode()


def inside(content: Any) -> Any:
    """Yields `(holder, key)` of each value inside a JSON value."""
    if not isinstance(content, dict | list):
        return
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(items):
        yield content, key
        if isinstance(value, dict | list):
            yield from inside(value)


class Watch:
    """Records side effects of a reader: warnings, output, opened files, executed code.

    Its audit hook cannot be removed, so it needs its own process.
    """

    FORBIDDEN = (
        'pickle.find_class', 'os.system', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.fork',
        'subprocess.Popen', 'socket.connect', 'ctypes.dlopen', 'os.remove', 'os.rmdir', 'exec',
    )  # fmt: skip

    def __init__(self, folder: pathlib.Path):
        self.seen: list[str] = []
        self.on = False
        self._folder = f'{folder}/'
        self._texts = os.memfd_create('texts')
        for stream in (1, 2):
            os.dup2(self._texts, stream)
        # What Python or a module leaves out for good stays left out.
        warnings.simplefilter('always', append=True)
        warnings.filterwarnings('always', category=SyntaxWarning)
        warnings.showwarning = lambda message, *_, **__: self.seen.append(f'warned: {message}')
        sys.addaudithook(self._hook)

    def _hook(self, event: str, given: tuple) -> None:
        if not self.on or event == 'compile':
            return
        if event == 'open' and isinstance(given[0], str | bytes):
            path = os.path.normpath(pathlib.Path.cwd() / os.fsdecode(given[0]))
            if not f'{path}/'.startswith(self._folder) and not of_python(path):
                self.seen.append('opened a file of another folder')
        elif event == 'exec' and of_python(getattr(given[0], 'co_filename', '')):
            return  # a module of Python's is imported
        elif event in self.FORBIDDEN:
            self.seen.append(f'ran {event}')

    def too_long(self, *_: Any) -> None:
        """Interrupts a reader that exceeded its time."""
        if self.on:
            raise TooLong

    def taken(self) -> list[str]:
        """Returns the side effects since the last call."""
        if os.fstat(self._texts).st_size:
            text = os.pread(self._texts, 200, 0).decode(errors='replace')
            self.seen.append(f'printed: {text}')
            os.ftruncate(self._texts, 0)
            os.lseek(self._texts, 0, os.SEEK_SET)
        seen, self.seen[:] = list(dict.fromkeys(self.seen)), []
        return seen


def of_python(path: str) -> bool:
    """Returns whether a file belongs to the installation."""
    installed = ('.py', '.pyc', '.so', '.html', '.css', '.js')
    return path.endswith(installed) or '/encodings/' in path or path == os.devnull


class TooLong(BaseException):
    """A reader exceeded its processor time."""


def judged(target: targets.Target, path: pathlib.Path, watch: Watch) -> tuple[str, str, tuple]:
    """Returns `read`, `refused` or the failure; details; the lines where it ended."""
    place: tuple = ()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    watch.on = True
    try:
        found = target.read(path)
        watch.on = False
        outcome = 'read' if target.sound(found) else 'gave what its docstring does not say'
        detail = repr(found)[:200] if outcome != 'read' else ''
    except (errors.UsageError, errors.InputError, OSError) as error:
        watch.on = False
        outcome, detail, place = 'refused', ' '.join(str(error).split()), where(error)
        if target.named and str(path.parent) not in detail:
            outcome = 'refused without a word of the file'
    except BaseException as error:  # one that ends the program too
        watch.on = False
        place = where(error)
        outcome = f'{type(error).__name__} at {place[-1] if place else "?"}'
        detail = f'{str(error)[:200]}\n{"".join(traceback.format_exception(error)[-12:])}'
    finally:
        watch.on = False
        signal.setitimer(signal.ITIMER_PROF, 0)
    if seen := [text for text in watch.taken() if not text.startswith(target.may)]:
        outcome = re.sub(r'0x\w+|\d+', '#', seen[0])[:100]
        detail = '\n'.join(seen)
    return outcome, detail, place


def where(error: BaseException) -> tuple[str, ...]:
    """Returns the lines of the traceback of an error."""
    frames = traceback.extract_tb(error.__traceback__)
    return tuple(f'{pathlib.Path(f.filename).name}:{f.lineno}' for f in frames[1:])


def prepared(target: targets.Target, path: pathlib.Path, folder: pathlib.Path) -> Watch:
    """Prepares this process: reads valid files, limits memory, and installs the watch."""
    for content in target.seeds():  # so that late imports are done
        path.write_bytes(content)
        with contextlib.suppress(errors.UsageError, errors.InputError):
            target.read(path)
    limit = int(pathlib.Path('/proc/self/statm').read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (limit + target.memory, limit + target.memory))
    logging.getLogger('tensorflow').setLevel(logging.ERROR)  # as the program does
    watch = Watch(folder)
    signal.signal(signal.SIGPROF, watch.too_long)
    return watch


def chunk(name: str, number: int, cases: int, folder: pathlib.Path, done: Any, pipe: Any) -> None:
    """Runs the cases of a chunk in this process and sends the outcomes."""
    target, chance = targets.TARGETS[name], random.Random(f'{SEED.value}/{name}/{number}')
    path = folder / target.file
    pool = list(target.seeds())
    watch = prepared(target, path, folder)
    places, first, kept = set(), len(pool), {}
    counts = dict.fromkeys(('read', 'refused', 'failed'), 0)
    for i in range(cases):
        content = damaged(chance, target, pool)
        path.write_bytes(content)
        outcome, detail, place = judged(target, path, watch)
        counts[outcome if outcome in counts else 'failed'] += 1
        if outcome not in counts and outcome not in kept:
            kept[outcome] = Failure(outcome, detail, content)
        if place not in places and len(content) < 20_000:
            places.add(place)
            pool[first:] = pool[max(first, len(pool) - KEPT) :] + [content]
        struct.pack_into('q', done, 0, i + 1)
    pipe.send(((cases, *counts.values()), [tuple(failure) for failure in kept.values()]))


def run_chunk(name: str, number: int, cases: int) -> tuple[Count, list[Failure]]:
    """Runs a chunk in its own process; if that ends early, its last case failed."""
    shared = '/dev/shm' if pathlib.Path('/dev/shm').is_dir() else None
    done = mmap.mmap(-1, 8)
    ours, theirs = multiprocessing.Pipe(False)
    with tempfile.TemporaryDirectory(prefix='tfae_fuzz_', dir=shared) as place:
        folder = pathlib.Path(place).resolve()
        arguments = (name, number, cases, folder, done, theirs)
        process = multiprocessing.get_context('fork').Process(target=chunk, args=arguments)
        process.start()
        theirs.close()
        before = -1
        while not ours.poll(STILL):
            now = struct.unpack_from('q', done)[0]
            if now == before:
                process.kill()
                break
            before = now
        try:
            counts, kept = ours.recv()
            count, failures = Count(*counts), [Failure(*failure) for failure in kept]
        except EOFError:
            process.join()
            what = 'stands still' if process.exitcode == -signal.SIGKILL else 'ends the process'
            reached = struct.unpack_from('q', done)[0]
            if process.exitcode == 1 and not reached:
                raise SystemExit(f'{name}: its own files are not read') from None
            path = folder / targets.TARGETS[name].file
            content = path.read_bytes() if path.exists() else b''
            count = Count(reached + 1, failed=1)
            failures = [Failure(what, f'exit code {process.exitcode}', content)]
        process.join()
    return count, failures


def replay(name: str, path: str) -> int:
    """Reads a file once as a case and prints the result."""
    target = targets.TARGETS[name]
    with tempfile.TemporaryDirectory() as place:
        case = pathlib.Path(place, target.file)
        case.write_bytes(pathlib.Path(path).read_bytes())
        print(target.read(case))
    return 0


def shares(names: list[str], cases: int) -> dict[str, int]:
    """Splits `cases` over the targets by their weights."""
    weights = [targets.TARGETS[name].weight for name in names]
    ends = [round(cases * sum(weights[: i + 1]) / sum(weights)) for i in range(len(names))]
    return {name: end - start for name, start, end in zip(names, [0, *ends], ends, strict=False)}


def chunks(wanted: dict[str, int]) -> Any:
    """Yields `(target, number of the first case, cases)`, over the targets in turn."""
    rounds = max(1, min(ROUNDS, sum(wanted.values()) // LEAST))
    for part in range(rounds):
        for name, cases in wanted.items():
            first, last = cases * part // rounds, cases * (part + 1) // rounds
            if last > first:
                yield name, first, last - first


def keep(corpus: pathlib.Path, name: str, failure: Failure) -> None:
    """Stores a failed case and prints the failure."""
    corpus.mkdir(parents=True, exist_ok=True)
    path = corpus / f'{name}.bin'
    path.write_bytes(failure.content)
    print(f'{name}: {failure.what}\n  {path}\n  {failure.detail[-2000:]}', file=sys.stderr)


def table(counts: dict[str, Count], seconds: dict[str, float]) -> str:
    """Formats the outcomes as a table, one row per target."""
    total = sum(counts.values(), Count())
    rows = [(name, count, seconds[name]) for name, count in counts.items()]
    lines = [
        '| target | cases | read | one-line error | failures | seconds |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
    ]
    for name, count, spent in [*rows, ('**all**', total, sum(seconds.values()))]:
        cells = [name, *(f'{n:,}' for n in count), f'{spent:,.0f}']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def asked(argv: list[str]) -> list[str]:
    """Returns the targets of the command line."""
    unknown = [*(set(_TARGETS.value) - set(targets.TARGETS)), *argv[1:]]
    if unknown:
        raise app.UsageError(f'unknown {unknown}; targets are {", ".join(targets.TARGETS)}')
    return _TARGETS.value


def main(argv: list[str]) -> int:
    """Runs the cases, prints the table, stores failures; returns 1 if there are any."""
    names = asked(argv)
    if _REPLAY.value:
        return replay(names[0], _REPLAY.value)
    started = time.monotonic()
    counts = {name: Count() for name in names}
    seconds = dict.fromkeys(counts, 0.0)
    known: set[tuple[str, str]] = set()
    for name, number, cases in chunks(shares(names, _CASES.value)):
        began = time.monotonic()
        if began - started > _SECONDS.value:
            break
        tried = 0
        while tried < cases:  # a case that ends its process ends the chunk
            count, failures = run_chunk(name, number + tried, cases - tried)
            tried += count.cases
            counts[name] += count
            for failure in failures:
                if (name, failure.what) not in known:
                    known.add((name, failure.what))
                    keep(pathlib.Path(CORPUS.value), f'{name}_{len(known)}', failure)
        seconds[name] += time.monotonic() - began
    print(table(counts, seconds))
    if _JSON.value:
        found = {name: count._asdict() for name, count in counts.items()}
        pathlib.Path(_JSON.value).write_text(json.dumps(found, indent=1) + '\n')
    return int(any(count.failed for count in counts.values()))


if __name__ == '__main__':
    app.run(main)
