"""The raster on top of the convolutions."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.pretrained import network


@pytest.mark.parametrize('height, width, grid', [(13, 9, 6), (2, 3, 7), (12, 6, 6), (7, 7, 7)])
def test_cells_are_means_over_rows_and_columns_that_may_be_shared(height, width, grid):
    maps = np.random.RandomState(0).normal(size=[2, height, width, 3]).astype(np.float32)
    want = np.empty([2, grid, grid, 3])
    for i in range(grid):
        for j in range(grid):
            rows = slice(int(np.floor(i * height / grid)), int(np.ceil((i + 1) * height / grid)))
            columns = slice(int(np.floor(j * width / grid)), int(np.ceil((j + 1) * width / grid)))
            want[:, i, j] = maps[:, rows, columns].mean((1, 2))
    with tf.Session() as session:
        found = session.run(network.cell_means(tf.constant(maps), grid))
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_maps_of_the_size_of_the_raster_stay_as_they_are():
    maps = tf.zeros([1, 6, 6, 2])
    assert network.cell_means(maps, 6) is maps
