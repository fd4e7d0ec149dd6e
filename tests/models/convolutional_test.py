"""Convolutional stacks against stock operations, and the networks that were published."""

import itertools

import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.models import Batch, convolutional
from tfae.models.base import upsampling
from tfae.models.base.encoder_decoder import Convolution, Decoder, Dense, Encoder, Kernels
from tfae.ops.activations import Activation

RELU = Activation.from_text('relu')
SIZES = {'filters': (16, 32, 64), 'units': ()}
WAYS = ['deconvolution', 'subpixel', 'nearest', 'bilinear', 'bicubic']
FASHION = {
    'filters': (16, 32, 64),
    'pooling': ('max',),
    'activation': 'selu',
    'code_activation': 'selu',
    'upsampling': 'deconvolution',
}
EE311 = {
    'filters': (32, 32, 32, 32, 8),
    'kernel_sizes': (5, 5, 4, 3, 4),
    'strides': (1, 1, 2, 2, 1),
    'padding': ('valid',),
    'pooling': ('none',),
    'upsampling': 'deconvolution',
}


def model(shape=(28, 28, 1), **fields):
    return convolutional.Model(convolutional.Config(**{**SIZES, **fields}), shape)


def images(shape=(28, 28, 1), count=3):
    return np.random.RandomState(0).uniform(size=[count, *shape]).astype(np.float32)


def session_with_biases():
    """A session whose variables are drawn, biases too."""
    session = tf.Session()
    random = np.random.RandomState(1)
    for variable in tf.global_variables():
        value = 0.3 * random.normal(size=variable.shape.as_list())
        variable.load(value.astype(np.float32), session)
    return session


def variables():
    return {v.op.name: v.read_value() for v in tf.global_variables()}


def test_the_published_network_of_fashion_equals_stock_operations():
    """Three 3x3 convolutions with pooling; deconvolutions with valid, same and same padding."""
    made = model(**FASHION)
    outputs = made(tf.constant(images()))
    of = variables()
    x = tf.constant(images())
    for i in (1, 2, 3):
        kernel, bias = of[f'encoder/layer_{i}/kernel'], of[f'encoder/layer_{i}/bias']
        x = tf.nn.selu(tf.nn.conv2d(x, kernel, 1, 'SAME') + bias)
        x = tf.nn.max_pool2d(x, 2, 2, 'VALID')
    code = tf.reshape(x, [3, 3 * 3 * 64])
    for i, side, filters, padding in ((3, 7, 32, 'VALID'), (2, 14, 16, 'SAME'), (1, 28, 1, 'SAME')):
        kernel, bias = of[f'decoder/layer_{i}/kernel'], of[f'decoder/layer_{i}/bias']
        x = tf.nn.conv2d_transpose(x, kernel, [3, side, side, filters], 2, padding) + bias
        x = tf.nn.selu(x) if i > 1 else x
    with session_with_biases() as session:
        found, *want = session.run([outputs, code, tf.nn.sigmoid(x), x])
    for got, wanted in zip(found, want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_the_published_network_of_ee311_has_these_shapes_and_its_code_is_one_pixel():
    made = model(**EE311)
    sides = [shape[0] for shape in made.encoder.shapes]
    assert sides == [28, 24, 20, 9, 4, 1]
    assert made.code_size == 8
    made(tf.constant(images()))
    shapes = {v.op.name: v.shape.as_list() for v in tf.trainable_variables()}
    kernels = [5, 5, 4, 3, 4]
    for i, size in enumerate(kernels, 1):
        below, above = ([1, 32, 32, 32, 32, 8][k] for k in (i - 1, i))
        assert shapes[f'encoder/layer_{i}/kernel'] == [size, size, below, above]
        assert shapes[f'decoder/layer_{i}/kernel'] == [size, size, below, above]
    transposed = [
        op.get_attr('padding')
        for op in tf.get_default_graph().get_operations()
        if op.type == 'Conv2DBackpropInput'
    ]
    assert transposed == [b'VALID'] * 5


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('padding', ['same', 'valid'])
def test_every_layer_of_the_decoder_has_the_shape_of_its_encoders_input(way, padding):
    shape = (23, 17, 2)
    for kernel, strides, pooling in itertools.product((2, 3, 5), (1, 2, 3), ('none', 'max')):
        layer = Convolution(4, RELU, kernel, strides, padding, pooling)
        with tf.Graph().as_default():
            encoder = Encoder(shape, [layer], Kernels())
            decoder = Decoder(shape, [layer], Kernels(), method=way)
            code = encoder(tf.placeholder(tf.float32, [None, *shape]))
            assert code.shape.as_list() == [None, *encoder.shapes[1]]
            assert decoder(code).shape.as_list() == [None, *shape]


@pytest.mark.parametrize('way', WAYS)
def test_an_enlarged_image_is_what_its_definition_says(way):
    """5 x 4 to 10 x 8 with a kernel of one pixel, which leaves the way to enlarge alone."""
    x = images((5, 4, 3))
    made = upsampling.upsample(tf.constant(x), (10, 8, 2), 1, 2, way, name='made')
    with session_with_biases() as session:
        got, of = session.run([made, variables()])
    kernel, bias = of['made/kernel'], of['made/bias']
    if way == 'deconvolution':
        want = np.zeros([3, 10, 8, 2])
        want[:, ::2, ::2] = x @ kernel[0, 0].T
        want += bias
    elif way == 'subpixel':
        small = x @ kernel[0, 0] + bias
        want = small.reshape(3, 5, 4, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(3, 10, 8, 2)
    else:
        with tf.Session() as session:
            large = session.run(tf2.image.resize(x, [10, 8], way))
        want = large @ kernel[0, 0] + bias
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_deconvolution_reaches_the_rows_that_pooling_dropped():
    """Of kernels as large as the factor, every pixel is made of an input."""
    sizes = [(*s, f) for *s, f in itertools.product((5, 7, 28), (2, 5), (2, 3, 4)) if min(s) >= f]
    made = []
    for i, (height, width, factor) in enumerate(sizes):
        for kernel in (factor, factor + 1):
            x = tf.random.stateless_uniform([1, height // factor, width // factor, 1], [i, 1], 0.1)
            ones = tf.ones([kernel, kernel, 1, 1])
            made.append(upsampling.deconvolution(x, ones, (height, width, 1), factor))
            options = {'kernel_initializer': tf.ones_initializer(), 'name': f'{i}_{kernel}'}
            target = (height, width, 1)
            made.append(upsampling.upsample(x, target, kernel, factor, 'deconvolution', **options))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for got in session.run(made):
            assert got.min() >= 0.1


def test_where_nothing_is_to_be_enlarged_a_valid_convolution_is_undone_by_a_full_one():
    x = images((4, 4, 1))
    made = upsampling.upsample(tf.constant(x), (6, 6, 1), 3, 1, 'subpixel', name='made')
    with session_with_biases() as session:
        got, of = session.run([made, variables()])
    padded = np.pad(x[..., 0], [(0, 0), (2, 2), (2, 2)])
    want = np.zeros([3, 6, 6])
    for i, j in np.ndindex(3, 3):
        want += of['made/kernel'][i, j, 0, 0] * padded[:, i : i + 6, j : j + 6]
    np.testing.assert_allclose(got[..., 0], want + of['made/bias'], rtol=1e-4, atol=1e-5)


def test_the_subpixel_decoder_uses_the_fused_operation_by_default():
    model(filters=(4, 6))(tf.constant(images()))
    kinds = [op.type for op in tf.get_default_graph().get_operations()]
    assert kinds.count('SubpixelShuffleBiasActivation') == 2
    assert 'Conv2DBackpropInput' not in kinds


def test_a_subpixel_decoder_of_a_flat_code_shows_no_checkerboard_at_the_start():
    """ICNR: the pixels of a block start equal, so a constant feature map stays constant inside."""
    decoder = Decoder((16, 16, 1), [Convolution(4, RELU, pooling='max')], Kernels())
    made = decoder(tf.ones([1, 8, 8, 4]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        inner = session.run(made)[0, 2:-2, 2:-2, 0]
    assert np.ptp(inner) < 1e-6
    assert abs(inner).max() > 1e-3


def test_tied_kernels_are_one_variable_that_gets_both_gradients():
    made = model((9, 7, 2), filters=(3, 4), units=(5,), upsampling='deconvolution', tied=True)
    objective = made.objectives[0](Batch(tf.constant(images((9, 7, 2))), None, None))
    decoder = [v.op.name for v in tf.trainable_variables('decoder/')]
    assert sorted(decoder) == [f'decoder/layer_{i}/bias' for i in (1, 2, 3)]
    assert None not in tf.gradients(objective.loss, objective.variables)
    kernel = next(v for v in tf.trainable_variables() if v.op.name == 'encoder/layer_2/kernel')
    code = tf.stop_gradient(made.encode(tf.constant(images((9, 7, 2)))))
    assert tf.gradients(made.decode(code), kernel) != [None]


def test_dense_layers_follow_convolutional_ones():
    made = model(filters=(4,), units=(7, 3))
    assert made.encoder.shapes == [(28, 28, 1), (14, 14, 4), (7,), (3,)]
    for side in (made.encoder, made.decoder):
        assert [type(layer) for layer in side.layers] == [Convolution, Dense, Dense]
        assert [str(side.activation(i)) for i in (1, 2, 3)] == ['relu', 'relu', 'linear']


def test_batch_normalization_uses_the_batch_in_training_and_moving_moments_elsewhere():
    made = model(filters=(4, 6), batch_normalization=True)
    x, seed = tf.constant(images()), tf.constant([1, 2], tf.int64)
    training, inference = made(x, seed).code, made(x).code
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert len(updates) == 4  # two moments of one hidden layer of each side
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(inference)
        assert not np.allclose(session.run(training), before)
        session.run(updates)
        assert not np.allclose(session.run(inference), before)


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'filters': ()}, '--filters is empty; it must have at least one layer'),
        ({'filters': (4, 0)}, r'--filters is 4,0; each must lie in \[1, inf\)'),
        ({'kernel_sizes': (3, 3)}, r'--kernel_sizes has 2 values \(3,3\); it must have 1 or 3'),
        ({'pooling': ('none',), 'pool_sizes': (3,)}, '--pool_sizes needs --pooling'),
        ({'filters': (4,) * 5}, 'an image of 1 x 1 is too small for a layer with kernel 3'),
        ({'tied': True}, '--upsampling is subpixel, it must be deconvolution'),
        (
            {'tied': True, 'upsampling': 'deconvolution', 'batch_normalization': True},
            '--tied and --batch_normalization exclude each other',
        ),
    ],
)
def test_what_cannot_be_built_is_refused(fields, want):
    with pytest.raises(errors.UsageError, match=want):
        model(**fields)


def test_a_convolution_after_a_dense_layer_is_refused():
    with pytest.raises(errors.UsageError, match='cannot come after a dense one'):
        Encoder((8, 8, 1), [Dense(4, RELU), Convolution(4, RELU)], Kernels())
