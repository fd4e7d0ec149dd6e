"""`scipy.misc` of scipy 1.1: image files as arrays, scaled and resized by Pillow.

H x W image; C channels, 3 or 4.
"""

from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter
from scipy import datasets, special

factorial, comb, logsumexp = special.factorial, special.comb, special.logsumexp

_RESAMPLING = {
    'nearest': PIL.Image.Resampling.NEAREST,
    'lanczos': PIL.Image.Resampling.LANCZOS,
    'bilinear': PIL.Image.Resampling.BILINEAR,
    'bicubic': PIL.Image.Resampling.BICUBIC,
    'cubic': PIL.Image.Resampling.BICUBIC,
}


def bytescale(
    data: Any, cmin: float | None = None, cmax: float | None = None, high: int = 255, low: int = 0
) -> np.ndarray:
    """Scales values linearly from [cmin, cmax] to [low, high] as uint8; keeps uint8 values.

    `cmin` and `cmax` are the extreme values of `data` by default.
    """
    data = np.asarray(data)
    if data.dtype == np.uint8:
        return data
    if not 0 <= low <= high <= 255:
        raise ValueError(f'low is {low}, high is {high}; they must satisfy 0 <= low <= high <= 255')
    cmin = data.min() if cmin is None else cmin
    cmax = data.max() if cmax is None else cmax
    if cmax < cmin:
        raise ValueError(f'cmax is {cmax}; it must not be less than cmin, {cmin}')
    scaled = (data * 1.0 - cmin) * ((high - low) / ((cmax - cmin) or 1)) + low
    return (scaled.clip(low, high) + 0.5).astype(np.uint8)


def toimage(
    arr: Any,
    high: int = 255,
    low: int = 0,
    cmin: float | None = None,
    cmax: float | None = None,
    pal: Any = None,
    mode: str | None = None,
    channel_axis: int | None = None,
) -> PIL.Image.Image:
    """Converts an array to an image; values that are not uint8 pass through `bytescale`.

    Args:
      arr: array `[H, W]`, or one of three axes of which one has 3 or 4 channels.
      high, low, cmin, cmax: see `bytescale`.
      pal: palette `[N, 3]`, uint8.
      mode: mode of the image; by default L for two axes, RGB or RGBA for three.
      channel_axis: axis of the channels; by default the first of length 3, else of length 4.
    Raises: ValueError for a shape or a mode that does not fit.
    """
    data = np.asarray(arr)
    if np.iscomplexobj(data):
        raise ValueError('Cannot convert a complex-valued array.')
    if data.ndim == 2:
        return _gray(data, high, low, cmin, cmax, pal, mode)
    if data.ndim != 3 or not {3, 4} & set(data.shape):
        raise ValueError("'arr' does not have a suitable array shape for any mode.")
    channels = 3 if 3 in data.shape else 4
    axis = data.shape.index(channels) if channel_axis is None else channel_axis
    if data.shape[axis] not in (3, 4):
        raise ValueError('Channel axis dimension is not valid.')
    pixels = np.moveaxis(bytescale(data, cmin, cmax, high, low), axis, -1)
    mode = mode or {3: 'RGB', 4: 'RGBA'}[pixels.shape[-1]]
    if {'RGB': 3, 'YCbCr': 3, 'RGBA': 4, 'CMYK': 4}.get(mode) != pixels.shape[-1]:
        raise ValueError('Invalid array shape for mode.')
    height, width, _ = pixels.shape
    return PIL.Image.frombytes(mode, (width, height), pixels.tobytes())


def _gray(data, high, low, cmin, cmax, pal, mode):
    size = data.shape[::-1]
    if mode == 'F':
        return PIL.Image.frombytes('F', size, data.astype(np.float32).tobytes())
    if mode in (None, 'L', 'P'):
        image = PIL.Image.frombytes('L', size, bytescale(data, cmin, cmax, high, low).tobytes())
        if pal is None and mode == 'P':
            pal = np.repeat(np.arange(256), 3)
        if pal is not None:
            image.putpalette(np.asarray(pal, np.uint8).tobytes())
        return image
    if mode == '1':
        return PIL.Image.fromarray(data > high)
    if mode != 'I':
        raise ValueError('Mode is unknown or incompatible with input array shape.')
    cmin = data.min() if cmin is None else cmin
    cmax = data.max() if cmax is None else cmax
    scaled = (data * 1.0 - cmin) * (high - low) / (cmax - cmin) + low
    return PIL.Image.frombytes('I', size, scaled.astype(np.uint32).tobytes())


def fromimage(im: PIL.Image.Image, flatten: bool = False, mode: str | None = None) -> np.ndarray:
    """Converts an image to an array.

    Args:
      im: the image.
      flatten: whether to convert it to gray, float32.
      mode: mode to convert it to first; by default a palette becomes RGB or RGBA.
    Returns: `[H, W]` or `[H, W, C]`.
    """
    if mode is None and im.mode == 'P':
        mode = 'RGBA' if 'transparency' in im.info else 'RGB'
    if mode is not None and mode != im.mode:
        im = im.convert(mode)
    if flatten:
        im = im.convert('F')
    elif im.mode == '1':
        im = im.convert('L')
    return np.array(im)


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> np.ndarray:
    """Reads an image file; see `fromimage`."""
    with PIL.Image.open(name) as image:
        return fromimage(image, flatten, mode)


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    """Writes an array `[H, W]` or `[H, W, C]` as an image file; see `toimage`."""
    toimage(arr, channel_axis=2).save(name, format)


def imresize(arr: Any, size: Any, interp: str = 'bilinear', mode: str | None = None) -> np.ndarray:
    """Resizes an image.

    Args:
      arr: array that `toimage` takes.
      size: percentage (an integer), factor (a float), or (height, width, ...).
      interp: nearest, lanczos, bilinear, bicubic or cubic.
      mode: mode of the image while it is resized.
    Returns: uint8 array, or float32 with mode F.
    """
    image = toimage(arr, mode=mode)
    if np.ndim(size):
        height, width = size[:2]  # of the shape of an array, too
    else:
        factor = size / 100 if isinstance(size, int | np.integer) else size
        width, height = (int(side * factor) for side in image.size)
    return fromimage(image.resize((int(width), int(height)), _RESAMPLING[interp]))


def imrotate(arr: Any, angle: float, interp: str = 'bilinear') -> np.ndarray:
    """Rotates an image counter-clockwise by `angle` degrees."""
    return fromimage(toimage(arr).rotate(angle, _RESAMPLING[interp]))


def imfilter(arr: Any, ftype: str) -> np.ndarray:
    """Applies a filter of Pillow, such as blur, contour, detail, emboss, sharpen or smooth."""
    return fromimage(toimage(arr).filter(getattr(PIL.ImageFilter, ftype.upper())))


def imshow(arr: Any) -> None:
    """Shows an image in the image viewer of the system."""
    toimage(arr).show()


def face(gray: bool = False) -> np.ndarray:
    """Returns the photograph of a raccoon, which scipy downloads."""
    return datasets.face(gray)


def ascent() -> np.ndarray:
    """Returns the photograph of a staircase, which scipy downloads."""
    return datasets.ascent()
