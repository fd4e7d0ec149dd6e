"""MNIST, Fashion-MNIST and the IDX reader under them."""

import gzip
import hashlib
import shutil
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfae import data
from tfae.core import errors
from tfae.data.formats import idx as _idx

SETS = ('mnist', 'fashion_mnist')
IMAGES = np.random.RandomState(0).randint(256, size=(6, 5, 7)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def idx(values, magic=None):
    magic = 0x0800 + values.ndim if magic is None else magic
    return struct.pack(f'>{1 + values.ndim}I', magic, *values.shape) + values.tobytes()


def contents(images=IMAGES, labels=LABELS):
    return {
        'train-images-idx3-ubyte': idx(images),
        'train-labels-idx1-ubyte': idx(labels),
        't10k-images-idx3-ubyte': idx(images[:2]),
        't10k-labels-idx1-ubyte': idx(labels[:2]),
    }


def write(folder, replaced=None, spell=str, pack=bytes):
    """A small set in `folder`; `replaced` gives other bytes for a file."""
    for name, content in {**contents(), **(replaced or {})}.items():
        (folder / spell(name)).write_bytes(pack(content))
    return data.Config('mnist', str(folder), validation_fraction=0.0)


@pytest.mark.parametrize('pack, suffix', [(bytes, ''), (gzip.compress, '.gz'), (bytes, '.gz')])
@pytest.mark.parametrize('dot', [False, True])
def test_every_spelling_reads_the_same(tmp_path, pack, suffix, dot):
    def spell(name):
        return (name.replace('-idx', '.idx') if dot else name) + suffix

    dataset = data.load(write(tmp_path, spell=spell, pack=pack))
    assert np.array_equal(dataset.train.images, IMAGES[..., None])
    assert np.array_equal(dataset.train.labels, LABELS)
    assert np.array_equal(dataset.test.images, IMAGES[:2, ..., None])
    assert dataset.image_shape == (5, 7, 1)
    assert (dataset.train.images.dtype, dataset.train.labels.dtype) == (np.uint8, np.int64)


def test_a_folder_that_holds_the_set_by_name_will_do(tmp_path):
    (tmp_path / 'mnist').mkdir()
    write(tmp_path / 'mnist')
    assert len(data.load(data.Config('mnist', str(tmp_path))).test.images) == 2


@pytest.mark.parametrize('name', SETS)
def test_missing_files_name_the_command_that_fetches_them(tmp_path, name):
    with pytest.raises(errors.InputError) as caught:
        data.load(data.Config(name, str(tmp_path)))
    assert str(caught.value) == (
        f'{tmp_path}: has no train-images-idx3-ubyte, gzipped or not; '
        f'`tfae fetch {name} --data_dir={tmp_path}` downloads it'
    )


def test_a_missing_default_folder_names_the_command_without_a_flag(tmp_path, monkeypatch):
    monkeypatch.delenv('TFAE_DATA_DIR', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(errors.InputError, match='/mnist: has no .*; `tfae fetch mnist` downloads'):
        data.load(data.Config('mnist'))


REFUSALS = {
    'labels in place of images': (
        {'train-images-idx3-ubyte': idx(LABELS)},
        'train-images-idx3-ubyte: magic number is 0x00000801; it must be 0x00000803, .* images',
    ),
    'images in place of labels': (
        {'t10k-labels-idx1-ubyte': idx(IMAGES)},
        't10k-labels-idx1-ubyte: magic number is 0x00000803; it must be 0x00000801, .* labels',
    ),
    'a page in place of a file': (
        {'train-images-idx3-ubyte': b'<!DOCTYPE html><html>not found</html>'},
        'magic number is 0x3c21444f; it must be 0x00000803',
    ),
    'an empty file': (
        {'train-images-idx3-ubyte': b''},
        'train-images-idx3-ubyte: holds 0 bytes; an IDX header alone takes 16',
    ),
    'half a header': ({'train-labels-idx1-ubyte': idx(LABELS)[:6]}, 'holds 6 bytes; .* takes 8'),
    'a truncated file': (
        {'train-images-idx3-ubyte': idx(IMAGES)[:-1]},
        r'declares 6 x 5 x 7 = 210 bytes; the file holds 209',
    ),
    'a longer file': (
        {'train-images-idx3-ubyte': idx(IMAGES) + b'0'},
        'declares 6 x 5 x 7 = 210 bytes; the file holds more',
    ),
    'a header beyond memory': (
        {'train-images-idx3-ubyte': struct.pack('>4I', 0x803, *[2**32 - 1] * 3)},
        'declares 4294967295 x 4294967295 x 4294967295 = .* the file holds fewer',
    ),
    'no images': (
        {'train-images-idx3-ubyte': idx(IMAGES[:0])},
        'declares 0 x 5 x 7 values; the set must not be empty',
    ),
    'images without pixels': (
        {'train-images-idx3-ubyte': idx(IMAGES[:, :0])},
        'declares 6 x 0 x 7 values; the set must not be empty',
    ),
    'fewer labels than images': (
        {'train-labels-idx1-ubyte': idx(LABELS[:4])},
        'train-labels-idx1-ubyte: holds 4 labels, train-images-idx3-ubyte holds 6 images',
    ),
    'a label that is no digit': (
        {'t10k-labels-idx1-ubyte': idx(np.array([3, 10], np.uint8))},
        't10k-labels-idx1-ubyte: holds label 10; labels must lie in 0 to 9',
    ),
    'test images of another size': (
        {'t10k-images-idx3-ubyte': idx(IMAGES[:2, :4])},
        r'training images are \(5, 7\), test images are \(4, 7\); they must match',
    ),
}


@pytest.mark.parametrize('pack', [bytes, gzip.compress], ids=['plain', 'gzip'])
@pytest.mark.parametrize('replaced, text', REFUSALS.values(), ids=REFUSALS)
def test_a_wrong_file_is_refused_by_name(tmp_path, replaced, text, pack):
    with pytest.raises(errors.InputError, match=text) as caught:
        data.load(write(tmp_path, replaced, pack=pack))
    assert str(tmp_path) in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('kept', [2, 9, 12, 60, -9, -1])
def test_truncated_gzip_is_refused_by_name(tmp_path, kept):
    name = 'train-images-idx3-ubyte'
    config = write(tmp_path)
    (tmp_path / name).write_bytes(gzip.compress(contents()[name])[:kept])
    with pytest.raises(errors.InputError, match=f'{name}: gzip data is truncated or damaged'):
        data.load(config)


def test_gzip_with_a_wrong_sum_is_refused(tmp_path):
    packed = bytearray(gzip.compress(idx(LABELS)))
    packed[-8] ^= 1
    path = tmp_path / 'labels.gz'
    path.write_bytes(packed)
    with pytest.raises(errors.InputError, match='gzip data is truncated or damaged .CRC'):
        _idx.read(path, _idx.LABELS_MAGIC)


@st.composite
def damaged(draw):
    """Bytes of an IDX file, cut, overwritten or both, perhaps packed before or after that."""
    content = bytearray(idx(IMAGES))
    packing = draw(st.sampled_from(['no', 'before', 'after']))
    if packing == 'before':
        content = bytearray(gzip.compress(content, mtime=0))
    for _ in range(draw(st.integers(0, 3))):
        content[draw(st.integers(0, min(len(content) - 1, 40)))] = draw(st.integers(0, 255))
    content = content[: draw(st.integers(0, len(content)))]
    return gzip.compress(content, mtime=0) if packing == 'after' else bytes(content)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.one_of(damaged(), st.binary(max_size=200)))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    path = tmp_path / 'file'
    path.write_bytes(content)
    try:
        values = _idx.read(path, _idx.IMAGES_MAGIC)
    except errors.InputError as error:
        assert str(path) in str(error)
    else:
        assert values.ndim == 3
        assert values.size > 0


@pytest.mark.parametrize(
    'name, train_sum, test_sum',
    [('mnist', 1567298545, 264923200), ('fashion_mnist', 3431114169, 573469082)],
)
def test_the_real_set_has_the_known_sums(data_dir, name, train_sum, test_sum):
    dataset = data.load(data.Config(name, str(data_dir)))
    kept, held = dataset.train.images, dataset.validation.images
    assert (kept.shape, held.shape) == ((54000, 28, 28, 1), (6000, 28, 28, 1))
    assert kept.sum(dtype=np.int64) + held.sum(dtype=np.int64) == train_sum
    assert dataset.test.images.shape == (10000, 28, 28, 1)
    assert dataset.test.images.sum(dtype=np.int64) == test_sum
    assert len(dataset.class_names) == 10
    assert np.bincount(dataset.test.labels).min() > 800


@pytest.mark.parametrize('name', SETS)
def test_unpacked_real_files_read_like_the_packed_ones(data_dir, name, tmp_path):
    for path in (data_dir / name).glob('t10k-*.gz'):
        with gzip.open(path) as packed, (tmp_path / path.stem).open('wb') as plain:
            shutil.copyfileobj(packed, plain)
        magic = _idx.IMAGES_MAGIC if 'images' in path.name else _idx.LABELS_MAGIC
        assert np.array_equal(_idx.read(path, magic), _idx.read(tmp_path / path.stem, magic))


PUBLISHED_MD5 = {
    'mnist': [
        'f68b3c2dcbeaaa9fbdd348bbdeb94873',
        'd53e105ee54ea40749a09fcbcd1e9432',
        '9fb629c4189551a2d022fa330f9573f3',
        'ec29112dd5afa0611ce80d1b7f02629c',
    ],
    'fashion_mnist': [
        '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
        '25c81989df183df01b3e8a0aad5dffbe',
        'bef4ecab320f06d8554ea6380940ec79',
        'bb300cfdad3c16e7a12a480ee83cd310',
    ],
}


@pytest.mark.parametrize('name', SETS)
def test_our_sums_are_those_of_the_files_with_the_published_md5(data_dir, name):
    for (file, sha256), md5 in zip(
        data.module(name).SHA256.items(), PUBLISHED_MD5[name], strict=True
    ):
        content = (data_dir / name / file).read_bytes()
        assert hashlib.md5(content).hexdigest() == md5
        assert hashlib.sha256(content).hexdigest() == sha256
