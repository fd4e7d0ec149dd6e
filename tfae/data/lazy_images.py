"""Image files that are decoded on access, for data sets larger than memory.

The pixels of a file are a function of its content and of a `Form`. An image is rotated upright and
composited over white, 16 bits are reduced to the upper 8, its center is cropped, and the result is
scaled to H x W, regardless of aspect ratio, in integer arithmetic (`resampling`). For speed, a JPEG
that is not rotated is decoded at 1 / `Form.ratio` of its size, which other formats are not. Colors
become gray as (19595 R + 38470 G + 7471 B + 2^15) >> 16, the luma of ITU-R BT.601; gray becomes
three equal channels. `decoded` does this in numpy, `streaming.decoded` in a graph, with equal bits.

N examples, H x W image, C channels.
"""

import concurrent.futures
import io
import json
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from tfae.core import errors
from tfae.data.formats import image_files, resampling

RATIOS = (2, 4, 8)  # libjpeg can decode at 1 / ratio of the size
_MAX_BYTES = 2**32  # of one decoded array
_MODES = {1: 'L', 3: 'RGB'}


class Form(NamedTuple):
    """The parameters of decoding image files to one shape."""

    height: int
    width: int
    channels: int
    crop: tuple[int, int] | None = None  # height and width of the center that is kept
    # Part of the fingerprint since 0.1.0: ratio, whether all are JPEG, whether any is scaled.
    recorded: tuple[int, bool, bool] = (1, False, True)

    def ratio(self, height: int, width: int) -> int:
        """Returns the ratio at which a JPEG of this size is decoded.

        It is the largest whose result is not smaller than H x W, which decodes the fewest pixels.
        """
        height, width = self.crop or (height, width)
        fits = [r for r in RATIOS if height >= r * self.height and width >= r * self.width]
        return max(fits, default=1)

    def cropped(self, ratio: int) -> tuple[int, int] | None:
        """Returns the crop of an image that was decoded at 1 / `ratio`."""
        return self.crop and (-(-self.crop[0] // ratio), -(-self.crop[1] // ratio))


class Files(Protocol):
    """An ordered collection of image files."""

    names: Sequence[str]

    def where(self, place: int) -> str:
        """Describes a file, for errors."""

    def read(self, place: int) -> bytes:
        """Reads the content of a file, in a format that TensorFlow decodes.

        Raises: InputError that names the file if it is invalid.
        """

    def identity(self, places: np.ndarray) -> bytes:
        """Returns a digest of the content of these files."""


class LazyImages:
    """An array `[N, H, W, C]` of image files: uint8, or float32 in [0, 1].

    Indexing by a slice, a number or an array decodes those images; `take` decodes nothing.
    """

    def __init__(self, files: Files, places: np.ndarray, form: Form, dtype: Any = np.uint8):
        self.files = files
        self.places = np.asarray(places, np.int64)  # [N], in the files
        self.form = form
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """`(N, H, W, C)`."""
        return len(self), self.form.height, self.form.width, self.form.channels

    @property
    def ndim(self) -> int:
        """The number of dimensions, 4."""
        return len(self.shape)

    @property
    def names(self) -> list[str]:
        """The N names of the files, relative to the folder of the data set."""
        return [self.files.names[place] for place in self.places]

    def take(self, places: Any, axis: int = 0) -> 'LazyImages':
        """Selects images without decoding them."""
        assert axis == 0
        return LazyImages(self.files, self.places[places], self.form, self.dtype)

    def as_floats(self) -> 'LazyImages':
        """Returns the same images as float32 in [0, 1], without decoding them."""
        return LazyImages(self.files, self.places, self.form, np.float32)

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen = self.places[key]
        made = self._decoded(np.atleast_1d(chosen))
        return made if np.ndim(chosen) else made[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        made = self[:]
        return made if dtype is None else made.astype(dtype, copy=False)

    def reshape(self, *shape: Any) -> np.ndarray:
        """Decodes all images and reshapes the array."""
        return self[:].reshape(*shape)

    def astype(self, dtype: Any, copy: bool = True) -> np.ndarray:
        """Decodes all images and converts the array."""
        return self[:].astype(dtype, copy=copy)

    def identity(self) -> bytes:
        """Returns a digest of the images, their order and their decoding."""
        recorded = [*self.form[:4], *self.form.recorded]
        form = json.dumps([recorded, self.dtype.name]).encode()
        return form + self.files.identity(self.places)

    def _decoded(self, places: np.ndarray) -> np.ndarray:
        shape = (len(places), *self.shape[1:])
        wanted = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        if wanted > _MAX_BYTES:
            raise errors.InputError(
                f'{len(places):,} images of {"x".join(map(str, shape[1:]))} would take '
                f'{wanted / 2**30:.1f} GiB; at most {_MAX_BYTES / 2**30:.0f} GiB fit at once'
            )
        made = np.empty(shape, self.dtype)
        scale = np.float32(1 / 255)

        def decode(i: int) -> None:
            place = int(places[i])
            pixels = decoded(self.files.read(place), self.form, self.files.where(place))
            made[i] = pixels if self.dtype == np.uint8 else pixels * scale

        with concurrent.futures.ThreadPoolExecutor() as pool:  # pillow releases the GIL
            list(pool.map(decode, range(len(places))))
        return made


def read(path: pathlib.Path, form: Form) -> np.ndarray:
    """Reads an image file as `[H, W, C]` uint8, as a data set of this form would.

    Raises: InputError that names the file if it is not a readable image or smaller than the crop of
      the form, or if C is neither 1 nor 3.
    """
    who = image_files.shown(path)
    if form.channels not in _MODES:
        raise errors.InputError(
            f'{who}: the run takes images of {form.channels} channels; files have 1 or 3'
        )
    content = image_files.content(path)
    found = image_files.header(content, who)
    size = found.height, found.width
    if form.crop and (size[0] < form.crop[0] or size[1] < form.crop[1]):
        raise errors.InputError(
            f'{who} is {_by(size)} (height x width), smaller than --crop={_by(form.crop)} of the '
            f'run'
        )
    if found.plain:
        image_files.refuse_incomplete(content, who)
    else:
        content = image_files.plain(content, who)
    return decoded(content, form, who)


def decoded(content: bytes, form: Form, who: str) -> np.ndarray:
    """Decodes the content of a file to `[H, W, C]` uint8, as `streaming.decoded` does in a graph.

    Raises: InputError that names `who`.
    """
    ratio = 1
    try:
        with Image.open(io.BytesIO(content), formats=('JPEG', 'PNG')) as image:
            if image_files.form_of(image) == 'JPEG':
                ratio = form.ratio(image.height, image.width)
            if ratio > 1:
                image.draft(None, (image.width // ratio, image.height // ratio))
            pixels = np.asarray(image.convert(_MODES[form.channels]))
    except Exception as error:  # pillow raises many types for damaged bytes
        raise errors.InputError(f'{who} cannot be decoded: {error}') from None
    if form.crop:
        height, width = form.cropped(ratio) or (0, 0)
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        pixels = pixels[top : top + height, left : left + width]
    pixels = pixels.reshape(*pixels.shape[:2], form.channels)
    return resampling.resized(pixels, form.height, form.width)


def form(
    sizes: np.ndarray,
    gray: bool,
    all_jpeg: bool,
    flags: Any,
    name: Callable[[int], str],
) -> Form:
    """Returns the form of image files of these sizes under the flags `crop`, `size` and `color`.

    Args:
      sizes: `[N, 2]`, height and width of each.
      gray: whether every image is gray.
      all_jpeg: whether every image is a JPEG.
      flags: has these three fields.
      name: index -> name of an image, for errors.
    Raises: InputError that names an image that is smaller than the crop, or two of different sizes
      where the flags give no size.
    """
    crop, size = sides('--crop', flags.crop), sides('--size', flags.size)
    least = sizes.min(0)
    if crop and (least < crop).any():
        i = int(np.argmax((sizes < crop).any(1)))
        raise errors.InputError(
            f'{name(i)} is {_by(sizes[i])} (height x width), smaller than --crop={_by(crop)}'
        )
    kept = np.array(crop) if crop else least
    if not size and not crop and (sizes != least).any():
        i, j = 0, int(np.argmax((sizes != sizes[0]).any(1)))
        raise errors.InputError(
            f'{name(i)} is {_by(sizes[i])} (height x width), {name(j)} is {_by(sizes[j])}; with '
            f'--size all are scaled to one size'
        )
    height, width = size or (int(kept[0]), int(kept[1]))
    channels = {'gray': 1, 'rgb': 3, 'as_is': 1 if gray else 3}[flags.color]
    ratio = Form(height, width, channels).ratio(*kept)
    alike = bool(crop) or not (sizes != least).any()
    left = tuple(-(-int(side) // ratio) for side in kept)
    scaled = not alike or left != (height, width) or (ratio > 1 and not all_jpeg)
    return Form(height, width, channels, crop, (ratio, all_jpeg, scaled))


def sides(who: str, text: str) -> tuple[int, int] | None:
    """Parses height and width of a flag; None where it is empty.

    Raises: UsageError that names `who`.
    """
    if not text:
        return None
    if not re.fullmatch(r'[1-9]\d{0,4}(x[1-9]\d{0,4})?', text, re.ASCII):
        raise errors.UsageError(f'{who} is {text!r}; it must be height x width, such as 64x64')
    height, _, width = text.partition('x')
    return int(height), int(width or height)


def _by(size: Sequence[int]) -> str:
    return f'{size[0]}x{size[1]}'
