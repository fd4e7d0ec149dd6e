"""Arrays in an `.npz`: what is read and what is refused."""

import os

import numpy as np
import pytest

from tfae import data
from tfae.core import errors

RANDOM = np.random.RandomState(0)
BYTES = RANDOM.randint(256, size=(10, 4, 5, 3)).astype(np.uint8)
FLOATS = RANDOM.random_sample((10, 4, 5)).astype(np.float32)
LABELS = RANDOM.randint(3, size=10)


def config(path):
    return data.Config('npz', str(path), validation_fraction=0.0)


def load(tmp_path, **arrays):
    path = tmp_path / 'set.npz'
    np.savez(path, **arrays)
    return data.load(config(path))


def refuse(tmp_path, text, **arrays):
    with pytest.raises(errors.InputError, match=text) as caught:
        load(tmp_path, **arrays)
    assert str(tmp_path / 'set.npz') in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'naming',
    [('x_train', 'y_train', 'x_test', 'y_test')]
    + [('train_images', 'train_labels', 'test_images', 'test_labels')],
)
def test_both_ways_of_naming_four_arrays_are_read(tmp_path, naming):
    arrays = dict(zip(naming, (BYTES, LABELS, BYTES[:3], LABELS[:3]), strict=True))
    dataset = load(tmp_path, **arrays, unrelated=np.zeros(1))
    assert np.array_equal(dataset.train.images, BYTES)
    assert np.array_equal(dataset.train.labels, LABELS)
    assert np.array_equal(dataset.test.images, BYTES[:3])
    assert np.array_equal(dataset.test.labels, LABELS[:3])
    assert dataset.class_names == tuple(map(str, range(LABELS.max() + 1)))


@pytest.mark.parametrize(
    'images, labels', [('images', 'labels'), ('x', 'y'), ('x_train', 'y_train')]
)
def test_one_set_gives_a_fifth_to_the_test_part(tmp_path, images, labels):
    dataset = load(tmp_path, **{images: BYTES, labels: LABELS})
    assert (len(dataset.train.images), len(dataset.test.images)) == (8, 2)
    both = np.concatenate([dataset.train.images, dataset.test.images])
    assert sorted(map(bytes, both)) == sorted(map(bytes, BYTES))


def test_unlabeled_images_have_no_classes(tmp_path):
    dataset = load(tmp_path, x=FLOATS)
    assert dataset.train.labels is None
    assert dataset.test.labels is None
    assert dataset.class_names == ()


@pytest.mark.parametrize('shape, wanted', [((40,), (40,)), ((5, 8), (5, 8, 1)), ((2, 5, 4),) * 2])
def test_rows_keep_their_shape_and_gray_images_gain_a_channel(tmp_path, shape, wanted):
    images = RANDOM.random_sample((6, *shape)).astype(np.float32)
    assert load(tmp_path, images=images).image_shape == wanted


@pytest.mark.parametrize('dtype', ['f2', 'f4', '>f4', 'f8'])
def test_floats_become_float32(tmp_path, dtype):
    dataset = load(tmp_path, x_train=FLOATS.astype(dtype), x_test=FLOATS.astype(dtype))
    assert dataset.train.images.dtype == np.dtype(np.float32)
    np.testing.assert_allclose(dataset.train.images[..., 0], FLOATS, atol=1e-3)


@pytest.mark.parametrize('dtype', ['u1', 'i2', '>i4', 'u8'])
def test_integers_that_fit_become_bytes(tmp_path, dtype):
    dataset = load(tmp_path, x_train=BYTES.astype(dtype), x_test=BYTES.astype(dtype))
    assert dataset.train.images.dtype == np.uint8
    assert np.array_equal(dataset.train.images, BYTES)


def test_bools_become_zero_and_one(tmp_path):
    dataset = load(tmp_path, x_train=BYTES > 99, x_test=BYTES > 99)
    assert np.array_equal(dataset.train.images, (BYTES > 99).astype(np.float32))


def test_fortran_order_and_compression_are_read(tmp_path):
    path = tmp_path / 'set.npz'
    np.savez_compressed(path, x_train=np.asfortranarray(BYTES), x_test=BYTES)
    assert np.array_equal(data.load(config(path)).train.images, BYTES)


def test_a_column_of_labels_is_read(tmp_path):
    dataset = load(tmp_path, x_train=BYTES, y_train=LABELS[:, None], x_test=BYTES, y_test=LABELS)
    assert np.array_equal(dataset.train.labels, LABELS)


def test_a_folder_with_one_file_will_do(tmp_path):
    load(tmp_path, x=BYTES)
    assert len(data.load(config(tmp_path)).train.images) == 8


def test_a_folder_with_two_files_is_refused(tmp_path):
    load(tmp_path, x=BYTES)
    np.savez(tmp_path / 'other.npz', x=BYTES)
    with pytest.raises(errors.InputError, match='holds 2 .npz files; it must hold one'):
        data.load(config(tmp_path))


def test_no_file_named_is_a_usage_error():
    with pytest.raises(errors.UsageError, match='needs --data_dir=path/to/file.npz'):
        data.load(config(''))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match='absent.npz: no such file'):
        data.load(config(tmp_path / 'absent.npz'))


class Bomb:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('name', ['x_train', 'y_train', 'x_test', 'y_test'])
def test_pickled_objects_are_refused_and_never_unpickled(tmp_path, name):
    arrays = {'x_train': BYTES, 'y_train': LABELS, 'x_test': BYTES, 'y_test': LABELS}
    arrays[name] = np.array([Bomb(tmp_path / 'boom')] * 10, object)
    refuse(tmp_path, f'{name}: holds pickled objects; it must hold numbers', **arrays)
    assert not (tmp_path / 'boom').exists()


def with_pixels(**pixels):
    images = FLOATS.copy()
    images.flat[: len(pixels['first'])] = pixels['first']
    return images


RECORDS = np.zeros(10, [('a', 'f4')])
REFUSALS = {
    'NaN': (
        {'images': with_pixels(first=[np.nan, np.nan, 2])},
        r'images: 2 of 200 pixels are NaN; they must lie in \[0, 1\]',
    ),
    'floats out of range': (
        {'images': with_pixels(first=[-0.5, 3, 2])},
        r'images: 3 of 200 pixels lie outside \[0, 1\], the range is \[-0.5, 3.0\]',
    ),
    'infinity': ({'images': with_pixels(first=[np.inf])}, r'1 of 200 .* \[0.\d*, inf\]'),
    'a float beside 1': (
        {'images': np.full((4, 2, 2), 1 + 1e-12)},
        r'16 of 16 pixels lie outside \[0, 1\]',
    ),
    'integers out of range': (
        {'x_train': BYTES.astype('i4') * 2 - 255},
        r'x_train: \d+ of 600 pixels lie outside \[0, 255\]',
    ),
    'complex pixels': ({'x': FLOATS.astype('c8')}, 'x: holds complex64; images must be uint8'),
    'text': ({'x': np.full((10, 4, 5), 'no')}, 'x: holds <U2; images must be uint8'),
    'a rank of 1': ({'x': FLOATS[:, 0, 0]}, r'x: shape is \(10,\); it must be \[N, H, W, C\]'),
    'a rank of 6': ({'x': BYTES[None, None]}, r'x: shape is \(1, 1, 10, 4, 5, 3\); it must be'),
    'records': ({'x': RECORDS}, r'x: shape is \(10,\); it must be'),
    'a number': ({'x': np.float32(1)}, r'x: shape is \(\); it must hold at least one example'),
    'an empty set': ({'x': BYTES[:0]}, r'x: shape is \(0, 4, 5, 3\); it must hold at least one'),
    'an empty test split': (
        {'x_train': BYTES, 'x_test': BYTES[:0]},
        r'x_test: shape is \(0, 4, 5, 3\); it must hold at least one',
    ),
    'one example': ({'x': BYTES[:1]}, 'holds 1 example; a train and a test split need two'),
    'no known name': ({'arr_0': BYTES}, 'holds arr_0; it must hold one of x_train, train_images'),
    'two known names': ({'x': BYTES, 'images': BYTES}, 'holds images, x; it must hold one of'),
    'no array': ({}, 'holds no array; it must hold one of x_train'),
    'labels of another count': ({'x': BYTES, 'y': LABELS[:9]}, 'y: holds 9 labels for 10 images'),
    'labels that are no integers': (
        {'x': BYTES, 'y': LABELS / 2},
        r'y: is float64 \(10,\); labels must be integers \[N\] or \[N, 1\]$',
    ),
    'labels with two more dimensions': (
        {'x': BYTES, 'y': LABELS[:, None, None]},
        r'y: is int64 \(10, 1, 1\); labels must be integers \[N\] or \[N, 1\]$',
    ),
    'one-hot labels': (
        {'x': BYTES, 'y': np.eye(10, dtype=int)},
        r'y: is int64 \(10, 10\); labels must be integers \[N\] or \[N, 1\]',
    ),
    'a negative label': ({'x': BYTES, 'y': LABELS - 1}, 'y: labels span -1 to 1; they must'),
    'a huge label': ({'x': BYTES, 'y': LABELS + 2**40}, 'y: labels span .*; they must'),
    'test labels alone': (
        {'x_train': BYTES, 'y_test': LABELS},
        'y_test: has no x_test of the same length; the file must hold both',
    ),
    'labels for one part': (
        {'x_train': BYTES, 'y_train': LABELS, 'x_test': BYTES},
        'training images are labeled, test images are unlabeled; they must match',
    ),
    'parts of two sizes': (
        {'x_train': BYTES, 'x_test': BYTES[:, 1:]},
        r'training images are \(4, 5, 3\), test images are \(3, 5, 3\); they must match',
    ),
    'parts of two types': (
        {'x_train': BYTES[..., 0], 'x_test': FLOATS},
        'training images are uint8, test images are float32; they must match',
    ),
}


@pytest.mark.parametrize('arrays, text', REFUSALS.values(), ids=REFUSALS)
def test_what_is_no_set_is_refused_by_name(tmp_path, arrays, text):
    refuse(tmp_path, text, **arrays)


def test_more_than_memory_takes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(data.module('npz'), '_MAX_BYTES', 100)
    refuse(tmp_path, 'declares 728 bytes of arrays; it must hold at most 100', x=BYTES)


@pytest.mark.parametrize(
    'naming',
    [('x_train', 'y_train', 'x_validation', 'y_validation')]
    + [('train_images', 'train_labels', 'validation_images', 'validation_labels')],
)
def test_a_validation_split_of_the_file_is_taken_as_it_is(tmp_path, naming):
    arrays = dict(zip(naming, (BYTES, LABELS, BYTES[:3], LABELS[:3]), strict=True))
    np.savez(tmp_path / 'set.npz', **arrays)
    dataset = data.load(data.Config('npz', str(tmp_path / 'set.npz')))
    assert np.array_equal(dataset.validation.images, BYTES[:3])
    assert np.array_equal(dataset.validation.labels, LABELS[:3])
    assert (len(dataset.train.images), len(dataset.test.images)) == (8, 2)


def test_a_fraction_of_a_set_with_a_validation_split_is_refused(tmp_path):
    np.savez(tmp_path / 'set.npz', x_train=BYTES, x_validation=BYTES)
    with pytest.raises(errors.UsageError, match='npz has its own validation split; omit'):
        data.load(data.Config('npz', str(tmp_path / 'set.npz'), validation_fraction=0.3))


# Sequences and volumes.


@pytest.mark.parametrize('prefix', ['', 'train_'])
@pytest.mark.parametrize(
    'kind, shape, wanted',
    [
        ('sequences', (10, 30, 2), (30, 2)),
        ('sequences', (10, 30), (30, 1)),
        ('volumes', (10, 4, 5, 6, 2), (4, 5, 6, 2)),
        ('volumes', (10, 4, 5, 6), (4, 5, 6, 1)),
    ],
)
def test_the_name_says_sequences_or_volumes(tmp_path, kind, shape, wanted, prefix):
    values = 10 * RANDOM.standard_normal(shape)
    dataset = load(tmp_path, **{f'{prefix}{kind}': values, f'{prefix}labels': LABELS})
    assert dataset.image_shape == wanted
    assert dataset.noun == kind.removesuffix('s')
    assert dataset.train.images.dtype == np.float32
    whole = np.concatenate([dataset.train.images, dataset.test.images])
    np.testing.assert_allclose(np.sort(whole.ravel()), np.sort(values.ravel()), rtol=1e-6)


def test_five_axes_are_volumes_whatever_the_name(tmp_path):
    assert load(tmp_path, x=np.full([10, 3, 4, 5, 1], -2.0)).noun == 'volume'


def test_named_splits_of_sequences_are_read(tmp_path):
    splits = {f'{name}_sequences': np.full([4, 6, 1], k) for k, name in enumerate('abc')}
    names = dict(zip(splits, ('train', 'validation', 'test'), strict=True))
    arrays = {f'{names[k]}_sequences': v.astype(np.float32) for k, v in splits.items()}
    dataset = load(tmp_path, **arrays)
    for split, wanted in ((dataset.train, 0), (dataset.validation, 1), (dataset.test, 2)):
        assert (split.images == wanted).all()


@pytest.mark.parametrize(
    'arrays, text',
    [
        ({'sequences': np.ones([5, 4, 3, 2])}, r'sequences: shape is .*it must be \[N, L, C\] or'),
        ({'volumes': np.ones([5, 4, 3])}, r'volumes: shape is .*it must be \[N, D, H, W, C\] or'),
        ({'x': np.ones([9])}, r'sequences \[N, L, C\] are given by the name sequences'),
        (
            {'sequences': np.where(np.arange(60).reshape(5, 6, 2) == 15, np.nan, 1)},
            r'1 of 60 values are not finite .*; the first is nan in sequence 1, at \[1, 1\]',
        ),
        (
            {'x': np.full([5, 60, 2], -3.0)},
            r'pixels must lie in \[0, 1\]: if they are sequences \[N, L, C\], name the array sequ',
        ),
        ({'sequences': np.ones([5, 6, 2]), 'x': BYTES}, 'holds sequences, x; it must hold one of'),
    ],
)
def test_what_are_no_sequences_or_volumes_is_refused(tmp_path, arrays, text):
    refuse(tmp_path, text, **arrays)


def test_shapes_that_may_be_of_another_kind_are_doubted(tmp_path):
    (note,) = load(tmp_path, x=np.full([8, 128, 2], 0.5)).notes
    assert note == (
        'warning: shape (8, 128, 2) is read as 8 images of 128 x 2; if it is sequences '
        '[N, L, C], name the array sequences'
    )
    (note,) = load(tmp_path, sequences=np.ones([8, 2, 128])).notes
    assert note.endswith('if it is [N, C, L], give numpy.moveaxis(sequences, 1, -1)')
    assert load(tmp_path, sequences=np.ones([8, 128, 2])).notes == ()


def test_channels_of_sequences_and_volumes_are_described(tmp_path):
    sequences = np.stack([np.full([10, 30], 7), 100 * RANDOM.random_sample((10, 30)) - 50], -1)
    sequences = np.append(sequences, RANDOM.random_sample((10, 30, 1)), -1)
    lines = data.described(load(tmp_path, sequences=sequences))
    assert lines[0].endswith('2 test sequences of 30 x 3 (steps x channels)')
    assert 'data set npz: warning: constant in training: channel 0 (7)' in lines
    assert any('the ranges of its channels are from' in line for line in lines)
    lines = data.described(load(tmp_path, volumes=RANDOM.random_sample((10, 3, 4, 5))))
    assert lines[0].endswith('volumes of 3 x 4 x 5 x 1 (depth x height x width x channels)')
