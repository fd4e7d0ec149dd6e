"""What training prints of a data set, and labels that it does not begin with."""

import re

import numpy as np
import pytest
import sample_images
import tfae_program

from tfae import data
from tfae.core import errors
from tfae.data.sets.arrays import Arrays

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(256, size=(20, 6, 6)).astype(np.uint8)
LABELS = np.arange(20) % 2


def loaded(images=IMAGES, labels=None, **more):
    return data.load(data.Config('arrays', **more), Arrays(images, labels))


def lines(*given, **more):
    return [
        line.removeprefix('data set arrays: ') for line in data.described(loaded(*given, **more))
    ]


def test_counts_shape_classes_and_values_are_those_of_the_set():
    images = np.clip(IMAGES, 3, 250)
    images[:, 0, 0], images[:, 0, 1] = 3, 250
    found = loaded(images, LABELS)
    counts = np.bincount(found.train.labels)
    assert lines(images, LABELS) == [
        '14 training, 2 validation and 4 test images of 6 x 6 x 1 (height x width x channels)',
        f'training images of 2 classes: 0 {counts[0]}, 1 {counts[1]}',
        'values 3 to 250, uint8; white is 255',
    ]
    assert lines(images / 255)[1:] == [
        'no classes',
        f'values {3 / 255:g} to {250 / 255:g}, float32; white is 1',
    ]


def test_columns_that_are_constant_or_of_unequal_scale_are_warned_of():
    rows = np.tile(np.arange(20.0)[:, None] % 2, 3) * [0.5, 0, 100] + 2
    assert lines(rows)[3:] == [
        'warning: constant in training: column 1 (2)',
        'warning: the ranges of its columns are from 0.5 to 100 wide, and the widest dominate the '
        'loss; --normalize=standard gives all columns one scale',
    ]
    normalized = data.described(loaded(rows), 'standard')
    assert [line for line in normalized if 'warning' in line] == [
        'data set arrays: warning: constant in training: column 1 (2)'
    ]


def test_rows_of_a_table_have_columns_and_no_white():
    assert lines(np.tile([0, 0.5, 1], [20, 1]), LABELS)[::2] == [
        '14 training, 2 validation and 4 test rows of 3 columns',
        'values 0 to 1, float32',
    ]
    assert 'training rows of 2 classes: ' in lines(np.ones([20, 1]), LABELS)[1]


@pytest.mark.parametrize(
    'images, warning',
    [
        (
            IMAGES // 128,
            r'no value is above 1, and white is 255: .* in \[0, 1\], or to bools, and',
        ),
        (IMAGES // 16, r'no value is above 15, and white is 255: .* in \[0, 1\], and files'),
        (IMAGES // 128 / 255, 'no value is above 0.00392157, and white is 1: '),
        (IMAGES * 0, 'every value is 0$'),
        (np.ones([20, 6, 6]), 'every value is 1$'),
    ],
)
def test_values_that_can_hardly_be_meant_are_warned_of(images, warning):
    (found,) = [line for line in lines(images) if line.startswith('warning: ')]
    assert re.search(warning, found)


@pytest.mark.parametrize('images', [IMAGES, IMAGES > 128, IMAGES / 255, IMAGES // 3])
def test_other_values_are_not_warned_of(images):
    assert not [line for line in lines(images) if line.startswith('warning')]


def test_a_class_without_a_training_image_is_named():
    assert 'warning: no training image is of class 1' in lines(IMAGES, LABELS, only_classes=('0',))


def test_of_many_classes_ten_are_named():
    many = lines(np.repeat(IMAGES, 5, 0), np.arange(100) % 50)[1]
    assert many.startswith('training images of 50 classes: 0 ')
    assert many.endswith(' and 40 more')
    assert many.count(',') == 9


@pytest.mark.parametrize(
    'labels, text',
    [
        (
            LABELS + 1,
            r'its labels lie in \[1, 2\], and none is 0; they must be consecutive',
        ),
        (LABELS * 0 + 3, r'its labels lie in \[3, 3\], and none is 0; '),
        (
            LABELS * 2,
            r'lie in \[0, 2\], and none is 1; .* numpy\.unique\(labels, return_inv',
        ),
    ],
)
def test_labels_with_a_gap_are_refused(labels, text):
    with pytest.raises(errors.InputError, match=text):
        data.refuse_gaps(loaded(IMAGES, labels), data.Config('arrays'))


def test_labels_without_a_gap_and_none_are_not_refused():
    for labels, chosen in ((LABELS, {}), (None, {}), (LABELS, {'without_classes': ('1',)})):
        config = data.Config('arrays', **chosen)
        data.refuse_gaps(data.load(config, Arrays(IMAGES, labels)), config)


def train(folder, *argv):
    return tfae_program.run('train', '--epochs=1', '--units=4,2', *argv, '--logdir=run', cwd=folder)


def test_training_prints_it_once_at_every_start(tmp_path):
    np.savez(tmp_path / 'set.npz', x=IMAGES, y=LABELS)
    wanted = [
        'data set npz: 14 training, 2 validation and 4 test images of 6 x 6 x 1 (height x width x '
        'channels)',
        'data set npz: training images of 2 classes: 0 7, 1 7',
        f'data set npz: values {IMAGES.min()} to {IMAGES.max()}, uint8; white is 255',
    ]
    argv = ('--dataset=npz', '--data_dir=set.npz', '--batch_size=4')
    for _ in range(2):
        done = train(tmp_path, *argv)
        assert done.code == 0, done
        found = [line for line in done.out.splitlines() if line.startswith('data set ')]
        assert found[0] == wanted[0]
        assert found[1].startswith('data set npz: training images of 2 classes: 0 ')
        assert len(found) == 3


def test_training_on_a_folder_says_what_is_left_out(tmp_path):
    sample_images.fill(tmp_path / 'in' / 'dog', 6, 'png')
    sample_images.fill(tmp_path / 'in' / 'cat', 6, 'png')
    (tmp_path / 'in' / 'cat' / 'a.heic').write_bytes(b'')
    done = train(tmp_path, '--dataset=images', '--data_dir=in', '--batch_size=2')
    assert done.code == 0, done
    wanted = (
        'data set images: warning: skipped: images of formats that are not read: 1 .heic, such as'
    )
    assert wanted in done.out


@pytest.mark.parametrize('family', ['classifier', 'siamese'])
def test_a_family_of_classes_is_not_trained_on_one(tmp_path, family):
    np.savez(tmp_path / 'set.npz', x=IMAGES, y=LABELS)
    np.savez(tmp_path / 'one.npz', x=IMAGES, y=LABELS * 0)
    for name, flag in (('one', '--batch_size=4'), ('set', '--only_classes=1')):
        done = train(tmp_path, f'--model={family}', '--dataset=npz', f'--data_dir={name}.npz', flag)
        assert f'--model is {family}; the data set has 1 class;' in done.refusal(2)
        assert not (tmp_path / 'run').exists()


def test_labels_with_a_gap_begin_no_run(tmp_path):
    np.savez(tmp_path / 'set.npz', x=IMAGES, y=LABELS + 1)
    done = train(tmp_path, '--dataset=npz', '--data_dir=set.npz', '--batch_size=4')
    assert 'data set npz: its labels lie in [1, 2], and' in done.refusal(1)
    assert not (tmp_path / 'run').exists()
