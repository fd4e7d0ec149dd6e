"""The layers of graphs of many kinds: whose variables, in which order, of which shape."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.analysis import layer_graph


def variable(*shape):
    return tf.Variable(np.ones(shape, np.float32))


def found(build):
    """`(name, what it does, shape, parameters, inputs)` of each layer of a graph."""
    with tf.Graph().as_default() as graph:
        build()
    return shown(layer_graph.find(graph))


def shown(layers):
    return [
        (
            layer.name,
            ' '.join([layer.kind, *layer.steps]),
            layer.shape,
            sum(layer.variables.values()),
            layer.inputs,
        )
        for layer in layers
    ]


def tutorial():
    """The network of TF1's tutorial, with variables without scopes, loss, metric and optimizer."""
    x = tf.placeholder(tf.float32, [None, 8, 8, 1], 'x')
    y = tf.placeholder(tf.float32, [None, 3], 'y')
    keep = tf.placeholder(tf.float32, name='keep')
    h = tf.nn.conv2d(x, variable(5, 5, 1, 4), 1, 'SAME') + variable(4)
    h = tf.nn.max_pool2d(tf.nn.relu(h), 2, 2, 'SAME')
    h = tf.nn.relu(tf.reshape(h, [-1, 64]) @ variable(64, 6) + variable(6))
    logits = tf.nn.dropout(h, keep) @ variable(6, 3) + variable(3)
    p = tf.nn.softmax(logits)
    weights = tf.add_n([tf.nn.l2_loss(v) for v in tf.trainable_variables()])
    loss = tf.reduce_mean(-tf.reduce_sum(y * tf.log(p), 1)) + 0.1 * weights
    correct = tf.equal(tf.argmax(p, 1), tf.argmax(y, 1))
    tf.summary.scalar('accuracy', tf.reduce_mean(tf.cast(correct, tf.float32)))
    rate = tf.train.exponential_decay(0.1, tf.train.get_or_create_global_step(), 10, 0.9)
    tf.train.AdamOptimizer(rate).minimize(loss)
    tf.train.Saver()
    return p


def test_a_network_without_scopes_that_is_trained():
    assert found(tutorial) == [
        ('x', 'input', (8, 8, 1), 0, ()),
        ('Variable', 'convolution 5 × 5 relu', (8, 8, 4), 104, (0,)),
        ('MaxPool2d', 'max pooling 2 × 2 / 2', (4, 4, 4), 0, (1,)),
        ('Variable_2', 'dense relu', (6,), 390, (2,)),
        ('dropout', 'dropout', (6,), 0, (3,)),
        ('Variable_4', 'dense softmax', (3,), 21, (4,)),
    ]


@pytest.mark.parametrize(
    'window, form, what, shape',
    [
        ([1, 1], 'NHWC', 'max pooling 1 × 1 / 2', (3, 2, 2)),
        ([1, 3], 'NHWC', 'max pooling 1 × 3 / 2', (3, 2, 2)),
        ([3, 1], 'NCHW', 'max pooling 3 × 1 / 2', (6, 2, 1)),
    ],
)
def test_each_side_of_a_window_is_shown(window, form, what, shape):
    def build():
        x = tf.placeholder(tf.float32, [None, 6, 4, 2], 'x')
        h = tf.nn.max_pool2d(x, window, 2, 'SAME', form)
        layers.dense(tf.reshape(h, [-1, 12]), 3, name='a')

    assert found(build)[1][1:3] == (what, shape)


def test_statistics_are_no_parameters_and_frozen_kernels_are():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        h = layers.dense(x, 5, use_bias=False, name='a', trainable=False)
        h = layers.batch_normalization(h, training=True, name='b')
        layers.dense(h, 3, name='c')

    counts = {name: parameters for name, _, _, parameters, _ in found(build)}
    with tf.Graph().as_default() as graph:
        build()
    with tf.Graph().as_default() as bare:  # as a .pb file: without collections
        tf.import_graph_def(graph.as_graph_def(), name='')
    assert sum(counts.values()) == 20 + 10 + 18
    assert {layer.name: sum(layer.variables.values()) for layer in layer_graph.find(bare)} == counts


def test_a_frozen_graph_has_the_same_layers():
    with tf.Graph().as_default() as graph, tf.Session() as session:
        p = tutorial()
        session.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [p.op.name]
        )
    with tf.Graph().as_default() as other:
        tf.import_graph_def(frozen, name='')
    wanted, came = layer_graph.find(graph), layer_graph.find(other)
    assert [layer.kind for layer in came] == [layer.kind for layer in wanted]
    assert [layer.variables for layer in came] == [layer.variables for layer in wanted]


def test_branches_meet_in_a_sum_and_moving_means_are_no_parameters():
    def build():
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], 'x')
        training = tf.placeholder(tf.bool, [], 'training')
        with tf.variable_scope('net'):
            h = layers.conv2d(x, 4, 3, padding='same', use_bias=False, name='a')
            h = layers.batch_normalization(h, training=training, name='a_norm')
            short = layers.conv2d(x, 4, 1, 2, name='short')
            h = layers.conv2d(tf.nn.relu(h), 4, 3, 2, padding='same', name='b')
            tf.nn.relu(h + short)
            layers.dense(layers.flatten(tf.nn.relu(h + short)), 5, name='last')

    assert found(build) == [
        ('x', 'input', (6, 6, 2), 0, ()),
        ('net/a', 'convolution 3 × 3 norm relu', (6, 6, 4), 72 + 8, (0,)),
        ('net/short', 'convolution 1 × 1', (3, 3, 4), 12, (0,)),
        ('net/b', 'convolution 3 × 3 / 2', (3, 3, 4), 148, (1,)),
        ('net', 'sum relu', (3, 3, 4), 0, (3, 2)),
        ('net/last', 'dense', (5,), 185, (4,)),
    ]


def test_layers_that_share_variables_are_apart():
    def build():
        one, other = (tf.placeholder(tf.float32, [None, 4], name) for name in ('one', 'other'))
        h = [layers.dense(x, 3, tf.nn.tanh, name='d', reuse=tf.AUTO_REUSE) for x in (one, other)]
        layers.dense(tf.concat(h, 1), 2, name='both')

    assert found(build) == [
        ('one', 'input', (4,), 0, ()),
        ('other', 'input', (4,), 0, ()),
        ('d', 'dense tanh', (3,), 15, (0,)),
        ('d', 'dense tanh', (3,), 15, (1,)),
        ('concat', 'concatenation', (6,), 0, (2, 3)),
        ('both', 'dense', (2,), 14, (4,)),
    ]


def test_noise_groups_and_separable_layers():
    def build():
        z = tf.random.normal([7, 16])
        h = layers.dense(z, 32, name='first')
        h = layers.separable_conv2d(tf.reshape(h, [-1, 4, 4, 2]), 6, 3, name='pair')
        kernels = tf.split(tf.get_variable('groups/kernel', [1, 1, 3, 4]), 2, 3)
        parts = zip(tf.split(h, 2, 3), kernels, strict=True)
        with tf.name_scope('groups'):
            h = tf.concat([tf.nn.conv2d(x, k, 1, 'VALID') for x, k in parts], 3)
        layers.dense(layers.flatten(h), 1, name='last')

    assert found(build) == [
        ('random_normal', 'noise', (16,), 0, ()),
        ('first', 'dense', (32,), 544, (0,)),
        ('pair', 'separable convolution 3 × 3', (2, 2, 6), 18 + 12 + 6, (1,)),
        ('groups', 'convolution 1 × 1', (2, 2, 4), 12, (2,)),
        ('last', 'dense', (1,), 17, (3,)),
    ]


def test_only_a_convolution_becomes_a_sub_pixel_convolution():
    def build():
        x = layers.conv2d(tf.placeholder(tf.float32, [None, 8, 8, 3]), 4, 1, name='first')
        x = tf.nn.avg_pool2d(tf.nn.depth_to_space(x, 2), 2, 2, 'VALID')
        layers.dense(layers.flatten(tf.nn.depth_to_space(tf.tile(x, [1, 1, 1, 4]), 2)), 1)

    assert [layer[1] for layer in found(build)] == [
        'input',
        'sub-pixel convolution 1 × 1',
        'average pooling 2 × 2 / 2',
        'dense',
    ]


def test_the_shape_of_a_last_layer_is_that_of_its_reshaped_outputs():
    def build():
        h = layers.dense(tf.placeholder(tf.float32, [None, 4]), 12)
        tf.identity(h)
        tf.identity(tf.reshape(h, [-1, 3, 4]))

    assert found(build)[-1][2] == (3, 4)


def test_a_graph_without_layers_has_none():
    assert found(lambda: tf.nn.relu(tf.placeholder(tf.float32, [None, 3]))) == []
    assert found(lambda: tf.reduce_sum(variable(3))) == []


def blocks():
    """Three residual blocks, the layers of each in a scope of its own."""
    h = tf.placeholder(tf.float32, [None, 4], 'x')
    for k in range(3):
        with tf.variable_scope(f'net/block_{k}'):
            h = h + layers.dense(layers.dense(h, 4, tf.nn.relu, name='a'), 4, name='b')
    layers.dense(h, 2, name='net/last')


def test_layers_merge_by_scope():
    with tf.Graph().as_default() as graph:
        blocks()
    whole = layer_graph.find(graph)
    assert len(whole) == 11
    assert shown(layer_graph.collapsed(whole, 2)) == [
        ('x', 'input', (4,), 0, ()),
        ('net/block_0', '2 layers', (4,), 40, (0,)),
        ('net/block_1', '2 layers', (4,), 40, (1,)),
        ('net/block_2', '2 layers', (4,), 40, (2,)),
        ('net/last', 'dense', (2,), 10, (3,)),
    ]
    assert [layer.kind for layer in layer_graph.collapsed(whole, 1)] == ['input', '7 layers']
    assert shown(layer_graph.collapsed(whole, 9)) == shown(whole)


def test_a_path_through_another_scope_keeps_layers_apart():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        a = layers.dense(x, 4, name='one/a')
        b = layers.dense(a, 4, name='two/b')
        with tf.name_scope('one/'):
            layers.dense(a + b, 4, name='one/c')

    with tf.Graph().as_default() as graph:
        build()
    merged = layer_graph.collapsed(layer_graph.find(graph), 1)
    assert [layer.inputs for layer in merged] == [(), (0,), (1,), (1, 2)]


@pytest.mark.parametrize('shape, size', [(None, None), ((3, None), None), ((), 1), ((2, 3), 6)])
def test_the_size_of_a_shape(shape, size):
    assert layer_graph.size(shape) == size


def test_a_scatter_of_values_is_a_function_of_them():
    """Unpooling as in SegNet: what comes after it is in the graph too."""

    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        h = x @ variable(4, 3)
        h = tf.scatter_nd([[0], [2]], tf.reshape(h, [2, 3]), [4, 3])
        h = tf.tensor_scatter_nd_update(h, [[1]], tf.zeros([1, 3]))
        return tf.identity(h @ variable(3, 2))

    assert [(name, of, inputs) for name, of, _, _, inputs in found(build)] == [
        ('x', 'input', ()),
        ('Variable', 'dense', (0,)),
        ('Variable_1', 'dense', (1,)),
    ]


def test_noise_of_a_generator_of_earlier_versions_is_noise():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        mean = tf.random.shuffle(x @ variable(4, 3))
        state = tf.Variable(np.zeros(3, np.int64), use_resource=True).handle
        words = {'resource': state, 'algorithm': np.int64(1), 'shape': [2, 3]}
        noise = tf.raw_ops.StatefulStandardNormalV2(**words, dtype=tf.float32)
        other = tf.raw_ops.StatefulUniform(**words, dtype=tf.float32)
        return (mean + noise + other) @ variable(3, 2)

    assert [(of, inputs) for _, of, _, _, inputs in found(build)] == [
        ('input', ()),
        ('dense', (0,)),
        ('noise', (1,)),
        ('dense', (2,)),
    ]


def test_functions_of_functions_are_merged_in_linear_time():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        a, b = x @ variable(4, 4), x @ variable(4, 4)
        for _ in range(400):
            a, b = a * b, a + b
        return (a + b) @ variable(4, 2)

    assert [of for _, of, _, _, _ in found(build)] == [
        'input', 'dense', 'dense', 'function', 'dense',
    ]  # fmt: skip
