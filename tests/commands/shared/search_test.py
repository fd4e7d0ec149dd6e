"""Search spaces and proposals, against the distributions that they name."""

import math

import numpy as np
import pytest

from tfae.commands.shared import search
from tfae.commands.shared.search import Choice, Range
from tfae.core import errors


def test_axes_are_lists_and_ranges():
    text = (
        'units=64,8|128,8; --dropout=0..0.5;code_size=2..16; learning_rate=log:1e-4..1e-2; a=../b'
    )
    assert search.parsed(text) == (
        Choice('units', ('64,8', '128,8')),
        Range('dropout', 0, 0.5, log=False, whole=False),
        Range('code_size', 2, 16, log=False, whole=True),
        Range('learning_rate', 1e-4, 1e-2, log=True, whole=False),
        Choice('a', ('../b',)),
    )
    assert search.parsed('') == search.parsed(' ') == ()
    assert search.parsed('a=1|2|1') == (Choice('a', ('1', '2')),)


@pytest.mark.parametrize(
    'vary, text',
    [
        ('units', "--vary is 'units'; it must be name=value|value"),
        ('units=', "--vary is 'units='; it must be"),
        ('a=1;', "--vary is 'a=1;'; it must be"),
        ('a=1|2; b=3; a=4', '--vary has a twice'),
        ('a=2..1', '--vary: a is 2..1; a range is low..high with low below high'),
        ('a=1..1', 'low below high'),
        ('a=log:0..1', 'low below high, and low above 0'),
        ('a=log:2', '--vary: a is log:2; a range is log:low..high'),
        ('a=1e999..2', 'low below high'),
        ('a=1-..2', 'low below high'),
    ],
)
def test_other_axes_are_refused(vary, text):
    with pytest.raises(errors.UsageError) as refused:
        search.parsed(vary)
    assert text in str(refused.value)


def test_a_grid_has_every_combination():
    axes = search.parsed('a=1|2; b=x|y|z')
    found = search.grid(axes)
    assert [tuple(values.values()) for values in found] == [(a, b) for a in '12' for b in 'xyz']
    assert search.grid(()) == [{}]
    with pytest.raises(errors.UsageError, match='--vary has a range of c'):
        search.grid(search.parsed('a=1|2; c=1..3'))


def test_random_values_have_the_distribution_of_their_axis():
    axes = search.parsed('a=1|2|3|4; b=2..5; c=-1..1.0; d=log:1e-4..1e-2; e=log:1..100')
    drawn = [search.proposed('random', axes, 7, (), trial) for trial in range(2000)]
    of = {name: np.array([float(values[name]) for values in drawn]) for name in 'abcde'}
    for name in 'ab':
        counts = np.unique(of[name], return_counts=True)[1]
        assert len(counts) == 4 and abs(counts - 500).max() < 100, (name, counts)
    assert of['b'].min() == 2 and of['b'].max() == 5
    for numbers in ((of['c'] + 1) / 2, (np.log10(of['d']) + 4) / 2, np.log10(of['e']) / 2):
        assert numbers.min() >= 0 and numbers.max() <= 1
        assert abs(numbers.mean() - 0.5) < 0.03
    assert np.quantile((np.log10(of['d']) + 4) / 2, 0.25) == pytest.approx(0.25, abs=0.04)
    assert set(of['e']) <= set(range(1, 101))
    again = [search.proposed('random', axes, 7, (), trial) for trial in (5, 3)]
    assert again == [drawn[5], drawn[3]]
    assert search.proposed('random', axes, 8, (), 5) != drawn[5]


def parabola(values):
    return (math.log10(float(values['rate'])) + 3) ** 2 + (values['kind'] != 'good')


def searched(kind, count=40, maximize=False, seed=0):
    axes, known = search.parsed('rate=log:1e-6..1; kind=bad|good|worse'), []
    for trial in range(count):
        values = search.proposed(kind, axes, seed, known, trial, maximize)
        known.append((values, (-1 if maximize else 1) * parabola(values)))
    return known


@pytest.mark.parametrize('maximize', [False, True])
def test_the_parzen_estimator_searches_where_the_objective_is_good(maximize):
    pytest.importorskip('optuna')
    for seed in range(2):
        found = [abs(value) for _, value in searched('tpe', maximize=maximize, seed=seed)]
        random = [abs(value) for _, value in searched('random', maximize=maximize, seed=seed)]
        assert found[:10] != random[:10]
        assert np.mean(found[20:]) < 0.5 * np.mean(random[20:])
        assert min(found) < 0.1


def test_the_parzen_estimator_is_a_function_of_what_it_knows():
    pytest.importorskip('optuna')
    known = searched('tpe', 14)
    axes = search.parsed('rate=log:1e-6..1; kind=bad|good|worse')
    values, objective = known[12]
    assert search.proposed('tpe', axes, 0, known[:12], 12) == values
    for lost in (0, 5):
        diverged, failed = [*known[:12]], [*known[:12]]
        diverged[lost] = (known[lost][0], math.nan)
        failed[lost] = (
            known[lost][0],
            max(value for i, (_, value) in enumerate(known[:12]) if i != lost),
        )
        assert search.proposed('tpe', axes, 0, diverged, 12) == search.proposed(
            'tpe', axes, 0, failed, 12
        )


def test_importance_is_that_of_the_flag_that_decides():
    axes = search.parsed('a=log:1e-4..1; b=x|y; c=0..1.0')
    trials = [search.proposed('random', axes, 0, (), trial) for trial in range(60)]
    objectives = [math.log(float(values['a'])) + 3 * (values['b'] == 'y') for values in trials]
    shares = search.importance(axes, trials, [*objectives[:-1], math.nan])
    assert sum(shares.values()) == pytest.approx(1)
    assert shares['a'] > shares['b'] > 2 * shares['c']
    assert search.importance(axes, trials[:7], objectives[:7]) == {}
    assert search.importance(axes, trials, [1.0] * 60) == {}
    assert search.importance(axes[:1], trials, objectives) == {}


def test_numbers_stay_within_their_range():
    for text in ('a=0..0.66667', 'a=1..12345.5', 'a=0..0.99999', 'a=log:0.99999..1.00001'):
        (axis,) = search.parsed(text)
        for trial in range(50):
            number = float(search.proposed('random', (axis,), 0, (), trial)['a'])
            assert axis.low <= number <= axis.high


def test_a_random_search_over_lists_repeats_none():
    axes = search.parsed('a=1|2|3; b=x|y')
    found = search.combinations('random', axes, 0, 20)
    assert len(found) == 6 and sorted(map(str, found)) == sorted(map(str, search.grid(axes)))
    assert found != search.grid(axes)
    assert search.combinations('random', axes, 0, 4) == found[:4]
    assert search.combinations('random', axes, 1, 20) != found
    assert search.combinations('grid', axes, 0, 4) == search.grid(axes)
    assert search.combinations('tpe', axes, 0, 4) is None
    assert search.combinations('random', search.parsed('a=1..2'), 0, 4) is None
