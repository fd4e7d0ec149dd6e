"""Sequences as lines over their steps: a panel per example, a color per channel.

N sequences, L steps, C channels.
"""

import math
import pathlib
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from tfae.core.atomic_files import replacing
from tfae.plots.charts import COLORS
from tfae.plots.grids import Axes, plt
from tfae.plots.profiles import Panel, shortened

_ACROSS = 3  # panels next to each other
_SIZE = (3.4, 1.6)  # inches of a panel
_RESOLUTION = 150  # pixels per inch
_STYLES = ('-', '--', ':', '-.', (0, (6, 1, 1, 1, 1, 1)))  # of the labels: the most there may be
_MAX_CHANNELS = len(COLORS)  # that are plotted, starting with the first
_GRADED = 'viridis'
_FILL = 0.85  # of a cell of a sheet


def save_panels(
    path: pathlib.Path, panels: Sequence[Panel], channels: Sequence[str], title: str, unit: str
) -> None:
    """Plots panels of sequences next to and below each other, on one scale.

    Args:
      path: of the PNG.
      panels: one or more, with lines of the same labels, at most five: label -> a sequence
        `[L, C]`, or sequences `[N, L, C]`, of which those of NaN are left out. The colors of a
        graded panel go from the first to the last, and the style of a line is that of its channel.
      channels: names of the C channels, of which seven are plotted.
      title: of the figure.
      unit: of the values, the label of the vertical axes.
    """
    across = min(_ACROSS, len(panels))
    down = -(-len(panels) // across)
    lines = 1 + max(panel.caption.count('\n') for panel in panels)
    size = (max(_SIZE[0] * across, 5), (_SIZE[1] + 0.15 * lines) * down + 0.9)
    figure, axes = plt.subplots(
        down,
        across,
        figsize=size,
        sharex=True,
        sharey=True,
        squeeze=False,
        layout='constrained',
        dpi=_RESOLUTION,
    )
    shown = [shortened(name) for name in channels[:_MAX_CHANNELS]]
    for panel, axis in zip(panels, axes.flat, strict=False):
        _plot(axis, panel, len(shown))
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for lowest in axes[-1]:
        lowest.set_xlabel('step', fontsize=8)
    for row in axes:
        row[0].set_ylabel(unit, fontsize=8)
    entries = _entries(panels[0], shown)
    if len(entries) > 1:
        columns = min(len(entries), 2 * across)
        figure.legend(handles=entries, loc='outside lower center', ncols=columns, fontsize=8)
    more = '' if len(shown) == len(channels) else f'; {len(shown)} of {len(channels)} channels'
    figure.suptitle(title + more, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def _plot(axis: plt.Axes, panel: Panel, channels: int) -> None:
    assert len(panel.lines) <= len(_STYLES)
    for found, style in zip(panel.lines.values(), _STYLES, strict=False):
        sequences = found if found.ndim == 3 else found[None]
        shades = matplotlib.colormaps[_GRADED](np.linspace(0, 0.9, len(sequences)))
        for k, sequence in enumerate(sequences):
            for c in range(channels):
                of = (shades[k], _STYLES[c % len(_STYLES)]) if panel.graded else (COLORS[c], style)
                axis.plot(sequence[:, c], color=of[0], ls=of[1], lw=1)
    axis.set_title(panel.caption, fontsize=8)
    axis.grid(alpha=0.3)
    axis.tick_params(labelsize=7)


def _entries(panel: Panel, channels: Sequence[str]) -> list[Line2D]:
    """Returns the entries of the legend: the labels by their style, channels by their color."""
    labels = {} if len(panel.lines) < 2 else dict(zip(panel.lines, _STYLES, strict=False))
    made = [Line2D([], [], color='black', ls=style, label=k) for k, style in labels.items()]
    if len(channels) > 1 and not panel.graded:
        made += [
            Line2D([], [], color=color, label=name)
            for name, color in zip(channels, COLORS, strict=False)
        ]
    return made


def save_sheet(
    path: pathlib.Path, sequences: np.ndarray, columns: int, title: str, axes: Axes | None = None
) -> None:
    """Plots many sequences in the cells of a sheet, on one scale.

    Args:
      path: of the PNG.
      sequences: `[N, L, C]`, in rows of `columns`.
      columns: of the sheet.
      title: of the figure.
      axes: coordinates of the sequences; None: no axes.
    """
    count, steps, channels = sequences.shape
    rows = math.ceil(count / columns)
    low, high = float(np.min(sequences)), float(np.max(sequences))
    left, bottom = axes.low if axes else (0.0, 0.0)
    right, top = axes.high if axes else (columns - 1.0, rows - 1.0)
    cell = (right - left) / max(columns - 1, 1) or 1.0, (top - bottom) / max(rows - 1, 1) or 1.0
    x = np.linspace(-_FILL / 2, _FILL / 2, steps) * cell[0]
    heights = ((sequences - low) / (high - low or 1) - 0.5) * _FILL * cell[1]
    side = max(5.5, 0.36 * columns)  # inches
    figure, axis = plt.subplots(figsize=(side, side * rows / columns + 0.7), dpi=_RESOLUTION)
    for c in range(min(channels, _MAX_CHANNELS)):
        lines = [
            np.column_stack([left + k % columns * cell[0] + x, top - k // columns * cell[1] + y])
            for k, y in enumerate(heights[..., c])
        ]
        axis.add_collection(LineCollection(lines, colors=COLORS[c], linewidths=0.8))
    axis.set_xlim(left - cell[0] / 2, right + cell[0] / 2)
    axis.set_ylim(bottom - cell[1] / 2, top + cell[1] / 2)
    axis.set_title(title, fontsize=10)
    if axes:
        axis.set_xlabel(axes.names[0])
        axis.set_ylabel(axes.names[1])
    else:
        axis.axis('off')
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
