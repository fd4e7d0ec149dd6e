"""Figures of training.py -> ratios, verdict and Markdown."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple


class Goal(NamedTuple):
    """What the cases of a kind are to reach."""

    title: str
    means: dict[str, float]  # contender -> least geometric mean of the ratios to it
    floor: float  # least ratio to each of them in any case


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
    """Floating-point operations in the matrix products of one step of a dense stack, an example.

    Each layer takes three products, forward, gradient of the kernel and gradient of the input,
    save the first, whose input needs no gradient.
    """
    sizes = [pixels, *units, *reversed(units[:-1]), pixels]
    products = [a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return 2 * (3 * sum(products) - products[0])


def summarize(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, shares and ratios, added to each of `cases`; by kind, geometric means and verdict.

    Args:
      cases: each with `label`, `kind`, `batch` and `rounds`: contender or `product` -> figures a
        second; where shares of the product's rate are wanted, with `flops` an example.
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
    """The tables of what `summarize` gives, and what they come to."""
    cases = summary['cases']
    found = {name for case in cases for name in case['examples_per_second']}
    names = [*(n for n in _TITLES if n in found), *sorted(found - set(_TITLES))]
    kinds = [kind for kind in GOALS if any(case['kind'] == kind for case in cases)]
    lines = []
    for kind in kinds:
        lines += [f'{GOALS[kind].title}, examples a second, median of the rounds:', '']
        lines += [*_rates(summary, kind, names), '']
    if any('share' in case for case in cases):
        lines += ['Share of the sustained float32 matrix-product rate:', '']
        lines += [*_shares(cases, names), '']
    lines += [_judged(summary, kind, name) for kind in kinds for name in GOALS[kind].means]
    return '\n'.join(lines)


def _ratios(cases: list[dict[str, Any]], kind: str) -> dict[str, list[float]]:
    """Contender -> tfae's ratio to it, in each case of that kind that it took part in."""
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
    head = ['model, batch', 'product, GFLOP/s', *(_TITLES.get(name, name) for name in names)]
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
    came = f'{summary["geometric_mean"][kind][name]:.2f} on average, {lowest:.2f} at least'
    return f'{summary["verdict"][kind][name]}: {wanted}; came {came}'


def _label(case: dict[str, Any]) -> str:
    return f'{case["label"]}, {case["batch"]}'


def _number(value: float | None, form: str) -> str:
    return '-' if value is None else format(value, form)


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'
