r"""Gives every flag of every command absurd values and counts failures.

    python tests/campaigns/absurd_flags.py [--cases=0] [--commands=train,explain] [--seed=0]

A case is a command line with one flag at an absurd value, and the flags that it requires: sizes of
2^31 and 2^63, numbers at the limits of floats, lists of thousands, texts of a megabyte or with NUL.
The program must succeed, or stop with a one-line error and an exit code. It fails if it prints a
traceback, or uses more than a minute of processor time or eight gigabytes.

--cases are sampled from all by the seed; 0 runs all. Exits with 1 if a case failed.
"""

import dataclasses
import importlib
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import typing
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))

import tfae_program
from absl import app, flags

from tfae import data, models
from tfae.commands.shared import command_flags
from tfae.core import config
from tfae.distributed import cluster
from tfae.runs import options
from tfae.training import phases
from tfae.training.config import TrainingConfig

_CASES = flags.DEFINE_integer(
    'cases', 0, 'Number of cases, sampled from all; 0: all.', lower_bound=0
)
_COMMANDS = flags.DEFINE_list('commands', [], 'Commands to test; empty: all.')
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of the sample.')

SECONDS = 60  # of processor time
BYTES = 8 * 2**30  # of address space; TensorFlow alone takes three of them

WHOLE = (
    '-1',
    '0',
    *(str(2**n + d) for n in (31, 32, 63, 64) for d in (-1, 0)),
    '9' * 30,
    '9' * 5000,
)
FLOATS = ('inf', '-inf', 'nan', '1e308', '1.7976931348623157e308', '1e400', '1e-320', '5e-324',
          '-1e-320', '1e30', '0', '-1', '1e', '9' * 400)  # fmt: skip
TEXTS = ('', '[', '(', 'a\0b', 'a\nb', 'x' * 10**6, '../' * 2000, '\udcff', '\x1b[2J', '--',
         '/dev/null/x', '/dev/zero', '*', ':', '=', ',', '9' * 400, '(' * 5000)  # fmt: skip

# Arguments that a command requires besides the flag.
LOOKING = ('--logdir={run}',)
NEEDED = {
    'convert': ('--input={images}', '--output={new}/shards', '--processes=1'),
    'verify': ('--input={images}',),
    'export': (*LOOKING, '--output={new}/export'),
    'interpolate': (*LOOKING, '--indices=0,1'),
    'explain': (*LOOKING, '--method=saliency', '--indices=0,1'),
    'morph': (*LOOKING, '--attribute=class=0', '--indices=0,1'),
    'sample': (*LOOKING, '--count=4'),
    'probe': (*LOOKING, '--labels=100', '--repeats=1'),
    'compare': ('--output={new}/comparison', '{run}', '{other}'),
    'train': ('--dataset=digits', '--epochs=1', '--logdir={new}/run'),
    'sweep': ('--trials=1', '--dataset=digits', '--epochs=1', '--logdir={new}/sweep'),
    'study': ('--vary=seed=0', '--dataset=digits', '--epochs=1', '--logdir={new}/study'),
    'doctor': (),
    'score': (*LOOKING, '--data={images}'),
    'impute': (*LOOKING, '--data={images}', '--output={new}/filled.csv'),
}  # fmt: skip
# Commands that serve, use the network, or write to the installation.
LEFT_OUT = ('explore', 'fetch', 'build_op')
# Values that enable features that other flags require.
SWITCHES = {
    'filters': '2', 'restore_from': '{run}', 'logdir': '{run}', 'model': 'alexnet', 'units': '4',
    'subset': '10', 'images': '{images}',
}  # fmt: skip


class Case(typing.NamedTuple):
    """A command line."""

    command: str
    flag: str
    value: str
    words: tuple[str, ...]  # arguments, with placeholders of paths in braces


def values(kind: Any) -> tuple[str, ...]:
    """Returns absurd values of a type."""
    if config.is_tuple(kind):
        element = values(typing.get_args(kind)[0])
        return (*element, ',', ',,,', ','.join(['4'] * 3000), ','.join(element[:3]))
    if named := [name for name in config.choices(kind) if ':' not in name]:
        numbers = ('', 'inf', 'nan', '1e308', '-1', '1e-320', 'x')
        own = [f'{name}:{number}' for name in named for number in numbers]
        return ('x', '', 'a\0', *(own if hasattr(kind, 'from_text') else ()))
    known = {int: WHOLE, float: FLOATS, str: TEXTS, bool: ('maybe', '')}
    return known.get(kind, TEXTS)


def needed(kind: type, name: str) -> tuple[str, ...]:
    """Returns the arguments that enable a flag: the first valid value of each required flag."""
    words = []
    for need in config.declarations(kind)[name].needs:
        other, _, wanted = need.removeprefix('--').partition('=')
        words.append(f'--{other}={wanted.split(",")[0] or SWITCHES.get(other, "1")}')
    return tuple(words)


def of(command: str, kind: type, words: tuple[str, ...]) -> list[Case]:
    """Returns the cases of the flags of a dataclass."""
    kinds, found = config.field_types(kind), []
    for field in dataclasses.fields(kind):
        own = tuple(word for word in words if not word.startswith(f'--{field.name}='))
        more = tuple(w for w in needed(kind, field.name) if w.partition('=')[0] not in
                     {word.partition('=')[0] for word in own})  # fmt: skip
        for value in values(kinds[field.name]):
            line = (command, *own, *more, f'--{field.name}={value}')
            found.append(Case(command, field.name, value, line))
    return found


def commands() -> dict[str, list[Case]]:
    """Returns command -> its cases."""
    folder = pathlib.Path(command_flags.__file__).parents[1]
    names = sorted(path.stem for path in folder.glob('[!_]*.py') if path.stem not in LEFT_OUT)
    found: dict[str, list[Case]] = {}
    for name in names:
        kind = getattr(importlib.import_module(f'tfae.commands.{name}'), 'Config', None)
        if kind:
            found[name] = of(name, kind, NEEDED.get(name, LOOKING))
    kinds = (data.Config, TrainingConfig, phases.Config, options.Config, cluster.Config)
    found['train'] += [case for kind in kinds for case in of('train', kind, NEEDED['train'])]
    for family in models.names():
        words = (f'--model={family}', *NEEDED['train'])
        found['train'] += of('train', models.load(family).Config, words)
    return found


def limited() -> None:
    """Limits memory and processor time of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def wrong(case: Case, places: dict[str, str], folder: pathlib.Path) -> str:
    """Runs a case and describes its failure; empty if it succeeded or stopped correctly."""
    words = [word if word.endswith(f'={case.value}') and f'--{case.flag}=' in word else
             word.format_map(places) for word in case.words]  # fmt: skip
    program = tfae_program.start(*words, cwd=folder, before=limited)
    try:
        done = program.wait()
    except AssertionError as error:
        program.send(signal.SIGKILL)
        return str(error)
    lines = done.err.splitlines()
    if 'Traceback' in done.out + done.err:
        return done.err[-1500:]
    if done.code == 0:
        return ''
    told = [line for line in lines if line.startswith('tfae: error: ')]
    if done.code in (1, 2) and len(lines) == 1 and told == lines:
        return ''
    return f'exit code {done.code}: {done.err[-1000:]!r}'


def prepared(folder: pathlib.Path) -> dict[str, str]:
    """Creates two small runs and a folder of images."""
    import sample_images

    places = {name: str(folder / name) for name in ('run', 'other', 'images', 'new')}
    for name in ('run', 'other'):
        words = ('train', '--dataset=digits', '--units=4', '--epochs=1', f'--logdir={places[name]}')
        assert tfae_program.run(*words, cwd=folder).code == 0
    sample_images.fill(folder / 'images', 24)
    return places


def main(argv: list[str]) -> int:
    """Runs the cases and prints the failures and the counts."""
    del argv
    tfae_program._PATIENCE = 10 * SECONDS  # the machine may be busy
    found = commands()
    chosen = [case for name in _COMMANDS.value or found for case in found[name]]
    if _CASES.value:
        chosen = random.Random(_SEED.value).sample(chosen, min(_CASES.value, len(chosen)))
    failed = 0
    with tempfile.TemporaryDirectory(prefix='tfae_absurd_') as place:
        folder = pathlib.Path(place)
        places = prepared(folder)
        for case in chosen:
            (folder / 'new').mkdir()
            what = wrong(case, places, folder)
            if what:
                failed += 1
                line = ' '.join(word[:60] for word in case.words)
                print(f'FAILED {line!r} ({case.value[:60]!r}): {what}', file=sys.stderr, flush=True)
            shutil.rmtree(folder / 'new')
    print(f'{len(chosen):,} command lines of {len(found)} commands, {failed} failed')
    return int(failed > 0)


if __name__ == '__main__':
    app.run(main)
