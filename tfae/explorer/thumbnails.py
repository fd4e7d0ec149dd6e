"""Images for the page: raw bytes for a canvas, and PNG.

N images, H x W image, C channels of the run, K channels of the page: 1 or 3.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfae import data
from tfae.plots import grids

_COLUMNS = 10  # of the gallery
_ROWS = 10


def shown(image: np.ndarray) -> np.ndarray:
    """Returns an image `[H, W, C]`, uint8 or in [0, 1], as uint8 `[H, W, K]`."""
    values = np.atleast_3d(grids.visible(data.pixels(image)))
    return np.rint(255 * values).astype(np.uint8)


def png(image: np.ndarray, scale: int = 1, words: Mapping[str, str] | None = None) -> bytes:
    """Returns an image `[H, W, K]` as PNG, magnified `scale` times, with text chunks."""
    height, width = image.shape[:2]
    made = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    made = made.resize((width * scale, height * scale), Image.Resampling.NEAREST)
    kept = PngInfo()
    for key, text in (words or {}).items():
        kept.add_text(key, text)
    file = io.BytesIO()
    made.save(file, 'PNG', pnginfo=kept)
    return file.getvalue()


def gallery(labels: np.ndarray | None, count: int) -> list[int]:
    """Returns indices of up to 100 of `count` images: a row for each class, or the first ones."""
    if labels is None:
        return list(range(min(count, _COLUMNS * _ROWS)))
    rows = [np.flatnonzero(labels == number)[:_COLUMNS] for number in np.unique(labels)[:_ROWS]]
    return [int(index) for row in rows for index in row]


def sheet(images: Sequence[np.ndarray]) -> np.ndarray:
    """Returns images `[H, W, K]` as a sheet `[ceil(N / 10) * H, 10 * W, K]`, black where empty."""
    height, width, channels = images[0].shape
    rows = -(-len(images) // _COLUMNS)
    found = np.zeros([rows, height, _COLUMNS, width, channels], np.uint8)
    for i, image in enumerate(images):
        found[i // _COLUMNS, :, i % _COLUMNS] = image
    return found.reshape(rows * height, _COLUMNS * width, channels)
