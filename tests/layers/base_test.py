"""What TF1's layer objects had: configs, shapes, weights, losses, and how they are built."""

import copy
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae
from tfae import layers


def run(fetches, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed)


def images(*shape, dtype=np.float32):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


@pytest.fixture
def reference_variables():
    """TF1's default, which `disable_v2_behavior` restores."""
    tf.disable_resource_variables()
    yield
    tf.enable_resource_variables()


# Code that AutoGraph converts.


@pytest.mark.parametrize('where', ['map_fn', 'Dataset.map', 'function'])
def test_converted_code_may_call_layer_functions(where):
    def features(row):
        x = layers.conv1d(row[None, :, None], 2, 2, name='c', reuse=tf.AUTO_REUSE)
        x = layers.flatten(layers.dropout(layers.max_pooling1d(x, 2, 1)))
        return layers.dense(x, 3, use_bias=False, name='d', reuse=tf.AUTO_REUSE)[0]

    rows = images(4, 5)
    if where == 'map_fn':
        y, start = tf.map_fn(features, rows), []
    elif where == 'Dataset.map':
        data = tf.data.Dataset.from_tensor_slices(rows).map(features).batch(4)
        iterator = tf.data.make_initializable_iterator(data)
        y, start = iterator.get_next(), [iterator.initializer]
    else:
        y, start = tf.function(lambda: tf.map_fn(features, rows))(), []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(start)
        y, variables = session.run([y, {v.op.name: v for v in tf.global_variables()}])
    kernel = variables['c/kernel'][:, 0]
    h = rows[:, :-1, None] * kernel[0] + rows[:, 1:, None] * kernel[1]
    pooled = np.maximum(h[:, 1:], h[:, :-1]).reshape(4, -1)
    np.testing.assert_allclose(y, pooled @ variables['d/kernel'], rtol=1e-4, atol=1e-5)


def test_a_loss_of_a_variable_that_is_made_in_a_loop_is_usable_outside():
    def dense(row):
        return layers.dense(
            row[None], 2, kernel_regularizer=tf.nn.l2_loss, name='d', reuse=tf.AUTO_REUSE
        )[0]

    mapped = tf.map_fn(dense, images(4, 3))
    total = tf.reduce_sum(mapped) * 0 + tf.losses.get_regularization_loss()
    loss, kernel = run([total, tf.trainable_variables()[0]])
    np.testing.assert_allclose(loss, np.square(kernel).sum() / 2, rtol=1e-5)


# Reference and resource variables.


def test_variables_are_references_where_those_of_tf1_are(reference_variables):
    x = tf.placeholder(tf.float32, [None, 4, 4, 2])
    h = layers.batch_normalization(layers.conv2d(x, 3, 2, name='h'), training=True, momentum=0.5)
    layers.dense(layers.flatten(h), 2)
    assert not any(hasattr(v, 'handle') for v in tf.global_variables())
    assert all(isinstance(v, tf.Variable) for v in tf.global_variables())
    kernel = tf.get_default_graph().get_tensor_by_name('h/kernel:0')
    clipped = tf.assign(kernel, tf.clip_by_norm(kernel, 0.1))
    step = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(h))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(kernel), session.run('h/kernel/read:0'))
        session.run(clipped)
        np.testing.assert_allclose(np.linalg.norm(session.run(kernel)), 0.1, rtol=1e-5)
        value = images(5, 4, 4, 2)
        before = session.run('h/BiasAdd:0', {x: value})
        session.run([step, tf.get_collection(tf.GraphKeys.UPDATE_OPS)], {x: value})
        mean = session.run('batch_normalization/moving_mean:0')
    np.testing.assert_allclose(mean, 0.5 * before.mean((0, 1, 2)), atol=1e-6)


def test_a_scope_chooses_the_kind_of_variable(reference_variables):
    x = tf.ones([2, 3])
    layers.dense(x, 2, name='plain')
    with tf.variable_scope('s', use_resource=True):
        layers.dense(layers.dense(x, 2, name='a'), 2)
    layer = layers.Layer(name='own')
    layer.add_weight('v', [1], use_resource=True)
    kinds = {v.op.name: hasattr(v, 'handle') for v in tf.global_variables()}
    assert kinds == {
        'plain/kernel': False,
        'plain/bias': False,
        's/a/kernel': True,
        's/a/bias': True,
        's/dense/kernel': True,
        's/dense/bias': True,
        'own/v': True,
    }
    tf.enable_resource_variables()
    layers.dense(x, 2, name='after')
    assert hasattr(tf.global_variables()[-1], 'handle')


# Building by hand.

SHAPES = {1: (2, 9, 4), 2: (2, 9, 8, 4), 3: (2, 5, 6, 7, 4)}
KINDS = {
    'Conv1D': lambda **o: layers.Conv1D(3, 2, 2, **o),
    'Conv1D, causal': lambda **o: layers.Conv1D(3, 2, padding='causal', **o),
    'Conv2D': lambda **o: layers.Conv2D(3, 2, (1, 2), activation=tf.nn.relu, **o),
    'Conv3D': lambda **o: layers.Conv3D(3, 2, 2, 'same', **o),
    'Conv1DTranspose': lambda **o: layers.Conv1DTranspose(3, 2, 3, **o),
    'Conv2DTranspose': lambda **o: layers.Conv2DTranspose(3, 2, 3, **o),
    'Conv3DTranspose': lambda **o: layers.Conv3DTranspose(3, 2, (1, 2, 3), 'same', **o),
    'SeparableConv1D': lambda **o: layers.SeparableConv1D(3, 2, depth_multiplier=2, **o),
    'SeparableConv2D': lambda **o: layers.SeparableConv2D(3, 2, depthwise_initializer='ones', **o),
    'SubpixelConv1D': lambda **o: layers.SubpixelConv1D(3, 2, 3, **o),
    'SubpixelConv2D': lambda **o: layers.SubpixelConv2D(3, 2, (2, 3), **o),
    'SubpixelConv3D': lambda **o: layers.SubpixelConv3D(3, 2, (1, 2, 3), **o),
    'Dense': lambda **o: layers.Dense(
        3, kernel_initializer=tf.glorot_uniform_initializer(seed=3), **o
    ),
    'BatchNormalization, 2D': lambda **o: layers.BatchNormalization([1, -1], renorm=True, **o),
    'BatchNormalization, 1D': lambda **o: layers.BatchNormalization(virtual_batch_size=2, **o),
    'MaxPooling1D': lambda **o: layers.MaxPooling1D(2, 2, **o),
    'MaxPooling2D': lambda **o: layers.MaxPooling2D(2, 2, 'same', **o),
    'MaxPooling3D': lambda **o: layers.MaxPooling3D(2, (1, 2, 2), **o),
    'AveragePooling1D': lambda **o: layers.AveragePooling1D(2, 2, **o),
    'AveragePooling2D': lambda **o: layers.AveragePooling2D(2, 1, **o),
    'AveragePooling3D': lambda **o: layers.AveragePooling3D(2, 2, 'same', **o),
    'Dropout': lambda **o: layers.Dropout(0.2, seed=4, **o),
    'Flatten': lambda **o: layers.Flatten('channels_first', **o),
}
KINDS |= {
    f'{name}, channels_first': lambda kind=kind: kind(data_format='channels_first')
    for name, kind in KINDS.items()
    if 'Conv' in name or 'Pooling' in name
}


def shape_of(name):
    return SHAPES[next((rank for rank in SHAPES if f'{rank}D' in name), 2)]


@pytest.mark.parametrize('name', KINDS)
def test_a_layer_that_is_built_by_hand_is_the_layer_that_a_call_builds(name):
    shape = shape_of(name)
    called, by_hand = KINDS[name](), KINDS[name]()
    y = called(images(*shape))
    with tf.variable_scope('outer'):
        by_hand.build((None, *shape[1:]))
    assert by_hand.built
    assert by_hand.dtype == 'float32'
    assert by_hand.scope_name.startswith('outer/')
    z = by_hand(images(*shape))
    assert [v.shape for v in by_hand.weights] == [v.shape for v in called.weights]
    assert all(v.op.name.startswith(by_hand.scope_name) for v in by_hand.weights)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        by_hand.set_weights(called.get_weights())
        np.testing.assert_array_equal(*session.run([y, z]))


@pytest.mark.parametrize('name', KINDS)
def test_the_output_shape_is_known_before_a_call(name):
    shape = shape_of(name)
    layer = KINDS[name]()
    before = tf.get_default_graph().as_graph_def()
    known = layer.compute_output_shape(shape).as_list()
    free = layer.compute_output_shape((None, *shape[1:])).as_list()
    assert tf.get_default_graph().as_graph_def() == before
    assert known == layer(images(*shape)).shape.as_list()
    # Unknown batches of virtual batch normalization are known where they are declared.
    assert free == [None, *known[1:]]


@pytest.mark.parametrize('name', KINDS)
def test_a_config_describes_the_layer(name):
    x = images(*shape_of(name))
    layer = KINDS[name]()
    layer(x)
    config = layer.get_config()
    assert json.loads(json.dumps(config)).keys() == config.keys()
    twin = type(layer).from_config(json.loads(json.dumps(config)))
    assert json.dumps(twin.get_config()) == json.dumps(config)
    y, z = layer(x), twin(x)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        twin.set_weights(layer.get_weights())
        np.testing.assert_array_equal(*session.run([y, z]))


def test_a_config_holds_names_where_there_are_some():
    layer = layers.Dense(
        3, tf.nn.relu, kernel_initializer=tf.orthogonal_initializer(gain=2.0), name='top'
    )
    config = layer.get_config()
    assert (config['units'], config['activation'], config['name']) == (3, 'relu', 'top')
    assert config['kernel_initializer']['class_name'] == 'Orthogonal'
    assert config['kernel_initializer']['config']['gain'] == 2.0
    kernel = layers.Dense.from_config(config)
    kernel.build((None, 4))
    value = run(kernel.kernel)
    np.testing.assert_allclose(value.T @ value, 4 * np.eye(3), atol=1e-5)


def test_a_layer_with_an_argument_of_its_own_must_describe_it():
    class Scaled(layers.Dense):
        def __init__(self, factor, units=2, **kwargs):
            super().__init__(units, **kwargs)
            self._factor = factor

    with pytest.raises(NotImplementedError, match='Scaled has an argument factor, .*get_config'):
        Scaled(3).compute_output_shape((None, 4))


# Weights.


def test_weights_are_read_and_set_in_the_default_session():
    layer = layers.Dense(2)
    layer(tf.ones([1, 3]))
    with pytest.raises(ValueError, match='dense_1: there is no default session'):
        layer.get_weights()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        nodes = len(tf.get_default_graph().get_operations())
        layer.set_weights([np.full([3, 2], 0.5), [1, 2]])
        kernel, bias = layer.get_weights()
        assert len(tf.get_default_graph().get_operations()) == nodes
        np.testing.assert_array_equal(kernel, np.full([3, 2], 0.5))
        np.testing.assert_array_equal(bias, [1, 2])
        wanted = r'shapes \[\(2, 3\), \(2,\)\]; they must have \[\(3, 2\), \(2,\)\]'
        with pytest.raises(ValueError, match=wanted):
            layer.set_weights([kernel.T, bias])


# Calls.


def test_a_layer_without_a_call_returns_its_input():
    x = images(2, 3)
    np.testing.assert_array_equal(run(layers.Layer()(x)), x)


def test_a_layer_knows_its_call():
    layer = layers.Flatten()
    assert layer.graph is None
    with pytest.raises(AttributeError, match='flatten_1 was called 0 times'):
        _ = layer.input
    x = tf.placeholder(tf.float32, [None, 2, 3])
    y = layer(x)
    assert (layer.input, layer.output) == (x, y)
    assert layer.graph is tf.get_default_graph()
    layer(x)
    with pytest.raises(AttributeError, match='flatten_1 was called 2 times'):
        _ = layer.output


def test_losses_and_updates_are_found_by_the_inputs_that_they_depend_on():
    layer = layers.BatchNormalization(gamma_regularizer=tf.nn.l2_loss, fused=False)
    layer.activity_regularizer = tf.reduce_sum
    x, other = tf.placeholder(tf.float32, [4, 2]), tf.placeholder(tf.float32, [4, 2])
    shifted = x + 1
    y = layer(shifted, training=True)
    layer(other, training=True)
    assert (len(layer.losses), len(layer.updates)) == (3, 4)
    assert layer.get_losses_for(None) == layer.losses[:1]
    for tensor in (x, [shifted]):
        assert layer.get_losses_for(tensor) == layer.losses[1:2]
        assert layer.get_updates_for(tensor) == layer.updates[:2]
    assert layer.get_updates_for(other) == layer.updates[2:]
    assert layer.get_updates_for([x, other]) == layer.updates
    assert layer.get_losses_for(y) == layer.losses[1:2]
    assert layer.get_updates_for(y) == layer.get_updates_for(None) == []


def test_a_call_with_a_scope_argument_gets_the_scope():
    class Cell(layers.Layer):
        def call(self, inputs, scope=None):
            with tf.variable_scope(scope):
                return inputs * tf.get_variable('factor', [], initializer=tf.ones_initializer())

    Cell(name='cell')(tf.ones([2]))
    assert [v.op.name for v in tf.global_variables()] == ['cell/factor']


def test_a_mask_passes_through_layers_that_support_it():
    mask = tf.constant([True, False])
    assert layers.Dense(2).compute_mask(None, mask) is mask
    assert layers.Conv2D(2, 2).compute_mask(None) is None
    with pytest.raises(TypeError, match='conv2d_2 got a mask; a Conv2D supports none'):
        layers.Conv2D(2, 2).compute_mask(None, mask)


def test_a_copy_shares_the_variables():
    layer = layers.Dense(2, name='top')
    x = images(3, 4)
    y = layer(x)
    twin = copy.deepcopy(layer)
    z = twin(x)
    assert twin.weights == layer.weights
    assert (twin.name, twin.scope_name) == ('top', 'top')
    assert len(twin._calls) == 2
    assert len(layer._calls) == 1
    np.testing.assert_array_equal(*run([y, z]))


@pytest.mark.parametrize('keras', ['keras', 'tf_keras'])
def test_an_input_spec_of_keras_is_understood(keras):
    spec = pytest.importorskip(keras).layers.InputSpec

    def layer(**wanted):
        made = layers.Layer()
        made.input_spec = spec(**wanted)
        return made

    x = tf.ones([2, 3])
    assert layer(ndim=2, axes={-1: 3})(x).shape == (2, 3)
    with pytest.raises(ValueError, match=r'input is \(2, 3\); expected min_ndim=3, found ndim=2'):
        layer(min_ndim=3)(x)
    with pytest.raises(ValueError, match=r'expected shape=\(None, 4\), found \(2, 3\)'):
        layer(shape=(None, 4))(x)
    with pytest.raises(ValueError, match='expected dtype=float64, found float32'):
        layer(dtype='float64')(x)


def test_weights_with_one_initial_value_are_set_apart():
    shared = tf.ones([2])
    layer = layers.Layer()
    for name in ('a', 'b'):
        layer.add_weight(name, [2], initializer=lambda *_, **__: shared)
    with tf.Session().as_default():
        layer.set_weights([[1, 2], [3, 4]])
        np.testing.assert_array_equal(layer.get_weights(), [[1, 2], [3, 4]])


def test_the_shape_of_inputs_may_be_given_as_in_tf1():
    shapes = {'input_shape': (4,), 'batch_input_shape': (None, 4), 'input_dim': 4, 'batch_size': 2}
    for name, value in shapes.items():
        assert layers.Dense(3, **{name: value})(tf.ones([2, 4])).shape == (2, 3)
    with pytest.raises(TypeError, match='Dense got an unknown argument, weights'):
        layers.Dense(3, weights=[])


# Keras style and eager execution.


def test_layers_of_the_keras_style_share_nothing():
    def model():
        with tf.variable_scope('model', reuse=tf.AUTO_REUSE):
            return layers.dense(tf.ones([2, 3]), 2, use_bias=False)

    model(), model()
    with layers.experimental.keras_style_scope():
        model(), model()
        with tf.name_scope('here'):
            own = layers.Dense(2, name='top')
            own(own(tf.ones([2, 2])))
        with pytest.raises(ValueError, match="scope is 'a', reuse is None; both must be None"):
            layers.dense(tf.ones([2, 3]), 2, name='a')
    layers.dense(tf.ones([2, 3]), 2, use_bias=False)
    assert [v.op.name for v in tf.global_variables()] == [
        'model/dense/kernel',
        'model_2/dense_3/kernel',
        'model_3/dense_4/kernel',
        'here/top/kernel',
        'here/top/bias',
        'dense/kernel',
    ]


def test_a_layer_of_the_keras_style_takes_no_scope():
    class Doubled(layers.Layer):
        def call(self, inputs, scope=None):
            assert scope is None
            late = self.add_weight(f'late_{len(self.weights)}', [], initializer='ones')
            return 2 * inputs * late

    with layers.experimental.keras_style_scope():
        layer = Doubled()
        layer.add_weight('early', [2])
    # The style is that of the layer, not of the call.
    y = layer(layer(tf.ones([2])))
    names = ['early', 'doubled_1/late_1', 'doubled_1_1/late_2']
    assert [v.op.name for v in layer.weights] == names
    assert all(hasattr(v, 'handle') for v in layer.weights)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(y), [4, 4])
    with pytest.raises(ValueError, match="doubled_1: scope is 'other', reuse is None; both must"):
        layer(tf.ones([2]), scope='other')


EAGER = """
import numpy as np
import tensorflow.compat.v1 as tf
from tfae import layers

x = np.ones([4, 3], np.float32)
layer = layers.Dense(2, kernel_regularizer=tf.nn.l2_loss, activity_regularizer=tf.reduce_sum)
normalize = layers.BatchNormalization(momentum=0.5)
for _ in range(2):
    y = normalize(layer(x), training=True)
assert len(layer.variables) == 2 and len(layer.losses) == 2 and y.shape == (4, 2)
with tf.GradientTape() as tape:
    loss = layer.losses[0]
kernel = layer.kernel.numpy()
np.testing.assert_allclose(tape.gradient(loss, layer.kernel), kernel, rtol=1e-6)
np.testing.assert_allclose(normalize.moving_mean, 0.75 * kernel.sum(0), rtol=1e-5)
layer.set_weights([2 * kernel, [1, 2]])
np.testing.assert_allclose(layer(x)[0], 2 * kernel.sum(0) + [1, 2], rtol=1e-5)
np.testing.assert_array_equal(layer.get_weights()[0], 2 * kernel)
"""


def test_layer_objects_run_eagerly():
    environment = {'PYTHONPATH': str(pathlib.Path(__file__).parents[2]), 'CUDA_VISIBLE_DEVICES': ''}
    done = subprocess.run(
        [sys.executable, '-c', EAGER],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


# The graphs of tfae itself.


@pytest.mark.filterwarnings('ignore:the run learned nothing')
def test_a_run_has_resource_variables_in_a_tf1_process_too(reference_variables, tmp_path):
    pixels = np.random.RandomState(0).uniform(size=[40, 4, 4, 1]).astype(np.float32)

    def trained(name):
        options = {'units': (6,), 'batch_normalization': True, 'epochs': 1, 'batch_size': 10}
        run = tfae.fit('variational', pixels, logdir=tmp_path / name, **options)
        with run, run.graph.as_default():
            kinds = {hasattr(v, 'handle') for v in tf.global_variables()}
        data = sorted((tmp_path / name).rglob('*.data-*'))
        return kinds, [path.read_bytes() for path in data]

    tf1 = trained('tf1')
    tf.enable_resource_variables()
    assert tf1 == trained('tf2')
    assert tf1[0] == {True}
    assert tf1[1]
