"""Rows of tables as lines over their columns (parallel coordinates), and columns over a plane.

N rows, D columns.
"""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np

from tfae.core.atomic_files import replacing
from tfae.plots.charts import COLORS
from tfae.plots.grids import Axes, plt

_WIDTH = 10.0  # inches of a figure
_HEIGHT = 1.7  # inches of a panel
_RESOLUTION = 150  # pixels per inch
_MAX_TICKS = 40  # names of columns below a panel
_MAX_NAME = 24  # characters
_MAX_MAPS = 30
_GRADED = 'viridis'


class Panel(NamedTuple):
    """A plot of rows of a table."""

    caption: str
    lines: Mapping[str, np.ndarray]  # label -> a row [D], or rows [N, D] of one color
    graded: bool = False  # the colors of rows [N, D] go from the first to the last


def shortened(name: str) -> str:
    """Returns the name of a column as plots show it, at most 24 characters."""
    return name if len(name) <= _MAX_NAME else f'{name[: _MAX_NAME - 1]}…'


def save_panels(
    path: pathlib.Path, panels: Sequence[Panel], columns: Sequence[str], title: str, unit: str
) -> None:
    """Plots panels below and next to each other, on one scale.

    Args:
      path: of the PNG.
      panels: one or more, with lines of the same labels.
      columns: names of the D columns.
      title: of the figure.
      unit: of the values, the label of the vertical axes.
    """
    width = min(max(2.6, 0.2 * len(columns)), _WIDTH)
    across = min(int(_WIDTH / width), len(panels))
    down = -(-len(panels) // across)
    names = max(len(shortened(name)) for name in columns)
    margins = 0.8 + 0.08 * names  # inches, of the title and the names of the columns
    figure, axes = plt.subplots(
        down,
        across,
        figsize=(max(width * across, 5), (_HEIGHT + 0.3) * down + margins),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout='constrained',
        dpi=_RESOLUTION,
    )
    for panel, axis in zip(panels, axes.flat, strict=False):
        _plot(axis, panel)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    every = -(-len(columns) // _MAX_TICKS)
    shown = [shortened(name) for name in columns[::every]]
    for lowest in axes[-1]:
        lowest.set_xticks(range(0, len(columns), every), shown, rotation=90, fontsize=7)
    for row in axes:
        row[0].set_ylabel(unit, fontsize=8)
    if len(panels[0].lines) > 1:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc='outside lower center', ncols=len(labels), fontsize=8)
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def _plot(axis: plt.Axes, panel: Panel) -> None:
    for (label, found), color in zip(panel.lines.items(), COLORS, strict=False):
        rows = np.atleast_2d(found)
        shades = matplotlib.colormaps[_GRADED](np.linspace(0, 0.9, len(rows)))
        for k, row in enumerate(rows):
            shade = shades[k] if panel.graded else color
            # A point per value: of a single column a line shows nothing.
            axis.plot(row, '.-', color=shade, lw=1, ms=3, label='' if k else label)
    axis.set_title(panel.caption, fontsize=8)
    axis.grid(alpha=0.3)
    axis.tick_params(labelsize=7)


def save_maps(
    path: pathlib.Path, maps: np.ndarray, columns: Sequence[str], axes: Axes, title: str
) -> None:
    """Plots each column over a plane, from its lowest to its highest value.

    At most 30 columns are plotted, those that vary most.

    Args:
      path: of the PNG.
      maps: `[H, W, D]`, the top row first.
      columns: names of the D columns.
      axes: of the plane.
      title: of the figure.
    """
    chosen = np.sort(np.argsort(-maps.std((0, 1)), kind='stable')[:_MAX_MAPS])
    across = math.ceil(math.sqrt(len(chosen) * 1.5))
    down = -(-len(chosen) // across)
    size = (max(1.7 * across, 5), 1.9 * down + 0.8)
    figure, places = plt.subplots(
        down, across, figsize=size, squeeze=False, layout='constrained', dpi=_RESOLUTION
    )
    extent = (axes.low[0], axes.high[0], axes.low[1], axes.high[1])
    for k, place in zip(chosen, places.flat, strict=False):
        shown = maps[..., k]
        place.imshow(shown, cmap=_GRADED, extent=extent, aspect='auto')
        place.set_title(
            f'{shortened(columns[k])}\n{shown.min():.3g} to {shown.max():.3g}', fontsize=7
        )
        place.tick_params(labelsize=6)
    for place in places.flat[len(chosen) :]:
        place.set_visible(False)
    figure.supxlabel(axes.names[0], fontsize=8)
    figure.supylabel(axes.names[1], fontsize=8)
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def _save(figure: plt.Figure, path: pathlib.Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
