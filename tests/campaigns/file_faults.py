"""File corruption: flipped bits or truncation, in a run and in a folder of shards."""

import pathlib
import random
import shutil

import command_faults
import fault_bench
import tfae_program
from fault_bench import Bench, Count


def corrupted(chance: random.Random, content: bytes, how: str) -> bytes:
    """Flips some bits, or truncates."""
    if how == 'cut' or not content:
        return content[: chance.randrange(max(len(content), 1))]
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 4, 16))):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def named(path: pathlib.Path, text: str) -> bool:
    """Returns whether a text names the file of a run."""
    if path.name.startswith('model-') or path.name == 'checkpoint':
        return 'checkpoint' in text and path.parent.name in text
    return path.name in text


def damage(bench: Bench, family: str, rounds: int, how: str) -> Count:
    """Corrupts a random file of a run that was stopped halfway."""
    count = Count()
    for _ in range(rounds):
        logdir = bench.half(family)
        files = sorted(path for path in logdir.rglob('*') if path.is_file())
        kinds = sorted({kind_of(path) for path in files if path.name != 'lock'})
        kind = bench.chance.choice(kinds)  # there are many checkpoints and one config.json
        path = bench.chance.choice([path for path in files if path.name.startswith(kind)])
        sound, others = path.read_bytes(), command_faults.outputs(logdir)
        path.write_bytes(corrupted(bench.chance, sound, how))
        what = f'{path.relative_to(logdir)} {how}'
        count += Count(faults=1) + judged(bench, family, logdir, path, sound, others, what)
        shutil.rmtree(logdir)
    return count


def judged(
    bench: Bench, family: str, logdir: pathlib.Path, path: pathlib.Path, sound: bytes,
    others: dict[str, bytes], what: str,
) -> Count:  # fmt: skip
    """Resumes a run with a corrupt file; if that fails, resumes it with the file repaired."""
    whole, curves = bench.whole(family), kind_of(path) != 'events'
    done = bench.train(family, logdir).wait()
    if (done.code, done.err) == (0, ''):
        differs = fault_bench.difference(logdir, whole, curves)
        if not differs:
            return Count(runs=1, identical=1)
        best = ('evaluate', f'--logdir={logdir}', '--checkpoint=best')
        said = fault_bench.line(tfae_program.run(*best, cwd=bench.folder))
        if path.parent.name == 'best' and named(path, said):
            return Count(
                runs=1, explained=1
            )  # the run resumed; the lost best checkpoint is reported
        fault_bench.report(f'{family}, {what}: {differs}')
        return Count(runs=1, lost=1)
    name = str(path.relative_to(logdir))
    left = command_faults.outputs(logdir)
    touched = [n for n, c in others.items() if n != name and left.get(n) != c]
    if not named(path, fault_bench.line(done)) or touched:
        fault_bench.report(f'{family}, {what}: {done.code} {done.err}, changed {touched}')
        return Count(lost=1)
    path.write_bytes(sound)
    return Count(explained=1) + bench.ended(family, logdir, f'{what} and repaired')


def kind_of(path: pathlib.Path) -> str:
    """Returns `model`, `config`, `events` ... from a file name."""
    return path.name.split('.')[0].split('-')[0]


def shards(bench: Bench, family: str, rounds: int) -> Count:
    """Corrupts a file of a folder of shards: verify must detect it, and so must training."""
    del family  # shards have none
    count = Count()
    for i in range(rounds):
        folder = command_faults.place(bench, 'convert', '')
        tfae_program.run(*command_faults.command(bench, 'convert'), cwd=folder.parent)
        path = bench.chance.choice([path for path in folder.iterdir() if path.name != '.'])
        sound = path.read_bytes()
        bad = corrupted(bench.chance, sound, 'cut' if i % 2 else 'flip')
        path.write_bytes(bad)
        told = tfae_program.run('verify', '--input=run', cwd=folder.parent)
        words = ('train', '--dataset=records', '--data_dir=run', '--units=4', '--epochs=1')
        train = tfae_program.run(*words, '--batch_size=4', '--logdir=trained', cwd=folder.parent)
        count += Count(faults=1) + fault_bench.stopped(train, f'{path.name} of shards')
        if bad != sound and not fault_bench.line(told):
            fault_bench.report(f'verify does not detect that {path.name} is corrupt: {told}')
            count += Count(lost=1)
        done = tfae_program.run(*command_faults.command(bench, 'convert'), cwd=folder.parent)
        whole, _ = command_faults.undisturbed(bench, 'convert', '')
        made = {n: c for n, c in command_faults.outputs(folder).items() if n in whole}
        if done.code or made != whole:
            fault_bench.report(f'convert does not repair {path.name}: {done}')
        fine = done.code == 0 and made == whole
        count += Count(runs=1, identical=int(fine), lost=int(not fine))
        shutil.rmtree(folder.parent)
    return count
