"""Image files: their headers, their completeness and their pixels.

The content decides the format, never the name. TensorFlow decodes `plain` files directly, to the
same pixels as pillow. All others (PGM, BMP, GIF, TIFF, WEBP, CMYK, 16-bit gray, transparent or
rotated images) are converted to PNG first.
"""

import io
import logging
import pathlib
import re
import warnings
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from tfae.core import bounded_files, errors, terminal

_SUFFIXES_OF = {
    'JPEG': ('.jpg', '.jpeg', '.jpe', '.jfif', '.jfi', '.jif'),
    'PNG': ('.png', '.apng'),
    'PPM': ('.pgm', '.ppm', '.pnm', '.pbm'),
    'BMP': ('.bmp', '.dib'),
    'GIF': ('.gif',),
    'TIFF': ('.tif', '.tiff'),
    'WEBP': ('.webp',),
}
_FORMAT_OF = {suffix: kind for kind, suffixes in _SUFFIXES_OF.items() for suffix in suffixes}
SUFFIXES = tuple(_FORMAT_OF)
# Formats that pillow decodes itself: others start programs (EPS) or follow references.
_FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
_GRAY = ('1', 'L', 'LA', 'La', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')  # modes of pillow
_MAX_SIDE = 30_000  # pixels
_MAX_PIXELS = 2**26
_TAIL = 4096  # bytes at the end that are searched for the end marker
# Modes of pillow that TensorFlow decodes to the same pixels.
_PLAIN = {'JPEG': ('L', 'RGB'), 'PNG': ('1', 'L', 'P', 'RGB')}
_DEPTH_AT, _COLOR_AT = 24, 25  # offsets of bit depth and color type in a PNG
_ENDS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND'}
# A JPEG marker, but not a stuffed 255 in the entropy-coded data, nor a restart marker.
_MARKER = re.compile(rb'\xff+[^\x00\xff\xd0-\xd7]')
_BARE_MARKERS = (0x01, 0xD8)  # not followed by a length
# Surplus entropy-coded data, which no complete image reads.
_SURPLUS = np.random.RandomState(0).randint(255, size=256).astype(np.uint8).tobytes()

# Pillow warns of skipped tags and of sizes that are refused here, without the file's name. Filtered
# globally, since `warnings.catch_warnings` is not thread-safe.
warnings.filterwarnings('ignore', module=r'PIL\.')
logging.getLogger('PIL').setLevel(logging.CRITICAL)


class Header(NamedTuple):
    """Properties of an image file, from its header."""

    format: str  # one of BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP
    height: int
    width: int
    gray: bool
    plain: bool  # TensorFlow decodes it as it is
    remark: str = ''  # unusual properties, and how the image is read


def shown(path: object) -> str:
    """Escapes the name of a file for one line of text."""
    return terminal.shown(path)


def header(content: bytes | pathlib.Path, who: str) -> Header:
    """Reads the header of an image, given as bytes or as a file, without decoding its pixels.

    Raises: InputError that names `who` if it is empty, truncated, larger than 2^26 pixels or 30,000
      pixels per side, animated, or not an image of a known format.
    """
    if isinstance(content, bytes):
        return _header(io.BytesIO(content), who)
    try:
        with bounded_files.open_regular(content) as file:
            return _header(file, who)
    except OSError as error:
        raise errors.InputError(f'{who} cannot be read: {error.strerror or error}') from None


def content(path: pathlib.Path) -> bytes:
    """Reads the content of an image file.

    Raises: InputError that names the file, as `header` does.
    """
    header(path, shown(path))  # so that only images are read into memory
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.InputError(
            f'{shown(path)} cannot be read: {error.strerror or error}'
        ) from None


def plain(content: bytes, who: str) -> bytes:
    """Converts an image to a format that TensorFlow decodes.

    Raises: InputError that names `who` if it cannot be decoded.
    """
    image = eight_bits(content, who)
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', compress_level=0)
    return buffer.getvalue()


def eight_bits(content: bytes, who: str) -> Image.Image:
    """Decodes an image completely, upright and in mode L or RGB.

    Raises: InputError that names `who` if it cannot be decoded.
    """
    found = header(content, who)
    refuse_incomplete(content, who)
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            upright = _opaque(ImageOps.exif_transpose(image), content)
            if upright.mode in _GRAY[4:]:  # 16 bits, which pillow's own conversion would clip
                return Image.fromarray((np.asarray(upright, np.int64) >> 8).astype(np.uint8))
            return upright.convert('L' if found.gray else 'RGB')
    except Exception as error:  # pillow raises many types for damaged bytes
        raise errors.InputError(f'{who} cannot be decoded: {error}') from None


def transparent(content: bytes) -> bool:
    """Returns whether the content of a file is a PNG that may have transparent pixels."""
    if not content.startswith(b'\x89PNG'):
        return False
    return content[_COLOR_AT] & 4 > 0 or b'tRNS' in content[: content.find(b'IDAT')]


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ('LA', 'PA', 'La', 'RGBA', 'RGBa') or 'transparency' in image.info


def _opaque(image: Image.Image, content: bytes) -> Image.Image:
    """Composites an image with transparency over white."""
    if not _has_alpha(image):
        return image
    key, depth = image.info.get('transparency'), content[_DEPTH_AT]
    if content.startswith(b'\x89PNG') and isinstance(key, int | tuple):
        # The transparent color has the bit depth of the file, pillow's pixels have 8 bits.
        if image.mode.startswith('I'):
            pixels = np.asarray(image, np.int64)
            return Image.fromarray(np.where(pixels == key, 2**16 - 1, pixels).astype(np.uint16))
        if image.mode == 'RGB' and depth == 16:
            image.info['transparency'] = tuple(value >> 8 for value in image.info['transparency'])
        if image.mode == 'L' and depth < 8:
            image.info['transparency'] = key * 255 // (2**depth - 1)
    colors = image.convert('RGBA')
    white = Image.new('RGBA', colors.size, 'white')
    return Image.alpha_composite(white, colors)


def refuse_cut(content: bytes, who: str) -> None:
    """Refuses content that is empty, or a JPEG or PNG without its end marker.

    Anything may follow the end marker, such as the video of a motion photo.
    """
    kind = {b'\xff\xd8': 'JPEG', b'\x89P': 'PNG'}.get(content[:2], '')
    if not content:
        raise errors.InputError(f'{who} is empty')
    if kind and _ENDS[kind] not in content[-_TAIL:] and _end(kind, content) is None:
        raise errors.InputError(f'{who} is truncated: its {kind} has no end marker')


def refuse_incomplete(content: bytes, who: str) -> None:
    """Refuses a JPEG with an end marker but missing pixels.

    Decoders silently fill missing pixels with gray. Surplus data before the end marker changes the
    pixels only if some are missing. A progressive JPEG without its last scans is not detected: it
    is a valid image of lower quality.

    Raises: InputError that names `who`, also if it cannot be decoded.
    """
    if not content.startswith(b'\xff\xd8'):
        return
    end = _end('JPEG', content)
    if end is None:
        raise errors.InputError(f'{who} is truncated: its JPEG has no end marker')
    try:
        complete = _coarse(content) == _coarse(content[:end] + _SURPLUS + _ENDS['JPEG'])
    except Exception as error:  # pillow raises many types for damaged bytes
        raise errors.InputError(f'{who} cannot be decoded: {error}') from None
    if not complete:
        raise errors.InputError(f'{who} is truncated: its JPEG ends before its last pixel')


def _coarse(content: bytes) -> bytes:
    """Returns the pixels of a JPEG at the lowest resolution that still reads all of its data."""
    with Image.open(io.BytesIO(content), formats=('JPEG',)) as image:
        if 'progressive' not in image.info:  # whose last scans hold details only
            image.draft(None, (max(image.width // 8, 1), max(image.height // 8, 1)))
        return image.tobytes()


def _end(kind: str, content: bytes) -> int | None:
    """Returns the offset of the end marker of a JPEG or PNG, or None."""
    return _jpeg_end(content) if kind == 'JPEG' else _png_end(content)


def _jpeg_end(content: bytes) -> int | None:
    place = 2
    while found := _MARKER.search(content, place):
        marker, place = found[0][-1], found.end()
        if found[0].endswith(_ENDS['JPEG']):
            return found.start()
        if marker not in _BARE_MARKERS:
            place += max(int.from_bytes(content[place : place + 2], 'big'), 2)
    return None


def _png_end(content: bytes) -> int | None:
    place = 8
    while len(content) >= place + 12:  # length, name and checksum of a chunk
        if content[place + 4 : place + 8] == _ENDS['PNG']:
            return place
        place += 12 + int.from_bytes(content[place : place + 4], 'big')
    return None


def _header(file, who: str) -> Header:
    size = file.seek(0, io.SEEK_END)
    if not size:
        raise errors.InputError(f'{who} is empty')
    file.seek(0)
    try:
        image = Image.open(file, formats=_FORMATS)
        _refuse(image, who)
        orientation = _orientation(image)
    except errors.InputError:
        raise
    except Image.DecompressionBombError:
        raise errors.InputError(f'{who} has more than {_MAX_PIXELS:,} pixels') from None
    except Exception:  # pillow raises many types for damaged bytes
        raise errors.InputError(f'{who} is not an image') from None
    kind = form_of(image)
    file.seek(max(0, size - _TAIL))
    if kind in _ENDS and _ENDS[kind] not in file.read():
        file.seek(0)
        refuse_cut(file.read(), who)
    lies = orientation in (5, 6, 7, 8)  # on its side
    width, height = reversed(image.size) if lies else image.size
    gray = image.mode in _GRAY
    plain = orientation == 1 and image.mode in _PLAIN.get(kind, ())
    plain = plain and not _has_alpha(image)
    file.seek(_DEPTH_AT)
    deep = image.mode in _GRAY[4:] or (kind == 'PNG' and file.read(1) == b'\x10')
    return Header(kind, height, width, gray, plain, _remark(image, kind, deep, who))


def _remark(image: Image.Image, kind: str, deep: bool, who: str) -> str:
    """Describes unusual properties of an image, and how it is read."""
    named = _FORMAT_OF.get(pathlib.PurePath(who.strip('\'"')).suffix.lower(), kind)
    found = {
        f'contains {kind} data, and is read as such': named != kind,
        f'is {image.mode}, and is converted to RGB': image.mode in ('CMYK', 'YCbCr', 'LAB', 'HSV'),
        'has 16 bits per channel, of which the upper 8 are used': deep,
        'is transparent, and is composited over white': _has_alpha(image),
        'is a single pixel': image.size == (1, 1),
    }
    return '; '.join(words for words, true in found.items() if true)


def form_of(image: Image.Image) -> str:
    """Returns the format of an image; MPO, a JPEG followed by others, counts as JPEG."""
    return 'JPEG' if image.format == 'MPO' else str(image.format)


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 where there is none."""
    # For EXIF that is not in the header of a PNG, pillow would decode the image.
    absent = image.format == 'PNG' and 'exif' not in image.info
    return 1 if absent else image.getexif().get(ExifTags.Base.Orientation, 1)


def _refuse(image: Image.Image, who: str) -> None:
    width, height = image.size
    if max(width, height) > _MAX_SIDE or width * height > _MAX_PIXELS:
        raise errors.InputError(
            f'{who} is {width} x {height}; a side must be at most {_MAX_SIDE:,} and the area '
            f'{_MAX_PIXELS:,} pixels'
        )
    frames = 1 if form_of(image) == 'JPEG' else getattr(image, 'n_frames', 1)
    if frames > 1:
        raise errors.InputError(f'{who} is animated: it holds {frames} images')
    if image.mode == 'F':
        raise errors.InputError(f'{who} holds floating-point numbers; it must hold integers')
    if image.mode == 'I' and image.format == 'TIFF':
        raise errors.InputError(
            f'{who} holds signed or 32-bit integers; they must be 0 to 255, or 0 to 65,535'
        )
