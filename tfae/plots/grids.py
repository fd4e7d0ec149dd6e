"""Grids of images, scatter plots and films as files.

N images, H x W image, C channels; pixels in [0, 1].
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from tfae.core.atomic_files import replacing

matplotlib.use('Agg')
matplotlib.rcParams['text.parse_math'] = False  # names of classes and files may hold dollars

from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first)

# Contrast of at least 3:1 on white, and the largest distances between any two, also to readers with
# deuteranopia. The explorer uses the same colors in its light scheme.
PALETTE = [
    '#223bf5',
    '#764000',
    '#23a962',
    '#980139',
    '#0093b2',
    '#f521a2',
    '#939500',
    '#761e94',
    '#6589ee',
    '#674668',
]
_MARKERS = 'o^sDvP*X'  # the next one for each ten classes
_PAGE = 9.0  # inches: widest row of images
_CELL = 0.75  # inches of an image in a row, at most
_RESOLUTION = 150  # pixels per inch
_BLOCK_GAP = 0.4  # between blocks of rows, in rows
_MAX_LEGEND_ROWS = 25


class Axes(NamedTuple):
    """Coordinates of a sheet: names of the axes, and centers of the outermost images."""

    names: tuple[str, str]
    low: tuple[float, float]  # lower left
    high: tuple[float, float]  # upper right


def save_rows(
    path: pathlib.Path,
    rows: Mapping[str, np.ndarray] | Sequence[Mapping[str, np.ndarray]],
    title: str,
) -> None:
    """Plots rows of images, each with its label on the left.

    Args:
      path: of the PNG.
      rows: label -> images `[N, H, W, C]`, the same shape in each; values are clipped to [0, 1],
        and an image of NaN is left blank. A sequence of mappings becomes blocks with gaps between.
      title: of the figure.
    """
    blocks = [rows] if isinstance(rows, Mapping) else list(rows)
    first = next(iter(blocks[0].values()))
    columns, height, width = first.shape[:3]
    across = min(_CELL, _PAGE / columns)
    down = across * height / width
    lines = sum(map(len, blocks)) + _BLOCK_GAP * (len(blocks) - 1)
    size = (1.6 + across * columns, 0.6 + down * lines)
    figure = plt.figure(figsize=size, dpi=_RESOLUTION)
    top = size[1] - 0.45
    for block in blocks:
        top -= down * len(block)
        box = (
            1.5 / size[0],
            top / size[1],
            across * columns / size[0],
            down * len(block) / size[1],
        )
        _plot_block(figure.add_axes(box), block)
        top -= down * _BLOCK_GAP
    figure.suptitle(title, fontsize=10, x=0.5, y=1 - 0.18 / size[1])
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def _plot_block(axis: plt.Axes, block: Mapping[str, np.ndarray]) -> None:
    """Plots rows of images as one image, with the labels on the left."""
    images = np.stack(list(block.values()))
    made = sheet(images.reshape(-1, *images.shape[2:]), images.shape[1])
    axis.imshow(made, cmap='gray', vmin=0, vmax=1, interpolation='nearest', aspect='auto')
    axis.axis('off')
    for i, label in enumerate(block):
        middle = 1 - (i + 0.5) / len(block)
        axis.annotate(
            label,
            (0, middle),
            (-7, 0),
            xycoords='axes fraction',
            textcoords='offset points',
            ha='right',
            va='center',
            fontsize=9,
        )


def save_sheets(
    path: pathlib.Path,
    sheets: Mapping[str, np.ndarray],
    columns: int,
    title: str,
    axes: Axes | None = None,
) -> None:
    """Plots sheets of images side by side, each with its label above.

    Args:
      path: of the PNG.
      sheets: label -> images `[N, H, W, C]` in rows of `columns`; values are clipped to [0, 1].
        A single sheet may have the label ''.
      columns: of each sheet.
      title: of the figure.
      axes: coordinates of the images; None, or equal coordinates: no axes.
    """
    if axes and not np.all(np.subtract(axes.high, axes.low)):
        axes = None
    side = max(3.0, 0.36 * columns)  # inches
    figure, plotted = plt.subplots(
        1, len(sheets), figsize=(side * len(sheets), side + 0.7), squeeze=False, dpi=_RESOLUTION
    )
    for (label, images), axis in zip(sheets.items(), plotted[0], strict=True):
        made = sheet(images, columns)
        extent = _extent(axes, columns, len(images) // columns) if axes else None
        axis.imshow(
            made, cmap='gray', vmin=0, vmax=1, interpolation='nearest', extent=extent, aspect='auto'
        )
        axis.set_box_aspect(made.shape[0] / made.shape[1])
        axis.set_title(label or title, fontsize=9 if label else 10)
        if axes:
            axis.set_xlabel(axes.names[0])
            axis.set_ylabel(axes.names[1])
        else:
            axis.axis('off')
    if any(sheets):
        figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def _extent(axes: Axes, columns: int, rows: int) -> tuple[float, float, float, float]:
    """Returns left, right, bottom and top: half a cell beyond the outermost centers."""
    (left, low), (right, high) = axes.low, axes.high
    across, up = (right - left) / (columns - 1) / 2, (high - low) / (rows - 1) / 2
    return left - across, right + across, low - up, high + up


def save_points(
    path: pathlib.Path,
    points: np.ndarray,
    labels: np.ndarray | None,
    class_names: Sequence[str],
    axes_names: tuple[str, str],
    title: str,
) -> None:
    """Plots points of a plane, colored by class, with a legend.

    Args:
      path: of the PNG.
      points: `[N, 2]`.
      labels: `[N]` or None.
      class_names: of the labels; if empty the labels are the names.
      axes_names: of the horizontal and the vertical axis.
      title: of the figure.
    """
    figure, axis = plt.subplots(figsize=(7.6, 6.4), dpi=_RESOLUTION)
    groups = np.zeros(len(points), int) if labels is None else labels
    area = float(np.clip(20_000 / len(points), 10, 36))  # square points
    for first in range(0, int(groups.max()) + 1, len(PALETTE)):
        marker = _MARKERS[first // len(PALETTE) % len(_MARKERS)]
        # In the order of the examples: plotted by class, the last one would hide the others.
        chosen = (groups >= first) & (groups < first + len(PALETTE))
        colors = [PALETTE[int(k) % len(PALETTE)] for k in groups[chosen]]
        x, y = points[chosen].T
        axis.scatter(x, y, s=area, c=colors, marker=marker, alpha=0.75, linewidths=0)
    if labels is not None:
        _legend(axis, np.unique(groups).tolist(), class_names)
    axis.set_xlabel(axes_names[0])
    axis.set_ylabel(axes_names[1])
    axis.set_title(title, fontsize=10, wrap=True)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def _legend(axis: plt.Axes, present: Sequence[int], class_names: Sequence[str]) -> None:
    """Adds the classes at the right of a scatter plot."""
    entries = [
        axis.scatter(
            [],
            [],
            s=40,
            color=PALETTE[k % len(PALETTE)],
            marker=_MARKERS[k // len(PALETTE) % len(_MARKERS)],
        )
        for k in present
    ]
    axis.legend(
        entries,
        # Given here: a label of a scatter that begins with _ would be left out.
        [class_names[k] if len(class_names) else str(k) for k in present],
        title='class',
        loc='upper left',
        bbox_to_anchor=(1.01, 1),
        fontsize=9,
        frameon=False,
        ncols=-(-len(present) // _MAX_LEGEND_ROWS),
    )


def save_film(path: pathlib.Path, films: Mapping[str, np.ndarray], seconds: float = 0.1) -> None:
    """Writes films side by side as a GIF that loops.

    Args:
      path: of the GIF.
      films: label -> images `[N, H, W, C]`, the same N in each; the label is below.
      seconds: duration of a frame.
    """
    frames = []
    for images in zip(*films.values(), strict=True):
        scale = max(1, 140 // images[0].shape[0])
        shown = [
            np.kron(visible(p), np.ones([scale, scale] + [1] * (p.shape[-1] == 3))) for p in images
        ]
        row = np.concatenate(
            [np.pad(s, [(0, 16), (0, 4), *[(0, 0)] * (s.ndim - 2)]) for s in shown], 1
        )
        frame = Image.fromarray(np.rint(255 * row).astype(np.uint8))
        draw = ImageDraw.Draw(frame)
        for i, label in enumerate(films):
            white = 255 if frame.mode == 'L' else (255, 255, 255)
            draw.text((i * shown[0].shape[1] + 4 * i + 4, frame.height - 14), label, fill=white)
        frames.append(frame)
    first, *others = frames
    with replacing(path) as temporary:
        first.save(temporary, save_all=True, append_images=others, duration=1000 * seconds, loop=0)


def sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Returns images as one, with white gaps of at least a pixel between them.

    Args:
      images: `[N, H, W, C]`; one of NaN is left blank.
      columns: of the sheet; the last row is filled up with white.

    Returns: `[rows * (H + gap) - gap, columns * (W + gap) - gap]`, or the same with 3 channels.
    """
    count, height, width, channels = images.shape
    rows, gap = -(-count // columns), max(1, round(max(height, width) / 16))
    filled = np.ones([rows * columns, height + gap, width + gap, channels])
    filled[:count, :height, :width] = np.nan_to_num(images, nan=1.0)
    filled = filled.reshape(rows, columns, height + gap, width + gap, channels)
    made = filled.transpose(0, 2, 1, 3, 4).reshape(rows * (height + gap), -1, channels)
    return visible(made[:-gap, :-gap])


def visible(image: np.ndarray) -> np.ndarray:
    """Returns an image `[H, W, C]` as imshow takes it; of 2 or more than 3 channels, their mean."""
    if image.shape[-1] == 3:
        return np.clip(image, 0, 1)
    return np.clip(image.mean(-1), 0, 1)
