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


def correlate(x, kernel, strides, dilation=1):
    """Valid convolution of [B, ..., C] by [..., C, F], as its definition."""
    sizes = kernel.shape[:-2]
    strides, dilation = np.broadcast_to(strides, len(sizes)), np.broadcast_to(dilation, len(sizes))
    many = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:], sizes, strides, dilation, strict=False)
    ]
    y = np.zeros([x.shape[0], *many, kernel.shape[-1]])
    for offset in np.ndindex(*sizes):
        starts = np.multiply(offset, dilation)
        window = [
            slice(start, start + (n - 1) * s + 1, s)
            for start, n, s in zip(starts, many, strides, strict=True)
        ]
        y += x[(slice(None), *window)] @ kernel[offset]
    return y


SIZES = {1: (9,), 2: (8, 10), 3: (5, 6, 7)}


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize(
    ('kind', 'size', 'strides', 'dilation'),
    [
        (layers.Conv1D, 3, 2, 1),
        (layers.Conv1D, 1, 3, 1),
        (layers.Conv1D, 2, 1, 3),
        (layers.Conv2D, (3, 2), (1, 1), (1, 1)),
        (layers.Conv2D, (2, 3), (2, 3), (1, 1)),
        (layers.Conv2D, (3, 3), (1, 1), (2, 1)),
        (layers.Conv2D, 1, 2, 1),
        (layers.Conv3D, (3, 2, 1), (1, 2, 3), 1),
        (layers.Conv3D, 2, 1, (1, 2, 2)),
    ],
)
def test_convolution_is_its_definition(kind, size, strides, dilation, data_format):
    x = images(2, *SIZES[kind.rank], 3)
    given = np.moveaxis(x, -1, 1) if data_format == 'channels_first' else x
    layer = kind(4, size, strides, dilation_rate=dilation, data_format=data_format)
    y, kernel = run([layer(given), layer.kernel])
    y = np.moveaxis(y, 1, -1) if data_format == 'channels_first' else y
    np.testing.assert_allclose(
        y, correlate(x, kernel, layer.strides, layer.dilation_rate), atol=1e-5
    )


def test_a_causal_output_depends_on_no_later_input():
    x = images(2, 7, 3)
    layer = layers.Conv1D(4, 3, padding='causal', dilation_rate=2)
    y, kernel = run([layer(x), layer.kernel])
    before = np.concatenate([np.zeros([2, 4, 3]), x], 1)
    np.testing.assert_allclose(y, correlate(before, kernel, 1, 2), atol=1e-5)


@pytest.mark.parametrize('padding', ['valid', 'same'])
@pytest.mark.parametrize(
    ('shape', 'size', 'strides'),
    [
        ((2, 3, 4, 5), 3, 2),
        ((2, 3, 4, 5), (2, 3), (3, 2)),
        ((2, 3, 4, 5), 1, 2),
        ((2, 3, 4, 5), 1, (1, 3)),
        ((2, 3, 2, 4, 5), (3, 2, 1), 2),
    ],
)
def test_transposed_convolution_is_the_adjoint_of_convolution(shape, size, strides, padding):
    small = images(*shape)
    ahead, behind = (
        (layers.Conv2DTranspose, layers.conv2d)
        if len(shape) == 4
        else (layers.Conv3DTranspose, layers.conv3d)
    )
    layer = ahead(6, size, strides, padding, use_bias=False)
    large = layer(small)
    x = images(*large.shape)
    back = behind(x, 5, size, strides, padding, use_bias=False, kernel_initializer='zeros')
    share = tf.global_variables()[-1].assign(layer.kernel)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(share)
        up, down = session.run([large, back])
    rounding = 1e-6 * np.linalg.norm(up) * np.linalg.norm(x)
    np.testing.assert_allclose(np.vdot(up, x), np.vdot(small, down), rtol=0, atol=rounding)


def test_functions_have_the_arguments_of_their_classes():
    x = images(2, 4, 3, 5, 1)
    y = layers.conv3d_transpose(x, 2, (2, 1, 3), padding='same', activation='relu', name='up')
    layers.conv3d_transpose(y[..., :1], 2, (2, 1, 3), name='up', reuse=True)
    assert layers.conv3d(y, 3, 2, (2, 1, 2)).shape == (2, 2, 2, 2, 3)
    assert layers.conv1d(x[:, 0, 0], 2, 3, padding='causal').shape == (2, 5, 2)
    assert y.op.name == 'up/Relu'
    assert [v.op.name for v in tf.global_variables()][:2] == ['up/kernel', 'up/bias']
    kernel = layers.Conv3DTranspose(2, (2, 1, 3), _scope='up', _reuse=True, padding='same')
    z, y = run([kernel(x), y])
    np.testing.assert_array_equal(np.maximum(z, 0), y)


def test_separable_conv1d_is_a_convolution_with_the_product_of_its_kernels():
    x = images(2, 9, 3)
    layer = layers.SeparableConv1D(4, 3, 2, depth_multiplier=2, use_bias=False)
    y, depth, point = run([layer(x), layer.depthwise_kernel, layer.pointwise_kernel])
    kernel = np.einsum('kcm,cmf->kcf', depth, point.reshape(3, 2, 4))
    np.testing.assert_allclose(y, correlate(x, kernel, 2), atol=1e-5)
    same = layers.separable_conv1d(x, 4, 3, 2, depth_multiplier=2, use_bias=False, name='s')
    assert same.shape == (2, 4, 4)
    assert [v.shape for v in tf.global_variables('s/')] == [(3, 3, 2), (1, 6, 4)]


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
