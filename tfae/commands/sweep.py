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
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

from tfae import commands
from tfae.commands.shared import command_flags, search, training
from tfae.core import bounded_files, config, errors, json_text, signals, stderr, terminal
from tfae.core.atomic_files import make_folder, write_json
from tfae.core.config import Part, option
from tfae.distributed import cluster
from tfae.plots import trials as plots
from tfae.report.run_page import EVALUATION, MEASURED
from tfae.runs.directory import METRICS, Folder
from tfae.runs.trainer import Diverged
from tfae.training import recipes

Search = search.Kind  # in the class, `search` is a flag
_COMMANDS = {'evaluate': EVALUATION, **{name: MEASURED[name] for name in ('probe', 'cluster')}}
_SWEEP, _TRIALS, _PLOT, _CHOSEN = 'sweep.json', 'trials.json', 'trials.png', 'chosen.json'
_LOG = 'workers.log'
_SPAWNING = threading.Lock()  # held while stderr is that of a process to be


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
        """The standard deviation over the seeds; None for one seed, or where a run diverged."""
        return _deviation(self.objectives)


def main(argv: list[str]) -> int:
    """Runs `tfae sweep`; returns 0, or 128 + its number if a signal stopped it.

    Raises: UsageError for a wrong flag; InputError if a run fails, or the folder has another sweep.
    """
    flags, words = command_flags.read_words(
        'sweep', __doc__, Config, argv, '[flags of tfae train]', known_only=True
    )
    axes = _checked(flags, words)
    folder = pathlib.Path(flags.logdir)
    listed = search.combinations(flags.search, axes, flags.search_seed, flags.trials)
    count = flags.trials if listed is None else len(listed)

    def proposed(trial: int, found: Sequence[_Trial]) -> search.Values:
        if listed is not None:
            return listed[trial]
        known = [(each.values, each.mean) for each in found]
        return search.proposed(flags.search, axes, flags.search_seed, known, trial, flags.maximize)

    _open(folder, flags, words, count, proposed(0, []))
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
                values, seeds = proposed(trial, found), range(flags.seeds)
                waiting.append((values, [runs.start(trial, seed, values) for seed in seeds]))
            while waiting:
                finish()
        except _Stopped as reason:
            return reason.args[0]
        except BrokenProcessPool:
            raise errors.InputError(
                f'a process that trained runs was killed; {folder / _LOG} may say why'
            ) from None
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
        paths.append(_test(runs, flags, folder, found[best], best, count))
    for path in paths:
        print(path)
    return 0


def _deviation(values: Sequence[float]) -> float | None:
    several = len(values) > 1 and all(map(math.isfinite, values))
    return statistics.stdev(values) if several else None


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
        if _given(words, axis.flag):
            raise errors.UsageError(f'--vary has {axis.flag}, and --{axis.flag} is given too')
    if command_flags.peek(words, 'cluster')['cluster'] or cluster.Config().members():
        raise errors.UsageError('tfae sweep has no --cluster; --jobs trains several runs at a time')
    for name in ('dry_run', 'print_config'):
        if _given(words, name):
            raise errors.UsageError(f'tfae sweep has no --{name}; give it to tfae train')
    return axes


def _given(words: Sequence[str], name: str) -> bool:
    return any(word.lstrip('-').partition('=')[0] == name for word in words)


def _open(
    folder: pathlib.Path, flags: Config, words: Sequence[str], count: int, first: search.Values
) -> None:
    """Creates the folder, or checks that it has the same sweep.

    Args:
      folder: of the sweep.
      flags, words: of `tfae sweep` and of `tfae train`.
      count: number of trials.
      first: the values of the first one, with which the flags are tried out.
    Raises: InputError if it has another one, or has been tested with other trials; and the errors
      of `tfae train`.
    """
    own = dataclasses.asdict(flags)
    # Neither changes a result; with tpe, the number of jobs does.
    for name in ('logdir', 'trials', 'test', *(['jobs'] if flags.search != 'tpe' else [])):
        del own[name]
    wanted = {**own, 'train': list(words)}
    path = folder / _SWEEP
    if not any(folder.glob('trial_*/seed_*.json')):  # no result yet
        if Folder(folder).exists():
            raise errors.InputError(f'--logdir {folder} is a run; a sweep needs its own folder')
        Folder(folder).refuse_file()
        _train([*words, *_as_flags(first), '--dry_run'])
        make_folder(folder)
        write_json(path, wanted)
        return
    known = read(path)
    for name, value in wanted.items():
        if known.get(name) != value:
            what = 'flags of tfae train' if name == 'train' else f'--{name}'
            raise errors.InputError(
                f'--logdir {folder} is a sweep with another {what}: {_shown(known.get(name))}, not '
                f'{_shown(value)}; choose another folder, or repeat its command'
            )
    if (folder / _CHOSEN).exists():
        tested = read(folder / _CHOSEN).get('trials')
        if tested != count:
            raise errors.InputError(
                f'--logdir {folder} was evaluated on the test split after {tested} trials '
                f'({_CHOSEN}); --trials is {count}, and another choice would come after the test: '
                f'choose another folder'
            )


def _shown(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else config.text(value)


def _as_flags(values: search.Values) -> list[str]:
    return [f'--{name}={text}' for name, text in values.items()]


def _train(line: list[str]) -> int:
    """Runs `tfae train` without its output; returns its exit code.

    Raises: the errors of `tfae train`, with the line.
    """
    try:
        # No warnings: a search is expected to have trials that learn nothing.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return training.run(line, None)
    except Diverged:
        raise
    except (errors.UsageError, errors.InputError) as error:
        raise type(error)(f'tfae train {shlex.join(line)}: {error}') from None


class _Stopped(Exception):
    """A signal stopped a run; its argument is the exit code."""


class _Task(NamedTuple):
    """A run to train and measure."""

    words: list[str]  # of `tfae train`
    values: search.Values
    run: pathlib.Path
    objective: str
    maximize: bool

    def measured(self) -> float:
        """Returns the objective, which is written next to the run; nan of a run that diverged.

        Raises: _Stopped, and the errors of the commands.
        """
        try:
            if code := _train([*self.words, f'--logdir={self.run}']):
                raise _Stopped(code)
            value = self._value()
        except Diverged:
            value = math.nan
        write_json(self.kept, {'objective': value, 'values': self.values})
        return value

    @property
    def kept(self) -> pathlib.Path:
        """The file of the objective."""
        return self.run.with_suffix('.json')

    def known(self) -> float | None:
        """Returns the objective of a run that was measured before, else None.

        Raises: InputError if that was a run with other values.
        """
        if not self.kept.exists():
            return None
        found = read(self.kept)
        objective = found.get('objective')
        if found.get('values') != self.values or not isinstance(objective, int | float):
            raise errors.InputError(
                f'{self.kept} is of {found.get("values")}; this search proposes {self.values}: '
                f'continue with the versions of Optuna and numpy that began it, or choose another '
                f'folder'
            )
        return float(objective)

    def _value(self) -> float:
        command, colon, measure = self.objective.partition(':')
        if not colon:
            records = Folder(self.run).metrics()
            last = records[-1] if records else {}
            values = [r[command] for r in records if r['phase'] == last['phase'] and command in r]
            if not values or not all(isinstance(value, int | float) for value in values):
                there = ', '.join(last) or 'no epoch'
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
        self._flags, self._words, self._folder = flags, list(words), folder
        self._first = _first_seed(words)
        self._stopped: BaseException | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> '_Runs':
        if self._flags.jobs > 1:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._signaled)
            # TensorFlow does not survive a fork.
            spawn = multiprocessing.get_context('spawn')
            self._pool = ProcessPoolExecutor(self._flags.jobs, spawn, _begin_worker)
            # A thread for each process: the pool itself would fetch more tasks than it can stop.
            self._threads = ThreadPoolExecutor(self._flags.jobs)
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._pool and self._threads:
            if kind:
                self._stop(_Stopped(1))
            self._threads.shutdown(cancel_futures=True)
            self._pool.shutdown(cancel_futures=True)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def place(self, trial: int, seed: int) -> pathlib.Path:
        """Returns the folder of a run."""
        return self._folder / f'trial_{trial:03}' / f'seed_{self._first + seed}'

    def start(self, trial: int, seed: int, values: search.Values) -> Future:
        """Returns the objective of a run to come; it is trained unless it was measured before."""
        line = [*self._words, *_as_flags(values), f'--seed={self._first + seed}']
        where = self.place(trial, seed)
        task = _Task(line, values, where, self._flags.objective, self._flags.maximize)
        known = task.known()
        if known is None and self._threads:
            return self._threads.submit(self._elsewhere, task)
        done = Future[float]()
        done.set_result(task.measured() if known is None else known)
        return done

    def _elsewhere(self, task: _Task) -> float:
        """Measures a run in another process."""
        if self._stopped:
            raise self._stopped
        assert self._pool
        with _SPAWNING, stderr.appended_to(self._folder / _LOG):
            future = self._pool.submit(task.measured)
        try:
            return future.result()
        except BaseException as error:
            self._stop(error)
            raise self._stopped or error from None

    def _signaled(self, number: int, _: Any) -> None:
        self._stop(_Stopped(128 + number))

    def _stop(self, reason: BaseException) -> None:
        self._stopped = self._stopped or reason
        for process in multiprocessing.active_children():
            process.terminate()  # a run that is being trained saves a checkpoint


def _begin_worker() -> None:
    """Ends this process with its parent, and lets only training see signals, which stop it."""
    signals.end_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def _first_seed(words: Sequence[str]) -> int:
    """Returns the `--seed` of the line, its flag files or its recipe, an integer."""
    recipe = command_flags.peek(words, 'recipe')['recipe']
    before = [f'--flagfile={recipes.path(recipe)}'] if recipe else []
    return int(command_flags.peek([*before, *words], 'seed')['seed'] or 0)


def _read(run: pathlib.Path, command: str, split: str) -> dict[str, Any]:
    """Returns what a command measures of a run on a split."""
    module = importlib.import_module(f'{commands.__name__}.{command}')
    with contextlib.redirect_stdout(io.StringIO()):
        module.main([f'--logdir={run}', f'--split={split}'])
    found = read(run / _COMMANDS[command])
    assert found['split'] == split
    return found


def read(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object in a JSON file, empty if it holds something else.

    Raises: InputError if the file cannot be read or is not JSON.
    """
    found = json_text.numbers(bounded_files.read_json(path))
    return found if isinstance(found, dict) else {}


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
    runs: _Runs, flags: Config, folder: pathlib.Path, trial: _Trial, index: int, count: int
) -> pathlib.Path:
    """Evaluates the runs of the chosen trial on the test split; returns the file of the result.

    Prints mean and deviation of each measure that is a number in all of them.
    """
    path = folder / _CHOSEN
    command = flags.objective.partition(':')[0] if ':' in flags.objective else 'evaluate'
    measured = read(path).get('test') if path.exists() else None
    if not isinstance(measured, dict):
        # Before the test split is read: from here on the sweep is closed.
        chosen = {'trial': index, 'trials': count, **trial.values, 'validation': trial.objectives}
        write_json(path, chosen)
        found = [_read(runs.place(index, k), command, 'test') for k in range(flags.seeds)]
        measured = {
            name: [run[name] for run in found]
            for name in found[0]
            if all(isinstance(run.get(name), int | float) for run in found)
        }
        write_json(path, {**chosen, 'test': measured})
    print(f'trial {index} on the test split, tfae {command}:')
    width = max(map(len, measured), default=0)
    for name, values in measured.items():
        deviation = _deviation(values)
        spread = '' if deviation is None else f'  deviation {deviation:.2g}'
        print(f'{name:{width}}  {statistics.fmean(values):.5g}{spread}')
    return path
