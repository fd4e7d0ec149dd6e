"""Faults of the commands that read a run or write shards: SIGKILL while they write."""

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
    """Returns the outputs of a command, without events (which differ) and temporary files."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob('*'))}
    return {
        str(name): path.read_bytes()
        for name, path in files.items()
        if path.is_file()
        and not path.name.startswith(('events', 'lock'))
        and not any(part.startswith('.') for part in name.parts)
    }


def command(bench: Bench, name: str) -> tuple[str, ...]:
    """Returns a command that writes to the folder `run`."""
    if name == 'convert':
        return ('convert', f'--input={bench.folder / "images"}', '--output=run',
                '--shard_examples=4', '--processes=2')  # fmt: skip
    if name == 'compare':
        return (name, '--output=run/comparison', 'run', str(bench.whole('dense')))
    return (name, '--logdir=run', *COMMANDS[name])


def place(bench: Bench, name: str, family: str) -> pathlib.Path:
    """Returns a folder for a command: a copy of a run, or an empty one."""
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
    """Returns the outputs of a command and its seconds; none if it does not fit the family."""
    folder, began = place(bench, name, family), time.monotonic()
    done = tfae_program.run(*command(bench, name), cwd=folder.parent)
    if done.code and fault_bench.line(done):
        return {}, time.monotonic() - began
    assert (done.code, done.err) == (0, ''), done
    return outputs(folder), time.monotonic() - began


def chosen(bench: Bench, i: int) -> tuple[str, str]:
    """Returns command `i` and a family, in turn among those that it fits."""
    turn, number = divmod(i, len(COMMANDS))
    name = list(COMMANDS)[number]
    suited = [family for family in bench.families if undisturbed(bench, name, family)[0]]
    return name, (suited or bench.families)[turn % len(suited or bench.families)]


def repeated(
    bench: Bench, name: str, family: str, folder: pathlib.Path, before: dict[str, bytes]
) -> Count:
    """Checks that outputs are either old or complete, then repeats the command."""
    whole, _ = undisturbed(bench, name, family)
    left = outputs(folder)
    wrong = [n for n, c in left.items() if c not in (before.get(n), whole.get(n))]
    lost = [n for n in before if n not in left]
    done = tfae_program.run(*command(bench, name), cwd=folder.parent)
    made = outputs(folder)
    again = [n for n in whole.keys() | made.keys() if made.get(n) != whole.get(n)] if whole else []
    # A command that had finished may refuse to overwrite its output.
    fine = not (wrong or lost or again) and (done.code == 0 or bool(fault_bench.line(done)))
    if not fine:
        fault_bench.report(f'{name} of {family}: wrong {wrong}, lost {lost}, again {again}, {done}')
    return Count(runs=1, identical=int(fine), lost=int(not fine))


def commands(bench: Bench, family: str, rounds: int) -> Count:
    """Kills the commands that read a run or write shards."""
    del family  # each command iterates over those that it fits
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
