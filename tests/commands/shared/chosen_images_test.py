"""Picture files as the verbs read them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfae.commands.shared import chosen_images
from tfae.core import errors

COLOURS = np.random.RandomState(0).randint(0, 256, [6, 4, 3], np.uint8)


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_a_colour_picture_of_the_right_size_keeps_its_pixels(tmp_path):
    path = saved(tmp_path / 'a.png', COLOURS)
    found = chosen_images.read(path, (6, 4, 3))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, COLOURS / 255, rtol=1e-6)


def test_colours_become_grey_and_grey_becomes_colours(tmp_path):
    grey = chosen_images.read(saved(tmp_path / 'a.png', COLOURS), (6, 4, 1))
    want = COLOURS @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(grey[..., 0], want, atol=1 / 255)
    colours = chosen_images.read(saved(tmp_path / 'b.png', COLOURS[..., 0]), (6, 4, 3))
    np.testing.assert_allclose(colours, np.repeat(COLOURS[..., :1], 3, -1) / 255, rtol=1e-6)


def test_a_picture_of_another_size_is_scaled(tmp_path):
    even = saved(tmp_path / 'a.png', np.full([50, 30], 51, np.uint8))
    np.testing.assert_allclose(
        chosen_images.read(even, (6, 4, 1)), np.full([6, 4, 1], 0.2), rtol=1e-5
    )


def test_a_photograph_that_lies_on_its_side_is_put_upright(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    path = saved(tmp_path / 'a.png', COLOURS, exif=turned)
    found = chosen_images.read(path, (4, 6, 3))
    np.testing.assert_allclose(found, np.rot90(COLOURS, -1) / 255, rtol=1e-6)


def test_files_that_are_no_pictures_are_named(tmp_path):
    whole = saved(tmp_path / 'whole.png', COLOURS).read_bytes()
    for name, content in (('text.png', b'text'), ('cut.png', whole[:80]), ('none.png', b'')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(errors.InputError, match=f'{name} cannot be read as a picture'):
            chosen_images.read(tmp_path / name, (6, 4, 3))
    with pytest.raises(errors.InputError, match='cannot be read as a picture'):
        chosen_images.read(tmp_path, (6, 4, 3))


def test_a_side_that_is_too_long_is_refused_before_it_is_read(tmp_path):
    head = struct.pack('>IIBBBBB', 30_001, 1, 8, 0, 0, 0, 0)
    chunk = b'IHDR' + head
    content = struct.pack('>I', len(head)) + chunk + struct.pack('>I', zlib.crc32(chunk))
    (tmp_path / 'long.png').write_bytes(b'\x89PNG\r\n\x1a\n' + content + b'\0\0\0\0IDAT')
    with pytest.raises(errors.InputError, match='long.png is 30001 x 1; no side may exceed 30000'):
        chosen_images.read(tmp_path / 'long.png', (6, 4, 1))


def test_a_file_has_no_channels_but_one_or_three(tmp_path):
    with pytest.raises(errors.InputError, match='the run takes pictures of 2 channels'):
        chosen_images.read(saved(tmp_path / 'a.png', COLOURS), (6, 4, 2))
