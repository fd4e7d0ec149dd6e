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
def test_pooling_is_the_maximum_and_the_mean_of_windows(data_format):
    x = images(2, 6, 9, 4)
    first = data_format == 'channels_first'
    given = np.moveaxis(x, -1, 1) if first else x
    windows = x.reshape(2, 3, 2, 3, 3, 4)
    largest, mean = run(
        [
            layers.max_pooling2d(given, (2, 3), (2, 3), data_format=data_format),
            layers.average_pooling2d(given, (2, 3), (2, 3), data_format=data_format),
        ]
    )
    for value, want in ((largest, windows.max((2, 4))), (mean, windows.mean((2, 4)))):
        np.testing.assert_allclose(np.moveaxis(value, 1, -1) if first else value, want, atol=1e-6)
