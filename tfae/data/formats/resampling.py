"""Image scaling in integer arithmetic, which is exact on every machine.

Antialiased bilinear scaling of `size` pixels to `made`: the weight of pixel j in pixel i is a
triangle around its center, max(0, 1 - |j + 1/2 - (i + 1/2) size / made| / max(1, size / made)), as
in `tf.image.resize(antialias=True)` and in pillow's BILINEAR. Times 2 max(size, made) it is an
integer. The weights of a pixel are then normalized to a sum of 2^16, so that weighted sums of bytes
stay below 2^24, where float32 is exact too. Columns come first, then rows; both round to bytes.

H x W image, h x w before scaling, C channels, K pixels with a weight in one.
"""

import functools

import numpy as np

PRECISION = 16  # bits of the sum of the weights of a pixel


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scales `[h, w, C]` uint8 to `[H, W, C]` uint8."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return _columns(_columns(pixels, height).swapaxes(0, 1), width).swapaxes(0, 1)


def _columns(pixels: np.ndarray, made: int) -> np.ndarray:
    """Resizes the columns of `[h, w, C]` uint8 to `[made, w, C]` uint8."""
    places, weights = taps(len(pixels), made)
    sums = np.full([made, *pixels.shape[1:]], 2 ** (PRECISION - 1), np.int32)
    for k in range(places.shape[1]):
        sums += weights[:, k, np.newaxis, np.newaxis] * pixels[places[:, k]]
    return (sums >> PRECISION).astype(np.uint8)


@functools.lru_cache(64)
def taps(size: int, made: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions `[made, K]` and weights int32 `[made, K]` of the pixels in each new one.

    The weights are differences of rounded cumulative sums, so that they add up to 2^16 exactly.
    """
    longer = max(size, made)
    centers = (2 * np.arange(made)[:, np.newaxis] + 1) * size  # times 2 made
    first = (centers - 2 * longer - made) // (2 * made) + 1
    places = first + np.arange(-(-2 * longer // made) + 1)
    weights = np.maximum(2 * longer - np.abs((2 * places + 1) * made - centers), 0)
    sums = np.cumsum(np.where((places >= 0) & (places < size), weights, 0), axis=1)
    shares = (sums * 2**PRECISION + sums[:, -1:] // 2) // sums[:, -1:]
    return places.clip(0, size - 1), np.diff(shares, axis=1, prepend=0).astype(np.int32)
