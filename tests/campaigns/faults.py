r"""Injures runs of tfae and counts what became of them.

    python tests/campaigns/faults.py [--kinds=kill,full] [--families=dense,gan] [--rounds=300] \
        [--seed=0] [--json=faults.json]

    kill         SIGKILL at random moments of training, again and again until the run ends
    commands     SIGKILL at random moments of the other commands that write
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
# These go through the families by themselves.
OVER_FAMILIES = ('commands', 'shards')
FAMILIES = ('dense', 'classifier', 'convolutional', 'gan', 'siamese', 'variational')

_KINDS = flags.DEFINE_list('kinds', [], 'Some of those above; none: all.')
_FAMILIES = flags.DEFINE_list('families', [], 'Families of models; none: all.')
_ROUNDS = flags.DEFINE_integer('rounds', 100, 'Faults of each kind.', lower_bound=1)
_SEED = flags.DEFINE_integer('seed', 0, 'Decides what is injured and, but for pace, when.')
_JSON = flags.DEFINE_string('json', '', 'File for the counts.')

HEAD = (
    '| kind | faults | given again to the end | as if nothing had happened | stopped and said why '
    'in one line | data lost | seconds |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
)


def row(kind: str, count: Count, seconds: float) -> str:
    """A line of the table."""
    return f'| {kind} | {" | ".join(f"{n:,}" for n in count)} | {seconds:,.0f} |'


def main(argv: list[str]) -> int:
    """Runs the campaign and prints the table; returns 1 if anything was lost."""
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
