"""What images become in a graph, and its units."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.analysis import units
from tfae.core import errors

RANDOM = np.random.RandomState(0)


def network(scope='seen/'):
    """`images, outputs` of two convolutions, the second strided and pooled, and a dense layer."""
    with tf.name_scope(scope):
        images = tf.placeholder(tf.float32, [None, 8, 8, 2], 'images')
        noise = tf.placeholder(tf.float32, [None, 8, 8, 2], 'noise')
        with tf.name_scope('first'):
            kernel = tf.constant(RANDOM.normal(size=[3, 3, 2, 3]), tf.float32)
            x = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, 'SAME', name='conv'), 'relu')
        with tf.name_scope('second'):
            kernel = tf.constant(RANDOM.normal(size=[3, 3, 3, 4]), tf.float32)
            x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, 'SAME', name='conv'), tf.ones([4]))
            x = tf.nn.relu(x, 'relu')
            x = tf.nn.max_pool2d(x, 2, 2, 'SAME', name='pool')
        x = tf.reshape(x, [-1, 16], 'flat')
        code = tf.identity(tf.nn.relu(tf.matmul(x, tf.ones([16, 5]), name='product')), 'code')
        tf.reduce_sum(images + noise, name='elsewhere')
        tf.identity(code, 'behind')
    return images, [code]


def test_the_tensors_on_the_way_are_those_between_images_and_outputs():
    images, outputs = network()
    ways = units.Activations(images, outputs)
    assert list(ways.names) == [
        'first/conv',
        'first/relu',
        'second/conv',
        'second/BiasAdd',
        'second/relu',
        'second/pool',
        'flat',
        'product',
        'Relu',
        'code',
    ]
    assert ways.names['code'] is outputs[0]


@pytest.mark.parametrize('scope', ['seen/', None])
def test_a_tensor_is_found_by_its_name_or_by_its_scope(scope):
    images, outputs = network(scope)
    ways = units.Activations(images, outputs)
    relu = images.graph.get_tensor_by_name(f'{scope or ""}second/relu:0')
    for name in ('second/relu', 'second/relu:0', relu.name, relu.op.name):
        assert ways.find('--tensor', name) is relu
    assert ways.name(ways.find('--tensor', 'second')) == 'second/pool'


@pytest.mark.parametrize(
    'name, near',
    [
        ('second/relo', 'did you mean second/relu'),
        ('relu', r'did you mean first/relu, second/relu\?'),
        ('behind', '--list prints them'),
        ('elsewhere', '--list prints them'),
        ('', '--list prints them'),
    ],
)
def test_what_is_not_on_the_way_is_refused_with_what_is_like_it(name, near):
    ways = units.Activations(*network())
    with pytest.raises(errors.UsageError, match=f"--tensor is '{name}'; it must be .*{near}"):
        ways.find('--tensor', name)


def test_the_last_maps_are_those_of_the_last_convolution_before_its_pooling():
    images, (code,) = network()
    graph = images.graph
    assert units.last_maps(images, code).op.name == 'seen/second/relu'
    first = graph.get_tensor_by_name('seen/first/relu:0')
    assert units.last_maps(images, first).op.name == 'seen/first/conv'


def test_without_a_convolution_there_are_no_maps():
    images = tf.placeholder(tf.float32, [None, 4, 4, 1])
    assert units.last_maps(images, tf.reshape(images, [-1, 16])) is None


@pytest.mark.parametrize(
    'layer, tensor, text',
    [
        (
            'flat',
            'code',
            r'--layer seen/flat has shape .*; it must be a feature map \[B, h, w, K\]',
        ),
        ('second/relu', 'first/relu', 'does not lie between the images and'),
        ('first/relu', 'first/relu', 'does not lie between the images and'),
    ],
)
def test_layers_that_show_nothing_are_refused(layer, tensor, text):
    images, outputs = network()
    ways = units.Activations(images, outputs)
    found = [ways.find('', name) for name in (layer, tensor)]
    with pytest.raises(errors.UsageError, match=text):
        units.refuse_no_maps('--layer', images, *found)


def test_a_layer_of_one_place_is_refused():
    images = tf.placeholder(tf.float32, [None, 2, 2, 1])
    pooled = tf.nn.max_pool2d(images, 2, 2, 'SAME')
    with pytest.raises(errors.UsageError, match='is 1 x 1, which has no spatial resolution'):
        units.refuse_no_maps('--layer', images, pooled, tf.reshape(pooled, [-1, 1]))


def test_a_rectified_unit_is_asked_for_by_what_lies_before():
    images, (code,) = network()
    ways = units.Activations(images, [code])
    assert units.before_rectifier(code) is ways.names['product']
    for name in ('product', 'flat', 'second/pool'):
        assert units.before_rectifier(ways.names[name]) is ways.names[name]


@pytest.mark.parametrize('copied', [tf.identity, lambda x: tf.reshape(x, [2, 3])])
def test_a_copy_of_a_rectified_unit_is_seen_through_and_another_shape_is_not(copied):
    before = tf.constant([[-1.0, 2.0, 3.0], [4.0, -5.0, 6.0]])
    after = tf.nn.relu(before)
    assert units.before_rectifier(copied(after)) is before
    flat = tf.reshape(after, [6])
    assert units.before_rectifier(flat) is flat


def test_a_unit_of_a_feature_map_is_the_mean_over_its_places_or_one_of_them():
    x = RANDOM.normal(size=[3, 4, 5, 6])
    with tf.Session() as session:
        tensor = tf.constant(x)
        np.testing.assert_allclose(session.run(units.values(tensor)), x.mean((1, 2)))
        np.testing.assert_array_equal(session.run(units.values(tensor, (3, 0))), x[:, 3, 0])


def test_codes_and_scores_are_units_as_they_are():
    x = RANDOM.normal(size=[3, 4])
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(units.values(tf.constant(x))), x)
        np.testing.assert_array_equal(session.run(units.values(tf.constant(x[0]))), x[0][:, None])
        picked = units.chosen(tf.constant(x), tf.constant([3, 0, 2]))
        np.testing.assert_array_equal(session.run(picked), x[[0, 1, 2], [3, 0, 2]])


@pytest.mark.parametrize('place', [(0,), (4, 0), (0, 5), (-1, 0), (0, 0, 0)])
def test_a_place_outside_is_refused(place):
    tensor = tf.zeros([1, 4, 5, 6])
    with pytest.raises(errors.UsageError, match=r'place is .*; it must lie in .* \(1, 4, 5, 6\)'):
        units.values(tensor, place)
    with pytest.raises(errors.UsageError, match='place is'):
        units.values(tf.zeros([1, 4]), place)


def test_units_without_a_known_number_are_refused():
    tensor = tf.placeholder(tf.float32, [None, None])
    with pytest.raises(errors.UsageError, match='K must be static'):
        units.values(tensor)
