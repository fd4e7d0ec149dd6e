"""Sub-pixel convolution, against stock ops, numpy and finite differences."""

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.ops import op_library, subpixel


@pytest.fixture(params=['compiled', 'stock'])
def definition(request, monkeypatch):
    """Each test runs on the compiled op and on its stock definition."""
    if request.param == 'compiled' and not op_library.library().exists():
        pytest.skip('the op is not built')
    monkeypatch.setenv(op_library.CHOICE, request.param)
    op_library.load.cache_clear()
    yield request.param
    op_library.load.cache_clear()


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape)


def shuffled(y, rh, rw, mode):
    """Channels into space, in numpy: TensorFlow's order and that of PyTorch's PixelShuffle."""
    n, h, w, c = y.shape
    if mode == 'CRD':
        split = y.reshape(n, h, w, c // (rh * rw), rh, rw).transpose(0, 1, 4, 2, 5, 3)
    else:
        split = y.reshape(n, h, w, rh, rw, c // (rh * rw)).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(n, h * rh, w * rw, c // (rh * rw))


def flipped(x):
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize('activation', [None, 'relu', 'leaky_relu', 'selu', 'softplus', 'softmax'])
def test_equals_convolution_and_depth_to_space_in_stock_ops(definition, activation):
    x = numbers(2, 5, 4, 3)
    layer = layers.SubpixelConv2D(
        2,
        3,
        activation=activation,
        kernel_initializer='glorot_uniform',
        bias_initializer='random_normal',
    )
    y = layer(x)
    want = tf.nn.conv2d(x, layer.kernel, 1, 'SAME') + layer.bias
    want = tf.nn.depth_to_space(want, 2)
    want = getattr(tf.nn, activation)(want) if activation else want
    assert y.shape == (2, 10, 8, 2)
    np.testing.assert_allclose(*run([y, want]), atol=1e-12)


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize('mode', subpixel.MODES)
@pytest.mark.parametrize(
    ('block', 'kernel_size', 'padding', 'use_bias'),
    [((2, 3), (3, 2), 'same', True), (2, 3, 'valid', True), ((3, 1), 1, 'SAME', False)],
)
def test_every_block_order_and_format_equals_numpy(
    definition, block, kernel_size, padding, use_bias, mode, data_format
):
    x = numbers(2, 5, 6, 3)
    layer = layers.SubpixelConv2D(
        4,
        kernel_size,
        block,
        padding,
        data_format,
        tf.nn.elu,
        use_bias,
        kernel_initializer='glorot_uniform',
        bias_initializer='random_normal',
        mode=mode,
    )
    y = layer(flipped(x) if data_format == 'channels_first' else x)
    small = tf.nn.conv2d(x, layer.kernel, 1, padding.upper())
    y, small = run([y, small + layer.bias if use_bias else small])
    want = shuffled(np.where(small > 0, small, np.expm1(small)), *layer.block_size, mode)
    want = flipped(want) if data_format == 'channels_first' else want
    np.testing.assert_allclose(y, want, atol=1e-12)


@pytest.mark.parametrize('activation', [None, tf.nn.elu, tf.nn.softplus])
@pytest.mark.parametrize('use_bias', [True, False])
def test_gradients_match_finite_differences(definition, activation, use_bias):
    x = tf.get_variable('x', initializer=numbers(2, 3, 2, 2))
    layer = layers.SubpixelConv2D(
        2, 2, (2, 1), activation=activation, use_bias=use_bias, mode='CRD'
    )
    check_gradients(tf.reduce_sum(tf.sin(layer(x))), [x, *layer.weights])


def check_gradients(loss, variables):
    """Compares gradients with finite differences along random directions."""
    gradients = tf.gradients(loss, variables)
    step = tf.placeholder(tf.float64, [])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for seed, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
            direction = numbers(*variable.shape, seed=seed + 1)
            move = variable.assign_add(step * direction)
            slope = np.sum(session.run(gradient) * direction)
            session.run(move, {step: 1e-5})
            above = session.run(loss)
            session.run(move, {step: -2e-5})
            below = session.run(loss)
            assert abs((above - below) / 2e-5 - slope) < 1e-7
            assert slope != 0


# Sequences and volumes.


def shuffled_nd(y, block, mode):
    """Channels into space along any number of axes, in numpy."""
    rank, (batch, *sizes, channels) = len(block), y.shape
    filters = channels // np.prod(block)
    if mode == 'CRD':
        split = y.reshape(batch, *sizes, filters, *block)
        offsets, last = range(rank + 2, 2 * rank + 2), rank + 1
    else:
        split = y.reshape(batch, *sizes, *block, filters)
        offsets, last = range(rank + 1, 2 * rank + 1), 2 * rank + 1
    pairs = zip(range(1, rank + 1), offsets, strict=True)
    moved = split.transpose(0, *(axis for pair in pairs for axis in pair), last)
    return moved.reshape(batch, *(s * r for s, r in zip(sizes, block, strict=True)), filters)


def convolved(x, kernel, padding):
    """Correlation along any number of axes, in numpy."""
    spatial = kernel.shape[:-2]
    if padding == 'same':
        margins = [((k - 1) // 2, k // 2) for k in spatial]
        x = np.pad(x, [(0, 0), *margins, (0, 0)])
    axes = tuple(range(1, 1 + len(spatial)))
    windows = np.lib.stride_tricks.sliding_window_view(x, spatial, axes)  # [B, ..., C, *K]
    return np.einsum(
        'b...cK,Kcf->b...f',
        windows.reshape(*windows.shape[: 2 + len(axes)], -1),
        kernel.reshape(-1, *kernel.shape[-2:]),
    )


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize('mode', subpixel.MODES)
@pytest.mark.parametrize('activation', [None, tf.nn.elu, tf.nn.softplus])
@pytest.mark.parametrize(
    ('kind', 'shape', 'block', 'kernel_size', 'padding', 'use_bias'),
    [
        (layers.SubpixelConv1D, (2, 7, 3), (3,), (4,), 'same', True),
        (layers.SubpixelConv1D, (2, 7, 3), (2,), (3,), 'valid', False),
        (layers.SubpixelConv3D, (2, 4, 3, 5, 2), (2, 3, 1), (3, 2, 1), 'same', True),
        (layers.SubpixelConv3D, (1, 4, 3, 5, 2), (2, 2, 2), (1, 2, 3), 'valid', False),
    ],
)
def test_sequences_and_volumes_equal_numpy(
    definition, kind, shape, block, kernel_size, padding, use_bias, activation, mode, data_format
):
    x = numbers(*shape)
    layer = kind(
        4,
        kernel_size,
        block,
        padding,
        data_format,
        activation,
        use_bias,
        kernel_initializer='glorot_uniform',
        bias_initializer='random_normal',
        mode=mode,
    )
    y = layer(flipped(x) if data_format == 'channels_first' else x)
    y, kernel, *bias = run([y, *layer.weights])
    want = convolved(x, kernel, padding) + (bias[0] if use_bias else 0)
    if activation is tf.nn.elu:
        want = np.where(want > 0, want, np.expm1(want))
    elif activation:
        want = np.log1p(np.exp(want))
    want = shuffled_nd(want, block, mode)
    np.testing.assert_allclose(
        y, flipped(want) if data_format == 'channels_first' else want, atol=1e-12
    )
    assert y.dtype == np.float64
    assert layer(flipped(x) if data_format == 'channels_first' else x).shape == y.shape


@pytest.mark.parametrize('mode', subpixel.MODES)
@pytest.mark.parametrize(
    ('kind', 'shape', 'block'),
    [(layers.SubpixelConv1D, (2, 5, 3), (3,)), (layers.SubpixelConv3D, (1, 3, 2, 4, 2), (2, 1, 3))],
)
def test_sequences_and_volumes_start_as_nearest_neighbor_upsampling(kind, shape, block, mode):
    y = run(kind(4, 2, block, mode=mode)(numbers(*shape)))
    small = y[(slice(None), *(slice(None, None, r) for r in block))]
    for axis, factor in enumerate(block):
        small = np.repeat(small, factor, axis + 1)
    np.testing.assert_allclose(y, small, atol=1e-12)
    assert np.ptp(y) > 0.1


@pytest.mark.parametrize('activation', [None, tf.nn.elu, tf.nn.softplus])
@pytest.mark.parametrize(
    ('kind', 'shape', 'block'),
    [(layers.SubpixelConv1D, (2, 4, 2), 3), (layers.SubpixelConv3D, (1, 2, 3, 2, 2), (2, 1, 2))],
)
def test_gradients_of_sequences_and_volumes_match_finite_differences(
    definition, kind, shape, block, activation
):
    x = tf.get_variable('x', initializer=numbers(*shape))
    layer = kind(2, 2, block, activation=activation, mode='CRD')
    check_gradients(tf.reduce_sum(tf.sin(layer(x))), [x, *layer.weights])


def test_wrong_ranks_and_blocks_of_sequences_and_volumes_are_refused():
    with pytest.raises(ValueError, match=r'input is .*; expected ndim=3'):
        layers.subpixel_conv1d(np.ones([1, 2, 2, 3]), 2, 3)
    with pytest.raises(ValueError, match=r'input is .*; expected ndim=5'):
        layers.subpixel_conv3d(np.ones([1, 2, 2, 3]), 2, 3)
    with pytest.raises(ValueError, match=r'block_size is \(2, 2\); it must be .* or three of them'):
        layers.subpixel_conv3d(np.ones([1, 2, 2, 2, 3]), 2, 3, (2, 2))


def kinds():
    return [op.type for op in tf.get_default_graph().get_operations()]


@pytest.mark.parametrize(
    'activation',
    [None, tf.nn.relu, 'relu', tf.nn.tanh, tf.tanh, tf.sigmoid, tf.compat.v2.nn.leaky_relu],
)
def test_bias_activation_and_shuffle_are_one_op(activation):
    if not subpixel.status().compiled:
        pytest.skip(subpixel.status().why)
    layers.subpixel_conv2d(tf.zeros([1, 2, 2, 3]), 2, 3, activation=activation)
    assert kinds()[-1] == 'SubpixelShuffleBiasActivation'
    assert not {'BiasAdd', 'Relu', 'Tanh', 'Sigmoid', 'LeakyRelu'} & set(kinds())


def test_without_bias_and_activation_there_is_only_a_shuffle():
    if not subpixel.status().compiled:
        pytest.skip(subpixel.status().why)
    layers.subpixel_conv2d(tf.zeros([1, 2, 2, 3]), 2, 3, use_bias=False)
    assert kinds()[-1] == 'SubpixelShuffle'


def test_an_activation_that_only_resembles_a_fused_one_is_called(definition):
    steep = functools.partial(tf.nn.leaky_relu, alpha=0.5)
    layer = layers.SubpixelConv2D(1, 1, activation=steep, kernel_initializer='ones')
    got = run(layer(np.full([1, 1, 1, 1], -2.0)))
    np.testing.assert_array_equal(got, np.full([1, 2, 2, 1], -1.0))


# Variables.


def test_variables_are_named_as_those_of_conv2d():
    y = layers.subpixel_conv2d(tf.zeros([2, 5, 4, 3]), 6, (5, 3), (2, 3))
    assert y.shape == (2, 10, 12, 6)
    layers.subpixel_conv2d(y, 1, 3, name='truc')
    found = [(v.op.name, v.shape.as_list()) for v in tf.trainable_variables()]
    assert found == [
        ('subpixel_conv2d/kernel', [5, 3, 3, 36]),
        ('subpixel_conv2d/bias', [36]),
        ('truc/kernel', [3, 3, 6, 4]),
        ('truc/bias', [4]),
    ]


def test_reuse_shares_and_trainable_and_regularizers_hold():
    x = tf.ones([1, 4, 4, 3])
    first = layers.subpixel_conv2d(x, 2, 3, name='a', kernel_regularizer=tf.nn.l2_loss)
    again = layers.subpixel_conv2d(x, 2, 3, name='a', reuse=True)
    layers.subpixel_conv2d(x, 2, 3, name='b', use_bias=False, trainable=False)
    np.testing.assert_array_equal(*run([first, again]))
    assert [v.op.name for v in tf.trainable_variables()] == ['a/kernel', 'a/bias']
    assert [v.op.name for v in tf.global_variables()][2:] == ['b/kernel']
    assert len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == 1


def test_unknown_sizes_are_settled_when_run(definition):
    x = tf.placeholder(tf.float32, [None, None, None, 3])
    y = layers.subpixel_conv2d(x, 2, 3, activation=tf.nn.relu)
    gradient = tf.gradients(y, x)[0]
    assert y.shape.as_list() == [None, None, None, 2]
    for shape in [(2, 3, 4, 3), (1, 5, 2, 3)]:
        value, back = run([y, gradient], {x: np.ones(shape)})
        assert value.shape == (shape[0], 2 * shape[1], 2 * shape[2], 2)
        assert back.shape == shape


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'filters': 0}, 'subpixel_conv2d_1: filters is 0; it must be a positive integer'),
        ({'kernel_size': (3, 0)}, r'kernel_size is \(3, 0\); it must be a positive integer or two'),
        ({'block_size': 0}, 'block_size is 0; it must be a positive integer or two'),
        ({'block_size': (2, 2, 2)}, r'block_size is \(2, 2, 2\); it must be a positive integer'),
        ({'padding': 'full'}, "padding is 'full'; it must be one of valid, same"),
        ({'data_format': 'NHWC'}, "data_format is 'nhwc'; it must be one of channels_last"),
        ({'activation': 'rely'}, "activation is 'rely'.*did you mean relu"),
        ({'mode': 'dcr'}, "subpixel_conv2d_1: mode is 'dcr'; it must be one of DCR, CRD"),
        ({'inputs': np.ones([2, 3, 3])}, r'input is \(2, 3, 3\); expected ndim=4, found ndim=3'),
        ({'kernel_initializer': 'icnr'}, "initializer is 'icnr'; it must be one of"),
    ],
)
def test_wrong_calls_are_refused_by_name(options, text):
    given = {'inputs': np.ones([1, 2, 2, 3]), 'filters': 2, 'kernel_size': 3} | options
    with pytest.raises(ValueError, match=text):
        layers.subpixel_conv2d(**given)


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match='axis 3 is undefined; it must be known'):
        layers.subpixel_conv2d(tf.placeholder(tf.float32, [1, 2, 2, None]), 2, 3)
