"""Faults of the commands that look into a run, or make shards: SIGKILL while they write."""

import functools
import pathlib
import shutil
import time

import fault_bench
import tfae_program
from fault_bench import Bench, Count

COMMANDS = {
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


def command(bench: Bench, name: str) -> tuple[str, ...]:
    """A command that writes into the folder `run`."""
    if name == 'convert':
        return ('convert', f'--input={bench.folder / "images"}', '--output=run',
                '--shard_examples=4', '--processes=2')  # fmt: skip
    if name == 'compare':
        return (name, '--output=run/comparison', 'run', str(bench.whole('dense')))
    return (name, '--logdir=run', *COMMANDS[name])


def place(bench: Bench, name: str, family: str) -> pathlib.Path:
    """A folder for a command: a copy of a run, or an empty one."""
    copy = bench.new() / 'run'
    if name == 'convert':
        import sample_images

        if not (bench.folder / 'images').exists():
            sample_images.fill(bench.folder / 'images', 24)
        copy.mkdir(parents=True)
    else:
        shutil.copytree(bench.whole(family), copy)
    return copy


@functools.cache
def undisturbed(bench: Bench, name: str, family: str) -> tuple[dict[str, bytes], float]:
    """What a command writes, and how long it takes; nothing where a family lacks what it wants."""
    folder, began = place(bench, name, family), time.monotonic()
    done = tfae_program.run(*command(bench, name), cwd=folder.parent)
    if done.code and fault_bench.line(done):
        return {}, time.monotonic() - began
    assert (done.code, done.err) == (0, ''), done
    return outputs(folder), time.monotonic() - began


def chosen(bench: Bench, i: int) -> tuple[str, str]:
    """Number `i` of the commands, on one family after another of those that it suits."""
    turn, number = divmod(i, len(COMMANDS))
    name = list(COMMANDS)[number]
    suited = [family for family in bench.families if undisturbed(bench, name, family)[0]]
    return name, (suited or bench.families)[turn % len(suited or bench.families)]


def repeated(
    bench: Bench, name: str, family: str, folder: pathlib.Path, before: dict[str, bytes]
) -> Count:
    """What a command left behind must be what was there or what it writes; then it is repeated."""
    whole, _ = undisturbed(bench, name, family)
    left = outputs(folder)
    wrong = [n for n, c in left.items() if c not in (before.get(n), whole.get(n))]
    lost = [n for n in before if n not in left]
    done = tfae_program.run(*command(bench, name), cwd=folder.parent)
    made = outputs(folder)
    again = [n for n in whole.keys() | made.keys() if made.get(n) != whole.get(n)] if whole else []
    # A command that came to its end may refuse to do it twice.
    fine = not (wrong or lost or again) and (done.code == 0 or bool(fault_bench.line(done)))
    if not fine:
        fault_bench.report(f'{name} of {family}: wrong {wrong}, lost {lost}, again {again}, {done}')
    return Count(runs=1, identical=int(fine), lost=int(not fine))


def commands(bench: Bench, family: str, rounds: int) -> Count:
    """SIGKILL of the commands that look into a run, or make shards."""
    del family  # each command goes through those that it suits
    count = Count()
    for i in range(rounds):
        name, family = chosen(bench, i)
        _, seconds = undisturbed(bench, name, family)
        folder = place(bench, name, family)
        before = outputs(folder)
        program = tfae_program.start(*command(bench, name), cwd=folder.parent)
        time.sleep(bench.chance.uniform(0, seconds))
        program.kill()
        count += Count(faults=1) + repeated(bench, name, family, folder, before)
        shutil.rmtree(folder.parent)
    return count
