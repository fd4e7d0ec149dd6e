"""Grids of images, scatter plots and films as files.

N images, H x W image, C channels; pixels in [0, 1].
"""

import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from tfae.core.atomic_files import replacing

matplotlib.use('Agg')

from matplotlib import patheffects  # noqa: E402  (the backend is chosen first)
from matplotlib import pyplot as plt  # noqa: E402

# Tol's muted colors, distinguishable to color-blind readers.
_PALETTE = [
    '#CC6677',
    '#332288',
    '#DDCC77',
    '#117733',
    '#88CCEE',
    '#882255',
    '#44AA99',
    '#999933',
    '#AA4499',
    '#777777',
]


def save_rows(path: pathlib.Path, rows: Mapping[str, np.ndarray], title: str) -> None:
    """Plots rows of images, each with its label on the left.

    Args:
      path: of the PNG.
      rows: label -> images `[N, H, W, C]`, the same N in each; values are clipped to [0, 1].
      title: above all rows.
    """
    count = len(next(iter(rows.values())))
    cell = 0.75  # inches
    size = (1.6 + cell * count, 0.6 + cell * len(rows))
    figure, axes = plt.subplots(len(rows), count, figsize=size, squeeze=False, dpi=150)
    for (label, images), line in zip(rows.items(), axes, strict=True):
        for image, axis in zip(images, line, strict=True):
            axis.imshow(visible(image), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
            axis.axis('off')
        line[0].text(
            -0.15, 0.5, label, transform=line[0].transAxes, ha='right', va='center', fontsize=9
        )
    left, top = 1.5 / size[0], 1 - 0.45 / size[1]
    figure.subplots_adjust(left=left, right=0.99, bottom=0.02, top=top, wspace=0.06, hspace=0.06)
    figure.suptitle(title, fontsize=10, x=0.5, y=1 - 0.18 / size[1])
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def save_sheets(
    path: pathlib.Path, sheets: Mapping[str, np.ndarray], columns: int, title: str
) -> None:
    """Plots sheets of images side by side, each with its label above.

    Args:
      path: of the PNG.
      sheets: label -> images `[N, H, W, C]`, `columns` a row; values are clipped to [0, 1].
      columns: of each sheet.
      title: above all sheets.
    """
    side = max(3.0, 0.36 * columns)  # inches
    figure, axes = plt.subplots(
        1, len(sheets), figsize=(side * len(sheets), side + 0.7), squeeze=False, dpi=150
    )
    for (label, images), axis in zip(sheets.items(), axes[0], strict=True):
        axis.imshow(_sheet(images, columns), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
        axis.set_title(label, fontsize=9)
        axis.axis('off')
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def save_points(
    path: pathlib.Path,
    points: np.ndarray,
    labels: np.ndarray | None,
    class_names: Sequence[str],
    axes_names: tuple[str, str],
    title: str,
) -> None:
    """Plots points of a plane, colored by class, with the class name at the median of its points.

    Args:
      path: of the PNG.
      points: `[N, 2]`.
      labels: `[N]` or None.
      class_names: of the labels; if empty the labels are the names.
      axes_names: of the horizontal and the vertical axis.
      title: above.
    """
    figure, axis = plt.subplots(figsize=(7, 6.4), dpi=150)
    groups = np.zeros(len(points), int) if labels is None else labels
    for k in np.unique(groups):
        group = points[groups == k]
        color = _PALETTE[int(k) % len(_PALETTE)]
        axis.scatter(group[:, 0], group[:, 1], s=5, color=color, alpha=0.6, linewidths=0)
        if labels is not None:
            word = class_names[int(k)] if len(class_names) else str(k)
            x, y = np.median(group, axis=0)
            text = axis.text(x, y, word, fontsize=11, weight='bold')
            text.set_path_effects([patheffects.withStroke(linewidth=3, foreground='white')])
    axis.set_xlabel(axes_names[0])
    axis.set_ylabel(axes_names[1])
    axis.set_title(title, fontsize=10, wrap=True)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


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


def _sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Images `[N, H, W, C]` as one, `columns` a row, the last row filled up with white."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    filled = np.ones([rows * columns, height, width, channels])
    filled[:count] = images
    filled = filled.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return visible(filled.reshape(rows * height, columns * width, channels))


def visible(image: np.ndarray) -> np.ndarray:
    """An image `[H, W, C]` as imshow takes it; of odd channel counts, their mean."""
    if image.shape[-1] == 3:
        return np.clip(image, 0, 1)
    return np.clip(image.mean(-1), 0, 1)
