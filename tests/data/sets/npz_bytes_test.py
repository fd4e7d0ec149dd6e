"""The bytes of an `.npz`: false headers, false sizes and damage."""

import io
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfae import data
from tfae.core import errors

BYTES = np.random.RandomState(0).randint(256, size=(10, 4, 5)).astype(np.uint8)


def config(path):
    return data.Config('npz', str(path), validation_fraction=0.0)


def npy(header_shape, content, descr='|u1'):
    """An .npy file whose header need not agree with its content."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {'descr': descr, 'fortran_order': False, 'shape': header_shape}
    )
    return file.getvalue() + content


def refuse_member(tmp_path, text, content, compression=zipfile.ZIP_STORED):
    path = tmp_path / 'set.npz'
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.writestr('x.npy', content)
    with pytest.raises(errors.InputError, match=text):
        data.load(config(path))


@pytest.mark.parametrize('shape', [(2**40, 2**40), (10, 2), (3, 3)])
def test_a_header_that_disagrees_with_its_content_is_refused(tmp_path, shape):
    refuse_member(tmp_path, r'x: its header declares uint8 \(', npy(shape, bytes(12)))


@pytest.mark.parametrize('shape', [(-1, -12), (-12, 1), (0, 0)])
def test_a_shape_that_holds_nothing_is_refused(tmp_path, shape):
    refuse_member(tmp_path, 'x: shape is .* must hold at least one', npy(shape, bytes(12)))


def test_pickled_objects_of_a_made_up_header_are_refused(tmp_path):
    refuse_member(tmp_path, 'x: holds pickled objects', npy((1,), b'cos\nsystem\n', '|O'))


def test_an_unknown_version_is_refused(tmp_path):
    content = b'\x93NUMPY\x07\x00' + bytes(100)
    refuse_member(tmp_path, r'x: is .npy version \(7, 0\)', content)


def test_what_is_no_npy_is_refused(tmp_path):
    refuse_member(tmp_path, 'set.npz: cannot be read .ValueError: the magic string', b'no array')


def patch_sizes(path, packed, size):
    """Rewrites the sizes in the one central directory record, which zipfile believes."""
    content = bytearray(path.read_bytes())
    at = content.index(b'PK\x01\x02') + 20
    content[at : at + 8] = struct.pack('<II', packed, size)
    path.write_bytes(content)


@pytest.mark.parametrize('packed, size', [(None, 2**31), (2**31, 2**31)])
@pytest.mark.parametrize('compression', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_size_that_the_file_cannot_hold_is_refused(tmp_path, packed, size, compression):
    path = tmp_path / 'set.npz'
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.writestr('x.npy', npy((2**31 - 128, 1), bytes(500)))
        actual = archive.getinfo('x.npy').compress_size
    patch_sizes(path, packed or actual, size)
    with pytest.raises(errors.InputError, match='declares 2147483648 bytes, more than the file'):
        data.load(config(path))


def test_a_flipped_pixel_is_refused_by_its_sum(tmp_path):
    path = tmp_path / 'set.npz'
    np.savez(path, x=BYTES)
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(errors.InputError, match='BadZipFile: Bad CRC-32'):
        data.load(config(path))


@pytest.mark.parametrize('content', [b'', b'no zip', npy((12,), bytes(12))])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / 'set.npz'
    path.write_bytes(content)
    with pytest.raises(errors.InputError, match='set.npz: cannot be read .*written by numpy.savez'):
        data.load(config(path))


def packed(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


FILES = [packed(x=BYTES / 255, y=np.arange(10)), packed(x_train=BYTES[:3], x_test=BYTES[:3])]


@st.composite
def damaged_zip(draw):
    """An .npz with some bytes overwritten, perhaps cut; zipfile's own records are reached too."""
    content = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.sampled_from([len(content), len(content), 200]))])


@st.composite
def damaged_member(draw):
    """A sound zip around an .npy whose header is damaged, so that the header parser is reached."""
    header = bytearray(npy((4, 3), bytes(12)))
    for _ in range(draw(st.integers(1, 4))):
        header[draw(st.integers(0, len(header) - 1))] = draw(
            st.sampled_from(b"(),-:{}[]'O0L1\n\0 ")
        )
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('x.npy', bytes(header))
    return file.getvalue()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.one_of(damaged_zip(), damaged_member(), st.binary(max_size=100)))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    path = tmp_path / 'set.npz'
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # numpy's, on headers of Python 2
        try:
            dataset = data.load(config(path))
        except errors.InputError as error:
            assert str(path) in str(error)
            assert '\n' not in str(error)
        else:
            assert dataset.train.images.ndim in (2, 4)
            scaled = data.pixels(dataset.train.images)
            assert scaled.min() >= 0
            assert scaled.max() <= 1
