"""Arrays of a Python program as a data set, compared with the same arrays in a file."""

import numpy as np
import pytest

from tfae import data
from tfae.core import errors
from tfae.data.sets.arrays import Arrays

RANDOM = np.random.RandomState(0)
BYTES = RANDOM.randint(256, size=(10, 4, 5, 3)).astype(np.uint8)
FLOATS = RANDOM.random_sample((10, 4, 5)).astype(np.float32)
LABELS = RANDOM.randint(3, size=10)


def load(*given, fraction=0.1, **named):
    config = data.Config('arrays', validation_fraction=fraction)
    return data.load(config, Arrays(*given, **named))


def of_file(tmp_path, fraction=0.1, name='npz', **arrays):
    np.savez(tmp_path / 'set.npz', **arrays)
    config = data.Config(name, str(tmp_path / 'set.npz'), validation_fraction=fraction)
    return data.load(config)


@pytest.mark.parametrize('fraction', [0, 0.1, 0.5])
def test_one_set_of_arrays_is_that_of_a_file(tmp_path, fraction):
    wanted = of_file(tmp_path, fraction, images=BYTES, labels=LABELS)
    assert load(BYTES, LABELS, fraction=fraction).fingerprint() == wanted.fingerprint()


def test_three_sets_of_arrays_are_those_of_a_file(tmp_path):
    arrays = {
        'x_train': BYTES,
        'y_train': LABELS,
        'x_validation': BYTES[:4],
        'y_validation': LABELS[:4],
        'x_test': BYTES[:2],
        'y_test': LABELS[:2],
    }
    wanted = of_file(tmp_path, name='arrays', **arrays)
    found = load(
        BYTES,
        LABELS,
        validation_data=(BYTES[:4], LABELS[:4]),
        test_data=(BYTES[:2], LABELS[:2]),
    )
    assert found.fingerprint() == wanted.fingerprint()
    assert np.array_equal(found.train.images, BYTES)
    assert found.class_names == ('0', '1', '2')


def test_images_alone_have_no_classes():
    found = load(FLOATS, validation_data=FLOATS[:2], test_data=(FLOATS[:3],))
    assert found.image_shape == (4, 5, 1)
    assert found.classes == 0
    assert [len(part.images) for part in found[1:4]] == [10, 2, 3]


def test_classes_are_those_of_every_split_and_below_65536():
    labels = np.full(3, 2**16 - 1)
    found = load(FLOATS, LABELS, validation_data=(FLOATS[:3], labels), test_data=(FLOATS, LABELS))
    assert len(found.class_names) == 2**16
    with pytest.raises(errors.InputError, match='labels span 65536 to 65536; they must be cl'):
        load(FLOATS, LABELS, validation_data=(FLOATS[:3], labels + 1), test_data=(FLOATS, LABELS))


def test_lists_are_arrays():
    wanted = load(FLOATS, LABELS).fingerprint()
    assert load(FLOATS.tolist(), LABELS.tolist()).test.labels.tolist()
    assert load(FLOATS.astype(float), LABELS.tolist()).fingerprint() == wanted


@pytest.mark.parametrize(
    'shape',
    [
        (10, 4, 3, 8),
        (10, 1, 28, 1),
        (10, 1, 784, 8),
        (10, 28, 28, 1),
        (10, 64, 64, 12),
        (9, 4, 4, 4),
    ],
)
def test_images_of_few_rows_or_many_channels_are_no_other_layout(shape):
    assert load(np.zeros(shape)).train.images.shape[1:] == shape[1:]


def test_a_shape_that_may_mean_another_is_said():
    assert load(np.zeros([32, 24, 3])).notes == (
        'warning: shape (32, 24, 3) is read as 32 images of 24 x 3; if it is one image '
        '[H, W, C], give images[None]',
    )
    assert load(np.zeros([28, 28, 500])).notes == (
        'warning: shape (28, 28, 500) is read as 28 images of 28 x 500; if it is [H, W, N], give '
        'numpy.moveaxis(images, -1, 0)',
    )
    assert load(np.zeros([500, 28, 28])).notes == ()


def test_a_command_on_such_a_run_is_told_what_to_do():
    with pytest.raises(errors.UsageError, match=r'--data_dir=FILE\.npz must name a file of the'):
        data.load(data.Config('arrays'))


REFUSALS = {
    'a rank of 1': ((FLOATS[:, 0, 0],), r'^images: shape is \(10,\); it must be \[N, H, W, C\]'),
    'a rank of 6': ((BYTES[None, None],), r'^images: shape is \(1, 1, 10, 4, 5, 3\); it must be'),
    'no image': ((BYTES[:0],), r'^images: shape is \(0, 4, 5, 3\); it must hold at least one'),
    'no channel': (
        (np.zeros([10, 0, 28, 28]),),
        r'^images: shape is \(10, 0, 28, 28\); it must hold at least one',
    ),
    'NaN': ((FLOATS * np.nan,), r'^images: 200 of 200 pixels are NaN; they must lie in \[0, 1\]'),
    'bytes as floats': (
        (BYTES.astype(float),),
        r'^images: .* float64 pixels must lie in \[0, 1\]: divide them by 255, or convert them',
    ),
    'floats from -1 to 1': (
        (2 * FLOATS - 1,),
        r'^images: .* must lie in \[0, 1\]: use \(images \+ 1\) / 2 if they lie in \[-1, 1\]$',
    ),
    'standardized floats': (
        (9 * FLOATS - 4,),
        r'^images: .* lie in \[0, 1\]: if they are sequences \[N, L, C\], name the array sequ',
    ),
    'floats of gray levels': ((15 * np.ceil(FLOATS),), 'divide them by 15 if that is white$'),
    'floats that were rounded': ((FLOATS / FLOATS.max() * 1.0001,), r'numpy\.clip\(images, 0, 1\)'),
    'integers of 16 bits': (
        (BYTES.astype(np.uint16) * 257,),
        'must lie in .0, 255.: divide them by the value of white .65535, or 4095 for 12 bits.'
        ' to get floats$',
    ),
    'gray levels as integers': (
        (BYTES.astype(int) // 16,),
        'holds int64 up to 15, which is no',
    ),
    'channels first': (
        (np.zeros([10, 3, 32, 24], np.uint8),),
        r'^images: shape is \(10, 3, 32, 24\), which looks like \[N, C, H, W\]; it must be '
        r'\[N, H, W, C\], which numpy\.moveaxis\(images, 1, -1\) returns$',
    ),
    'one channel first': (
        (np.zeros([10, 1, 28, 28]),),
        r'looks like \[N, C, H, W\]; .* numpy\.moveaxis\(images, 1, -1\)',
    ),
    'examples last': (
        (np.zeros([32, 32, 3, 10]),),
        r'looks like \[H, W, C, N\]; .* numpy\.moveaxis\(images, -1, 0\) returns$',
    ),
    'examples last, and labels': (
        (np.zeros([4, 4, 10]), LABELS),
        r'holds 10 labels for 4 images; the counts must match: numpy\.moveaxis\(images, -1, 0\)',
    ),
    'labels as floats': ((BYTES, LABELS.astype(float)), r': labels\.astype\(int\) is$'),
    'labels that are no numbers of classes': (
        (BYTES, LABELS + 0.5),
        r'integers \[N\] or \[N, 1\]$',
    ),
    'labels of three axes': (
        (BYTES, LABELS[:, None, None]),
        r'is int64 \(10, 1, 1\); labels must be',
    ),
    'labels as texts': (
        (BYTES, list('abcabcabca')),
        r': numpy\.unique\(labels, return_inverse=True\)',
    ),
    'labels in a row': ((BYTES, LABELS[None]), r': labels\[0\] is$'),
    'complex numbers': ((FLOATS.astype('c8'),), '^images: holds complex64; images must be uint8'),
    'nothing': ((None,), r'^images: shape is \(\); it must be'),
    'a path': (('faces.npz',), '^images: is str; it must be an array'),
    'a ragged list': (([[1.0], [1.0, 0.0]],), '^images: is not an array'),
    'labels of another length': (
        (BYTES, LABELS[:9]),
        '^labels: holds 9 labels for 10 images; the counts must match',
    ),
    'labels that are no integers': ((BYTES, LABELS / 2), r'^labels: is float64 \(10,\); labels'),
    'one-hot labels': (
        (BYTES, np.eye(10, dtype=int)),
        r'^labels: is int64 \(10, 10\); .* labels\.argmax\(1\) is$',
    ),
    'a negative label': ((BYTES, LABELS - 1), '^labels: labels span -1 to 1; they must'),
    'three arrays': ((BYTES, None, (BYTES,) * 3), '^validation_data: holds 3 arrays; it must be'),
    'validation images of another shape': (
        (FLOATS, None, FLOATS[:, 1:]),
        r'training images are \(4, 5, 1\), validation images are \(3, 5, 1\); they must match',
    ),
    'validation images of NaN': (
        (FLOATS, None, FLOATS * np.nan),
        '^validation_data: images: 200 of 200 pixels are NaN',
    ),
    'test images without labels': (
        (BYTES, LABELS, None, BYTES),
        'test_data: holds no labels, but labels is given; it must be',
    ),
    'one image': ((BYTES[:1],), '^images: holds 1 example; a train and a test split need two'),
}


@pytest.mark.parametrize('given, text', REFUSALS.values(), ids=REFUSALS)
def test_arrays_that_are_no_set_are_refused_by_name(given, text):
    with pytest.raises(errors.InputError, match=text) as caught:
        load(*given)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'shape, other',
    [
        ((40, 30, 3), '[H, W, C]'),
        ((40, 30, 4), '[H, W, C]'),
        ((40, 30, 5), ''),
        ((20, 80, 3), '[H, W, C]'),
        ((20, 81, 3), 'sequences [N, L, C]'),
        ((28, 28, 113), '[H, W, N]'),
        ((28, 28, 112), ''),
        ((28, 28, 20), ''),
    ],
)
def test_shapes_that_may_mean_something_else(shape, other):
    notes = [note for note in load(np.zeros(shape, np.uint8)).notes if 'is read as' in note]
    assert [other in note for note in notes] == [True] * bool(other)
