"""Nearest neighbors against all distances in float64."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial import distance

from tfae.analysis._nearest import nearest


@pytest.mark.parametrize(
    'known, queries, count', [(700, 300, 1), (700, 300, 9), (5, 3, 5), (64, 1, 64), (65, 257, 2)]
)
def test_the_nearest_are_those_of_all_distances(known, queries, count):
    random = np.random.RandomState(count)
    x = random.normal(100, 1, [known, 20]).astype(np.float32)
    q = random.normal(100, 1, [queries, 20]).astype(np.float32)
    gaps = distance.cdist(q.astype(np.float64), x.astype(np.float64))
    distances, indices = nearest(x, q, count)
    assert np.array_equal(indices, np.argsort(gaps, axis=1, kind='stable')[:, :count])
    np.testing.assert_allclose(distances, np.sort(gaps, axis=1)[:, :count], rtol=1e-6)


def test_large_images_are_compared_in_blocks_of_bounded_memory():
    random = np.random.RandomState(0)
    x = random.normal(size=[16, 2**14]).astype(np.float32)
    q = np.broadcast_to(random.normal(size=2**14).astype(np.float32), [256, 2**14])
    tracemalloc.start()
    _, indices = nearest(x, q, 12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * 2**28  # all 256 at a time: more than 2**30
    want = np.argsort(np.linalg.norm(x.astype(np.float64) - q[0], axis=1))[:12]
    assert np.array_equal(indices, np.tile(want, [256, 1]))
