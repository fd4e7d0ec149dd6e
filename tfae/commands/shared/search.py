"""Search over values of flags: a grid, random search, or a tree-structured Parzen estimator.

A trial is one combination of values. Random values are a function of (search seed, trial), and
those of the Parzen estimator also of the objectives of the trials that precede it by `lag` or more:
a search with `lag` trials at a time proposes the same values however long each of them takes.

Sources: Bergstra and Bengio, Random search for hyper-parameter optimization, JMLR 2012; Bergstra,
Bardenet, Bengio and Kegl, Algorithms for hyper-parameter optimization, NIPS 2011, as implemented by
Optuna.

T trials, F features.
"""

import itertools
import math
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from tfae.core import errors, package

Kind = Literal['grid', 'random', 'tpe']
Values = dict[str, str]  # flag -> text of its value

_STARTED = 10  # random trials before the Parzen estimator has enough of them
_FORM = 'name=value|value, name=low..high or name=log:low..high'
_TREES = 200
_RANGE = re.compile(r'(log:)?([-+.\deE]+?)\.\.([-+.\deE]+)')


class Choice(NamedTuple):
    """A flag with a list of values."""

    flag: str
    values: tuple[str, ...]

    def random(self, random: np.random.Generator) -> str:
        """Returns one of the values."""
        return self.values[random.integers(len(self.values))]

    def suggested(self, trial: Any) -> str:
        """Returns the value that a trial of Optuna suggests."""
        return trial.suggest_categorical(self.flag, self.values)

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """Returns `[T, F]`: 1 for the value of a trial, 0 for the others."""
        return np.array([[text == value for value in self.values] for text in texts], np.float64)


class Range(NamedTuple):
    """A flag with an interval of numbers, integers if both of its ends are."""

    flag: str
    low: float
    high: float
    log: bool
    whole: bool

    def random(self, random: np.random.Generator) -> str:
        """Returns a number, uniformly distributed, or its logarithm is."""
        if self.whole and not self.log:
            return str(int(random.integers(int(self.low), int(self.high) + 1)))
        low, high = (math.log(end) if self.log else end for end in (self.low, self.high))
        number = random.uniform(low, high)
        return self._text(math.exp(number) if self.log else number)

    def suggested(self, trial: Any) -> str:
        """Returns the number that a trial of Optuna suggests."""
        if self.whole:
            ends = int(self.low), int(self.high)
            return str(trial.suggest_int(self.flag, *ends, log=self.log))
        return self._text(trial.suggest_float(self.flag, self.low, self.high, log=self.log))

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """Returns `[T, 1]`: the numbers, or their logarithms."""
        numbers = np.array(texts, np.float64)[:, None]
        return np.log(numbers) if self.log else numbers

    def _text(self, number: float) -> str:
        """Returns a number as a flag; four digits keep names and tables short."""
        text = f'{number:.0f}' if self.whole else f'{number:.4g}'
        if self.low <= float(text) <= self.high:
            return text
        return str(int(number)) if self.whole else repr(float(number))


Axis = Choice | Range


def parsed(vary: str) -> tuple[Axis, ...]:
    """Returns the axes of `--vary`; none for an empty text.

    Raises: UsageError if it has another form, names a flag twice, or a range is empty.
    """
    axes = [_axis(vary, text.strip()) for text in vary.split(';')] if vary.strip() else []
    for i, axis in enumerate(axes):
        if axis.flag in (other.flag for other in axes[:i]):
            raise errors.UsageError(f'--vary has {axis.flag} twice; it must name each flag once')
    return tuple(axes)


def combinations(kind: Kind, axes: Sequence[Axis], seed: int, count: int) -> list[Values] | None:
    """Returns the trials of a search that are known before it begins, None if they are not.

    A random search over lists takes combinations in random order, none of them twice.

    Raises: UsageError for a grid with a range.
    """
    if kind == 'grid' or not axes:
        return grid(axes)
    if kind == 'tpe' or any(isinstance(axis, Range) for axis in axes):
        return None
    every = grid(axes)
    order = np.random.default_rng(seed).permutation(len(every))
    return [every[k] for k in order[:count]]


def grid(axes: Sequence[Axis]) -> list[Values]:
    """Returns every combination of the values, the last flag varying first.

    Raises: UsageError for a range.
    """
    for axis in axes:
        if isinstance(axis, Range):
            raise errors.UsageError(
                f'--search is grid, which needs lists of values; --vary has a range of {axis.flag}'
            )
    lists = [axis.values for axis in axes if isinstance(axis, Choice)]
    flags = [axis.flag for axis in axes]
    return [dict(zip(flags, row, strict=True)) for row in itertools.product(*lists)]


def proposed(
    kind: Kind,
    axes: Sequence[Axis],
    seed: int,
    known: Sequence[tuple[Values, float]],
    trial: int,
    maximize: bool = False,
) -> Values:
    """Returns the values of a trial.

    Args:
      kind: `random` or `tpe`.
      axes: the flags and their values.
      seed: of the search.
      known: values and objectives of the trials that this one may depend on, in their order; nan
        of one that diverged.
      trial: its index, from 0.
      maximize: whether a large objective is good.
    Raises: UsageError if Optuna, which `tpe` needs, is not installed.
    """
    if kind == 'tpe':
        return _by_parzen_estimator(axes, seed, known, trial, maximize)
    random = np.random.default_rng([seed, trial])
    return {axis.flag: axis.random(random) for axis in axes}


def importance(
    axes: Sequence[Axis], trials: Sequence[Values], objectives: Sequence[float]
) -> dict[str, float]:
    """Returns the share of each flag in the variance that a random forest explains.

    Empty for fewer trials than eight, of which it would say nothing, or equal objectives. Shares
    sum to 1.
    """
    from sklearn.ensemble import RandomForestRegressor

    finite = [i for i, value in enumerate(objectives) if math.isfinite(value)]
    y = np.array([objectives[i] for i in finite])
    if len(y) < 8 or not np.ptp(y) or len(axes) < 2:
        return {}
    columns = [axis.features([trials[i][axis.flag] for i in finite]) for axis in axes]
    forest = RandomForestRegressor(_TREES, random_state=0).fit(np.concatenate(columns, 1), y)
    ends = np.cumsum([column.shape[1] for column in columns])[:-1]
    shares = [float(part.sum()) for part in np.split(forest.feature_importances_, ends)]
    return {axis.flag: share for axis, share in zip(axes, shares, strict=True)}


def _by_parzen_estimator(
    axes: Sequence[Axis],
    seed: int,
    known: Sequence[tuple[Values, float]],
    trial: int,
    maximize: bool,
) -> Values:
    try:
        import optuna
    except ImportError:
        raise errors.UsageError(
            f'--search is tpe, which needs Optuna: {package.install("sweep")}'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # The state of a sampler's generator would depend on its history.
    own = int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=own, n_startup_trials=_STARTED)
    direction = 'maximize' if maximize else 'minimize'
    study = optuna.create_study(sampler=sampler, direction=direction)
    spaces = {axis.flag: _distribution(optuna, axis) for axis in axes}
    finite = [value for _, value in known if math.isfinite(value)]
    worst = (min if maximize else max)(finite, default=0.0)
    for values, objective in known:
        numbers = {
            axis.flag: values[axis.flag]
            if isinstance(axis, Choice)
            else (int if axis.whole else float)(values[axis.flag])
            for axis in axes
        }
        # A trial that diverged counts as the worst one: the estimator ignores failed trials.
        value = objective if math.isfinite(objective) else worst
        study.add_trial(
            optuna.trial.create_trial(params=numbers, distributions=spaces, value=value)
        )
    asked = study.ask()
    return {axis.flag: axis.suggested(asked) for axis in axes}


def _distribution(optuna: Any, axis: Axis) -> Any:
    """Returns the distribution that `suggested` asks for."""
    kinds = optuna.distributions
    if isinstance(axis, Choice):
        return kinds.CategoricalDistribution(axis.values)
    if axis.whole:
        return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)


def _axis(vary: str, text: str) -> Axis:
    """Parses one flag of `--vary`."""
    name, equals, found = text.removeprefix('--').partition('=')
    if not (name and equals and found):
        raise errors.UsageError(f'--vary is {vary!r}; it must be {_FORM}, separated by semicolons')
    match = _RANGE.fullmatch(found)
    if not match:
        if found.startswith('log:'):
            raise errors.UsageError(f'--vary: {name} is {found}; a range is log:low..high')
        return Choice(name, tuple(dict.fromkeys(found.split('|'))))
    log, *texts = match.groups()
    try:
        low, high = map(float, texts)
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)) or (log and low <= 0):
        above = ', and low above 0' if log else ''
        raise errors.UsageError(
            f'--vary: {name} is {found}; a range is low..high with low below high{above}'
        )
    whole = all(text.lstrip('+-').isdigit() for text in texts)
    return Range(name, low, high, bool(log), whole)
