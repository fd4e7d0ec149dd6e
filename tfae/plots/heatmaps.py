"""Images with heat maps over them, and sheets of small images that each have a caption.

N images, H x W image, C channels; pixels in [0, 1].
"""

import math
import pathlib
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np

from tfae.core.atomic_files import replacing
from tfae.plots.grids import plt, visible

# Maps that color-blind readers can follow: of lightness alone, and to either side of white.
_ONE_SIDED, _TWO_SIDED = 'inferno', 'RdBu_r'
# Parts of the image in a mixture; white stands for nothing where there are two sides.
_UNDER_ONE, _UNDER_TWO = 0.35, 0.2
_GAP = 0.06  # between cells, in their width
_SMALL = 24  # cells from which they are drawn smaller


class Cell(NamedTuple):
    """One of the small images."""

    image: np.ndarray  # [H, W] gray or [H, W, 3]
    caption: str  # above it, one line or two


class Scale(NamedTuple):
    """What the colors of maps mean."""

    label: str
    signed: bool  # from -1 to 1 instead of from 0


def plain(images: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Images `[H, W, C]`, N of them, as `Cell` takes them."""
    return [visible(image) for image in images]


def over(images: np.ndarray, maps: np.ndarray, signed: bool) -> list[np.ndarray]:
    """The colors of maps mixed into their images, in gray.

    Args:
      images: `[N, H, W, C]`.
      maps: `[N, H, W]`; each is scaled by its largest absolute value.
      signed: whether values below 0 have colors of their own.
    Returns: N images `[H, W, 3]`.
    """
    largest = np.abs(maps).max((1, 2), keepdims=True)
    scaled = maps / np.where(largest > 0, largest, 1)
    colors = matplotlib.colormaps[_TWO_SIDED if signed else _ONE_SIDED]
    colored = colors((scaled + 1) / 2 if signed else scaled)[..., :3]
    gray = np.clip(images.mean(-1), 0, 1)[..., None]
    part = _UNDER_TWO if signed else _UNDER_ONE
    return list(part * gray + (1 - part) * colored)


def save_cells(
    path: pathlib.Path, lines: Sequence[Sequence[Cell]], title: str, scale: Scale | None = None
) -> None:
    """Draws lines of small images under one another, each with its caption above.

    Args:
      path: of the PNG.
      lines: of one image size; the longest decides the width.
      title: above all.
      scale: of the color bar below; None: there is none.
    """
    columns, count = max(map(len, lines)), sum(map(len, lines))
    height, width = lines[0][0].image.shape[:2]
    # Inches of a cell; few large images are shown pixel by pixel.
    wide = min(max(1.1, width / 150), 1.5) if count < _SMALL else 0.85
    size = 7.5 if count < _SMALL else 6  # points of a caption
    most = max(cell.caption.count('\n') + 1 for line in lines for cell in line)
    words = most * size * 1.35 / 72 / wide  # widths of a cell
    down = height / width + words + _GAP
    across = max(columns * (1 + _GAP) * wide, 5.5) + 0.3  # inches
    lead = [part for line in title.split('\n') for part in textwrap.wrap(line, int(13 * across))]
    above, below = 0.25 + 0.16 * len(lead), 0.65 if scale else 0.1
    tall = len(lines) * down * wide + above + below
    figure = plt.figure(figsize=(across, tall), dpi=min(150, 20_000 / max(across, tall)))
    axis = figure.add_axes((0, below / tall, 1, 1 - (above + below) / tall))
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            left, top = column * (1 + _GAP), row * down + words
            extent = (left, left + 1, top + height / width, top)
            axis.imshow(
                cell.image, cmap='gray', vmin=0, vmax=1, interpolation='nearest', extent=extent
            )
            axis.text(left + 0.5, top - 0.02, cell.caption, ha='center', va='bottom', fontsize=size)
    axis.set(xlim=(-_GAP, columns * (1 + _GAP)), ylim=(len(lines) * down, 0), aspect='equal')
    axis.axis('off')
    figure.suptitle('\n'.join(lead), fontsize=9.5, y=1 - 0.12 / tall, va='top')
    if scale:
        _bar(figure, scale, across, tall)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def wrapped(cells: Sequence[Cell], columns: int) -> list[Sequence[Cell]]:
    """Cells in lines of at most `columns`."""
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def columns(count: int) -> int:
    """Of a sheet of so many cells: wider than it is high, and readable."""
    return min(count, 16, max(5, math.ceil(math.sqrt(1.6 * count))))


def _bar(figure: plt.Figure, scale: Scale, across: float, tall: float) -> None:
    """A color bar at the bottom, of fixed size in inches."""
    axis = figure.add_axes((0.5 - 1.5 / across, 0.42 / tall, 3 / across, 0.12 / tall))
    colors = _TWO_SIDED if scale.signed else _ONE_SIDED
    norm = matplotlib.colors.Normalize(-1 if scale.signed else 0, 1)
    bar = figure.colorbar(
        matplotlib.cm.ScalarMappable(norm, colors), cax=axis, orientation='horizontal'
    )
    bar.set_label(scale.label, fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
