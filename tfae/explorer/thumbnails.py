"""Images as the page takes them: bytes that a canvas draws, and PNG.

N images, H x W image, C channels of a run, K channels that are shown: 1 or 3.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfae import data
from tfae.plots import grids

_ROW = 10  # images of the gallery side by side
_ROWS = 10


def shown(image: np.ndarray) -> np.ndarray:
    """An image `[H, W, C]`, uint8 or in [0, 1], as uint8 `[H, W, K]`."""
    values = np.atleast_3d(grids.visible(data.pixels(image)))
    return np.rint(255 * values).astype(np.uint8)


def png(image: np.ndarray, scale: int = 1, words: Mapping[str, str] | None = None) -> bytes:
    """An image `[H, W, K]` as PNG, each pixel `scale` pixels wide, with texts that it carries."""
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
    """Places of up to 100 of `count` images: a row for each class, else the first."""
    if labels is None:
        return list(range(min(count, _ROW * _ROWS)))
    rows = [np.flatnonzero(labels == number)[:_ROW] for number in np.unique(labels)[:_ROWS]]
    return [int(place) for row in rows for place in row]


def sheet(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images `[H, W, K]` as one `[ceil(N / 10) * H, 10 * W, K]`, the rest of it black."""
    height, width, channels = images[0].shape
    rows = -(-len(images) // _ROW)
    found = np.zeros([rows, height, _ROW, width, channels], np.uint8)
    for place, image in enumerate(images):
        found[place // _ROW, :, place % _ROW] = image
    return found.reshape(rows * height, _ROW * width, channels)
