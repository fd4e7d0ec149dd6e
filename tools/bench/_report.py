"""Turns the measurements of training.py into ratios, verdicts and Markdown."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple


class Goal(NamedTuple):
    """Targets of the cases of a kind."""

    title: str
    means: dict[str, float]  # contender -> least geometric mean of the ratios
    floor: float  # least ratio in any case


GOALS = {
    'dense': Goal('Dense stacks', {'keras': 2.5, 'torch': 1.3}, 1.0),
    'families': Goal('Other families', {'keras': 1.5, 'torch': 1.5, 'torch.compile': 1.5}, 0.0),
}
_TITLES = {
    'tfae': 'tfae',
    'keras': 'Keras `fit`',
    'torch': 'PyTorch eager',
    'torch.compile': '`torch.compile`',
}


def flops_per_example(units: Sequence[int], pixels: int = 784) -> int:
    """Returns the floating-point operations per example of a dense stack's matrix products.

    Each layer has three products, forward, gradient of the kernel and gradient of the input. The
    first layer has two, since its input needs no gradient.
    """
    sizes = [pixels, *units, *reversed(units[:-1]), pixels]
    products = [a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return 2 * (3 * sum(products) - products[0])


def summarize(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Adds medians, shares and ratios to `cases`; computes geometric means and verdicts by kind.

    Args:
      cases: each with `label`, `kind`, `batch` and `rounds`: contender or `product` -> rates per
        second, one a round. `flops` per example are needed for shares of the product's rate.
    """
    for case in cases:
        median = {name: statistics.median(found) for name, found in case['rounds'].items()}
        product = median.pop('product', math.nan)
        case['examples_per_second'] = median
        if 'flops' in case:
            case['product_flops'] = product
            shares = {name: rate * case['flops'] / product for name, rate in median.items()}
            case['share'] = shares
        mine = median.get('tfae', math.nan)
        case['ratio'] = {name: mine / rate for name, rate in median.items() if name != 'tfae'}
    means, verdicts = {}, {}
    for kind, goal in GOALS.items():
        if ratios := _ratios(cases, kind):
            means[kind] = {name: statistics.geometric_mean(r) for name, r in ratios.items()}
        verdicts[kind] = {
            name: _verdict(ratios[name], least, goal.floor)
            for name, least in goal.means.items()
            if name in ratios
        }
    return {'cases': cases, 'geometric_mean': means, 'verdict': verdicts}


def markdown(summary: dict[str, Any]) -> str:
    """Formats the result of `summarize` as tables and verdicts."""
    cases = summary['cases']
    found = {name for case in cases for name in case['examples_per_second']}
    names = [*(n for n in _TITLES if n in found), *sorted(found - set(_TITLES))]
    kinds = [kind for kind in GOALS if any(case['kind'] == kind for case in cases)]
    lines = []
    for kind in kinds:
        lines += [f'{GOALS[kind].title}, examples per second, median of the rounds:', '']
        lines += [*_rates(summary, kind, names), '']
    if any('share' in case for case in cases):
        lines += ['Fraction of the sustained float32 matrix-product rate:', '']
        lines += [*_shares(cases, names), '']
    lines += [_judged(summary, kind, name) for kind in kinds for name in GOALS[kind].means]
    return '\n'.join(lines)


def _ratios(cases: list[dict[str, Any]], kind: str) -> dict[str, list[float]]:
    """Contender -> ratios of tfae's rate to its rate, over the cases of a kind."""
    cases = [case for case in cases if case['kind'] == kind]
    names = sorted({name for case in cases for name in case['ratio']})
    return {name: [c['ratio'][name] for c in cases if name in c['ratio']] for name in names}


def _verdict(ratios: Sequence[float], least: float, floor: float) -> str:
    met = statistics.geometric_mean(ratios) >= least and min(ratios) >= floor
    return 'PASS' if met else 'MISSED'


def _rates(summary: dict[str, Any], kind: str, names: list[str]) -> list[str]:
    titles, peers = [_TITLES.get(name, name) for name in names], names[1:]
    head = ['model, batch', *titles, *(f'tfae / {title}' for title in titles[1:])]
    lines = [_row(head), _row(['---'] * len(head))]
    for case in summary['cases']:
        if case['kind'] == kind:
            rates = [_number(case['examples_per_second'].get(name), ',.0f') for name in names]
            ratios = [_number(case['ratio'].get(name), '.2f') for name in peers]
            lines.append(_row([_label(case), *rates, *ratios]))
    means = summary['geometric_mean'].get(kind, {})
    blank = [''] * len(names)
    cells = [_number(means.get(name), '.2f') for name in peers]
    return [*lines, _row(['geometric mean', *blank, *cells])]


def _shares(cases: list[dict[str, Any]], names: list[str]) -> list[str]:
    head = ['model, batch', 'matrix product, GFLOP/s', *(_TITLES.get(name, name) for name in names)]
    lines = [_row(head), _row(['---'] * len(head))]
    for case in cases:
        product = case['product_flops'] / 1e9 if 'product_flops' in case else None
        shares = [_number(case.get('share', {}).get(name), '.1%') for name in names]
        lines.append(_row([_label(case), _number(product, '.0f'), *shares]))
    return lines


def _judged(summary: dict[str, Any], kind: str, name: str) -> str:
    goal = GOALS[kind]
    wanted = f'{goal.title}: {goal.means[name]} times {_TITLES[name]} on average'
    wanted += f', {goal.floor} everywhere' if goal.floor else ''
    if name not in summary['verdict'][kind]:
        return f'not measured: {wanted}'
    lowest = min(_ratios(summary['cases'], kind)[name])
    measured = f'{summary["geometric_mean"][kind][name]:.2f} on average, {lowest:.2f} at least'
    return f'{summary["verdict"][kind][name]}: {wanted}; measured {measured}'


def _label(case: dict[str, Any]) -> str:
    return f'{case["label"]}, {case["batch"]}'


def _number(value: float | None, form: str) -> str:
    return '-' if value is None else format(value, form)


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'
