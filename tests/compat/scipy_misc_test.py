"""`tfae.compat.scipy_misc`: values of scipy 1.1, from its documentation and from Pillow."""

import numpy as np
import PIL.Image
import pytest

from tfae.compat import scipy_misc

# The example in the documentation of scipy.misc.bytescale.
VALUES = np.array(
    [
        [91.06794177, 3.39058326, 84.4221549],
        [73.88003259, 80.91433048, 4.88878881],
        [51.53875334, 34.45808177, 27.5873488],
    ]
)


def test_bytescale_has_the_values_of_the_documentation():
    wanted = [[255, 0, 236], [205, 225, 4], [140, 90, 70]]
    np.testing.assert_array_equal(scipy_misc.bytescale(VALUES), wanted)
    wanted = [[200, 100, 192], [180, 188, 102], [155, 135, 128]]
    np.testing.assert_array_equal(scipy_misc.bytescale(VALUES, high=200, low=100), wanted)
    wanted = [[91, 3, 84], [74, 81, 5], [52, 34, 28]]
    np.testing.assert_array_equal(scipy_misc.bytescale(VALUES, cmin=0, cmax=255), wanted)
    kept = np.array([[3, 200]], np.uint8)
    assert scipy_misc.bytescale(kept) is kept
    with pytest.raises(ValueError, match='cmax is 1; it must not be less than cmin, 2'):
        scipy_misc.bytescale(VALUES, cmin=2, cmax=1)
    with pytest.raises(ValueError, match='high is 300'):
        scipy_misc.bytescale(VALUES, high=300)


def test_files_are_written_and_read(tmp_path):
    color = np.random.RandomState(0).randint(0, 256, [5, 7, 3]).astype(np.uint8)
    path = str(tmp_path / 'a.png')
    scipy_misc.imsave(path, color)
    np.testing.assert_array_equal(scipy_misc.imread(path), color)
    image = PIL.Image.open(path)
    np.testing.assert_array_equal(scipy_misc.imread(path, mode='L'), image.convert('L'))
    flat = scipy_misc.imread(path, flatten=True)
    assert flat.dtype == np.float32
    np.testing.assert_array_equal(flat, image.convert('F'))
    scipy_misc.imsave(path, VALUES)
    np.testing.assert_array_equal(scipy_misc.imread(path), scipy_misc.bytescale(VALUES))
    image.convert('P').save(path)
    assert scipy_misc.imread(path).shape == (5, 7, 3)
    PIL.Image.fromarray(np.eye(4) > 0).save(path)
    np.testing.assert_array_equal(scipy_misc.imread(path), 255 * np.eye(4))


def test_sizes_are_percent_factors_and_shapes():
    gray = np.random.RandomState(0).randint(0, 256, [8, 6]).astype(np.uint8)
    image = PIL.Image.fromarray(gray)
    for size, wanted in (
        (50, (3, 4)),
        (1.5, (9, 12)),
        ((4, 9), (9, 4)),
        (np.array([4, 9]), (9, 4)),
        ((4, 9, 3), (9, 4)),
    ):
        for interp, way in (('bilinear', 2), ('nearest', 0), ('bicubic', 3), ('cubic', 3)):
            found = scipy_misc.imresize(gray, size, interp)
            np.testing.assert_array_equal(found, image.resize(wanted, way))
    floats = scipy_misc.imresize(gray / 1e3, (4, 4), mode='F')
    image = PIL.Image.fromarray((gray / 1e3).astype(np.float32))
    np.testing.assert_array_equal(floats, image.resize((4, 4), 2))
    assert scipy_misc.imrotate(gray, 90).shape == gray.shape


def test_the_channels_may_come_first():
    planes = np.random.RandomState(0).randint(0, 256, [3, 5, 7]).astype(np.uint8)
    np.testing.assert_array_equal(scipy_misc.toimage(planes), np.moveaxis(planes, 0, 2))
    assert scipy_misc.toimage(planes.reshape(5, 3, 7)).size == (7, 5)
    assert scipy_misc.toimage(VALUES, mode='P').mode == 'P'
    np.testing.assert_array_equal(scipy_misc.toimage(VALUES, mode='1', high=50), VALUES > 50)
    whole = np.asarray(scipy_misc.toimage(VALUES - VALUES.min(), mode='I', cmax=100))
    np.testing.assert_array_equal(whole, ((VALUES - VALUES.min()) * 255 / 100).astype(int))
    for wrong, text in (
        (np.zeros([2, 2, 2]), 'suitable array shape'),
        (np.zeros([2, 2], complex), 'complex-valued'),
    ):
        with pytest.raises(ValueError, match=text):
            scipy_misc.toimage(wrong)
    with pytest.raises(ValueError, match='shape for mode'):
        scipy_misc.toimage(planes, mode='RGBA')
