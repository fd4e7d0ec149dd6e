r"""Times training steps of tfae, Keras 3 `fit` and PyTorch, eager and compiled, in one run.

    python tools/bench/training.py [--rounds=9] [--seconds=1] [--cases=deep-256] \
        [--skip=torch.compile] [--json=PATH]

Each contender is a process that trains the same model on the same images. The contenders take turns
in rounds of about a second while the others sleep; results are medians over the rounds. For dense
stacks a matrix product takes turns too, in the library that multiplies fastest on this machine, and
the steps are printed as fractions of its rate. `--threads=2/1,1/2` also times tfae with these
inter/intra-op threads. PyTorch needs the extra `peers`; without it, its columns are omitted. Use an
idle machine for results to quote.
"""

import importlib.util
import json
import os
import pathlib
import platform
import sys
import tempfile
from typing import IO, Any

import _machine
import _report
import _worker
from _cases import CASES
from absl import app, flags

CONTENDERS = ('tfae', 'keras', 'torch', 'torch.compile')
LIBRARIES = ('numpy', 'tensorflow', 'torch')

_CASES = flags.DEFINE_list('cases', list(CASES), f'Cases to run, some of {", ".join(CASES)}.')
_SKIP = flags.DEFINE_list('skip', [], f'Contenders to skip, some of {", ".join(CONTENDERS[1:])}.')
_THREADS = flags.DEFINE_list('threads', [], 'Additional inter/intra-op thread counts for tfae.')
_ROUNDS = flags.DEFINE_integer('rounds', 9, 'Rounds of each contender.', lower_bound=1)
_SECONDS = flags.DEFINE_float('seconds', 1.0, 'Minimum seconds of a round.', lower_bound=0.0)
_WARM_UP = flags.DEFINE_float('warm_up', 3.0, 'Seconds before the first round.', lower_bound=0.0)
_EXAMPLES = flags.DEFINE_integer('examples', 60_000, 'Training images.', lower_bound=256)
_SIDE = flags.DEFINE_integer('side', 3000, 'Rows of the square matrices multiplied.', lower_bound=1)
_JSON = flags.DEFINE_string('json', '', 'File for all measurements.')


def main(argv: list[str]) -> None:
    """Measures and prints the tables."""
    if len(argv) > 1:
        raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
    for flag, known in ((_CASES, CASES), (_SKIP, CONTENDERS[1:])):
        if unknown := set(flag.value) - set(known):
            raise app.UsageError(f'--{flag.name}: {", ".join(unknown)} is none of {tuple(known)}')
    contenders, libraries = present()
    contenders += [f'tfae {threads}' for threads in _THREADS.value]
    machine = f'{os.cpu_count()} cores, {_machine.processor()}, Python {platform.python_version()}'
    command = f'python {" ".join(sys.argv)}'
    print(f'`{command}`\n\n{machine}', flush=True)
    with tempfile.NamedTemporaryFile('w+', suffix='.log') as log:
        try:
            library = fastest_product(libraries, log)
            print(f'matrix product: {library}', flush=True)
            cases = [measure(name, contenders, library, log) for name in _CASES.value]
        except RuntimeError as error:
            last = pathlib.Path(log.name).read_text()[-2000:]
            raise SystemExit(f'{error}; its last output:\n{last}') from None
    summary = _report.summarize(cases)
    print(f'\n{_report.markdown(summary)}')
    if _JSON.value:
        content = {'command': command, 'machine': machine, 'load': os.getloadavg(), **summary}
        pathlib.Path(_JSON.value).write_text(json.dumps(content, indent=1) + '\n')


def present() -> tuple[list[str], list[str]]:
    """Returns the requested contenders and libraries that are installed."""
    contenders = [name for name in CONTENDERS if name not in _SKIP.value]
    libraries = list(LIBRARIES)
    if importlib.util.find_spec('torch') is None:
        print("PyTorch is not installed (pip install -e '.[peers]'): omitted\n")
        contenders = [name for name in contenders if not name.startswith('torch')]
        libraries.remove('torch')
    return contenders, libraries


def fastest_product(libraries: list[str], log: IO[str]) -> str:
    """Returns the library that multiplies matrices fastest, by the best of three rounds."""
    rates = {}
    for name in libraries:
        worker = _worker.Worker(log, contender=f'product/{name}', side=_SIDE.value)
        try:
            worker.ready()
            rates[name] = max(worker.round(_SECONDS.value) for _ in range(3))
        finally:
            worker.close()
    return max(rates, key=rates.__getitem__)


def measure(name: str, contenders: list[str], library: str, log: IO[str]) -> dict[str, Any]:
    """Runs all rounds of a case.

    Raises: RuntimeError if the models have different numbers of parameters.
    """
    case = CASES[name]
    job = {'case': name, 'count': _EXAMPLES.value, 'side': _SIDE.value}
    workers: dict[str, _worker.Worker] = {}
    try:
        # Started in sequence, since some contenders time thread counts before they are ready.
        for contender in [*contenders, *(['product'] if case.kind == 'dense' else [])]:
            workers[contender] = _worker.Worker(log, **job, **process(contender, library))
            print(f'{name}: {workers[contender].ready()}', file=sys.stderr, flush=True)
        sizes = {who: workers[who].parameters for who in contenders}
        if len(set(sizes.values())) > 1:
            raise RuntimeError(f'{name}: the models differ in their number of parameters: {sizes}')
        for worker in workers.values():
            worker.round(_WARM_UP.value)
        rounds: dict[str, list[float]] = {contender: [] for contender in workers}
        for _ in range(_ROUNDS.value):
            for contender, worker in workers.items():
                rounds[contender].append(worker.round(_SECONDS.value))
    finally:
        for worker in workers.values():
            worker.close()
    found = {'label': case.label, 'kind': case.kind, 'batch': case.batch}
    found |= {'parameters': sizes['tfae'], 'rounds': rounds}
    if case.kind == 'dense':
        found['flops'] = _report.flops_per_example(case.config['units'])
    return {'case': name, **found}


def process(contender: str, library: str) -> dict[str, Any]:
    """Returns the job of a contender's process, except the model."""
    if contender == 'product':
        return {'contender': f'product/{library}'}
    kind, _, threads = contender.partition(' ')
    return {'contender': kind, 'threads': [int(n) for n in (threads or '0/0').split('/')]}


if __name__ == '__main__':
    app.run(main)
