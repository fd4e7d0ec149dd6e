"""`contrib.layers`, `contrib.slim` and `contrib.framework` by TF1's names and numpy's values."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae.compat
from tfae.compat import importer

tfae.compat.install(v1_behavior=False)
layers, slim, framework = tf.contrib.layers, tf.contrib.slim, tf.contrib.framework
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(4, 6, 6, 2)).astype(np.float32)
X = RANDOM.normal(size=(8, 3)).astype(np.float32)


def run(build, *inputs):
    """Returns what `build` returns, and the variables by name."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        built = build(*map(tf.constant, inputs))
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        variables = {v.op.name: v for v in tf.global_variables()}
        values = session.run(variables)
        return session.run(built), values


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph):
        yield graph


def test_fully_connected_and_linear():
    def build(x):
        return (
            layers.fully_connected(x, 4),
            layers.linear(x, 5),
            slim.fully_connected(x, 2, scope='s'),
        )

    (relu, linear, scoped), v = run(build, X)
    names = ['fully_connected', 'fully_connected_1', 's']
    assert list(v) == [f'{name}/{w}' for name in names for w in ('weights', 'biases')]
    np.testing.assert_allclose(
        relu, np.maximum(X @ v['fully_connected/weights'], 0), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(linear, X @ v['fully_connected_1/weights'], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scoped, np.maximum(X @ v['s/weights'], 0), rtol=1e-5, atol=1e-6)


def test_convolutions_pools_and_flatten():
    def build(x):
        one = layers.conv2d(x, 3, [1, 1])
        up = layers.conv2d_transpose(x, 3, [2, 2], stride=2, activation_fn=None)
        return {
            'one': one,
            'up': up,
            'same': layers.convolution2d(x, 3, 1, scope='Conv', reuse=True),
            'max': layers.max_pool2d(x, 2),
            'mean': layers.avg_pool2d(x, 2),
            'flat': layers.flatten(x),
            'kept': layers.dropout(x, is_training=False),
            'softmax': layers.softmax(x),
            'hot': layers.one_hot_encoding([1, 0], 3),
        }

    out, v = run(build, IMAGES)
    assert list(v) == [
        f'{n}/{w}' for n in ('Conv', 'Conv2d_transpose') for w in ('weights', 'biases')
    ]
    np.testing.assert_allclose(
        out['one'], np.maximum(IMAGES @ v['Conv/weights'][0, 0], 0), rtol=1e-4
    )
    np.testing.assert_array_equal(out['one'], out['same'])
    blocks = np.einsum('nhwi,abci->nhawbc', IMAGES, v['Conv2d_transpose/weights'])
    np.testing.assert_allclose(out['up'], blocks.reshape(4, 12, 12, 3), rtol=1e-4, atol=1e-6)
    tiles = IMAGES.reshape(4, 3, 2, 3, 2, 2)
    np.testing.assert_array_equal(out['max'], tiles.max((2, 4)))
    np.testing.assert_allclose(out['mean'], tiles.mean((2, 4)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(out['flat'], IMAGES.reshape(4, -1))
    np.testing.assert_array_equal(out['kept'], IMAGES)
    np.testing.assert_allclose(out['softmax'].sum(-1), 1, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(out['hot'], np.eye(3)[[1, 0]])


@pytest.mark.parametrize('options', [{}, {'scale': True}, {'scale': True, 'fused': False}])
def test_batch_norm(options, graph):
    """Defaults: no gamma, momentum 0.999, epsilon 0.001, updates in `UPDATE_OPS`."""
    session = tf.get_default_session()
    x = tf.placeholder(tf.float32, [None, 6, 6, 2])
    training = tf.placeholder_with_default(True, [])
    assert slim.batch_norm is layers.batch_norm
    y = layers.batch_norm(x, is_training=training, **options)
    weights = {'BatchNorm/beta', *['BatchNorm/gamma'] * ('scale' in options)}
    moving = {'BatchNorm/moving_mean', 'BatchNorm/moving_variance'}
    assert {v.op.name for v in tf.global_variables()} == weights | moving
    assert {v.op.name for v in tf.trainable_variables()} == weights
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert len(updates) == 2
    session.run(tf.global_variables_initializer())
    mean, variance = IMAGES.mean((0, 1, 2)), IMAGES.var((0, 1, 2))
    got, *_ = session.run([y, *updates], {x: IMAGES})
    wanted = (IMAGES - mean) / np.sqrt(variance + 0.001)
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)
    moving = {v.op.name: v for v in tf.global_variables()}
    moved = session.run([moving['BatchNorm/moving_mean'], moving['BatchNorm/moving_variance']])
    unbiased = variance * (144 / 143 if options.get('fused', True) else 1)
    np.testing.assert_allclose(moved[0], 0.001 * mean, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(moved[1], 0.999 + 0.001 * unbiased, rtol=1e-5, atol=1e-6)
    still = session.run(y, {x: IMAGES, training: False})
    wanted = (IMAGES - moved[0]) / np.sqrt(moved[1] + 0.001)
    np.testing.assert_allclose(still, wanted, rtol=1e-3, atol=1e-5)


def test_batch_norm_updates_in_place(graph):
    session = tf.get_default_session()
    y = layers.batch_norm(tf.constant(X), updates_collections=None, decay=0.5)
    session.run(tf.global_variables_initializer())
    session.run(y)
    mean = session.run(tf.global_variables('.*mean')[0])
    np.testing.assert_allclose(mean, X.mean(0) / 2, rtol=1e-4, atol=1e-7)


def test_layer_norm_and_instance_norm():
    def build(x):
        return layers.layer_norm(x), layers.instance_norm(x), layers.group_norm(x, groups=1)

    (by_image, by_channel, grouped), v = run(build, IMAGES)
    scopes = ('LayerNorm', 'InstanceNorm', 'GroupNorm')
    assert list(v) == [f'{scope}/{name}' for scope in scopes for name in ('beta', 'gamma')]

    def normal(axes):
        centered = IMAGES - IMAGES.mean(axes, keepdims=True)
        return centered / IMAGES.std(axes, keepdims=True)

    np.testing.assert_allclose(by_image, normal((1, 2, 3)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(by_channel, normal((1, 2)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(grouped, normal((1, 2, 3)), rtol=1e-3, atol=1e-4)


def test_initializers():
    def build():
        shape = [200, 100]
        return [
            tf.get_variable('a', shape, initializer=layers.xavier_initializer()),
            tf.get_variable('b', shape, initializer=layers.xavier_initializer(uniform=False)),
            tf.get_variable('c', shape, initializer=layers.variance_scaling_initializer()),
            tf.get_variable('d', [5, 5, 20, 30], initializer=layers.xavier_initializer_conv2d()),
        ]

    (a, b, c, d), _ = run(build)
    for values, std in (
        (a, (2 / 300) ** 0.5),
        (b, (2 / 300) ** 0.5),
        (c, 0.1),
        (d, (2 / 1250) ** 0.5),
    ):
        assert values.std() == pytest.approx(std, rel=0.03)
    assert abs(a).max() <= (6 / 300) ** 0.5 < abs(b).max() * 1.2


def test_regularizers(graph):
    w = tf.constant(X)
    both = layers.sum_regularizer([layers.l1_regularizer(0.1), layers.l2_regularizer(0.2)])
    got = [
        layers.l1_regularizer(0.1)(w),
        layers.l2_regularizer(0.2)(w),
        both(w),
        layers.l1_l2_regularizer(0.1, 0.2)(w),
        layers.apply_regularization(layers.l2_regularizer(0.2), [w]),
    ]
    l1, l2 = 0.1 * abs(X).sum(), 0.1 * (X**2).sum()
    values = tf.get_default_session().run(got)
    np.testing.assert_allclose(values, [l1, l2, l1 + l2, l1 + l2, l2], rtol=1e-5, atol=1e-6)
    assert tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES) == [got[-1]]
    layers.fully_connected(w, 2, weights_regularizer=layers.l2_regularizer(0.2))
    _, loss = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert loss.op.name == 'fully_connected/kernel/Regularizer/l2_regularizer'


def test_embed_sequence():
    ids = np.array([[1, 0, 1], [2, 2, 0]], np.int32)

    def build(ids):
        first = layers.embed_sequence(ids, 3, 4)
        shared = layers.embed_sequence(ids, unique=True, scope='EmbedSequence', reuse=True,
                                       vocab_size=3, embed_dim=4)  # fmt: skip
        return first, shared

    (first, shared), v = run(build, ids)
    assert list(v) == ['EmbedSequence/embeddings']
    np.testing.assert_array_equal(first, v['EmbedSequence/embeddings'][ids])
    np.testing.assert_array_equal(shared, first)
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match='embed_sequence: vocab_size'):
            layers.embed_sequence(tf.constant(ids))
        layers.embed_sequence(tf.constant(ids), 3, 4, scope='table')
        for sizes in ((None, None), (3, None), (None, 4)):
            again = layers.embed_sequence(tf.constant(ids), *sizes, scope='table', reuse=True)
            assert again.shape == (2, 3, 4)
        assert [v.op.name for v in framework.get_model_variables()] == ['table/embeddings']


def test_safe_embedding_lookup_sparse(graph):
    ids = tf.SparseTensor([[0, 0], [0, 1]], tf.constant([0, 2], tf.int64), [2, 2])
    got = layers.safe_embedding_lookup_sparse([tf.constant(X)], ids)
    wanted = [(X[0] + X[2]) / 2, np.zeros(3)]
    np.testing.assert_allclose(tf.get_default_session().run(got), wanted, rtol=1e-5, atol=1e-6)


def test_optimize_loss_counts_steps_and_descends(graph):
    session = tf.get_default_session()
    w = tf.get_variable('w', initializer=3.0)
    step = framework.get_or_create_global_step()
    train = layers.optimize_loss(w**2, step, learning_rate=0.1, optimizer='SGD')
    session.run(tf.global_variables_initializer())
    assert session.run(train) == pytest.approx(9)
    assert session.run([w, step]) == [pytest.approx(3 - 0.1 * 6), 1]


def test_arg_scopes_nest(graph):
    """The inner scope adds to the outer one; a call's own argument comes first."""
    none = {'weights_initializer': tf.ones_initializer(), 'biases_initializer': None}
    with slim.arg_scope([slim.fully_connected], activation_fn=None, **none):
        plain = slim.fully_connected(tf.constant(X), 1)
        with slim.arg_scope([slim.fully_connected, slim.conv2d], activation_fn=tf.nn.relu) as scope:
            relu = slim.fully_connected(tf.constant(X), 1)
            own = slim.fully_connected(tf.constant(X), 1, activation_fn=tf.nn.tanh)
        outside = slim.fully_connected(tf.constant(X), 1)
    with framework.arg_scope(scope):
        again = layers.fully_connected(tf.constant(X), 1)
    session = tf.get_default_session()
    session.run(tf.global_variables_initializer())
    total = X.sum(1, keepdims=True)
    wanted = [total, np.maximum(total, 0), np.tanh(total), total, np.maximum(total, 0)]
    for got, value in zip(session.run([plain, relu, own, outside, again]), wanted, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-6)

    @framework.add_arg_scope
    def mine(x, scale=1):
        return x * scale

    with slim.arg_scope([mine], scale=5):
        assert mine(2) == 10 and mine(2, scale=3) == 6
    assert mine(2) == 2
    assert framework.has_arg_scope(mine) and slim.add_arg_scope is framework.add_arg_scope


def test_slim_builds_networks_of_repeats_and_stacks(graph):
    x = slim.repeat(tf.constant(IMAGES), 2, slim.conv2d, 3, [3, 3], scope='conv1')
    x = slim.stack(slim.flatten(x), slim.fully_connected, [4, 2], scope='fc')
    assert x.shape == (4, 2)
    scopes = ('conv1/conv1_1', 'conv1/conv1_2', 'fc/fc_1', 'fc/fc_2')
    names = [f'{scope}/{w}' for scope in scopes for w in ('weights', 'biases')]
    assert [v.op.name for v in slim.get_model_variables()] == names
    assert [v.op.name for v in slim.get_variables('fc')] == names[4:]
    assert [v.op.name for v in slim.get_variables_by_name('biases')] == names[1::2]
    assert framework.get_variables('conv1')[0].op.name == names[0]
    sizes = slim.model_analyzer.analyze_vars(slim.get_model_variables())
    numbers = [3 * 3 * 2 * 3, 3, 3 * 3 * 3 * 3, 3, 108 * 4, 4, 8, 2]
    assert sizes == (sum(numbers), 4 * sum(numbers))
    ends = {}
    y, ends = slim.nets.alexnet.alexnet_v2(tf.zeros([1, 224, 224, 3]), 10)
    assert y.shape == (1, 10) and 'alexnet_v2/conv1' in ends
    with tf.Graph().as_default():
        y = slim.conv2d(tf.constant(IMAGES), 2, 1, outputs_collections='ends')
        assert slim.utils.convert_collection_to_dict('ends') == {'Conv': y}


def test_slim_trains(graph, tmp_path):
    """`losses`, `learning.create_train_op`, update operations and `learning.train` as one."""
    y = slim.batch_norm(slim.fully_connected(tf.constant(X), 1, activation_fn=None))
    slim.losses.mean_squared_error(y, tf.zeros([8, 1]))
    total = slim.losses.get_total_loss()
    train = slim.learning.create_train_op(total, tf.train.GradientDescentOptimizer(0.1))
    final = slim.learning.train(train, str(tmp_path), number_of_steps=3, log_every_n_steps=10)
    reader = tf.train.load_checkpoint(str(tmp_path))
    assert reader.get_tensor('global_step') == 3
    assert np.any(reader.get_tensor('BatchNorm/moving_mean'))
    assert final == pytest.approx(1, abs=0.05)
    with tf.Graph().as_default(), tf.Session() as session:
        weights = slim.model_variable('fully_connected/weights', [3, 1])
        slim.assign_from_checkpoint_fn(tf.train.latest_checkpoint(str(tmp_path)), [weights])(
            session
        )
        wanted = reader.get_tensor('fully_connected/weights')
        np.testing.assert_array_equal(session.run(weights), wanted)


def test_framework(graph, tmp_path):
    session = tf.get_default_session()
    with tf.name_scope('outer'), tf.variable_scope('inner'):
        assert framework.get_name_scope() == 'outer/inner'
    a = framework.model_variable('a', [2], initializer=tf.ones_initializer())
    step = framework.create_global_step()
    assert framework.get_global_step() is step
    assert framework.get_model_variables() == [a]
    assert framework.filter_variables([a, step], ['^a']) == [a]
    session.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(session, str(tmp_path / 'model'))
    assert framework.list_variables(path) == [('a', [2]), ('global_step', [])]
    np.testing.assert_array_equal(framework.load_variable(path, 'a'), [1, 1])
    assert framework.load_checkpoint(path).get_tensor('global_step') == 0
    b = tf.get_variable('b', [2])
    framework.init_from_checkpoint(path, {'a': b})
    session.run(b.initializer)
    np.testing.assert_array_equal(session.run(b), [1, 1])
    assert framework.is_tensor(b) and not framework.is_tensor(1)
    nest = importer.find('contrib.framework').nest
    assert nest.flatten([1, (2, 3)]) == [1, 2, 3] and nest.is_sequence([1])
    assert not nest.is_sequence(tf.constant([1]))
    assert nest.map_structure_up_to([0, 0], sum, [[1, 2], (3, 4)]) == [3, 7]
    assert nest.flatten_dict_items({(4, (6, 8)): ('a', ('b', 'c')), 9: (1,)}) == {
        4: 'a', 6: 'b', 8: 'c', 9: (1,)
    }  # fmt: skip
    nest.assert_shallow_structure([0, 0], [[1, 2], 3])
    for fails, kind in (
        (lambda: nest.assert_shallow_structure([0, 0], [1]), ValueError),
        (lambda: nest.flatten_dict_items({(1, 2): (3, 4), 2: 5}), ValueError),
        (lambda: nest.flatten_dict_items([]), TypeError),
    ):
        with pytest.raises(kind):
            fails()
    assert framework.smart_cond(True, lambda: 1, lambda: 2) == 1
    got = framework.smart_cond(tf.placeholder_with_default(False, []), lambda: 1, lambda: 2)
    assert session.run(got) == 2
    assert framework.smart_constant_value(tf.constant(True)) == np.True_
    np.testing.assert_array_equal(session.run(framework.sort([3, 1, 2])), [1, 2, 3])
    np.testing.assert_array_equal(session.run(framework.argsort([3, 1, 2])), [1, 2, 0])
    (doubled,) = session.run(framework.py_func(lambda x: 2 * x, [tf.constant(2)], [tf.int32]))
    assert doubled == 4
    assert framework.assert_scalar(tf.constant(1)).shape == ()
    assert framework.TensorSpec([2], tf.float32).shape == (2,)
    section = framework.CriticalSection()
    assert session.run(section.execute(lambda: tf.constant(5))) == 5


def test_framework_variables(graph):
    local = framework.local_variable([1, 2], name='local')
    whole = framework.global_variable(3, name='whole')
    assert framework.get_local_variables() == [local] and tf.global_variables() == [whole]
    session = tf.get_default_session()
    session.run([local.initializer, whole.initializer])
    assert session.run(local).tolist() == [1, 2] and session.run(whole) == 3


def test_reversible_blocks(graph):
    """The gradients of a block that recomputes its inputs are those of its functions."""
    dense = lambda x: layers.fully_connected(x, 2, activation_fn=tf.tanh)  # noqa: E731
    x1, x2 = tf.constant(X[:, :2]), tf.constant(X[:, 1:])
    y1, y2 = layers.rev_block(x1, x2, dense, dense, num_layers=1)
    v = tf.trainable_variables()
    assert len(v) == 4
    z1 = x1 + tf.tanh(x2 @ v[0] + v[1])
    z2 = x2 + tf.tanh(z1 @ v[2] + v[3])
    got, wanted = tf.gradients(y1 * y2, [x1, x2, *v]), tf.gradients(z1 * z2, [x1, x2, *v])
    session = tf.get_default_session()
    session.run(tf.global_variables_initializer())
    for a, b in zip(*session.run([[y1, y2, *got], [z1, z2, *wanted]]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_deep_imports_of_files():
    from tensorflow.contrib.framework.python.ops import add_arg_scope, variables
    from tensorflow.contrib.layers.python.layers import batch_norm, initializers, utils
    from tensorflow.contrib.layers.python.layers import layers as file
    from tensorflow.contrib.layers.python.layers.regularizers import l2_regularizer
    from tensorflow.contrib.slim.python.slim.nets import vgg

    assert batch_norm is file.batch_norm is layers.batch_norm
    assert l2_regularizer is layers.l2_regularizer
    assert initializers.xavier_initializer is layers.xavier_initializer
    assert utils.two_element_tuple(3) == (3, 3)
    assert layers.normalization.instance_norm is layers.instance_norm
    assert layers.regularizers.l2_regularizer is layers.l2_regularizer
    assert layers.optimizers.optimize_loss is layers.optimize_loss
    assert layers.summaries.summarize_tensor is layers.summarize_tensor
    assert add_arg_scope is slim.add_arg_scope
    assert variables.model_variable is slim.model_variable
    assert vgg.vgg_16 is slim.nets.vgg.vgg_16
    assert tf.contrib.layers.python.layers.initializers is initializers
    import tf_slim

    assert tf_slim.conv2d is slim.conv2d is layers.conv2d
