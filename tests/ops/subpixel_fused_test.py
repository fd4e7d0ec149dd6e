"""The fused op: bias, activation and shuffle, and its gradients."""

import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.ops import op_library, subpixel, subpixel_fused
from tfae.ops.subpixel_fused import ACTIVATIONS, shuffle_bias_activation

LAYOUTS = list(itertools.product(subpixel.MODES, subpixel.DATA_FORMATS))
# The largest error relative to max(1, |value|): a few units in the last place of each type.
BOUNDS = {tf.half: 2e-3, tf.bfloat16: 2e-2, tf.float32: 2e-6, tf.float64: 1e-14}


@pytest.fixture(params=['compiled', 'stock'])
def definition(request, monkeypatch):
    """Each test runs on the compiled op and on its stock definition."""
    if request.param == 'compiled' and not op_library.library().exists():
        pytest.skip('the op is not built')
    monkeypatch.setenv(op_library.CHOICE, request.param)
    op_library.load.cache_clear()
    yield request.param
    op_library.load.cache_clear()


def activate(x, activation):
    """The activations again, in numpy."""
    return {
        'identity': lambda: x,
        'relu': lambda: np.maximum(x, 0),
        'leaky_relu': lambda: np.where(x > 0, x, np.float32(0.2) * x),
        'elu': lambda: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        'selu': lambda: (
            1.05070098735548 * np.where(x > 0, x, 1.67326324235438 * np.expm1(np.minimum(x, 0)))
        ),
        'sigmoid': lambda: 1 / (1 + np.exp(-x)),
        'tanh': lambda: np.tanh(x),
    }[activation]()


def inputs(shape, data_format, dtype=tf.float64, seed=0):
    """`(x, bias)` as float64 numbers that `dtype` holds exactly; `shape` is N, H, W, channels."""
    random = np.random.RandomState(seed)
    n, h, w, c = shape
    x = random.normal(size=shape if data_format == 'NHWC' else (n, c, h, w)) * 2
    rounded = (np.asarray(v).astype(dtype.as_numpy_dtype) for v in (x, random.normal(size=c)))
    return tuple(v.astype(np.float64) for v in rounded)


def run(fetches, feed_dict=None):
    with tf.Session() as session:
        return session.run(fetches, feed_dict)


def error(got, want):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape
    return np.max(np.abs(got - want) / np.maximum(1, np.abs(want)), initial=0)


@pytest.mark.parametrize('dtype', BOUNDS, ids=lambda t: t.name)
@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_value_equals_numpy(definition, activation, dtype):
    fetches, wants = [], []
    for (mode, data_format), shape, block in itertools.product(
        LAYOUTS, [(2, 3, 5, 24), (1, 7, 3, 180)], [2, [1, 3]]
    ):
        x, bias = inputs(shape, data_format, dtype)
        along = bias if data_format == 'NHWC' else bias[:, None, None]
        activated = activate(x + along, activation)
        wants.append(subpixel.shuffle(activated, block, mode, data_format))
        x, bias = tf.constant(x, dtype), tf.constant(bias, dtype)
        fetches.append(shuffle_bias_activation(x, bias, block, activation, mode, data_format))
        assert fetches[-1].shape == wants[-1].shape
    for got, want in zip(*run([fetches, wants]), strict=True):
        assert error(got, want) < BOUNDS[dtype]


@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_float_values_are_right_from_end_to_end_of_the_number_line(activation):
    if not subpixel.status().compiled:
        pytest.skip(subpixel.status().why)
    x = np.concatenate([-np.logspace(-30, 30, 400), np.logspace(-30, 30, 400)])
    x = np.concatenate([x, np.linspace(-100, 100, 4000)]).astype(np.float32)
    y = shuffle_bias_activation(x.reshape(1, 40, 30, 4), np.zeros(4, np.float32), 2, activation)
    got = run(subpixel.unshuffle(y, 2)).ravel().astype(np.float64)
    with np.errstate(over='ignore'):
        want = activate(x.astype(np.float64), activation)
    # Relative where a float has all its digits, absolute below.
    scale = np.where(np.abs(want) < 1e-30, 1, np.abs(want))
    assert np.max(np.abs(got - want) / scale) < 5e-7


@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_not_a_number_stays_one(definition, activation):
    x = np.full([1, 1, 1, 4], np.nan, np.float32)
    y = shuffle_bias_activation(x, np.zeros(4, np.float32), 2, activation)
    assert np.isnan(run(y)).all()


@pytest.mark.parametrize(('mode', 'data_format'), LAYOUTS)
@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_gradients_match_finite_differences(definition, activation, mode, data_format):
    x_value, bias_value = inputs((1, 2, 3, 8), data_format)
    x, bias = tf.constant(x_value), tf.constant(bias_value)
    y = tf.square(shuffle_bias_activation(x, bias, 2, activation, mode, data_format))
    for argument, value in ((x, x_value), (bias, bias_value)):
        shape = argument.shape.as_list()
        with tf.Session():
            gap = tf.test.compute_gradient_error(
                argument, shape, y, y.shape.as_list(), value, delta=1e-5
            )
        assert gap < 1e-6


@pytest.mark.parametrize('activation', ACTIVATIONS)
@pytest.mark.parametrize('data_format', subpixel.DATA_FORMATS)
def test_second_gradients_equal_those_of_the_stock_ops(definition, activation, data_format):
    x_value, bias_value = inputs((2, 2, 3, 8), data_format)
    x, bias = tf.constant(x_value), tf.constant(bias_value)
    along = bias if data_format == 'NHWC' else tf.reshape(bias, [-1, 1, 1])
    stock = subpixel.shuffle(ACTIVATIONS[activation](x + along), 2, 'CRD', data_format)
    fused = shuffle_bias_activation(x, bias, 2, activation, 'CRD', data_format)

    def derivatives(y):
        first = tf.gradients(y**3, [x, bias])
        second = tf.gradients([first[0] ** 2, first[1] ** 3], [x, bias])
        return [*first, *second, *tf.gradients([second[0] ** 2], [x, bias])]

    for got, want in zip(*run([derivatives(fused), derivatives(stock)]), strict=True):
        assert error(got, want) < 1e-10


@pytest.mark.parametrize('dtype', BOUNDS, ids=lambda t: t.name)
@pytest.mark.parametrize(('mode', 'data_format'), LAYOUTS)
def test_gradients_of_many_bands_equal_those_of_the_stock_ops(mode, data_format, dtype):
    x_value, bias_value = inputs((3, 33, 70, 36), data_format, dtype)
    weights = np.random.RandomState(3).normal(size=x_value.shape)
    gradients = []
    for kind in (dtype, tf.float64):
        x, bias = tf.constant(x_value, kind), tf.constant(bias_value, kind)
        function = shuffle_bias_activation if kind is dtype else _stock_elu
        y = function(x, bias, 3, 'elu', mode, data_format)
        loss = tf.reduce_sum(y * tf.reshape(tf.constant(weights, kind), y.shape))
        gradients.append(tf.gradients(loss, [x, bias]))
    (dx, dbias), (dx_want, dbias_want) = run(gradients)
    assert error(dx, dx_want) < 4 * BOUNDS[dtype]
    assert error(dbias, dbias_want) < 8 * BOUNDS[dtype] * 10


def _stock_elu(x, bias, block, _, mode, data_format):
    along = bias if data_format == 'NHWC' else tf.reshape(bias, [-1, 1, 1])
    return subpixel.shuffle(tf.nn.elu(x + along), block, mode, data_format)


def test_the_gradient_is_the_same_bits_every_time():
    x, bias = inputs((4, 32, 32, 48), 'NHWC', tf.float32)
    x, bias = tf.constant(x, tf.float32), tf.constant(bias, tf.float32)
    gradient = tf.gradients(shuffle_bias_activation(x, bias, 2, 'tanh') ** 2, bias)[0]
    with tf.Session() as session:
        first = session.run(gradient)
        assert all((session.run(gradient) == first).all() for _ in range(5))
    single = tf.ConfigProto(intra_op_parallelism_threads=1)
    with tf.Session(config=single) as session:
        assert (session.run(gradient) == first).all()


def test_unknown_sizes_are_settled_when_run(definition):
    x, bias = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    y = shuffle_bias_activation(x, bias, 2, 'relu')
    gradients = tf.gradients(y, [x, bias])
    for shape in [(2, 3, 4, 8), (0, 3, 4, 8)]:
        feed = {x: np.ones(shape), bias: np.ones(8)}
        value, (dx, dbias) = run([y, gradients], feed)
        assert value.shape == (shape[0], 6, 8, 2)
        assert dx.shape == shape
        np.testing.assert_array_equal(dbias, np.full(8, 12.0 * shape[0]))
    with pytest.raises(tf.errors.InvalidArgumentError, match='bias has shape'):
        run(y, {x: np.ones((1, 1, 1, 8)), bias: np.ones(7)})


@pytest.mark.parametrize(
    ('call', 'text'),
    [
        ({'bias': np.ones(7)}, r'bias has shape \(7,\); it must be \(8,\), one for each channel'),
        ({'bias': np.ones((8, 1))}, r'bias has shape \(8, 1\); it must be \(8,\)'),
        ({'activation': 'gelu'}, 'activation is .gelu.; it must be one of identity, relu, .*elu'),
        ({'x': np.ones((1, 1, 1, 8), np.int32)}, 'type is int32; it must be one of float16'),
        ({'x': np.ones((1, 1, 8))}, 'rank 3; it must have rank 4'),
        ({'x': np.ones((1, 1, 1, 6))}, 'the number of channels is 6; it must be a multiple of 4'),
        ({'block_size': 0}, 'block_size is 0'),
    ],
)
def test_wrong_calls_are_refused_when_the_graph_is_built(definition, call, text):
    arguments = {'x': np.ones((1, 1, 1, 8)), 'bias': np.ones(8), 'block_size': 2} | call
    with pytest.raises(ValueError, match=f'subpixel.shuffle_bias_activation.*{text}'):
        shuffle_bias_activation(**arguments)


def test_the_fused_op_is_one_node_and_its_gradient_another():
    if not subpixel.status().compiled:
        pytest.skip(subpixel.status().why)
    x, bias = tf.zeros([1, 2, 2, 8]), tf.zeros([8])
    tf.gradients(shuffle_bias_activation(x, bias, 2, 'elu'), [x, bias])
    kinds = [op.type for op in tf.get_default_graph().get_operations()]
    fused = [kind for kind in kinds if kind.startswith('Subpixel')]
    assert fused == ['SubpixelShuffleBiasActivation', 'SubpixelShuffleBiasActivationGrad']
    assert subpixel_fused.TYPES
