"""Facts about tfae's layers, against numpy where there are numbers."""

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


def variable_names():
    return [v.op.name for v in tf.global_variables()]


# Names.


def test_a_layers_variables_are_found_by_its_name():
    data = tf.placeholder(tf.float32, [None, 28, 28, 1])
    conv1 = layers.conv2d(data, 64, 5, padding='same', activation=tf.nn.relu, name='truc')
    kernel = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'truc/kernel')[0]
    bias = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'truc/bias')[0]
    assert conv1.shape.as_list() == [None, 28, 28, 64]
    assert kernel.shape == (5, 5, 1, 64)
    assert bias.shape == (64,)


def test_default_names_count_up_in_every_scope():
    x = tf.ones([2, 3])
    layers.dense(layers.dense(x, 3), 3)
    with tf.variable_scope('outer'):
        layers.dense(x, 3, use_bias=False)
    layers.dense(x, 3, use_bias=False)
    assert variable_names() == [
        'dense/kernel',
        'dense/bias',
        'dense_1/kernel',
        'dense_1/bias',
        'outer/dense/kernel',
        'dense_2/kernel',
    ]


def test_a_scope_entered_again_counts_anew():
    for _ in range(2):
        with tf.variable_scope('outer', reuse=tf.AUTO_REUSE):
            layers.dense(layers.dense(tf.ones([2, 3]), 3), 3)
    assert len(variable_names()) == 4
    with tf.variable_scope('outer'), pytest.raises(ValueError, match='outer/dense/kernel already'):
        layers.dense(tf.ones([2, 3]), 3)


def test_a_name_is_taken_once_without_reuse():
    layers.dense(tf.ones([2, 3]), 3, name='a')
    with pytest.raises(ValueError, match='a/kernel already exists'):
        layers.dense(tf.ones([2, 3]), 3, name='a')


def test_reuse_wants_what_is_there():
    with pytest.raises(ValueError, match='a/kernel does not exist'):
        layers.dense(tf.ones([2, 3]), 3, name='a', reuse=True)
    layers.dense(tf.ones([2, 3]), 3, name='a')
    with pytest.raises(ValueError, match='shape'):
        layers.dense(tf.ones([2, 3]), 4, name='a', reuse=True)


def test_layers_without_variables_number_a_given_name():
    x = tf.ones([2, 4, 4, 1])
    given = [layers.max_pooling2d(x, 2, 2, name='p').op.name for _ in range(2)]
    assert given == ['p/MaxPool', 'p_1/MaxPool']


def test_a_template_shares_its_layers():
    template = tf.make_template('t', lambda v: layers.dense(layers.dense(v, 3), 3))
    template(template(tf.ones([2, 3])))
    assert variable_names() == [
        't/dense/kernel',
        't/dense/bias',
        't/dense_1/kernel',
        't/dense_1/bias',
    ]


# Instances.


def test_an_instance_called_again_adds_no_variables():
    layer = layers.Conv2D(3, 2, padding='same', kernel_regularizer=tf.nn.l2_loss)
    x = tf.ones([2, 4, 4, 3])
    y = layer.apply(layer(x))
    assert y.shape == (2, 4, 4, 3)
    assert variable_names() == ['conv2d/kernel', 'conv2d/bias']
    assert len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == 1


def test_an_instance_tells_what_it_has():
    layer = layers.Dense(4, name='top')
    assert (layer.name, layer.dtype, layer.built, layer.weights) == ('top', None, False, [])
    layer(tf.ones([2, 3], tf.float64))
    assert (layer.scope_name, layer.dtype, layer.built) == ('top', 'float64', True)
    assert layer.variables == [layer.kernel, layer.bias] == layer.trainable_variables
    assert layer.count_params() == 16
    assert layer.kernel.name == 'top/kernel:0'
    layer.trainable = False
    assert layer.trainable_weights == []
    assert layer.non_trainable_weights == [layer.kernel, layer.bias]


def test_a_scope_is_known_from_the_first_call():
    layer = layers.Dense(4)
    with pytest.raises(ValueError, match='must be called before `scope_name`'):
        _ = layer.scope_name
    with pytest.raises(ValueError, match='must be called before it is counted'):
        layer.count_params()
    with tf.variable_scope('outer'):
        layer(tf.ones([2, 3]))
    layer(tf.ones([2, 3]))
    assert layer.scope_name == 'outer/dense'


def test_a_layer_of_ones_own_is_a_build_and_a_call():
    class ScaleBy(layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight('factor', [input_shape[-1]], initializer='ones')
            self.count = self.add_variable('count', [], tf.int32, 'zeros', trainable=False)

        def call(self, inputs, power=1):
            self.add_update(self.count.assign_add(1))
            return inputs * self.factor**power

    layer = ScaleBy()
    y = layer(tf.ones([2, 3]), power=2)
    assert layer.trainable_weights == [layer.factor]
    assert layer.non_trainable_weights == [layer.count]
    assert variable_names() == ['scale_by/factor', 'scale_by/count']
    assert tf.get_collection(tf.GraphKeys.UPDATE_OPS) == layer.updates
    np.testing.assert_array_equal(run(y), np.ones([2, 3]))


def test_a_layer_without_a_call_says_so():
    with pytest.raises(NotImplementedError, match='Layer has no `call`'):
        layers.Layer()(tf.ones([2]))


# Values.


def test_dense_is_a_product_and_a_sum():
    x = images(5, 4, 3)
    layer = layers.Dense(2, activation=tf.nn.relu, bias_initializer='ones')
    y, kernel = run([layer(x), layer.kernel])
    np.testing.assert_allclose(y, np.maximum(x @ kernel + 1, 0), atol=1e-6)


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


def test_flatten_gives_one_order_for_both_formats():
    x = images(2, 3, 4, 5)
    last, first = run(
        [
            layers.flatten(x),
            layers.flatten(np.moveaxis(x, -1, 1), data_format='channels_first'),
        ]
    )
    np.testing.assert_array_equal(last, x.reshape(2, -1))
    np.testing.assert_array_equal(first, last)


def test_dropout_zeroes_its_share_and_scales_the_rest():
    training = tf.placeholder(tf.bool, [])
    y = layers.dropout(tf.ones([100, 100]), 0.25, training=training, seed=1)
    dropped = run(y, {training: True})
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(run(y, {training: False}), np.ones([100, 100]))


def test_dropout_broadcasts_noise_of_another_shape():
    y = layers.dropout(tf.ones([50, 6]), noise_shape=[None, 1], training=True, seed=1)
    assert (np.ptp(run(y), axis=1) == 0).all()


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('axis', [-1, 1])
def test_batch_normalization_uses_the_batch_and_then_the_moving_moments(axis, fused):
    x = 3 + 2 * images(6, 5, 4, 3)
    training = tf.placeholder(tf.bool, [])
    layer = layers.BatchNormalization(axis, momentum=0.9, fused=fused)
    y = layer(x, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    others = tuple(i for i in range(4) if i != axis % 4)
    shape = [-1 if i == axis % 4 else 1 for i in range(4)]
    mean, variance = x.mean(others), x.var(others)
    count = x.size / mean.size
    moving_mean = 0.1 * mean
    # The fused operation's moving variance follows the unbiased one.
    moving_variance = 0.9 + 0.1 * variance * (count / (count - 1) if fused else 1)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(y, {training: True})
        want = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-3)
        np.testing.assert_allclose(got, want, atol=1e-5)
        session.run(updates, {training: False})
        np.testing.assert_array_equal(session.run(layer.moving_mean), np.zeros_like(mean))
        session.run(updates, {training: True})
        moved = session.run([layer.moving_mean, layer.moving_variance])
        np.testing.assert_allclose(moved[0], moving_mean, atol=1e-6)
        np.testing.assert_allclose(moved[1], moving_variance, atol=1e-6)
        got = session.run(y, {training: False})
    want = (x - moving_mean.reshape(shape)) / np.sqrt(moving_variance.reshape(shape) + 1e-3)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_renormalization_starts_as_normalization_with_the_initial_averages():
    x = 3 + 2 * images(50, 4)
    layer = layers.BatchNormalization(renorm=True)
    # r = stddev / 1 and d = mean - 0 undo the normalization, but for epsilon.
    np.testing.assert_allclose(run(layer(x, training=True)), x, atol=1e-5)


def test_moving_averages_are_not_trained():
    layer = layers.BatchNormalization(renorm=True)
    layer(tf.ones([2, 3]), training=True)
    assert tf.trainable_variables() == [layer.gamma, layer.beta]
    assert len(layer.non_trainable_variables) == 5


def test_a_partitioner_leaves_moving_averages_whole():
    with tf.variable_scope('s', partitioner=tf.fixed_size_partitioner(2)):
        layers.batch_normalization(layers.dense(tf.ones([2, 4]), 4))
    assert 's/dense/kernel/part_1' in variable_names()
    assert 's/batch_normalization/moving_mean' in variable_names()


def test_sizes_may_be_numbers_of_numpy_and_of_tensorflow():
    x = tf.ones([2, 4, 4, 3])
    size = tf.Dimension(2)
    y = layers.conv2d(x, np.int64(5), size, strides=np.array([1, 2]), padding='SAME')
    assert layers.dense(y, size).shape == (2, 4, 2, 2)


# Collections.


def test_a_layer_that_is_not_trainable_joins_neither_collection():
    x = tf.ones([2, 4, 4, 3])
    layers.conv2d(
        layers.batch_normalization(x, training=True, trainable=False), 2, 1, trainable=False
    )
    assert tf.trainable_variables() == []
    assert tf.get_collection(tf.GraphKeys.UPDATE_OPS) == []
    assert len(tf.global_variables()) == 6


def test_regularizers_give_one_loss_a_variable_and_one_an_output():
    def square(v):
        return tf.reduce_sum(tf.square(v))

    x = images(5, 3)
    layer = layers.Dense(4, kernel_regularizer=square, activity_regularizer=square)
    y = layer(x)
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert losses == layer.losses
    (weight, activity), kernel, y = run([losses, layer.kernel, y])
    np.testing.assert_allclose(weight, np.square(kernel).sum(), rtol=1e-5)
    np.testing.assert_allclose(activity, np.square(y).sum() / 5, rtol=1e-5)


def test_an_optimizer_applies_constraints():
    y = layers.dense(
        tf.ones([2, 3]), 4, kernel_constraint=tf.zeros_like, bias_constraint=tf.ones_like
    )
    step = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step)
        kernel, bias = session.run(tf.trainable_variables())
    np.testing.assert_array_equal(kernel, np.zeros([3, 4]))
    np.testing.assert_array_equal(bias, np.ones(4))


# Gradients.


GRADIENTS = {
    'dense': lambda x, f: layers.dense(x, 3, tf.nn.tanh),
    'conv2d': lambda x, f: layers.conv2d(x, 3, 2, 2, 'same', f),
    'conv2d, dilated': lambda x, f: layers.conv2d(x, 3, 2, data_format=f, dilation_rate=2),
    'conv2d, strided 1x1': lambda x, f: layers.conv2d(x, 3, 1, 2, data_format=f),
    'conv2d_transpose': lambda x, f: layers.conv2d_transpose(x, 3, 3, 2, 'same', f),
    'conv2d_transpose, strided 1x1': lambda x, f: layers.conv2d_transpose(
        x, 3, 1, (2, 3), 'same', f
    ),
    'separable_conv2d': lambda x, f: layers.separable_conv2d(x, 3, 2, data_format=f),
    'max_pooling2d': lambda x, f: layers.max_pooling2d(x, 2, 2, 'same', f),
    'average_pooling2d': lambda x, f: layers.average_pooling2d(x, 2, 1, 'same', f),
    'batch_normalization': lambda x, f: layers.batch_normalization(x, training=True),
}


@pytest.mark.parametrize('data_format', ['channels_last', 'channels_first'])
@pytest.mark.parametrize('name', GRADIENTS)
def test_gradients_match_finite_differences(name, data_format):
    x = tf.get_variable('x', initializer=images(2, 4, 4, 4, dtype=np.float64))
    loss = tf.reduce_sum(tf.sin(GRADIENTS[name](x, data_format)))
    variables = tf.trainable_variables()
    gradients = tf.gradients(loss, variables)
    # Along a random direction in all variables at once.
    directions = [tf.random_normal(v.shape, dtype=v.dtype, seed=i) for i, v in enumerate(variables)]
    step = tf.placeholder(tf.float64, [])
    move = [
        v.assign_add(step * tf.constant(d)) for v, d in zip(variables, run(directions), strict=True)
    ]
    slope = tf.add_n(
        [tf.reduce_sum(g * d) for g, d in zip(gradients, run(directions), strict=True)]
    )
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        analytic = session.run(slope)
        session.run(move, {step: 1e-6})
        above = session.run(loss)
        session.run(move, {step: -2e-6})
        numeric = (above - session.run(loss)) / 2e-6
    assert abs(analytic - numeric) < 1e-6 * max(1, abs(analytic))


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


# Refusals.


REFUSALS = {
    'dense rank': (lambda: layers.dense(tf.ones([3]), 2), 'dense_1: input is .3,., rank 1; .* 2'),
    'dense units': (lambda: layers.dense(tf.ones([3, 2]), 0), 'units is 0; it must be a positive'),
    'conv2d rank': (lambda: layers.conv2d(tf.ones([3, 2]), 2, 2), 'rank 2; it must have rank 4'),
    'padding': (
        lambda: layers.conv2d(tf.ones([1, 4, 4, 1]), 2, 2, padding='causal'),
        "padding is 'causal'; it must be one of valid, same",
    ),
    'data_format': (
        lambda: layers.max_pooling2d(tf.ones([1, 4, 4, 1]), 2, 2, data_format='NCHW'),
        "data_format is 'nchw'; it must be one of channels_last, channels_first",
    ),
    'kernel_size': (
        lambda: layers.conv2d(tf.ones([1, 4, 4, 1]), 2, (1, 2, 3)),
        r'kernel_size is \(1, 2, 3\); it must be a positive integer or two',
    ),
    'strides': (
        lambda: layers.conv2d(tf.ones([1, 4, 4, 1]), 2, 2, strides=0),
        'strides is 0; it must be a positive integer or two',
    ),
    'strides and dilation': (
        lambda: layers.conv2d(tf.ones([1, 4, 4, 1]), 2, 2, strides=2, dilation_rate=2),
        'one of them must be 1',
    ),
    'activation': (
        lambda: layers.dense(tf.ones([3, 2]), 2, 'rellu'),
        "activation is 'rellu'; .*did you mean relu",
    ),
    'initializer': (
        lambda: layers.dense(tf.ones([3, 2]), 2, kernel_initializer='glorot'),
        "initializer is 'glorot'; it must be one of",
    ),
    'rate': (lambda: layers.dropout(tf.ones([3]), 1.5), r'rate is 1.5; it must lie in \[0, 1\]'),
    'axis': (
        lambda: layers.batch_normalization(tf.ones([3, 2]), axis=2),
        r'input is \(3, 2\); it must have axis \[2\]',
    ),
    'virtual batches': (
        lambda: layers.batch_normalization(tf.ones([4, 2]), virtual_batch_size=2),
        'virtual batches are not supported',
    ),
    'renorm_clipping': (
        lambda: layers.batch_normalization(tf.ones([4, 2]), renorm_clipping={'max': 1}),
        "renorm_clipping is 'max'; it must be one of rmax, rmin, dmax",
    ),
    'unknown channels': (
        lambda: layers.conv2d(tf.placeholder(tf.float32, [1, 4, 4, None]), 2, 2),
        'axis 3 must be known',
    ),
    'unknown rank': (
        lambda: layers.flatten(tf.placeholder(tf.float32)),
        'unknown rank; it must have at least rank 1',
    ),
}


@pytest.mark.parametrize('name', REFUSALS)
def test_refusals_name_what_came_and_what_is_wanted(name):
    call, text = REFUSALS[name]
    with pytest.raises(ValueError, match=text):
        call()


def test_a_second_call_wants_the_features_of_the_first():
    layer = layers.Dense(2)
    layer(tf.ones([3, 4]))
    with pytest.raises(ValueError, match='5 on axis -1; it must be 4'):
        layer(tf.ones([3, 5]))


def test_an_argument_that_no_layer_takes_is_named():
    with pytest.raises(TypeError, match='Dense got activaton, .* did you mean activation'):
        layers.Dense(2, activaton='relu')


def test_integers_are_no_inputs_of_a_dense_layer():
    with pytest.raises(TypeError, match='dtype is int32; it must be a floating-point one'):
        layers.dense(tf.ones([3, 4], tf.int32), 2)


def test_eager_execution_is_refused(monkeypatch):
    monkeypatch.setattr(tf, 'executing_eagerly', lambda: True)
    with pytest.raises(
        ValueError, match='eager execution is on; a layer must be called in a graph'
    ):
        layers.Dense(2)(np.ones([3, 4]))


def test_a_layer_that_is_not_here_is_named():
    with pytest.raises(AttributeError, match="no 'conv1d'; it has .*conv2d"):
        _ = layers.conv1d
