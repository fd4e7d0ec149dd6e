"""numpy -> pictures in files, drawn with matplotlib.

N pictures, H x W picture, C channels; pixels in [0, 1].
"""

import pathlib
from collections.abc import Mapping

import matplotlib
import numpy as np

from tfae.files import replacing

matplotlib.use('Agg')

from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first)


def save_rows(path: pathlib.Path, rows: Mapping[str, np.ndarray], title: str) -> None:
    """Draws rows of pictures under one another, each with its label at the left.

    Args:
      path: of the PNG.
      rows: label -> pictures `[N, H, W, C]`, the same N in each; values are clipped to [0, 1].
      title: above all rows.
    """
    count = len(next(iter(rows.values())))
    cell = 0.75  # inches
    size = (1.6 + cell * count, 0.6 + cell * len(rows))
    figure, axes = plt.subplots(len(rows), count, figsize=size, squeeze=False, dpi=150)
    for (label, pictures), line in zip(rows.items(), axes, strict=True):
        for picture, axis in zip(pictures, line, strict=True):
            axis.imshow(_shown(picture), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
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


def _shown(picture: np.ndarray) -> np.ndarray:
    """A picture `[H, W, C]` as imshow takes it; of odd channel counts, their mean."""
    if picture.shape[-1] == 3:
        return np.clip(picture, 0, 1)
    return np.clip(picture.mean(-1), 0, 1)
