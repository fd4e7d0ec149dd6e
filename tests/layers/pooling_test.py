"""Facts about pooling, against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def images(*shape, dtype=np.float32):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize('rank', [1, 2, 3])
def test_pooling_is_the_maximum_and_the_mean_of_windows(rank, data_format):
    sizes, window = (4, 6, 9)[:rank], (2, 2, 3)[:rank]
    x = images(2, *sizes, 4)
    first = data_format == 'channels_first'
    given = np.moveaxis(x, -1, 1) if first else x
    blocks = [n for size, k in zip(sizes, window, strict=True) for n in (size // k, k)]
    windows, axes = x.reshape(2, *blocks, 4), tuple(range(2, 2 * rank + 1, 2))
    functions = [getattr(layers, f'{kind}_pooling{rank}d') for kind in ('max', 'average')]
    largest, mean = run(
        [function(given, window, window, data_format=data_format) for function in functions]
    )
    for value, want in ((largest, windows.max(axes)), (mean, windows.mean(axes))):
        np.testing.assert_allclose(np.moveaxis(value, 1, -1) if first else value, want, atol=1e-6)


def test_windows_over_the_edge_count_what_is_inside():
    x = np.arange(1.0, 6.0, dtype=np.float32).reshape(1, 5, 1)
    largest, mean = run(
        [layers.max_pooling1d(x, 2, 2, 'SAME'), layers.average_pooling1d(x, 2, 2, 'same')]
    )
    np.testing.assert_array_equal(largest.ravel(), [2, 4, 5])
    np.testing.assert_array_equal(mean.ravel(), [1.5, 3.5, 5])
