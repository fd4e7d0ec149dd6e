"""AlexNet and VGG: PyTorch's and Keras's own definitions give the same logits for one file."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import models, pretrained
from tfae.core import errors, names
from tfae.pretrained import alexnet, vgg, weights
from tfae.pretrained.classifier import open_reference

WIDTH = 1 / 16
CLASSES = 5
IMAGES = np.random.RandomState(0).uniform(size=[2, 96, 64, 3]).astype(np.float32)

# In a process of its own: Keras 3 computes eagerly, tests do not.
KERAS = """
import sys, keras, tf_keras, numpy as np
folder, width, classes = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
x = np.load(f'{folder}/x.npy')

def network(layers, models):
    inputs = h = layers.Input((224, 224, 3))
    for block, (count, size) in enumerate(zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512)), 1):
        for i in range(1, count + 1):
            h = layers.Conv2D(round(size * width), 3, padding='same', activation='relu',
                              name=f'block{block}_conv{i}')(h)
        h = layers.MaxPooling2D(2, 2, name=f'block{block}_pool')(h)
    h = layers.Flatten(name='flatten')(h)
    for name in ('fc1', 'fc2'):
        h = layers.Dense(round(4096 * width), activation='relu', name=name)(h)
    return models.Model(inputs, layers.Dense(classes, name='predictions')(h), name='vgg16')

if width == 1:
    model = keras.applications.VGG16(weights=None, classes=classes, classifier_activation=None)
else:
    model = network(keras.layers, keras.models)
random = np.random.RandomState(0)
model.set_weights([(1.2 * w if w.ndim > 1 else random.normal(size=w.shape)).astype(np.float32)
                   for w in model.get_weights()])
model.save_weights(f'{folder}/new.weights.h5')
if width < 1:
    model.save(f'{folder}/whole.h5')
    old = network(tf_keras.layers, tf_keras.models)
    old.set_weights(model.get_weights())
    old.save_weights(f'{folder}/old.h5')
seen = keras.applications.vgg16.preprocess_input(255 * x)
np.save(f'{folder}/logits.npy', model.predict(seen, verbose=0))
"""


@pytest.fixture
def networks():
    """The networks in PyTorch."""
    pytest.importorskip('torch', reason="PyTorch is not installed: pip install -e '.[peers]'")
    import torch_networks

    return torch_networks


def logits(name, path, images=IMAGES, classes=CLASSES, width=WIDTH):
    """Of the network of this name with the weights in a file, as open_reference makes it."""
    page = pretrained.references()[name]
    config = dataclasses.replace(page.NETWORKS[name], width=width)
    model = page.Model(config, images.shape[1:], classes)
    found = weights.open_weights(str(path), name, model.parameters)
    config = dataclasses.replace(config, preprocessing=found.preprocessing)
    outputs = page.Model(config, images.shape[1:], classes)(tf.constant(images))
    with tf.Session() as session:
        variables = {v.op.name: v for v in tf.global_variables()}
        for variable, value in found:
            variables.pop(variable).load(value, session)
        assert not variables
        return session.run(outputs.class_logits)


def same(found, want):
    assert want.std() > 0.1  # or nearness would say nothing
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-4)


@pytest.mark.parametrize('depth', ['11', '13', '16', '19'])
def test_vgg_equals_that_of_pytorch(tmp_path, networks, depth):
    import torch

    network = networks.vgg(depth, WIDTH, CLASSES)
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    same(logits(f'vgg{depth}', tmp_path / 'a.pth'), network.logits(IMAGES))


def test_alexnet_equals_that_of_pytorch(tmp_path, networks):
    import torch

    network = networks.alexnet(WIDTH, CLASSES)
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    same(logits('alexnet', tmp_path / 'a.pth'), network.logits(IMAGES))


@pytest.mark.parametrize('name, side', [('alexnet', 224), ('vgg11', 224)])
def test_at_the_published_size_the_raster_does_nothing(tmp_path, networks, name, side):
    import torch

    images = np.random.RandomState(0).uniform(size=[1, side, side, 3]).astype(np.float32)
    make = {'alexnet': networks.alexnet, 'vgg11': lambda *sizes: networks.vgg('11', *sizes)}
    network = make[name](WIDTH, CLASSES)
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    same(logits(name, tmp_path / 'a.pth', images), network.logits(images))


def test_alexnet_of_two_streams_equals_that_of_caffe(tmp_path, networks):
    random = np.random.RandomState(0)
    page = pretrained.references()['alexnet_2012']
    images = random.uniform(size=[2, 227, 227, 3]).astype(np.float32)
    config = dataclasses.replace(page.NETWORKS['alexnet_2012'], width=WIDTH)
    values = {}
    for layer in page.Model(config, None, CLASSES).parameters:
        scale = np.sqrt(2 / np.prod(layer.kernel[:-1])) / (100 if layer.name == 'conv1' else 1)
        shapes = (layer.kernel, layer.kernel[-1:])
        values[layer.name] = [(scale * random.normal(size=s)).astype(np.float32) for s in shapes]
    np.save(tmp_path / 'a.npy', values, allow_pickle=True)
    mean = (122.67891434, 116.66876762, 104.00698793)
    same(
        logits('alexnet_2012', tmp_path / 'a.npy', images),
        networks.caffe_alexnet(values, images, mean),
    )


@pytest.fixture(scope='module')
def kept(tmp_path_factory):
    """A folder with VGG-16 as Keras keeps it, what it was shown and what it answered."""
    return of_keras(tmp_path_factory.mktemp('keras'), WIDTH, CLASSES)


def of_keras(folder, width, classes):
    images = np.random.RandomState(0).uniform(size=[2, 224, 224, 3]).astype(np.float32)
    np.save(folder / 'x.npy', images)
    words = [sys.executable, '-c', KERAS, str(folder), str(width), str(classes)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize('file', ['new.weights.h5', 'whole.h5', 'old.h5'])
def test_vgg_equals_that_of_keras(kept, file):
    images, want = np.load(kept / 'x.npy'), np.load(kept / 'logits.npy')
    same(logits('vgg16', kept / file, images), want)


@pytest.mark.slow
def test_whole_vgg_16_equals_that_of_keras(tmp_path):
    folder = of_keras(tmp_path, 1, 1000)
    images, want = np.load(folder / 'x.npy'), np.load(folder / 'logits.npy')
    same(logits('vgg16', folder / 'new.weights.h5', images, 1000, 1.0), want)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['alexnet', 'vgg16'])
def test_whole_networks_equal_those_of_pytorch(tmp_path, networks, name):
    import torch

    images = np.random.RandomState(0).uniform(size=[2, 224, 224, 3]).astype(np.float32)
    network = networks.alexnet() if name == 'alexnet' else networks.vgg('16')
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    same(logits(name, tmp_path / 'a.pth', images, 1000, 1.0), network.logits(images))


def test_variables_have_the_names_of_the_field():
    vgg.Model(vgg.Config(width=WIDTH), (32, 32, 3), CLASSES)(tf.zeros([1, 32, 32, 3]))
    found = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assert list(found)[:2] == ['conv1_1/kernel', 'conv1_1/bias']
    assert list(found)[-2:] == ['fc8/kernel', 'fc8/bias']
    assert found['conv5_3/kernel'] == [3, 3, 32, 32]
    assert found['fc6/kernel'] == [7 * 7 * 32, 256]
    assert len(found) == 2 * 16


def test_the_published_sizes_have_the_published_number_of_parameters():
    # 138 million: Simonyan and Zisserman, table 2; 61 million: torchvision's and Caffe's pages.
    counts = {}
    for name, page in pretrained.references().items():
        layers = page.Model(page.NETWORKS[name]).parameters
        counts[name] = sum(np.prod(layer.kernel) + layer.kernel[-1] for layer in layers)
    assert counts == {
        'alexnet': 61_100_840,
        'alexnet_2012': 60_965_224,
        'vgg11': 132_863_336,
        'vgg13': 133_047_848,
        'vgg16': 138_357_544,
        'vgg19': 143_667_240,
    }


def test_end_points_are_every_layer_in_order():
    config = alexnet.Config(streams='two', width=WIDTH)
    outputs = alexnet.Model(config, (227, 227, 3), CLASSES)(tf.zeros([1, 227, 227, 3]))
    assert ' '.join(outputs.end_points) == (
        'conv1 norm1 pool1 conv2 norm2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8'
    )
    assert tf.get_collection(names.END_POINTS) == list(outputs.end_points.values())
    for name, tensor in outputs.end_points.items():
        assert tensor.op.name == f'{name}/output'
    assert outputs.end_points['fc8'] is outputs.class_logits
    assert outputs.end_points['pool5'].shape.as_list() == [1, 6, 6, 16]


@pytest.mark.parametrize('page', [alexnet, vgg])
def test_a_class_has_a_gradient_in_every_end_point(page):
    # With groups in convolutions too, of which TensorFlow's own have none on processors.
    fields = {'streams': 'two'} if page is alexnet else {}
    x = tf.random.stateless_uniform([1, 80, 80, 3], [0, 0])
    outputs = page.Model(page.Config(width=WIDTH, **fields), (80, 80, 3), CLASSES)(x)
    slopes = tf.gradients(outputs.class_logits[:, 1], [x, *outputs.end_points.values()])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert all(np.abs(slope).max() > 0 for slope in session.run(slopes))


def test_calls_share_variables():
    model = vgg.Model(vgg.Config(width=WIDTH), (32, 32, 3), CLASSES)
    a, b = (model(tf.ones([1, 32, 32, 3])).probabilities for _ in range(2))
    assert len(tf.global_variables()) == 2 * 16
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        first, second = session.run([a, b])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.sum(), 1, rtol=1e-6)


@pytest.mark.parametrize('shape', [(31, 224, 3), (224, 224, 1)])
def test_images_that_leave_nothing_are_refused(shape):
    with pytest.raises(errors.UsageError, match=r'images are \(.*they must have three channels'):
        vgg.Model(vgg.Config(), shape)


def test_published_networks_are_no_families():
    assert not {'alexnet', 'vgg'} & set(models.names())
    with pytest.raises(errors.UsageError, match="--model is 'vgg'"):
        models.load('vgg')


def test_an_opened_network_gives_any_layer_by_name(tmp_path):
    page = pretrained.references()['vgg11']
    config = dataclasses.replace(page.NETWORKS['vgg11'], width=WIDTH)
    random = np.random.RandomState(0)
    arrays = {}
    for layer in page.Model(config, classes=CLASSES).parameters:
        arrays[f'{layer.name}/kernel'] = 0.1 * random.normal(size=layer.kernel)
        arrays[f'{layer.name}/bias'] = np.zeros(layer.kernel[-1])
    np.savez(tmp_path / 'a.npz', **arrays)
    path, sizes = str(tmp_path / 'a.npz'), {'classes': CLASSES, 'width': WIDTH}
    with pytest.raises(errors.UsageError, match=r'a\.npz does not record .* --preprocessing must'):
        open_reference('vgg11', path, **sizes)
    images = random.randint(0, 256, [18, 224, 224, 3]).astype(np.uint8)  # more than go at once
    with open_reference('vgg11', path, preprocessing='rgb', **sizes) as network:
        maps = network.fetch('conv1_1', images)
        seen = tf.constant(images[17:] - np.float32([123.68, 116.779, 103.939]))
        want = tf.nn.relu(tf.nn.conv2d(seen, tf.constant(arrays['conv1_1/kernel'], tf.float32), 1,
                                       'SAME'))  # fmt: skip
        with tf.Session() as session:
            np.testing.assert_allclose(maps[17:], session.run(want), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(network.classify(images[:3]).sum(1), 1, rtol=1e-5)
        with pytest.raises(errors.UsageError, match="layer of vgg11 is 'conv1'; .* conv1_1"):
            network.fetch('conv1', images)
        with pytest.raises(ValueError, match=r'images are \(0, 224, 224, 3\); they must be'):
            network.classify(images[:0])
