"""The pixels of a file: one definition, which numpy and the graph follow to the bit."""

import types

import image_kinds
import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf
from PIL import Image

from tfae.core import errors
from tfae.data import lazy_images, streaming
from tfae.data.formats import image_files, resampling


@pytest.fixture(scope='module')
def graphs():
    with image_kinds.graphs(streaming.decoded) as made:
        yield made


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('name', image_kinds.FILES)
def test_the_graph_decodes_what_numpy_does(tmp_path, graphs, name, channels):
    path, content = tmp_path / 'image', image_kinds.FILES[name]
    path.write_bytes(content)
    if not image_files.header(content, name).plain:
        content = image_files.plain(content, name)
    there = graphs[channels](content)
    for form, found in zip(image_kinds.forms(channels), there, strict=True):
        here = lazy_images.read(path, form)
        assert here.shape == (form.height, form.width, channels)
        assert len(np.unique(here)) > 1
        assert np.array_equal(found, here), form


@pytest.mark.parametrize('size', [1, 2, 3, 7, 16, 33])
@pytest.mark.parametrize('made', [1, 2, 3, 8, 16, 50])
def test_scaling_is_that_of_tensorflow_and_keeps_what_is_even(size, made):
    image = image_kinds.RANDOM.randint(0, 256, [size, size + 1, 3], np.uint8)
    found = resampling.resized(image, made, made + 2)
    with tf.Graph().as_default(), tf.Session() as session:
        # The antialiasing kind, which the v1 function of this name lacks.
        want = session.run(tf2.image.resize(image, [made, made + 2], antialias=True))
    assert np.abs(found - want).max() < 1.01  # both ways round to bytes
    for value in (1, 127, 255):
        even = resampling.resized(np.full_like(image, value), made, made + 2)
        assert np.array_equal(even, np.full([made, made + 2, 3], value))


def test_the_longest_lines_are_scaled_exactly():
    for length, made in ((30_000, 1), (30_000, 7), (3, 30_000)):
        shares = resampling.taps(length, made)[1]
        assert shares.min() >= 0
        assert np.array_equal(shares.sum(1), np.full(made, 2**16))
        line = np.full([length, 1, 1], 200, np.uint8)
        assert np.array_equal(resampling.resized(line, made, 1), np.full([made, 1, 1], 200))


def test_gray_is_the_luma_of_bt601_and_sixteen_bits_keep_their_upper_eight(tmp_path):
    form = lazy_images.Form(37, 45, 1)
    r, g, b = np.moveaxis(image_kinds.NOISE.astype(int), -1, 0)
    for kind in ('PNG', 'PPM', 'BMP'):
        (tmp_path / 'a').write_bytes(image_kinds.saved(image_kinds.COLORS, kind))
        found = lazy_images.read(tmp_path / 'a', form)[..., 0]
        assert np.array_equal(found, (19595 * r + 38470 * g + 7471 * b + 2**15) >> 16)
        assert np.abs(found - image_kinds.NOISE @ [0.299, 0.587, 0.114]).max() < 0.51
    for name in ('png of dark gray, 16 bits', 'pgm of 16 bits', 'tiff of 16 bits'):
        (tmp_path / 'a').write_bytes(image_kinds.FILES[name])
        assert np.array_equal(lazy_images.read(tmp_path / 'a', form)[..., 0], image_kinds.DARK >> 8)


def test_a_jpeg_of_colors_is_as_gray_as_a_png_of_its_colors(tmp_path):
    form = lazy_images.Form(37, 45, 1)
    (tmp_path / 'a').write_bytes(image_kinds.FILES['jpeg of colors'])
    colors = lazy_images.read(tmp_path / 'a', form._replace(channels=3))
    (tmp_path / 'b').write_bytes(image_kinds.saved(Image.fromarray(colors), 'PNG'))
    gray = lazy_images.read(tmp_path / 'a', form)
    assert np.array_equal(gray, lazy_images.read(tmp_path / 'b', form))


def test_a_file_that_lies_on_its_side_is_put_upright(tmp_path):
    for kind in ('PNG', 'TIFF', 'WEBP'):
        lossless = {'lossless': True} if kind == 'WEBP' else {}
        (tmp_path / 'a').write_bytes(
            image_kinds.saved(image_kinds.COLORS, kind, **image_kinds.oriented(6), **lossless)
        )
        found = lazy_images.read(tmp_path / 'a', lazy_images.Form(45, 37, 3))
        assert np.array_equal(found, np.rot90(image_kinds.NOISE, -1))


def test_a_file_smaller_than_the_crop_is_refused_as_in_a_set(tmp_path):
    (tmp_path / 'a').write_bytes(image_kinds.saved(image_kinds.COLORS, 'PNG'))
    with pytest.raises(
        errors.InputError, match=r'a is 37x45 \(height x width\), smaller than --crop'
    ):
        lazy_images.read(tmp_path / 'a', lazy_images.Form(8, 8, 3, (38, 8)))


def test_a_file_has_no_channels_but_one_or_three(tmp_path):
    (tmp_path / 'a').write_bytes(image_kinds.saved(image_kinds.COLORS, 'PNG'))
    with pytest.raises(errors.InputError, match='a: the run takes images of 2 channels; files ha'):
        lazy_images.read(tmp_path / 'a', lazy_images.Form(6, 4, 2))


@pytest.mark.parametrize(
    'size, flags, form',
    [
        ((17, 21), {}, (17, 21, 1, False)),
        ((17, 21), {'size': '9x11'}, (9, 11, 1, True)),
        ((18, 22), {'size': '9x11'}, (9, 11, 2, False)),
        ((18, 22), {'size': '9'}, (9, 9, 2, True)),
        ((36, 44), {'size': '9x11'}, (9, 11, 4, False)),
        ((36, 44), {'crop': '17x21'}, (17, 21, 1, False)),
        ((36, 44), {'crop': '18x22', 'size': '9x11'}, (9, 11, 2, False)),
        ((144, 160), {'size': '9x10'}, (9, 10, 8, True)),
    ],
)
def test_the_form_of_a_set_is_that_of_its_sizes_and_flags(size, flags, form):
    """Height, width, the ratio at which JPEG files are decoded, and whether the rest is scaled."""
    given = types.SimpleNamespace(**{'crop': '', 'size': '', 'color': 'as_is', **flags})
    found = lazy_images.form(np.array([size] * 3), True, True, given, str)
    height, width, ratio, scaled = form
    assert (found.height, found.width, found.recorded) == (height, width, (ratio, True, scaled))
    assert found.ratio(*size) == ratio
