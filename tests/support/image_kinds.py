"""One image file of every supported kind, and the forms to decode them to."""

import contextlib
import io
import struct
import zlib

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from tfae.data import lazy_images

RANDOM = np.random.RandomState(0)
NOISE = RANDOM.randint(0, 256, [37, 45, 3], np.uint8)  # colors that no JPEG and no luma flatters
GRAY = NOISE[..., 0]
# Height, width and crop: unchanged, downscaled, upscaled, and the center of each.
FORMS = (
    (37, 45, None),
    (11, 13, None),
    (4, 5, None),
    (50, 91, None),
    (9, 8, (25, 36)),
    (3, 4, (28, 35)),
)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(color_type, depth, pixels, *chunks):
    """Returns a PNG of any kind from its raw rows of bytes `[h, row]`."""

    def chunk(kind, content):
        end = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + end

    width = 37
    head = struct.pack('>IIBBBBB', width, len(pixels), depth, color_type, 0, 0, 0)
    body = zlib.compress(b''.join(b'\0' + row.tobytes() for row in pixels))
    parts = [chunk(b'IHDR', head), *(chunk(*c) for c in chunks), chunk(b'IDAT', body)]
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts) + chunk(b'IEND', b'')


def raw(bits):
    """Returns rows of random bytes for 37 pixels of `bits` bits."""
    return RANDOM.randint(0, 256, [29, -(-37 * bits // 8)], np.uint8)


def oriented(value):
    exif = Image.Exif()
    exif[274] = value
    return {'exif': exif}


COLORS, DARK = Image.fromarray(NOISE), np.uint16(RANDOM.randint(0, 0x2000, [37, 45]))
ALPHA = Image.fromarray(np.dstack([NOISE, GRAY[::-1]]), 'RGBA')
PALETTE = (b'PLTE', RANDOM.bytes(768))
FILES = {
    'jpeg of colors': saved(COLORS, 'JPEG', quality=60),
    'jpeg of colors, not subsampled': saved(COLORS, 'JPEG', quality=95, subsampling=0),
    'jpeg of colors, subsampled one way': saved(COLORS, 'JPEG', subsampling=1),
    'progressive jpeg': saved(COLORS, 'JPEG', progressive=True),
    'gray jpeg': saved(Image.fromarray(GRAY), 'JPEG', quality=70),
    'jpeg of the press': saved(COLORS.convert('CMYK'), 'JPEG'),
    'jpeg of rgb': saved(COLORS, 'JPEG', keep_rgb=True),
    **{f'jpeg that lies as {k}': saved(COLORS, 'JPEG', **oriented(k)) for k in range(2, 9)},
    'png of colors': saved(COLORS, 'PNG'),
    'png that lies on its side': saved(COLORS, 'PNG', **oriented(6)),
    'png of one bit': png(0, 1, raw(1)),
    'png of two bits': png(0, 2, raw(2)),
    'png of four bits': png(0, 4, raw(4)),
    'png of gray': png(0, 8, raw(8)),
    'png of gray, 16 bits': png(0, 16, raw(16)),
    'png of gray, one of them transparent': png(0, 8, raw(8), (b'tRNS', b'\0\x80')),
    'png of gray, 16 bits, one transparent': png(0, 16, raw(16), (b'tRNS', b'\0\x80')),
    'png of colors, 16 bits': png(2, 16, raw(48)),
    'png of colors, one transparent': png(2, 8, raw(24), (b'tRNS', b'\0\x80\0\x80\0\x80')),
    'png of a palette': png(3, 8, raw(8), PALETTE),
    'png of a palette of 16': png(3, 4, raw(4), (b'PLTE', RANDOM.bytes(48))),
    'png of a palette with alpha': png(3, 8, raw(8), PALETTE, (b'tRNS', RANDOM.bytes(256))),
    'png of gray and alpha': png(4, 8, raw(16)),
    'png of gray and alpha, 16 bits': png(4, 16, raw(32)),
    'png of colors and alpha': saved(ALPHA, 'PNG'),
    'png of colors and alpha, 16 bits': png(6, 16, raw(64)),
    'png with a gamma': png(2, 8, raw(24), (b'gAMA', struct.pack('>I', 100_000))),
    'png of dark gray, 16 bits': saved(Image.fromarray(DARK), 'PNG'),
    'pgm': saved(Image.fromarray(GRAY), 'PPM'),
    'pgm of 16 bits': b'P5 45 37 65535\n' + DARK.astype('>u2').tobytes(),
    'pgm of 12 bits': b'P5 45 37 4095\n' + (DARK >> 1).astype('>u2').tobytes(),
    'pbm': b'P4 37 29\n' + raw(1).tobytes(),
    'ppm': saved(COLORS, 'PPM'),
    'ppm of 16 bits': b'P6 37 29 65535\n' + raw(48).tobytes(),
    'bmp of colors': saved(COLORS, 'BMP'),
    'bmp of gray': saved(Image.fromarray(GRAY), 'BMP'),
    'bmp of a palette': saved(COLORS.convert('P'), 'BMP'),
    'gif': saved(COLORS.convert('P'), 'GIF'),
    'tiff of colors': saved(COLORS, 'TIFF'),
    'tiff of the press': saved(COLORS.convert('CMYK'), 'TIFF'),
    'tiff of 16 bits': saved(Image.fromarray(DARK), 'TIFF'),
    'webp': saved(ALPHA, 'WEBP', lossless=True),
}


def forms(channels):
    return [lazy_images.Form(height, width, channels, crop) for height, width, crop in FORMS]


@contextlib.contextmanager
def graphs(decode, every=1):
    """Returns channels -> function: content -> pixels of all forms by `decode(content, form)`."""
    with contextlib.ExitStack() as stack:
        made = {}
        for channels in (1, 3):
            with tf.Graph().as_default() as graph:
                content = tf.placeholder(tf.string, [])
                pixels = [decode(content, form) for form in forms(channels)[::every]]
                session = tf.Session(graph=graph)
            stack.callback(session.close)
            made[channels] = session.make_callable(pixels, [content])
        yield made
