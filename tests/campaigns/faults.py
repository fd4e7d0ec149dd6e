r"""Injects faults into runs of tfae and counts the outcomes.

    python tests/campaigns/faults.py [--kinds=kill,full] [--families=dense,gan] [--rounds=300] \
        [--seed=0] [--json=faults.json]

    kill         SIGKILL at random moments of training, again and again until the run ends
    commands     SIGKILL at random moments of the other commands that write files
    full         a file system that is full after some pages, in training and other commands
    readonly     a folder that becomes read-only while training writes to it
    flip, cut    a random file of a run with flipped bits, or truncated
    shards       the same in a folder of shards
    clock        each program starts with a clock that was set back or forward
    two          a second program starts in a folder in which one trains
    tensorboard  TensorBoard's reader reads while training writes and is killed
    workers      SIGKILL of one of two workers of a run, which then restarts

Each run is a small run of the real program in its own process. A run that was disturbed and then
resumed must equal an undisturbed one: every variable, every line of metrics.jsonl except its times,
the best checkpoint and the curves, byte for byte. If a program stops, it must report the reason in
one line, and the run must end as above once the cause is removed. Anything else is lost data, which
is printed. Exits with 1 if there is any. --rounds is the number of faults of each kind.
"""

import functools
import json
import os
import pathlib
import sys
import tempfile
import time

from absl import app, flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))

import command_faults  # noqa: E402
import disk_faults  # noqa: E402
import file_faults  # noqa: E402
import process_faults  # noqa: E402
import tfae_program  # noqa: E402
from fault_bench import Bench, Count  # noqa: E402

from tfae.core import stderr  # noqa: E402

KINDS = {
    'kill': process_faults.kill,
    'commands': command_faults.commands,
    'full': disk_faults.full,
    'readonly': disk_faults.readonly,
    'flip': functools.partial(file_faults.damage, how='flip'),
    'cut': functools.partial(file_faults.damage, how='cut'),
    'shards': file_faults.shards,
    'clock': process_faults.clock,
    'two': process_faults.two,
    'tensorboard': process_faults.tensorboard,
    'workers': process_faults.workers,
}
# These iterate over the families themselves.
OVER_FAMILIES = ('commands', 'shards')
FAMILIES = ('dense', 'classifier', 'convolutional', 'gan', 'siamese', 'variational')

_KINDS = flags.DEFINE_list('kinds', [], 'Kinds of faults, some of those above; empty: all.')
_FAMILIES = flags.DEFINE_list('families', [], 'Families of models; empty: all.')
_ROUNDS = flags.DEFINE_integer('rounds', 100, 'Faults of each kind.', lower_bound=1)
_SEED = flags.DEFINE_integer('seed', 0, 'Selects the faults and, except for timing, their moments.')
_JSON = flags.DEFINE_string('json', '', 'File for the counts.')

HEAD = (
    '| kind | faults | resumed to the end | equal to an undisturbed run | stopped with a one-line '
    'error | data lost | seconds |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
)


def row(kind: str, count: Count, seconds: float) -> str:
    """Returns a row of the table."""
    return f'| {kind} | {" | ".join(f"{n:,}" for n in count)} | {seconds:,.0f} |'


def main(argv: list[str]) -> int:
    """Runs the campaign and prints the table; returns 1 if data were lost."""
    known = {'kinds': list(KINDS), 'families': list(FAMILIES)}
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
            families = asked['families'][: 1 if kind in OVER_FAMILIES else None]
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
