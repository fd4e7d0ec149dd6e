"""Plot of a search over flags: parallel coordinates, and the importance of each flag."""

import math
import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from tfae.core.atomic_files import replacing
from tfae.plots.charts import COLORS
from tfae.plots.grids import plt

_MAX_TICKS = 6


def save(
    path: pathlib.Path,
    trials: Sequence[Mapping[str, str]],
    objectives: Sequence[float],
    measure: str,
    best: int,
    importance: Mapping[str, float],
) -> None:
    """Plots a line for each trial, across an axis for each flag and one for the objective.

    Args:
      path: of the PNG.
      trials: flag -> value, T of them with the same flags.
      objectives: T; nan of trials that diverged, which are left out.
      measure: name of the objective.
      best: index of the chosen trial.
      importance: flag -> share; empty without a panel for it.
    """
    finite = [i for i, value in enumerate(objectives) if math.isfinite(value)]
    flags = list(trials[0])
    heights, ticks = [], []
    for flag in flags:
        height, marks = _placed([trials[i][flag] for i in finite])
        heights.append(height)
        ticks.append(marks)
    values = np.array([objectives[i] for i in finite])
    low, span = values.min(), np.ptp(values) or 1
    heights.append((values - low) / span)
    ticks.append([(k / 4, f'{low + k / 4 * span:.4g}') for k in range(5)])

    width = 2 + 1.7 * len(flags)
    panels = 2 if importance else 1
    figure, axes = plt.subplots(
        1,
        panels,
        figsize=(width + 3.4 * (panels - 1), 4.4),
        dpi=150,
        width_ratios=[width, 3.4][:panels],
        squeeze=False,
    )
    axis = axes[0, 0]
    lines = np.array(heights).T
    order = sorted(range(len(finite)), key=lambda k: finite[k] == best)  # the chosen one on top
    colors = matplotlib.colormaps['viridis']
    for k in order:
        chosen = finite[k] == best
        axis.plot(
            range(len(flags) + 1),
            lines[k],
            label=f'trial {best}' if chosen else None,
            color=COLORS[5] if chosen else colors(float(lines[k, -1]) * 0.9),
            linewidth=2.4 if chosen else 1,
        )
    for x, marks in enumerate(ticks):
        axis.axvline(x, color='0.3', linewidth=0.8)
        for y, text in marks:
            axis.annotate(text, (x, y), (3, 0), textcoords='offset points', fontsize=7, va='center')
    axis.set_xticks(range(len(flags) + 1), [*(f'--{flag}' for flag in flags), measure], fontsize=8)
    axis.set_yticks([])
    axis.set(xlim=(-0.2, len(flags) + 0.6), ylim=(-0.05, 1.05))
    axis.spines[:].set_visible(False)
    axis.legend(fontsize=8, loc='upper center', bbox_to_anchor=(0.5, -0.08), frameon=False)
    if importance:
        bars = axes[0, 1]
        names = sorted(importance, key=importance.__getitem__)
        bars.barh([f'--{name}' for name in names], [importance[name] for name in names])
        bars.set(xlabel='importance: share of the variance', xlim=(0, 1))
        bars.tick_params(labelsize=8)
    figure.suptitle(f'{len(trials)} trials by {measure}', fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def _placed(texts: Sequence[str]) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Returns the heights of values on an axis, in [0, 1], and its ticks.

    Numbers of a wide positive range are placed by their logarithms, other texts at equal distances.
    """
    try:
        numbers = np.array(texts, np.float64)
    except ValueError:
        return _listed(texts, list(dict.fromkeys(texts)))
    if len({*texts}) <= _MAX_TICKS:
        return _listed(texts, sorted({*texts}, key=float))
    log = numbers.min() > 0 and numbers.max() > 30 * numbers.min()
    numbers = np.log(numbers) if log else numbers
    low, span = numbers.min(), np.ptp(numbers) or 1
    ends = np.linspace(0, 1, 5)
    marks = low + ends * span
    marks = np.exp(marks) if log else marks
    return (numbers - low) / span, [(y, f'{m:.3g}') for y, m in zip(ends, marks, strict=True)]


def _listed(texts: Sequence[str], order: Sequence[str]) -> tuple[np.ndarray, list]:
    last = max(len(order) - 1, 1)
    heights = np.array([order.index(text) / last for text in texts])
    return heights, [(k / last, text) for k, text in enumerate(order)]
