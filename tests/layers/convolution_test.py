"""Facts about convolutions, against their definition in numpy."""

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


def correlate(x, kernel, strides, dilation=(1, 1)):
    """Valid convolution of [B, H, W, C] by [K, L, C, F], as its definition."""
    k, n = kernel.shape[:2]
    height = (x.shape[1] - (k - 1) * dilation[0] - 1) // strides[0] + 1
    width = (x.shape[2] - (n - 1) * dilation[1] - 1) // strides[1] + 1
    y = np.zeros([x.shape[0], height, width, kernel.shape[3]])
    for i in range(k):
        for j in range(n):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + (height - 1) * strides[0] + 1, strides[0])
            columns = slice(left, left + (width - 1) * strides[1] + 1, strides[1])
            y += x[:, rows, columns] @ kernel[i, j]
    return y


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize(
    ('size', 'strides', 'dilation'),
    [((3, 2), (1, 1), (1, 1)), ((2, 3), (2, 3), (1, 1)), ((3, 3), (1, 1), (2, 1)), (1, 2, 1)],
)
def test_conv2d_is_its_definition(size, strides, dilation, data_format):
    x = images(2, 8, 10, 3)
    given = np.moveaxis(x, -1, 1) if data_format == 'channels_first' else x
    layer = layers.Conv2D(4, size, strides, dilation_rate=dilation, data_format=data_format)
    y, kernel = run([layer(given), layer.kernel])
    y = np.moveaxis(y, 1, -1) if data_format == 'channels_first' else y
    np.testing.assert_allclose(
        y, correlate(x, kernel, layer.strides, layer.dilation_rate), atol=1e-5
    )


@pytest.mark.parametrize('padding', ['valid', 'same'])
@pytest.mark.parametrize(('size', 'strides'), [(3, 2), ((2, 3), (3, 2)), (1, 2), (1, (1, 3))])
def test_conv2d_transpose_is_the_adjoint_of_conv2d(size, strides, padding):
    small = images(2, 3, 4, 5)
    layer = layers.Conv2DTranspose(6, size, strides, padding, use_bias=False)
    large = layer(small)
    x = images(*large.shape)
    back = layers.conv2d(x, 5, size, strides, padding, use_bias=False, kernel_initializer='zeros')
    share = tf.global_variables()[-1].assign(layer.kernel)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(share)
        up, down = session.run([large, back])
    rounding = 1e-6 * np.linalg.norm(up) * np.linalg.norm(x)
    np.testing.assert_allclose(np.vdot(up, x), np.vdot(small, down), rtol=0, atol=rounding)


def test_separable_conv2d_is_a_convolution_with_the_product_of_its_kernels():
    x = images(2, 6, 7, 3)
    layer = layers.SeparableConv2D(4, (3, 2), depth_multiplier=2, use_bias=False)
    y, depth, point = run([layer(x), layer.depthwise_kernel, layer.pointwise_kernel])
    kernel = np.einsum('klcm,cmf->klcf', depth, point.reshape(3, 2, 4))
    np.testing.assert_allclose(y, correlate(x, kernel, (1, 1)), atol=1e-5)


def test_the_gradient_of_a_strided_1x1_kernel_does_not_end_the_process():
    x = images(3, 28, 28, 4)
    layer = layers.Conv2D(5, 1, 2, use_bias=False)
    y = layer(x)
    gradient = tf.gradients(y, layer.kernel)[0]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(20):
            got = session.run(gradient)
    want = x[:, ::2, ::2].sum((0, 1, 2))[:, None] * np.ones(5)
    np.testing.assert_allclose(got[0, 0], want, rtol=1e-4, atol=1e-4)
