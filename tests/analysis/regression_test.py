"""Ridge regression against its normal equations, and the bounds of its training set."""

import numpy as np
import pytest

from tfae.analysis import regression


@pytest.fixture
def quantities():
    random = np.random.RandomState(0)
    images = random.uniform(size=[300, 3, 2, 1]).astype(np.float32)
    return images, images.reshape(300, -1) @ np.arange(6) + 0.1 * random.normal(size=300)


def test_a_linear_quantity_is_found_from_all_images(quantities, monkeypatch):
    monkeypatch.setattr(regression, '_CHUNK', 6 * 7)  # seven images at a time
    images, y = quantities
    found, used = regression.ridge(images[:250], y[:250], images[250:])
    assert used == 250
    design = np.concatenate([images.reshape(300, -1), np.ones([300, 1])], 1)
    weights = np.linalg.lstsq(design[:250], y[:250], rcond=None)[0]
    np.testing.assert_allclose(found, design[250:] @ weights, atol=0.01)


def test_a_random_sample_stands_for_a_large_set(quantities, monkeypatch):
    monkeypatch.setattr(regression, '_MAX_EXAMPLES', 5)
    images, y = quantities
    # Every second image is black: evenly spaced ones would show nothing but those.
    images, y = images.copy(), y.copy()
    images[::2], y[::2] = 0, 0
    monkeypatch.setattr(regression, '_PENALTIES', np.array([1e-6]))
    found, used = regression.ridge(images, y, images)
    assert used == 5
    assert np.ptp(found) > 1
