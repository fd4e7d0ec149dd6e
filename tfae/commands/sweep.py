"""Search for good values of flags on validation data, over several seeds.

    tfae sweep --logdir=runs/sweep --vary='learning_rate=log:0.0001..0.01; units=64,8|128,8' \\
        --trials=20 --seeds=3 --objective=evaluate:mse --model=dense --epochs=20

All other flags are those of `tfae train`, the same for all trials. A trial is one run for each
seed, in a folder such as runs/sweep/trial_003/seed_0, and its objective is the mean over the seeds,
measured on the validation split. Without --vary there is one trial: the mean and deviation of a
configuration. The same command resumes a sweep that was stopped, with the same results. Prints a
table, and writes it to trials.json, with a plot in trials.png.

The test split is not touched until --test evaluates the chosen trial on it, which closes the
sweep: it takes no more trials.
"""

import contextlib
import dataclasses
import importlib
import io
import math
import multiprocessing
import pathlib
import shlex
import signal
import statistics
import warnings
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

from tfae import commands
from tfae.commands.shared import command_flags, search, training
from tfae.core import bounded_files, config, errors, json_text, stderr, terminal
from tfae.core.atomic_files import make_folder, write_json
from tfae.core.config import Part, option
from tfae.distributed import cluster
from tfae.plots import trials as plots
from tfae.report.run_page import EVALUATION, MEASURED
from tfae.runs.directory import METRICS, Folder
from tfae.runs.trainer import Diverged

Search = search.Kind  # in the class, `search` is a flag
_COMMANDS = {'evaluate': EVALUATION} | {
    'sample' if name == 'samples' else name: file for name, file in MEASURED.items()
}
_SWEEP, _TRIALS, _PLOT, _CHOSEN = 'sweep.json', 'trials.json', 'trials.png', 'chosen.json'


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The search, its objective, and how many runs it trains."""

    logdir: str = option('', 'Folder of the sweep. Required.')
    vary: str = option(
        '',
        'Flags of `tfae train` and their values, separated by semicolons: a list, as in '
        'activation=relu|elu or units=64,8|128,8; a range, as in dropout=0..0.5, of integers if '
        'both ends are; or log:0.0001..0.01, a range on a logarithmic scale.',
    )
    search: Search = option(
        'random',
        'Search: random; grid, all combinations of lists; or tpe, the tree-structured Parzen '
        'estimator of Optuna.',
    )
    trials: int = option(
        20, 'Number of trials; a grid has all of its own.', within='[1, 100000] trials'
    )
    search_seed: int = option(0, 'Seed of the search.', within='[0, 9223372036854775807]')
    seeds: int = option(
        1,
        'Number of runs of a trial, with consecutive seeds from --seed.',
        within='[1, 1000] seeds',
    )
    objective: str = option(
        'validation_loss',
        'Measure that decides. Either COMMAND:MEASURE, a measure that the command writes as JSON, '
        f'such as evaluate:mse ({", ".join(_COMMANDS)}; a dot leads into nested ones); or a '
        'measure of metrics.jsonl, whose best epoch counts.',
    )
    maximize: bool = option(False, 'A large objective is good, such as evaluate:elbo.')
    jobs: int = option(1, 'Number of runs that are trained at a time.', within='[1, 64] runs')
    test: bool = option(
        False, 'Evaluate the chosen trial on the test split, once; no more trials can follow.'
    )

    def __post_init__(self):
        super().__post_init__()
        command, colon, measure = self.objective.partition(':')
        if colon:
            errors.one_of('--objective', command, _COMMANDS)
        if not (measure if colon else command):
            raise errors.UsageError(
                f'--objective is {self.objective!r}; it must be COMMAND:MEASURE, or a measure of '
                f'metrics.jsonl'
            )


class _Trial(NamedTuple):
    """A trial and the objectives of its runs."""

    values: search.Values
    objectives: list[float]  # by seed; nan of a run that diverged

    @property
    def mean(self) -> float:
        """The objective of the trial; nan if a run diverged."""
        return statistics.fmean(self.objectives)

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds; None for one seed."""
        return statistics.stdev(self.objectives) if len(self.objectives) > 1 else None


def main(argv: list[str]) -> int:
    """Runs `tfae sweep`; returns 0, or 128 + its number if a signal stopped it.

    Raises: UsageError for a wrong flag; InputError if a run fails, or the folder has another sweep.
    """
    flags, words = command_flags.read_words(
        'sweep', __doc__, Config, argv, '[flags of tfae train]', known_only=True
    )
    axes = _checked(flags, words)
    folder = pathlib.Path(flags.logdir)
    combinations = search.grid(axes) if flags.search == 'grid' or not axes else None
    count = flags.trials if combinations is None else len(combinations)
    _open(folder, flags, words, count)
    found: list[_Trial] = []
    with _Runs(flags, words, folder) as runs, terminal.bar(count, ' trials') as bar:
        waiting: list[tuple[search.Values, list[Future]]] = []

        def finish() -> None:
            values, measured = waiting.pop(0)
            found.append(_Trial(values, [future.result() for future in measured]))
            _write(folder, flags, found)
            bar.update()

        try:
            for trial in range(count):
                # A proposal depends on the trials that precede it by `jobs` or more.
                while len(waiting) >= flags.jobs:
                    finish()
                if combinations is None:
                    known = [(each.values, each.mean) for each in found]
                    values = search.proposed(
                        flags.search, axes, flags.search_seed, known, trial, flags.maximize
                    )
                else:
                    values = combinations[trial]
                seeds = range(flags.seeds)
                waiting.append((values, [runs.start(trial, seed, values) for seed in seeds]))
            while waiting:
                finish()
        except (_Stopped, BrokenProcessPool) as reason:
            if not (runs.stopped or isinstance(reason, _Stopped)):
                raise errors.InputError('a process that trained runs was killed') from None
            return 128 + runs.stopped if runs.stopped else reason.args[0]
    best = _best(found, flags)
    _print(found, best, flags)
    paths = [folder / _TRIALS]
    if best is not None and axes:
        paths.append(folder / _PLOT)
        objectives = [trial.mean for trial in found]
        tried = [trial.values for trial in found]
        shares = search.importance(axes, tried, objectives)
        plots.save(paths[-1], tried, objectives, flags.objective, best, shares)
    if flags.test:
        if best is None:
            raise errors.InputError('every trial diverged; there is none to test')
        paths.append(_test(runs, flags, folder, found[best], best))
    for path in paths:
        print(path)
    return 0


def _checked(flags: Config, words: Sequence[str]) -> tuple[search.Axis, ...]:
    """Returns the axes of the search.

    Raises: UsageError for flags that a sweep sets itself, or a wrong `--vary`.
    """
    if not flags.logdir:
        raise errors.UsageError('--logdir is empty; it must name the folder of the sweep')
    axes = search.parsed(flags.vary)
    for axis in axes:
        if axis.flag in ('seed', 'logdir'):
            cure = 'use --seeds' if axis.flag == 'seed' else 'each run has a folder of its own'
            raise errors.UsageError(f'--vary has {axis.flag}; {cure}')
    if command_flags.peek(words, 'cluster')['cluster'] or cluster.Config().members():
        raise errors.UsageError('tfae sweep has no --cluster; --jobs trains several runs at a time')
    for name in ('dry_run', 'print_config'):
        if any(word.lstrip('-').partition('=')[0] == name for word in words):
            raise errors.UsageError(f'tfae sweep has no --{name}; give it to tfae train')
    return axes


def _open(folder: pathlib.Path, flags: Config, words: Sequence[str], count: int) -> None:
    """Creates the folder, or checks that it has the same sweep.

    Raises: InputError if it has another one, or has been tested and would get more trials.
    """
    own = dataclasses.asdict(flags)
    # Neither changes a result; with tpe, the number of jobs does.
    for name in ('logdir', 'trials', 'test', *(['jobs'] if flags.search != 'tpe' else [])):
        del own[name]
    wanted = {**own, 'train': list(words)}
    path = folder / _SWEEP
    if not path.exists():
        if Folder(folder).exists():
            raise errors.InputError(f'--logdir {folder} is a run; a sweep needs its own folder')
        Folder(folder).refuse_file()
        make_folder(folder)
        write_json(path, wanted)
        return
    known = bounded_files.read_json(path)
    known = known if isinstance(known, dict) else {}
    for name, value in wanted.items():
        if known.get(name) != value:
            what = 'flags of tfae train' if name == 'train' else f'--{name}'
            raise errors.InputError(
                f'--logdir {folder} is a sweep with another {what}: {_shown(known.get(name))}, not '
                f'{_shown(value)}; choose another folder, or repeat its command'
            )
    if (folder / _CHOSEN).exists() and not (folder / f'trial_{count - 1:03}').exists():
        raise errors.InputError(
            f'--logdir {folder} was evaluated on the test split ({_CHOSEN}); more trials would '
            f'choose after that: choose another folder'
        )


def _shown(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else config.text(value)


class _Stopped(Exception):
    """A signal stopped a run; its argument is the exit code."""


class _Task(NamedTuple):
    """A run to train and measure."""

    words: list[str]  # of `tfae train`
    run: pathlib.Path
    objective: str
    maximize: bool

    def measured(self) -> float:
        """Returns the objective, which is written next to the run; nan of a run that diverged.

        Raises: _Stopped, and the errors of the commands.
        """
        line = [*self.words, f'--logdir={self.run}']
        try:
            # No warnings: a search is expected to have trials that learn nothing.
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                code = training.run(line, None)
            value = math.nan if code else self._value()
        except Diverged:
            code, value = 0, math.nan
        except (errors.UsageError, errors.InputError) as error:
            raise type(error)(f'tfae train {shlex.join(line)}: {error}') from None
        if code:
            raise _Stopped(code)
        write_json(self.run.with_suffix('.json'), {'objective': value})
        return value

    def _value(self) -> float:
        command, colon, measure = self.objective.partition(':')
        if not colon:
            records = Folder(self.run).metrics()
            values = [record[command] for record in records if command in record]
            if not values:
                there = ', '.join(records[-1]) if records else 'no epoch'
                raise errors.InputError(f'--objective is {command}; {METRICS} has {there}')
            return float((max if self.maximize else min)(values))
        found: Any = _read(self.run, command, 'validation')
        for name in measure.split('.'):
            known = found
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, bool) or not isinstance(found, int | float):
            there = ', '.join(known) if isinstance(known, dict) else 'no measures below it'
            raise errors.InputError(
                f'--objective is {self.objective}; {_COMMANDS[command]} has {there}'
            )
        return float(found)


class _Runs:
    """Trains and measures runs, in this process or in several others; a signal stops them all."""

    def __init__(self, flags: Config, words: Sequence[str], folder: pathlib.Path):
        self.stopped = 0  # number of the signal received while other processes train
        self._flags, self._words, self._folder = flags, list(words), folder
        self._first = int(command_flags.peek(words, 'seed')['seed'] or 0)
        self._pool: ProcessPoolExecutor | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> '_Runs':
        if self._flags.jobs > 1:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)
            # TensorFlow does not survive a fork. Ctrl-C reaches the others through this process.
            self._pool = ProcessPoolExecutor(
                self._flags.jobs,
                multiprocessing.get_context('spawn'),
                signal.signal,
                (signal.SIGINT, signal.SIG_IGN),
            )
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def place(self, trial: int, seed: int) -> pathlib.Path:
        """Returns the folder of a run."""
        return self._folder / f'trial_{trial:03}' / f'seed_{self._first + seed}'

    def start(self, trial: int, seed: int, values: search.Values) -> Future:
        """Returns the objective of a run to come; it is trained unless it was measured before."""
        run, done = self.place(trial, seed), Future[float]()
        kept = run.with_suffix('.json')
        if kept.exists():
            found = bounded_files.read_json(kept)
            done.set_result(float(found['objective'] if isinstance(found, dict) else math.nan))
            return done
        own = [f'--{name}={text}' for name, text in values.items()]
        line = [*self._words, *own, f'--seed={self._first + seed}']
        task = _Task(line, run, self._flags.objective, self._flags.maximize)
        if self._pool:
            with stderr.native_messages_dropped():  # of TensorFlow, as it is imported there
                return self._pool.submit(task.measured)
        done.set_result(task.measured())
        return done

    def _stop(self, number: int, _: Any) -> None:
        self.stopped = number
        for process in multiprocessing.active_children():
            process.terminate()  # a run that is being trained saves a checkpoint


def _read(run: pathlib.Path, command: str, split: str) -> dict[str, Any]:
    """Returns what a command measures of a run on a split."""
    module = importlib.import_module(f'{commands.__name__}.{command}')
    with contextlib.redirect_stdout(io.StringIO()):
        module.main([f'--logdir={run}', f'--split={split}'])
    found = json_text.numbers(bounded_files.read_json(run / _COMMANDS[command]))
    assert found['split'] == split
    return found


def _best(found: Sequence[_Trial], flags: Config) -> int | None:
    """Returns the index of the best trial, the first of equals; None if all diverged."""
    sign = -1 if flags.maximize else 1
    finite = [i for i, trial in enumerate(found) if math.isfinite(trial.mean)]
    return min(finite, key=lambda i: sign * found[i].mean, default=None)


def _write(folder: pathlib.Path, flags: Config, found: Sequence[_Trial]) -> None:
    """Writes the trials that are finished, in order."""
    rows = [
        {
            **trial.values,
            'objective': trial.mean,
            'deviation': trial.deviation,
            'by_seed': trial.objectives,
        }
        for trial in found
    ]
    write_json(folder / _TRIALS, {'objective': flags.objective, 'trials': rows})


def _print(found: Sequence[_Trial], best: int | None, flags: Config) -> None:
    """Prints a row for each trial; a star marks the best one."""
    names = list(found[0].values)
    rows = [['trial', *names, flags.objective, 'deviation']]
    for i, trial in enumerate(found):
        value = f'{trial.mean:.5g}' if math.isfinite(trial.mean) else 'diverged'
        spread = '-' if trial.deviation is None else f'{trial.deviation:.2g}'
        cells = [trial.values[name] for name in names]
        rows.append([f'{i}{"*" if i == best else ""}', *cells, value, spread])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print('  '.join(f'{cell:{w}}' for cell, w in zip(row, widths, strict=True)).rstrip())


def _test(
    runs: _Runs, flags: Config, folder: pathlib.Path, trial: _Trial, index: int
) -> pathlib.Path:
    """Evaluates the runs of the chosen trial on the test split; returns the file of the result.

    Prints mean and deviation of each measure that is a number in all of them.
    """
    path = folder / _CHOSEN
    command = flags.objective.partition(':')[0] if ':' in flags.objective else 'evaluate'
    if path.exists():
        known = bounded_files.read_json(path)
        measured = known['test'] if isinstance(known, dict) else {}
    else:
        found = [_read(runs.place(index, k), command, 'test') for k in range(flags.seeds)]
        measured = {
            name: [run[name] for run in found]
            for name in found[0]
            if all(isinstance(run.get(name), int | float) for run in found)
        }
        chosen = {'trial': index, **trial.values, 'validation': trial.objectives, 'test': measured}
        write_json(path, chosen)
    print(f'trial {index} on the test split, tfae {command}:')
    width = max(map(len, measured), default=0)
    for name, values in measured.items():
        spread = f'  deviation {statistics.stdev(values):.2g}' if len(values) > 1 else ''
        print(f'{name:{width}}  {statistics.fmean(values):.5g}{spread}')
    return path
