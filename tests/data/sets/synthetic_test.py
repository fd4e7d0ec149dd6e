import dataclasses

import numpy as np
import pytest

from tfae import data
from tfae.core import errors
from tfae.data.sets import synthetic

KINDS = ('bars', 'blobs', 'linear')
BASE = data.Config('synthetic', validation_fraction=0.0)


def load(**fields):
    return data.load(dataclasses.replace(BASE, **fields))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shape', [(16, 16, 1), (33, 47, 3), (1, 1, 1), (1, 64, 1)])
def test_images_have_the_shape_asked_for(kind, shape):
    dataset = load(
        synthetic_kind=kind, synthetic_shape='x'.join(map(str, shape)), synthetic_examples=10
    )
    assert dataset.train.images.shape == (8, *shape)
    assert dataset.test.images.shape == (2, *shape)
    scaled = data.pixels(dataset.train.images)
    assert np.isfinite(scaled).all()
    assert scaled.min() >= 0
    assert scaled.max() <= 1


@pytest.mark.parametrize('kind', KINDS)
def test_channels_differ_and_classes_balance(kind):
    dataset = load(synthetic_kind=kind, synthetic_shape='12x9x2')
    images = dataset.train.images
    assert not np.array_equal(images[..., 0], images[..., 1])
    counts = np.bincount(dataset.train.labels)
    assert len(counts) == len(dataset.class_names)
    assert counts.min() > 0.7 * counts.mean()


def test_bars_are_rows_or_columns_by_class():
    part = load(synthetic_kind='bars', synthetic_shape='5x7x2').train
    for image, label in zip(part.images, part.labels, strict=True):
        along = 1 - label  # rows are constant along x, columns along y
        assert set(np.unique(image)) <= {0, 255}
        assert np.ptp(image.astype(int), axis=along).max() == 0
        assert image.any(axis=(0, 1)).all()


def test_a_quarter_of_the_bars_is_lit_and_one_for_sure():
    part = load(synthetic_kind='bars', synthetic_shape='8x8x3', synthetic_examples=2000).train
    for label, places in enumerate([part.images[:, :, 0], part.images[:, 0]]):
        lit = np.mean(places[part.labels == label] == 255)
        assert lit == pytest.approx(1 / 8 + 7 / 8 * 0.25, abs=0.02)


def test_blobs_are_gaussians_of_an_eighth_of_the_longer_side():
    images = load(synthetic_kind='blobs', synthetic_shape='24x16x1').train.images[..., 0]
    for axis, bend in ((1, images[:, 8:16]), (2, images[:, :, 4:12])):
        seen = bend.min(axis, keepdims=True) > 1e-4
        curved = np.diff(np.log(np.maximum(bend, 1e-9)), 2, axis)
        np.testing.assert_allclose(
            curved[np.broadcast_to(seen, curved.shape)], -1 / 3**2, atol=1e-3
        )
        assert seen.any()


def test_blobs_peak_in_the_quarter_of_their_class():
    part = load(synthetic_kind='blobs', synthetic_shape='20x20x1').train
    y, x = np.divmod(part.images.reshape(len(part.images), -1).argmax(1), 20)
    assert np.array_equal(2 * (y >= 10) + (x >= 10), part.labels)


def test_linear_images_span_four_dimensions():
    images = load(synthetic_kind='linear', synthetic_shape='9x8x3').train.images
    spectrum = np.linalg.svd(images.reshape(len(images), -1) - 0.5, compute_uv=False)
    assert spectrum[3] > 1
    assert spectrum[4] < 1e-3


def test_linear_images_lose_only_what_lies_beyond_three_standard_deviations():
    """Weights of any directions whose sizes sum to half the range over three deviations."""
    directions = np.random.RandomState(1).normal(size=[4, 100_000])
    weights = directions / np.abs(directions).sum(0) * 0.5 / 3
    images = load(synthetic_kind='linear', synthetic_shape='32x32x3').train.images
    np.testing.assert_allclose(images.var(0).mean(), np.square(weights).sum(0).mean(), rtol=0.05)


@pytest.mark.parametrize(
    'text', ['', '16', '16x16', '0x4x1', '4x-4x1', 'axbxc', '1x1x1x1', '٤x٤x١']
)
def test_malformed_shape_is_refused(text):
    with pytest.raises(errors.UsageError, match='--synthetic_shape is .* such as 16x16x1'):
        load(synthetic_shape=text)


def test_waves_are_sines_squares_and_sawteeth():
    dataset = load(synthetic_kind='waves', synthetic_shape='512x2', synthetic_examples=300)
    assert dataset.class_names == ('sine', 'square', 'sawtooth')
    waves, labels = dataset.train.images, dataset.train.labels
    assert waves.shape == (240, 512, 2)
    assert waves.dtype == np.float32
    for k, wanted in enumerate((np.sqrt(2), 1, np.sqrt(3))):  # amplitude over root mean square
        chosen = waves[labels == k]
        crest = np.abs(chosen).max(1) / np.sqrt(np.square(chosen).mean(1))
        assert np.median(crest) == pytest.approx(wanted, rel=0.05)
    assert np.abs(waves).max() <= 1
    peaks = np.abs(waves).max(1)
    assert np.abs(np.corrcoef(peaks.T)[0, 1]) < 0.3  # channels are independent


def test_solids_are_balls_and_cubes_of_one_volume():
    dataset = load(synthetic_kind='solids', synthetic_shape='20x24x28x1', synthetic_examples=200)
    assert dataset.class_names == ('ball', 'cube')
    volumes, labels = dataset.train.images, dataset.train.labels
    assert volumes.shape == (160, 20, 24, 28, 1)
    inside = volumes > volumes.max((1, 2, 3, 4), keepdims=True) / 2
    # The share of the bounding box that a ball fills is pi / 6.
    for k, wanted in enumerate((np.pi / 6, 1)):
        filled = []
        for solid in inside[labels == k]:
            places = np.argwhere(solid)
            filled.append(len(places) / np.prod(np.ptp(places, 0)[:3] + 1))
        assert np.mean(filled) == pytest.approx(wanted, rel=0.1)
    counts = inside.sum((1, 2, 3, 4))
    sizes = [counts[labels == k].mean() for k in range(2)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.25)


@pytest.mark.parametrize(
    'kind, shape, text',
    [
        ('waves', '16x16x1', 'it must be length x channels, such as 64x2'),
        ('solids', '16x16x1', 'it must be depth x height x width x channels, such as 8x8x8x1'),
        ('bars', '16x1', 'it must be height x width x channels, such as 16x16x1'),
    ],
)
def test_the_shape_of_another_kind_is_refused(kind, shape, text):
    with pytest.raises(errors.UsageError, match=f'of --synthetic_kind={kind} {text}'):
        load(synthetic_kind=kind, synthetic_shape=shape)


def test_unknown_kind_is_refused():
    with pytest.raises(errors.UsageError, match='--synthetic_kind .* did you mean bars'):
        load(synthetic_kind='bar')


@pytest.mark.parametrize('count', [-1, 0, 1])
def test_too_few_examples_are_refused(count):
    with pytest.raises(errors.UsageError, match=f'--synthetic_examples is {count}; '):
        load(synthetic_examples=count)


def test_a_size_beyond_memory_is_refused():
    with pytest.raises(errors.UsageError, match='request .* bytes; they must request at most'):
        load(synthetic_shape='99999x99999x3')


def test_as_many_bytes_as_allowed_are_made(monkeypatch):
    monkeypatch.setattr(synthetic, '_MAX_BYTES', 4 * 40 * 5 * 3)
    load(synthetic_shape='5x3x1', synthetic_examples=40)
    with pytest.raises(errors.UsageError, match='request 2460 bytes'):
        load(synthetic_shape='5x3x1', synthetic_examples=41)
