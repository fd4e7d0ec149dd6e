"""Generated image files: valid ones, and one of each invalid kind."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def pixels(i, height=16, width=16, channels=3):
    """Returns a smooth image, different for each `i`."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(y / (2 + (i + c) % 5) + i) * np.cos(x / (3 + (i * c) % 4)) for c in range(3)]
    made = np.uint8(np.clip(128 + 100 * np.stack(waves, -1) + i % 20, 0, 255))
    return made if channels == 3 else made[..., 0]


def encoded(array, kind='JPEG', **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def fill(folder, count, suffix='jpg', **shape):
    """Writes `count` images `00000.jpg` ... to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = {'jpg': 'JPEG', 'pgm': 'PPM'}.get(suffix, suffix.upper())
    for i in range(count):
        (folder / f'{i:05}.{suffix}').write_bytes(encoded(pixels(i, **shape), kind))


def _chunk(kind, content):
    end = struct.pack('>I', zlib.crc32(kind + content))
    return struct.pack('>I', len(content)) + kind + content + end


def raw_png(depth, color, key=None):
    """Returns a PNG of 16x16 random pixels of any color type, with a transparent color or none."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    random = np.random.RandomState(0)
    rows = random.randint(256, size=[16, depth * channels * 2]).astype(np.uint8)
    if key is not None and color != 3:  # at the first pixel
        bits = np.unpackbits(rows[0])[: depth * channels].reshape(channels, depth)
        key = b''.join(struct.pack('>H', int(''.join(map(str, c)), 2)) for c in bits)
    chunks = [_chunk(b'IHDR', struct.pack('>IIBBBBB', 16, 16, depth, color, 0, 0, 0))]
    if color == 3:
        palette = random.randint(256, size=[2**depth, 3]).astype(np.uint8)
        chunks.append(_chunk(b'PLTE', palette.tobytes()))
    if key is not None:
        chunks.append(_chunk(b'tRNS', b'\0' if color == 3 else key))
    lines = b''.join(b'\0' + row.tobytes() for row in rows)
    chunks += [_chunk(b'IDAT', zlib.compress(lines)), _chunk(b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def png_header(width, height):
    """Returns a PNG with this size in its header and no pixels."""

    sizes = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n' + _chunk(b'IHDR', sizes) + _chunk(b'IDAT', b'') + _chunk(b'IEND', b'')
    )


def cmyk():
    """Returns a CMYK JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(1)).convert('CMYK').save(buffer, 'JPEG', quality=100)
    return buffer.getvalue()


def sixteen_bits():
    """Returns a grayscale PNG with 16 bits per channel."""
    return encoded((np.arange(256, dtype=np.uint16).reshape(16, 16) * 257) ^ 0x0055, 'PNG')


def animated(kind):
    frames = [Image.fromarray(pixels(i)) for i in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def damaged(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


# Name -> content, and the error message after the name.
_JPEG = encoded(pixels(1, 64, 64))
_PNG = encoded(pixels(1, 64, 64), 'PNG')
BAD = {
    'zero.jpg': (b'', 'is empty'),
    'cut.jpg': (_JPEG[: len(_JPEG) // 2], 'is truncated: its JPEG has no end marker'),
    'cut.png': (_PNG[: len(_PNG) // 2], 'is truncated: its PNG has no end marker'),
    'words.png': (b'no image at all', 'is not an image'),
    'animated.gif': (animated('GIF'), 'is animated: it holds 3 images'),
    'animated.png': (animated('PNG'), 'is animated: it holds 3 images'),
    'real.tif': (encoded(np.ones([4, 4], np.float32), 'TIFF'), 'holds floating-point numbers; it'),
    'signed.tif': (
        encoded(np.full([4, 4], 70_000, np.int32), 'TIFF'),
        'holds signed or 32-bit integers; they must be 0 to 255, or 0 to 65,535',
    ),
    'damaged.tif': (damaged(encoded(pixels(1), 'TIFF'), 8), 'is not an image'),
    'huge.png': (png_header(30_000, 30_000), 'has more than 67,108,864 pixels'),
    'large.png': (png_header(9000, 9000), 'is 9000 x 9000; a side must be at most 30,000 and'),
    'long.png': (png_header(40_000, 2), 'is 40000 x 2; a side must be at most 30,000'),
}
