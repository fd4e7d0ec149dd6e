"""Faults of programs that train: SIGKILL, another clock, a second program, a reader, workers."""

import functools
import pathlib
import shutil
import signal
import time

import fault_bench
import tfae_program
import workers as cluster
from fault_bench import Bench, Count


def kill(bench: Bench, family: str, rounds: int) -> Count:
    """Kills training, at a uniformly random moment or shortly after a record."""
    count, logdir = Count(), bench.new()
    while count.faults < rounds:
        program = bench.train(family, logdir)
        if bench.chance.random() < 0.5:
            wait = bench.chance.uniform(0, bench.seconds(family))
        else:
            fault_bench.await_records(program, logdir, bench.chance.randrange(2))
            wait = bench.chance.uniform(0, 0.1)
        until = time.monotonic() + wait
        while program.running and time.monotonic() < until:
            time.sleep(0.002)
        done = program.kill()
        if done.code == -signal.SIGKILL:
            count += Count(faults=1)
        else:  # it had finished
            count += fault_bench.stopped(done, f'{family}, killed')
            count += bench.ended(family, logdir, 'killed')
            shutil.rmtree(logdir, ignore_errors=True)
            logdir = bench.new()
    return count + bench.ended(family, logdir, 'killed')


def on_clock(seconds: float) -> None:
    """Shifts the clock of this process by `seconds`."""
    real = time.time
    time.time = lambda: real() + seconds  # type: ignore[assignment]


def clock(bench: Bench, family: str, rounds: int) -> Count:
    """Kills the programs of a run, each of which starts with another clock."""
    count, logdir = Count(), bench.new()
    for i in range(rounds):
        hours = bench.chance.choice((-10_000, -24, -1, -0.001, 1, 10_000))
        program = bench.train(family, logdir, functools.partial(on_clock, 3600 * hours))
        fault_bench.await_records(program, logdir, 1)
        done = program.kill()
        count += Count(faults=1)
        if done.code >= 0:
            count += fault_bench.stopped(done, 'clock')
        if done.code >= 0 or i + 1 == rounds:
            count += bench.ended(family, logdir, 'clock')
            logdir = bench.new()
    return count


def two(bench: Bench, family: str, rounds: int) -> Count:
    """Starts two programs in one folder, the second at a random moment of the first."""
    count = Count()
    for _ in range(rounds):
        logdir = bench.new()
        first = bench.train(family, logdir)
        time.sleep(bench.chance.uniform(0, bench.seconds(family)))
        second = bench.train(family, logdir)
        for done in (first.wait(), second.wait()):
            count += fault_bench.stopped(done, f'{family}, two programs')
        count += Count(faults=1) + bench.ended(family, logdir, 'two programs')
        shutil.rmtree(logdir)
    return count


def tensorboard(bench: Bench, family: str, rounds: int) -> Count:
    """Reads event files by TensorBoard's reader while training writes and is killed."""
    from tensorboard.backend.event_processing import event_accumulator

    count, logdir = Count(), bench.new()
    (logdir / 'train').mkdir(parents=True)
    reader = event_accumulator.EventAccumulator(str(logdir / 'train'), {'scalars': 0})
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
                f'train/{tag}': {(e.step, e.value) for e in reader.Scalars(tag)}
                for tag in reader.Tags()['scalars']
                if not tag.endswith(tfae_program.TIMING)
            }
            whole = tfae_program.scalars(bench.whole(family))
            if seen != {tag: whole[tag] for tag in whole if tag.startswith('train/')}:
                fault_bench.report(
                    f'{family}: TensorBoard saw other curves on the way than at the end'
                )
                count += Count(lost=1)
            logdir = bench.new()
            (logdir / 'train').mkdir(parents=True)
            reader = event_accumulator.EventAccumulator(str(logdir / 'train'), {'scalars': 0})
    return count + bench.ended(family, logdir, 'TensorBoard reads')


@functools.cache
def together(bench: Bench, family: str) -> pathlib.Path:
    """Returns the undisturbed run of two workers."""
    made = cluster.Workers(bench.folder / f'together_{family}', 2, *bench.words(family))
    for done in made.wait():
        assert (done.code, done.err) == (0, ''), done
    return made.logdir


def workers(bench: Bench, family: str, rounds: int) -> Count:
    """Kills one of two workers at random and restarts it, until their run ends."""
    count, whole = Count(), together(bench, family)
    while count.faults < rounds:
        made = cluster.Workers(bench.new(), 2, *bench.words(family), timeout=30)
        while count.faults < rounds:
            fault_bench.await_records(made.all[0], made.logdir, bench.chance.randrange(2))
            time.sleep(bench.chance.uniform(0, 0.3))
            k = bench.chance.randrange(2)
            if not all(program.running for program in made.all):
                break
            made.all[k].kill()
            count += Count(faults=1)
            made.all[k] = made.start(k)
        ended = [fault_bench.stopped(done, f'{family}, workers') for done in made.wait()]
        count += sum(ended, Count())
        if any(end.explained for end in ended):
            # One killed after the other had heard of the end waits for it until the timeout.
            made.all = [made.start(k) for k in range(2)]
            again = [fault_bench.stopped(done, f'{family}, again') for done in made.wait()]
            count += sum(again, Count())
        what = fault_bench.difference(made.logdir, whole)
        if what:
            fault_bench.report(f'{family}, workers: {what}')
        count += Count(runs=1, identical=int(not what), lost=int(bool(what)))
    return count
