"""Sub-pixel convolution and its initializer, against stock ops, numpy and finite differences."""

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
    loss = tf.reduce_sum(tf.sin(layer(x)))
    variables = [x, *layer.weights]
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
        ({'inputs': np.ones([2, 3, 3])}, r'input is \(2, 3, 3\), rank 3; it must have rank 4'),
        ({'kernel_initializer': 'icnr'}, "initializer is 'icnr'; it must be one of"),
    ],
)
def test_wrong_calls_are_refused_by_name(options, text):
    given = {'inputs': np.ones([1, 2, 2, 3]), 'filters': 2, 'kernel_size': 3} | options
    with pytest.raises(ValueError, match=text):
        layers.subpixel_conv2d(**given)


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match='axis 3 must be known to make variables'):
        layers.subpixel_conv2d(tf.placeholder(tf.float32, [1, 2, 2, None]), 2, 3)


# ICNR.


def blocks_repeat(y, rh, rw):
    """How far the pixels of a block of `y` are from being equal."""
    return np.abs(y - np.repeat(np.repeat(y[:, ::rh, ::rw], rh, 1), rw, 2)).max()


@pytest.mark.parametrize('mode', subpixel.MODES)
def test_the_layer_starts_as_a_nearest_enlargement_of_a_convolution(definition, mode):
    x = numbers(2, 5, 4, 3)
    layer = layers.SubpixelConv2D(4, 3, (2, 3), activation=tf.nn.tanh, mode=mode)
    y = layer(x)
    one = layer.kernel[..., :4] if mode == 'DCR' else layer.kernel[..., ::6]
    convolved = tf.nn.tanh(tf.nn.conv2d(x, one, 1, 'SAME'))
    y, convolved = run([y, convolved])
    np.testing.assert_allclose(y, np.repeat(np.repeat(convolved, 2, 1), 3, 2), atol=1e-12)
    assert np.unique(convolved).size == convolved.size


@pytest.mark.parametrize('mode', subpixel.MODES)
def test_a_constant_image_has_no_checkerboard(mode):
    x = np.ones([1, 6, 6, 3])
    smooth = layers.subpixel_conv2d(x, 2, 3, mode=mode)
    rough = layers.subpixel_conv2d(x, 2, 3, mode=mode, kernel_initializer='glorot_uniform')
    smooth, rough = (y[:, 2:-2, 2:-2] for y in run([smooth, rough]))
    assert np.ptp(smooth, axis=(1, 2)).max() < 1e-12
    assert np.ptp(rough, axis=(1, 2)).min() > 0.01


def test_its_fans_are_those_of_the_convolution_before_the_enlargement():
    kernel = run(layers.ICNR(4)([3, 3, 8, 8 * 16]))
    limit = np.sqrt(6 / (9 * (8 + 8)))
    assert 0.97 * limit < np.abs(kernel).max() <= limit


def test_it_wraps_the_initializer_that_is_given():
    count = tf.constant_initializer(np.arange(6.0))
    np.testing.assert_array_equal(
        run(layers.ICNR((1, 2), count)([1, 1, 2, 6])).ravel(), [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]
    )
    np.testing.assert_array_equal(
        run(layers.ICNR((1, 2), count, 'CRD')([1, 1, 2, 6])).ravel(),
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    )
    for given in ('ones', tf.ones_initializer, tf.ones_initializer()):
        assert run(layers.ICNR(2, given)([1, 1, 1, 4], tf.float64)).dtype == np.float64


def test_the_default_wraps_the_initializer_of_the_scope():
    with tf.variable_scope('s', initializer=tf.random_normal_initializer(50, 1)):
        y = layers.subpixel_conv2d(np.ones([1, 3, 3, 1]), 2, 1)
    y = run(y)
    assert blocks_repeat(y, 2, 2) == 0
    assert y.min() > 40


def test_equal_seeds_give_equal_kernels():
    kernels = []
    for seed in (1, 1, 2):
        with tf.Graph().as_default():
            tf.set_random_seed(seed)
            layer = layers.SubpixelConv2D(4, 3)
            layer(tf.zeros([1, 2, 2, 3]))
            kernels.append(run(layer.kernel))
    assert (kernels[0] == kernels[1]).all()
    assert (kernels[0] != kernels[2]).any()


def test_parts_of_a_partitioned_kernel_have_the_fans_of_the_whole():
    with tf.variable_scope('s', partitioner=tf.fixed_size_partitioner(3)):
        layer = layers.SubpixelConv2D(32, 3, use_bias=False)
        y = layer(numbers(1, 4, 4, 32))
    y, kernel = run([y, tf.convert_to_tensor(layer.kernel)])
    assert blocks_repeat(y, 2, 2) < 1e-12
    limit = np.sqrt(6 / (9 * (32 + 32)))
    assert 0.97 * limit < np.abs(kernel).max() <= limit


def test_a_partition_of_the_channels_is_refused():
    with (
        tf.variable_scope('s', partitioner=tf.fixed_size_partitioner(2, axis=3)),
        pytest.raises(ValueError, match='ICNR: a part has 4 of 8 channels; .* last axis whole'),
    ):
        layers.SubpixelConv2D(2, 3, use_bias=False)(tf.zeros([1, 2, 2, 3]))


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (lambda: layers.ICNR(0), 'ICNR: block_size is 0; it must be a positive integer or two'),
        (lambda: layers.ICNR(2, mode='RCD'), "ICNR: mode is 'RCD'; it must be one of DCR, CRD"),
        (lambda: layers.ICNR(2, 'xavier'), "ICNR: initializer is 'xavier'; it must be one of"),
        (lambda: layers.ICNR(2)([3, 3, 1, 6]), r'shape is \[3, 3, 1, 6\].*a multiple of 4'),
    ],
)
def test_icnr_refuses_what_it_cannot_do(make, text):
    with pytest.raises(ValueError, match=text):
        make()
