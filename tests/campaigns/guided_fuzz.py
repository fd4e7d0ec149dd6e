r"""Fuzzes the targets of fuzz.py guided by coverage, with libFuzzer through atheris.

    python tests/campaigns/guided_fuzz.py [--targets=npz,pth] [--runs=10000] [--seed=1] \
        [--corpus=runs/fuzz]

Cases that reach new lines of tfae are mutated further. The criteria of a failure and the table are
those of fuzz.py; failed cases are stored in --corpus. Each target runs in its own process, with
--runs cases. Exits with 1 if a case failed. Needs atheris: pip install 'tf-autoencoders[fuzz]'.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ['CUDA_VISIBLE_DEVICES'] = ''

import atheris
from absl import app, flags

# Instrumented modules must not be imported earlier.
with atheris.instrument_imports(include=['tfae']):
    import fuzz

_RUNS = flags.DEFINE_integer('runs', 10_000, 'Cases of each target.', lower_bound=1)
_ONE = flags.DEFINE_string('one', '', 'Target of this process; used by the driver.')
_LONGEST = 20_000  # bytes of a case


def explore(name: str, folder: pathlib.Path) -> None:
    """Runs the cases of a target in this process, which libFuzzer then ends."""
    target = fuzz.targets.TARGETS[name]
    path, seeds = folder / target.file, folder.parent / 'seeds'
    seeds.mkdir()
    for i, content in enumerate(target.seeds()):
        (seeds / str(i)).write_bytes(content)
    watch = fuzz.prepared(target, path, folder)
    counts = dict.fromkeys(('read', 'refused', 'failed'), 0)
    known: set[str] = set()

    def case(content: bytes) -> None:
        watch.taken()  # drops the output of libFuzzer
        path.write_bytes(content)
        outcome, detail, _ = fuzz.judged(target, path, watch)
        counts[outcome if outcome in counts else 'failed'] += 1
        failure = ''
        if outcome not in counts and outcome not in known:
            known.add(outcome)
            failure = f'{name}_guided_{len(known)}'
            (folder.parent / f'{failure}.bin').write_bytes(content)
            (folder.parent / f'{failure}.txt').write_text(f'{outcome}\n{detail}')
        if failure or sum(counts.values()) % 100 == 0 or sum(counts.values()) >= _RUNS.value:
            (folder.parent / 'counts.json').write_text(json.dumps(counts))

    words = [
        *(sys.argv[0], f'-runs={_RUNS.value}', f'-seed={fuzz.SEED.value + 1}', '-verbosity=0'),
        *(f'-max_len={_LONGEST}', f'-timeout={fuzz.STILL}', '-rss_limit_mb=0', str(seeds)),
    ]
    atheris.Setup(words, case)
    atheris.Fuzz()


def run(name: str) -> fuzz.Count:
    """Runs the cases of a target in its own process."""
    with tempfile.TemporaryDirectory(prefix='tfae_fuzz_') as place:
        folder = pathlib.Path(place).resolve() / 'file'
        folder.mkdir()
        words = [sys.executable, sys.argv[0], f'--one={name}', f'--runs={_RUNS.value}']
        words += [f'--seed={fuzz.SEED.value}', str(folder)]
        done = subprocess.run(words, capture_output=True, text=True)
        path = folder.parent / 'counts.json'
        counts = json.loads(path.read_text()) if path.exists() else {'read': 0, 'refused': 0}
        for text in sorted(folder.parent.glob('*.txt')):
            what, _, detail = text.read_text().partition('\n')
            failure = fuzz.Failure(what, detail, text.with_suffix('.bin').read_bytes())
            fuzz.keep(pathlib.Path(fuzz.CORPUS.value), text.stem, failure)
        if sum(counts.values()) < _RUNS.value:  # the process ended early
            target = fuzz.targets.TARGETS[name]
            content = (
                (folder / target.file).read_bytes() if (folder / target.file).exists() else b''
            )
            detail = f'exit code {done.returncode}: {done.stderr[-1500:]}'
            failure = fuzz.Failure('ends the process', detail, content)
            fuzz.keep(pathlib.Path(fuzz.CORPUS.value), f'{name}_guided_end', failure)
            counts['failed'] = counts.get('failed', 0) + 1
    return fuzz.Count(sum(counts.values()), **counts)


def main(argv: list[str]) -> int:
    """Runs the cases and prints the table; returns 1 if any failed."""
    if _ONE.value:
        explore(_ONE.value, pathlib.Path(argv[1]))
    names = fuzz.asked(argv)
    counts, seconds = {}, {}
    for name in names:
        began = time.monotonic()
        counts[name] = run(name)
        seconds[name] = time.monotonic() - began
    print(fuzz.table(counts, seconds))
    return int(any(count.failed for count in counts.values()))


if __name__ == '__main__':
    app.run(main)
