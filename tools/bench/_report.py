"""Figures of training.py -> ratios, verdict and Markdown."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

TARGETS = {'keras': 2.5, 'torch': 1.3}  # least geometric mean of the ratios to each
FLOOR = 1.0  # least ratio to each of them
_TITLES = {
    'tfae': 'tfae',
    'keras': 'Keras `fit`',
    'torch': 'PyTorch eager',
    'torch.compile': '`torch.compile`',
}


def flops_per_example(units: Sequence[int], pixels: int = 784) -> int:
    """Floating-point operations in the matrix products of one training step, an example.

    Each layer takes three products, forward, gradient of the kernel and gradient of the input,
    save the first, whose input needs no gradient.
    """
    sizes = [pixels, *units, *reversed(units[:-1]), pixels]
    products = [a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return 2 * (3 * sum(products) - products[0])


def summarize(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, shares and ratios, added to each of `cases`; geometric means and verdict.

    Args:
      cases: each with `units`, `batch` and `rounds`: contender or `product` -> figures a second.
    """
    for case in cases:
        median = {name: statistics.median(found) for name, found in case['rounds'].items()}
        product = median.pop('product')
        flops = flops_per_example(case['units'])
        case['examples_per_second'] = median
        case['product_flops'] = product
        case['share'] = {name: rate * flops / product for name, rate in median.items()}
        mine = median.get('tfae', math.nan)
        case['ratio'] = {name: mine / rate for name, rate in median.items() if name != 'tfae'}
    peers = sorted({name for case in cases for name in case['ratio']})
    ratios = {name: [c['ratio'][name] for c in cases if name in c['ratio']] for name in peers}
    means = {name: statistics.geometric_mean(found) for name, found in ratios.items()}
    verdict = {}
    for name, least in TARGETS.items():
        if name in means:
            met = means[name] >= least and min(ratios[name]) >= FLOOR
            verdict[name] = 'PASS' if met else 'MISSED'
    return {'cases': cases, 'geometric_mean': means, 'verdict': verdict}


def markdown(summary: dict[str, Any]) -> str:
    """The tables of what `summarize` gives."""
    cases, means = summary['cases'], summary['geometric_mean']
    found = {name for case in cases for name in case['examples_per_second']}
    names = [*(n for n in _TITLES if n in found), *sorted(found - set(_TITLES))]
    peers = names[1:]
    titles = [_TITLES.get(name, name) for name in names]
    head = ['model, batch', *titles, *(f'tfae / {title}' for title in titles[1:])]
    lines = ['Examples a second, median of the rounds:', '', _row(head), _row(['---'] * len(head))]
    for case in cases:
        rates = [_number(case['examples_per_second'].get(name), ',.0f') for name in names]
        ratios = [_number(case['ratio'].get(name), '.2f') for name in peers]
        lines.append(_row([_label(case), *rates, *ratios]))
    blank = [''] * len(names)
    lines.append(_row(['geometric mean', *blank, *(_number(means.get(n), '.2f') for n in peers)]))
    head = ['model, batch', 'product, GFLOP/s', *titles]
    lines += ['', 'Share of the sustained float32 matrix-product rate:', '']
    lines += [_row(head), _row(['---'] * len(head))]
    for case in cases:
        shares = [_number(case['share'].get(name), '.1%') for name in names]
        lines.append(_row([_label(case), f'{case["product_flops"] / 1e9:.0f}', *shares]))
    lines.append('')
    for name, least in TARGETS.items():
        lines.append(_verdict(name, least, summary))
    return '\n'.join(lines)


def _verdict(name: str, least: float, summary: dict[str, Any]) -> str:
    wanted = f'{least} times {_TITLES[name]} on average, {FLOOR} everywhere'
    if name not in summary['verdict']:
        return f'not measured: {wanted}'
    lowest = min(case['ratio'][name] for case in summary['cases'] if name in case['ratio'])
    came = f'{summary["geometric_mean"][name]:.2f} on average, {lowest:.2f} at least'
    return f'{summary["verdict"][name]}: {wanted}; came {came}'


def _label(case: dict[str, Any]) -> str:
    units = case['units']
    sizes = [784, *units, *(reversed([784, *units[:-1]]) if len(units) < 3 else [])]
    return f'{"-".join(map(str, sizes))}, {case["batch"]}'


def _number(value: float | None, form: str) -> str:
    return '-' if value is None else format(value, form)


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'
