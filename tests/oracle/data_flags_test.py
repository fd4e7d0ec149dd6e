"""Flags of data: the examples that a run is trained on, recovered from one step of its variables.

A step of gradient descent on the whole training split moves the variables by the mean gradient over
its examples, which is computed here from examples selected, decoded and generated in numpy.
`tests/repository/oracle_test.py` asks for every flag of data in `WALKED`.
"""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from runs import ONE_STEP, Runs, variables
from training_test import NAMES, gradient

RATE = 10  # large, so that float32 keeps the digits of a step
CLASSES = ('--dataset=npz', '--data_dir=one.npz', '--only_classes=1,3', '--validation_fraction=0.3')
LABELS = (
    '--dataset=npz',
    '--data_dir=one.npz',
    '--without_classes=1,3',
    '--labeled_examples=30',
    '--labeled_seed=5',
    '--validation_fraction=0',
)
BLOBS = (
    '--dataset=synthetic',
    '--synthetic_kind=blobs',
    '--synthetic_shape=7x5x2',
    '--synthetic_examples=50',
    '--validation_fraction=0.25',
)
FILES = (
    '--dataset=images',
    '--data_dir=files',
    '--test_fraction=0.4',
    '--crop=8x6',
    '--size=4x3',
    '--color=gray',
    '--validation_fraction=0',
)
TARGET = (
    *(word for word in FILES if not word.startswith('--size')),
    *('--size=8x6', '--attributes=table.csv', '--target=age'),
)
ROWS = (
    '--dataset=npz',
    '--data_dir=rows.npz',
    '--normalize=minmax',
    '--output_activation=sigmoid',
    '--validation_fraction=0.25',
)
GAPS = (*ROWS[:1], '--data_dir=gaps.npz', *ROWS[2:], '--missing=mask')
WINDOWS = (
    *('--dataset=windows', '--data_dir=series', '--window=5:3', '--test_fraction=0.25'),
    *('--validation_fraction=0.2', '--output_activation=sigmoid'),
)
WALKED = [CLASSES, LABELS, BLOBS, FILES, TARGET, ROWS, GAPS, WINDOWS]


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """A folder with one set of arrays, without a validation split, and one of color images."""
    found = Runs(tmp_path_factory.mktemp('data'))
    splits = ('train', 'test')
    named = {
        f'{kind}_{split}': found.arrays[f'{kind}_{split}'] for kind in 'xy' for split in splits
    }
    np.savez(found.folder / 'one.npz', **named)
    (found.folder / 'files').mkdir()
    for name, pixels in colors().items():
        Image.fromarray(pixels).save(found.folder / 'files' / name)
    return found


def colors():
    """Name -> uint8 `[h, w, 3]`, of several sizes."""
    random = np.random.RandomState(0)
    sizes = {f'{i:02}.png': [9 + i % 3, 8 + i % 2, 3] for i in range(20)}
    return {name: random.randint(256, size=size, dtype=np.uint8) for name, size in sizes.items()}


def assert_trained_on(runs, name, words, x, atol=2e-6, weights=1):
    """Fails unless a step moves the variables as a step on the images `x` does."""
    given = ('--units=3', *ONE_STEP, f'--learning_rate={RATE}', f'--logdir={name}')
    runs.program('train', *words, *given)
    start, end = (variables(runs.folder / name, step) for step in (0, 1))
    slopes = gradient(start, x, weights)
    for key, wanted, other in zip(NAMES, slopes, gradient(start, x[1:]), strict=True):
        moved = (start[key] - end[key]) / RATE
        np.testing.assert_allclose(moved, wanted, atol=atol, err_msg=key)
        if key == NAMES[-1]:  # one image more or less would be seen
            assert np.abs(wanted - other).max() > 5 * atol


def held_out(count, number, seed):
    """Bool `[count]`: `number` random examples."""
    chosen = np.zeros(count, bool)
    chosen[np.random.RandomState(seed).permutation(count)[:number]] = True
    return chosen


def test_classes_are_kept_before_a_fraction_is_held_out(runs):
    x, labels = runs.split('train')
    x = x[np.isin(labels, [1, 3])]
    x = x[~held_out(len(x), round(0.3 * len(x)), seed=1)]
    assert_trained_on(runs, 'classes', CLASSES, x)


def test_labels_are_balanced_over_the_classes_that_are_left(runs):
    x, labels = runs.split('train')
    left = ~np.isin(labels, [1, 3])
    x, labels = x[left], labels[left]
    order = np.random.RandomState(5).permutation(len(x))
    rank = [np.sum(labels[order[:i]] == labels[k]) for i, k in enumerate(order)]
    chosen = order[np.argsort(rank, kind='stable')[:30]]
    assert set(np.bincount(labels[chosen], minlength=10)) == {0, 3, 4}
    assert_trained_on(runs, 'labels', LABELS, x[chosen])


def test_synthetic_images_have_the_kind_shape_and_number_asked_for(runs):
    random, (n, height, width, channels) = np.random.RandomState(0), (50, 7, 5, 2)
    down, across = random.random_sample((2, n, 1))
    peak = random.uniform(0.5, 1, (n, 1, 1, channels))

    def bell(length, center):
        return np.exp(-0.5 * ((np.arange(length) + 0.5 - center * length) / (7 / 8)) ** 2)

    x = peak * bell(height, down)[:, :, None, None] * bell(width, across)[:, None, :, None]
    x = x[~held_out(50, 10, seed=2)]
    assert_trained_on(runs, 'blobs', BLOBS, x[~held_out(40, 10, seed=1)])


def test_files_are_split_by_name_and_decoded_as_asked_for(runs):
    x = []
    for name, pixels in colors().items():
        if int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) < 0.4 * 2**64:
            continue
        top, left = (pixels.shape[0] - 8) // 2, (pixels.shape[1] - 6) // 2
        image = Image.fromarray(pixels).convert('L').crop((left, top, left + 6, top + 8))
        x.append(np.asarray(image.resize((3, 4), Image.Resampling.BILINEAR)) / 255)
    assert 4 < len(x) < 16
    # Pillow may round a pixel to the other side.
    assert_trained_on(runs, 'files', FILES, np.array(x)[..., None], atol=5e-5)


def test_columns_are_scaled_by_the_range_of_the_examples_left_for_training(runs):
    random = np.random.RandomState(0)
    rows = random.standard_normal((40, 6)) * 10.0 ** np.arange(-2, 4) + 7
    np.savez(runs.folder / 'rows.npz', x_train=rows, x_test=rows[:5])
    x = rows[~held_out(40, 10, seed=1)]
    assert (x.max(0) < rows.max(0)).any()  # the range of all would be seen
    x = (x - x.min(0)) / np.ptp(x, 0)
    assert_trained_on(runs, 'rows', ROWS, x, atol=2e-5)


def test_missing_values_are_in_no_statistic_and_no_loss(runs):
    random = np.random.RandomState(0)
    rows = random.standard_normal((40, 6)) * 10.0 ** np.arange(-2, 4) + 7
    rows[random.random_sample(rows.shape) < 0.3] = np.nan
    np.savez(runs.folder / 'gaps.npz', x_train=rows, x_test=rows[:5])
    x = rows[~held_out(40, 10, seed=1)]
    low, high = np.nanmin(x, 0), np.nanmax(x, 0)
    x = (x - low) / (high - low)
    present = ~np.isnan(x)
    weights = present * 6 / present.sum(1, keepdims=True)
    assert_trained_on(runs, 'gaps', GAPS, np.nan_to_num(x), atol=2e-5, weights=weights)


def test_windows_lie_in_the_training_block_of_their_series(runs):
    random = np.random.RandomState(0)
    (runs.folder / 'series').mkdir()
    x = []
    for name, steps in (('a', 40), ('b', 27)):
        series = np.round(random.random_sample((steps, 2)), 4)
        lines = ['p,q', *(','.join(map(str, row)) for row in series)]
        (runs.folder / 'series' / f'{name}.csv').write_text('\n'.join(lines) + '\n')
        rest = steps - round(0.25 * steps)
        block = series[: rest - round(0.2 * rest)]
        x += [block[i : i + 5] for i in range(0, len(block) - 4, 3)]
    assert len(x) == 7 + 4
    assert_trained_on(runs, 'windows', WINDOWS, np.array(x))


def test_a_column_of_a_table_gives_labels_and_images_without_a_value_are_left_out(runs):
    ages = ['20-29', '3-9', 'more than 70', '', '9.5']
    lines = [f'{name},{ages[k % 5]}' for k, name in enumerate(colors())]
    (runs.folder / 'table.csv').write_text('\n'.join(['file,age', *lines, 'none.png,7']) + '\n')
    x = []
    for k, (name, pixels) in enumerate(colors().items()):
        place = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        if place < 0.4 * 2**64 or not ages[k % 5]:
            continue
        top, left = (pixels.shape[0] - 8) // 2, (pixels.shape[1] - 6) // 2
        image = Image.fromarray(pixels).convert('L').crop((left, top, left + 6, top + 8))
        x.append(np.asarray(image) / 255)
    assert_trained_on(runs, 'target', TARGET, np.array(x)[..., None])
    config = json.loads((runs.folder / 'target' / 'config.json').read_text())
    assert config['signature']['class_names'] == ['3-9', '9.5', '20-29', 'more than 70']
