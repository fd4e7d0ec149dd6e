"""Facts about layers of every kind: names, instances, collections, gradients, refusals."""

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
    with pytest.raises(ValueError, match='must be called before its parameters'):
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
    'conv1d, causal': lambda x, f: layers.conv1d(x[:, 0], 3, 2, 1, 'causal', f),
    'separable_conv1d': lambda x, f: layers.separable_conv1d(x[0], 3, 2, data_format=f),
    'conv3d': lambda x, f: layers.conv3d(x[..., None], 3, 2, 2, 'same'),
    'conv3d_transpose': lambda x, f: layers.conv3d_transpose(x[..., None], 2, 2, (1, 2, 2)),
    'average_pooling1d': lambda x, f: layers.average_pooling1d(x[0], 2, 1, 'same', f),
    'virtual batches': lambda x, f: layers.batch_normalization(
        x, training=True, virtual_batch_size=1, axis=[1, 3]
    ),
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


# Refusals.


REFUSALS = {
    'dense rank': (
        lambda: layers.dense(tf.ones([3]), 2),
        'dense_1: input is .3,.; expected min_ndim=2, found ndim=1',
    ),
    'dense units': (lambda: layers.dense(tf.ones([3, 2]), 0), 'units is 0; it must be a positive'),
    'conv2d rank': (lambda: layers.conv2d(tf.ones([3, 2]), 2, 2), 'expected ndim=4, found ndim=2'),
    'padding': (
        lambda: layers.conv1d(tf.ones([1, 4, 1]), 2, 2, padding='full'),
        "padding is 'full'; it must be one of valid, same, causal",
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
    'rate': (lambda: layers.dropout(tf.ones([3]), 1.0), r'rate is 1.0; it must lie in \[0, 1\)'),
    'axis': (
        lambda: layers.batch_normalization(tf.ones([3, 2]), axis=2),
        r'input is \(3, 2\); it must have axis \[2\]',
    ),
    'axis twice': (
        lambda: layers.batch_normalization(tf.ones([3, 2]), axis=[1, -1]),
        r'axis is \[1, 1\]; it must name each axis once',
    ),
    'virtual batch size': (
        lambda: layers.batch_normalization(tf.ones([4, 2]), virtual_batch_size=-1),
        'virtual_batch_size is -1; it must be a positive integer',
    ),
    'virtual batches of the axis': (
        lambda: layers.batch_normalization(tf.ones([4, 2]), axis=0, virtual_batch_size=2),
        r'axis is \[0\]; with virtual_batch_size it must not be 0',
    ),
    'virtual batches, adjusted': (
        lambda: layers.BatchNormalization(virtual_batch_size=2, adjustment=lambda shape: (1, 0)),
        'virtual_batch_size is 2; adjustment must then be None',
    ),
    'no strides': (
        lambda: layers.average_pooling1d(tf.ones([1, 4, 1]), 2, None),
        'strides is None; it must be a positive integer',
    ),
    'three strides': (
        lambda: layers.conv3d(tf.ones([1, 4, 4, 4, 1]), 2, 2, strides=(1, 2)),
        r'strides is \(1, 2\); it must be a positive integer or three of them',
    ),
    'causal images': (
        lambda: layers.separable_conv2d(tf.ones([1, 4, 4, 1]), 2, 2, padding='causal'),
        "padding is 'causal'; it must be one of valid, same",
    ),
    'trained on read': (
        lambda: layers.Layer().add_weight(
            'v', [2], trainable=True, synchronization=tf.VariableSynchronization.ON_READ
        ),
        'layer_1, v: Synchronization value can be set to VariableSynchronization.ON_READ only',
    ),
    'shape by hand': (
        lambda: layers.Conv1D(2, 2).build((None, 4)),
        r'input is \(None, 4\); expected ndim=3, found ndim=2',
    ),
    'renorm_clipping': (
        lambda: layers.batch_normalization(tf.ones([4, 2]), renorm_clipping={'max': 1}),
        "renorm_clipping is 'max'; it must be one of rmax, rmin, dmax",
    ),
    'unknown channels': (
        lambda: layers.conv2d(tf.placeholder(tf.float32, [1, 4, 4, None]), 2, 2),
        'axis 3 is undefined; it must be known',
    ),
    'unknown rank': (
        lambda: layers.flatten(tf.placeholder(tf.float32)),
        'expected min_ndim=1, found an unknown rank',
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
    with pytest.raises(ValueError, match=r'expected axis -1 of size 4, found \(3, 5\)'):
        layer(tf.ones([3, 5]))


def test_an_argument_that_no_layer_takes_is_named():
    with pytest.raises(TypeError, match='Dense got an unknown .* did you mean activation'):
        layers.Dense(2, activaton='relu')


def test_a_call_that_does_not_fit_the_function_is_named():
    with pytest.raises(TypeError, match="conv1d: missing a required argument: 'kernel_size'"):
        layers.conv1d(tf.ones([1, 4, 1]), 2)
    with pytest.raises(TypeError, match='max_pooling3d: got an unexpected .* .training.'):
        layers.max_pooling3d(tf.ones([1, 4, 4, 4, 1]), 2, 2, training=True)


def test_eager_execution_is_refused_where_a_call_would_create_variables(monkeypatch):
    monkeypatch.setattr(tf, 'executing_eagerly', lambda: True)
    with pytest.raises(ValueError, match='dense: eager .* in a graph: .* A `Dense` runs eagerly'):
        layers.dense(np.ones([3, 4]), 2)


def test_a_layer_that_is_not_here_is_named():
    with pytest.raises(AttributeError, match="no 'conv4d'; it has .*conv3d"):
        _ = layers.conv4d
