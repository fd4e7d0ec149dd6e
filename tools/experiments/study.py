r"""Plots the loss by examples seen and by time, for batch sizes, optimizers and orders.

    python tools/experiments/study.py --dataset=mnist --batch_sizes=1,16,128,1024,all \
        --optimizers=sgd,momentum,rmsprop,adam --examples=162000 --output=runs/study \
        [--orders=shuffled,sequential,with_replacement] [--learning_rates=0.1,1,10] [-- flags]

Each run is one of `tfae train`, in its own folder below --output; flags after `--` apply to all
runs. Repeating the command keeps finished runs and resumes the one that was stopped. It writes
loss_<order>.png, orders.png if there are several orders, study.json and study.md.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from absl import app, flags

from tfae import data
from tfae.core.config import choices, field_types
from tfae.training.config import TrainingConfig

_TYPES = field_types(TrainingConfig)
OPTIMIZERS, ORDERS = choices(_TYPES['optimizer']), choices(_TYPES['order'])
ALL = 'all'

# Learning rate for a batch of 128, the power of the batch size with which it grows (1 for updates
# proportional to the gradient, Goyal et al., arXiv:1706.02677; 0.5 for updates normalized by its
# magnitude, Malladi et al., arXiv:2205.10287), and the largest rate.
# docs/evidence/study.md describes how they were chosen.
REFERENCE = 128
RATES = {
    'sgd': (30.0, 1.0, 30.0),
    'momentum': (3.0, 1.0, 3.0),
    'nesterov': (3.0, 1.0, 3.0),
    'adagrad': (0.1, 0.5, 0.3),
    'rmsprop': (0.001, 0.5, 0.003),
    'adam': (0.01, 0.5, 0.01),
}
MODEL = ('--model=dense', '--units=64,16')
COLORS = ('#0072b2', '#d55e00', '#009e73')  # Okabe and Ito's, for orders
MARKERS = 'osD^vPX*'

_DATASET = flags.DEFINE_string('dataset', 'mnist', 'Data set, as in `tfae train`.')
_BATCHES = flags.DEFINE_list(
    'batch_sizes', ['1', '16', '128', '1024', ALL], f'Batch sizes; {ALL}: full batch.'
)
_OPTIMIZERS = flags.DEFINE_list(
    'optimizers',
    ['sgd', 'momentum', 'rmsprop', 'adam'],
    f'Optimizers, some of {", ".join(OPTIMIZERS)}.',
)
_ORDERS = flags.DEFINE_list('orders', ['shuffled'], f'Orders, some of {", ".join(ORDERS)}.')
_EXAMPLES = flags.DEFINE_integer(
    'examples', 162_000, 'Examples per run, rounded to whole epochs.', lower_bound=1
)
_LEARNING_RATES = flags.DEFINE_list(
    'learning_rates', [], 'Learning rates to try, the best is kept; empty: scaled from RATES.'
)
_OUTPUT = flags.DEFINE_string('output', 'runs/study', 'Folder for the runs and the plots.')


class Cell(NamedTuple):
    """One run."""

    order: str
    optimizer: str
    batch: str  # a number or `all`
    rate: float

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f'{self.order}-{self.optimizer}-{self.batch}-{self.rate:g}'


class Curve(NamedTuple):
    """Losses of a run by epoch."""

    cell: Cell
    updates: list[int]
    examples: list[int]
    seconds: list[float]  # training, and validation between epochs
    training: list[float]  # mean over the epoch
    validation: list[float]
    diverged: bool

    @property
    def final(self) -> float:
        """Last validation loss."""
        return math.inf if self.diverged else self.validation[-1]


def main(argv: list[str]) -> None:
    """Runs what is missing, writes the plots and prints the table."""
    refuse_unknown()
    wanted = data.Config(dataset=_DATASET.value)
    count = len(data.load(wanted).train.images)
    epochs = max(1, round(_EXAMPLES.value / count))
    output = pathlib.Path(_OUTPUT.value)
    words = (f'--dataset={_DATASET.value}', f'--epochs={epochs}', *MODEL, *argv[1:])
    keep_to_one_study(output, words)
    best = []
    for order in _ORDERS.value:
        for optimizer in _OPTIMIZERS.value:
            for batch in _BATCHES.value:
                rates = [float(text) for text in _LEARNING_RATES.value]
                cells = [
                    Cell(order, optimizer, batch, value)
                    for value in rates or [rate(optimizer, batch, count)]
                ]
                curves = [run(output, cell, words, epochs, count) for cell in cells]
                best.append(min(curves, key=lambda curve: curve.final))
    write(output, best, f'{_DATASET.value}, {count:,} training examples')


def refuse_unknown() -> None:
    """Refuses unknown names before anything is run."""
    for flag, known in ((_OPTIMIZERS, OPTIMIZERS), (_ORDERS, ORDERS)):
        if unknown := set(flag.value) - set(known):
            raise app.UsageError(f'--{flag.name}: {", ".join(unknown)} is none of {known}')
    for batch in _BATCHES.value:
        if batch != ALL and not (batch.isdigit() and int(batch)):
            raise app.UsageError(f'--batch_sizes: {batch} is neither a number above 0 nor {ALL}')


def keep_to_one_study(output: pathlib.Path, words: Sequence[str]) -> None:
    """Refuses an output folder whose runs were made with other arguments."""
    path = output / 'settings.json'
    if path.exists() and (known := json.loads(path.read_text())) != list(words):
        raise app.UsageError(
            f'--output {output} holds a study with {" ".join(known)}, not with {" ".join(words)}'
        )
    output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(words)) + '\n')


def rate(optimizer: str, batch: str, count: int) -> float:
    """Returns the learning rate scaled from `RATES`."""
    reference, power, largest = RATES[optimizer]
    size = count if batch == ALL else int(batch)
    return float(f'{min(largest, reference * (size / REFERENCE) ** power):.2g}')


def train(words: Sequence[str]) -> tuple[int, str]:
    """Runs `tfae train` with these arguments; returns its exit code and its stderr.

    In a process of its own, since sessions of one process share the thread pools of the first.
    """
    quiet = os.environ | {'TF_CPP_MIN_LOG_LEVEL': '3'}
    command = [sys.executable, '-m', 'tfae', 'train', *words]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=quiet)
    return done.returncode, done.stderr.decode(errors='replace')


def run(output: pathlib.Path, cell: Cell, words: Sequence[str], epochs: int, count: int) -> Curve:
    """Trains `cell` to its end, unless it is finished, and returns its losses."""
    folder = output / cell.name
    diverged = folder / 'diverged.txt'
    if not diverged.exists() and len(records(folder)) < epochs:
        print(cell.name, flush=True)
        own = {
            'order': cell.order,
            'optimizer': cell.optimizer,
            'batch_size': 0 if cell.batch == ALL else cell.batch,
            'learning_rate': cell.rate,
            'logdir': folder,
        }
        code, said = train([*words, *(f'--{name}={value}' for name, value in own.items())])
        if code == 1 and 'training stopped' in said:
            diverged.write_text(said)
        elif code:
            raise SystemExit(f'{cell.name} ended with {code}: {said[-2000:]}')
    found = records(folder)
    size = count if cell.batch == ALL else int(cell.batch)
    spent = [record['seconds'] for record in found]
    return Curve(
        cell,
        [record['step'] for record in found],
        [record['step'] * size for record in found],
        [sum(spent[: i + 1]) for i in range(len(spent))],
        [record['loss'] for record in found],
        [record['validation_loss'] for record in found],
        diverged.exists(),
    )


def records(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the records of metrics.jsonl, one per epoch."""
    path = folder / 'metrics.jsonl'
    return [json.loads(line) for line in path.open()] if path.exists() else []


def write(output: pathlib.Path, curves: Sequence[Curve], title: str) -> None:
    """Writes the plots, the measurements and the table, and prints the table."""
    for order in dict.fromkeys(curve.cell.order for curve in curves):
        of_order = [curve for curve in curves if curve.cell.order == order]
        path = output / f'loss_{order}.png'
        draw_losses(path, of_order, f'Loss by batch size ({title}; order: {order})')
    if len({curve.cell.order for curve in curves}) > 1:
        draw_orders(output / 'orders.png', curves, f'Loss by order of the examples ({title})')
    figures = [curve._asdict() | {'cell': curve.cell._asdict()} for curve in curves]
    (output / 'study.json').write_text(json.dumps(figures, indent=1) + '\n')
    (output / 'study.md').write_text(table(curves))
    print(table(curves), end='')


def table(curves: Sequence[Curve]) -> str:
    """Returns the last losses of each run as Markdown."""
    heads = 'optimizer,order,batch,learning rate,updates,training loss,validation loss,seconds'
    lines = [heads.split(','), ['---'] * 8]
    for curve in curves:
        cell = curve.cell
        ends = ['-', 'diverged', 'diverged', '-']
        if not curve.diverged:
            losses = [f'{curve.training[-1]:.5f}', f'{curve.validation[-1]:.5f}']
            ends = [f'{curve.updates[-1]:,}', *losses, f'{curve.seconds[-1]:.1f}']
        lines.append([cell.optimizer, cell.order, cell.batch, f'{cell.rate:g}', *ends])
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def panels(
    path: pathlib.Path, curves: Sequence[Curve], title: str, rows: int, fill: Callable[..., None]
) -> None:
    """Plots a column of `rows` panels for each optimizer by `fill(axes, curves, first)`."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    optimizers = list(dict.fromkeys(curve.cell.optimizer for curve in curves))
    size = (1.5 + 2.6 * len(optimizers), 0.9 + 2.7 * rows)
    figure, axes = plt.subplots(
        rows, len(optimizers), figsize=size, squeeze=False, sharey=True, sharex='row', dpi=100
    )
    for column, optimizer in enumerate(optimizers):
        axes[0][column].set_title(optimizer, fontsize=11)
        fill(axes[:, column], [c for c in curves if c.cell.optimizer == optimizer], not column)
    handles: dict[str, Any] = {}
    for axis in axes.flat:
        axis.grid(which='both', color='0.92', linewidth=0.6)
        for side in (axis.xaxis, axis.yaxis):
            if side.get_scale() == 'log':
                side.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
                side.set_major_formatter(ticker.StrMethodFormatter('{x:,.10g}'))
                side.set_minor_formatter(ticker.NullFormatter())
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.suptitle(title, fontsize=12)
    figure.legend(handles.values(), handles, loc='outside right center', frameon=False)
    figure.set_layout_engine('constrained')
    figure.savefig(path)
    plt.close(figure)


def draw_losses(path: pathlib.Path, curves: Sequence[Curve], title: str) -> None:
    """Plots the loss by examples and by seconds, a curve for each batch size."""
    from matplotlib import colormaps

    batches = list(dict.fromkeys(curve.cell.batch for curve in curves))
    ends = [end for curve in curves for end in curve.examples]
    scale = 'log' if ends and max(ends) > 10 * min(ends) else 'linear'
    shades = colormaps['viridis']([i / max(len(batches), 2) for i in range(len(batches))])

    def fill(axes: Any, found: Sequence[Curve], first: bool) -> None:
        for curve in found:
            i = batches.index(curve.cell.batch)
            style = {'color': shades[i], 'marker': MARKERS[i % len(MARKERS)], 'markersize': 4}
            label = 'full batch' if curve.cell.batch == ALL else f'batch size {curve.cell.batch}'
            seen = [examples / 1000 for examples in curve.examples]
            axes[0].plot(seen, curve.validation, label=label, **style)
            axes[0].plot(seen, curve.training, color=shades[i], ls=':', lw=1)
            axes[1].plot(curve.seconds, curve.validation, **style)
        axes[0].plot([], [], color='0.4', ls=':', lw=1, label='training loss\n(epoch mean)')
        axes[0].set(xscale=scale, xlabel='thousands of examples seen')
        axes[1].set(xscale='log', xlabel='seconds of training')
        for axis in axes:
            axis.set(yscale='log', ylabel='validation loss' if first else '')

    panels(path, curves, title, 2, fill)


def draw_orders(path: pathlib.Path, curves: Sequence[Curve], title: str) -> None:
    """Plots the last validation loss by batch size, a line for each order."""
    orders = list(dict.fromkeys(curve.cell.order for curve in curves))

    def fill(axes: Any, found: Sequence[Curve], first: bool) -> None:
        for i, order in enumerate(orders):
            own = [curve for curve in found if curve.cell.order == order]
            places = [curve.cell.batch for curve in own]
            ends = [curve.final for curve in own]
            axes[0].plot(places, ends, label=order, color=COLORS[i], marker=MARKERS[i])
        axes[0].set(yscale='log', xlabel='batch size')
        if first:
            axes[0].set_ylabel('last validation loss')

    panels(path, curves, title, 1, fill)


if __name__ == '__main__':
    app.run(main)
