"""Heat maps over images, and grids of captioned images.

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

# Color maps for color-blind readers: sequential, and diverging from white.
_ONE_SIDED, _TWO_SIDED = 'inferno', 'RdBu_r'
# Weight of the image in a blend with a sequential map.
_UNDER = 0.35
_WRONG = '#d5201a'
_GAP = 0.06  # between cells, in cell widths
_MANY = 24  # cells; from here on they are smaller


class Cell(NamedTuple):
    """A captioned image."""

    image: np.ndarray  # [H, W] gray or [H, W, 3]
    caption: str  # above it, one line or two
    wrong: bool = False  # marked by a red frame and caption


class Scale(NamedTuple):
    """Color scale of maps."""

    label: str
    signed: bool  # from -1 to 1 instead of 0 to 1


def plain(images: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Returns N images `[H, W, C]` as `Cell` takes them."""
    return [visible(image) for image in images]


def over(images: np.ndarray, maps: np.ndarray, signed: bool) -> list[np.ndarray]:
    """Colors maps; a sequential one is blended with its image in gray.

    A diverging one is not, so that its colors, white at zero, are those of the colorbar.

    Args:
      images: `[N, H, W, C]`.
      maps: `[N, H, W]`; each is scaled by its largest absolute value.
      signed: whether the scale is diverging.

    Returns: N images `[H, W, 3]`.
    """
    largest = np.abs(maps).max((1, 2), keepdims=True)
    scaled = maps / np.where(largest > 0, largest, 1)
    colors = matplotlib.colormaps[_TWO_SIDED if signed else _ONE_SIDED]
    colored = colors((scaled + 1) / 2 if signed else scaled)[..., :3]
    if signed:
        return list(colored)
    gray = np.clip(images.mean(-1), 0, 1)[..., None]
    return list(_UNDER * gray + (1 - _UNDER) * colored)


def save_cells(
    path: pathlib.Path, lines: Sequence[Sequence[Cell]], title: str, scale: Scale | None = None
) -> None:
    """Plots rows of images, each image with its caption above.

    Args:
      path: of the PNG.
      lines: rows of cells of one image size.
      title: of the figure.
      scale: of the colorbar below; None for none.
    """
    columns, count = max(map(len, lines)), sum(map(len, lines))
    height, width = lines[0][0].image.shape[:2]
    # Sizes in inches; few large images are shown at full resolution.
    wide = min(max(1.1, width / 150), 1.5) if count < _MANY else 0.85
    size = 7.5 if count < _MANY else 6  # points of a caption
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
            _plot_cell(axis, cell, column * (1 + _GAP), row * down + words, size)
    axis.set(xlim=(-_GAP, columns * (1 + _GAP)), ylim=(len(lines) * down, 0), aspect='equal')
    axis.axis('off')
    figure.suptitle('\n'.join(lead), fontsize=9.5, y=1 - 0.12 / tall, va='top')
    if scale:
        _bar(figure, scale, across, tall)
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def _plot_cell(axis: plt.Axes, cell: Cell, left: float, top: float, size: float) -> None:
    """Plots an image of width 1 with its caption, in points of `size`."""
    height = cell.image.shape[0] / cell.image.shape[1]
    color = _WRONG if cell.wrong else 'black'
    extent = (left, left + 1, top + height, top)
    axis.imshow(cell.image, cmap='gray', vmin=0, vmax=1, interpolation='nearest', extent=extent)
    axis.text(
        left + 0.5, top - 0.02, cell.caption, ha='center', va='bottom', fontsize=size, color=color
    )
    if cell.wrong:
        axis.add_patch(plt.Rectangle((left, top), 1, height, fill=False, ec=color, lw=2))


def wrapped(cells: Sequence[Cell], columns: int) -> list[Sequence[Cell]]:
    """Returns cells in rows of at most `columns`."""
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def columns(count: int) -> int:
    """Returns the number of columns of a readable sheet that is wider than high."""
    return min(count, 16, max(5, math.ceil(math.sqrt(1.6 * count))))


def _bar(figure: plt.Figure, scale: Scale, across: float, tall: float) -> None:
    """Adds a colorbar at the bottom, of fixed size in inches."""
    axis = figure.add_axes((0.5 - 1.5 / across, 0.42 / tall, 3 / across, 0.12 / tall))
    colors = _TWO_SIDED if scale.signed else _ONE_SIDED
    norm = matplotlib.colors.Normalize(-1 if scale.signed else 0, 1)
    bar = figure.colorbar(
        matplotlib.cm.ScalarMappable(norm, colors), cax=axis, orientation='horizontal'
    )
    bar.set_label(scale.label, fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
