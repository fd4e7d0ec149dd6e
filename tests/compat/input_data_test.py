"""`tfae.compat.input_data`: the values and the order of TF1."""

import idx_files
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.compat import input_data, tutorials_mnist
from tfae.core import errors


def order(seed, count, epochs):
    """Returns the permutations of TF1: each epoch shuffles indices by numpy's global generator."""
    random = np.random.RandomState(seed)
    found, positions = [], np.arange(count)
    for _ in range(epochs):
        step = np.arange(count)
        random.shuffle(step)
        positions = positions[step]
        found.append(positions)
    return found


@pytest.mark.parametrize('zipped', [True, False])
def test_splits_and_values_are_those_of_the_files(tmp_path, zipped):
    files = idx_files.write(tmp_path / 'set', zipped=zipped)
    images, labels = files['train']
    found = input_data.read_data_sets(str(tmp_path / 'set'), one_hot=True, validation_size=5)
    assert [split.num_examples for split in found] == [15, 5, 8]
    np.testing.assert_array_equal(
        found.validation.images, images[:5].reshape(5, 16) * np.float32(1 / 255)
    )
    assert found.train.images.dtype == np.float32
    np.testing.assert_array_equal(found.train.labels.argmax(1), labels[5:])
    assert found.train.labels.shape == (15, 10) and found.train.labels.dtype == np.float64
    np.testing.assert_array_equal(found.test.labels, np.eye(10)[files['t10k'][1]])
    raw = input_data.read_data_sets(
        str(tmp_path / 'set'), dtype=tf.uint8, reshape=False, validation_size=0
    )
    np.testing.assert_array_equal(raw.train.images, images[..., None])
    np.testing.assert_array_equal(raw.train.labels, labels)
    assert raw.train.labels.dtype == np.uint8 and raw.validation.num_examples == 0


@pytest.mark.parametrize('of_graph', [True, False])
def test_the_order_of_batches_is_that_of_tf1(tmp_path, of_graph):
    _, labels = idx_files.write(tmp_path)['train']
    if of_graph:
        tf.set_random_seed(7)
    seed = {} if of_graph else {'seed': 7}
    train = input_data.read_data_sets(str(tmp_path), validation_size=0, **seed).train
    first, second = order(7, 20, 2)
    wanted = labels[np.concatenate([first, second])]
    batches = [train.next_batch(8)[1] for _ in range(3)]
    np.testing.assert_array_equal(np.concatenate(batches), wanted[:24])
    assert train.epochs_completed == 1
    np.testing.assert_array_equal(train.labels, labels[second])


def test_an_epoch_that_fits_ends_with_the_next_batch(tmp_path):
    _, labels = idx_files.write(tmp_path)['train']
    train = input_data.read_data_sets(str(tmp_path), validation_size=0).train
    for completed, start in ((0, 0), (0, 10), (1, 0)):
        np.testing.assert_array_equal(
            train.next_batch(10, shuffle=False)[1], labels[start : start + 10]
        )
        assert train.epochs_completed == completed


def test_a_program_can_start_again_from_the_first_example(tmp_path):
    """By the private names of TF1, as `helper.py` of a course on initial weights does."""
    _, labels = idx_files.write(tmp_path)['train']
    train = input_data.read_data_sets(str(tmp_path), validation_size=0).train
    for _ in range(2):
        np.testing.assert_array_equal(train.next_batch(15, shuffle=False)[1], labels[:15])
        train._index_in_epoch = train._epochs_completed = 0


def test_files_are_found_where_tfae_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv('TFAE_DATA_DIR', str(tmp_path / 'data'))
    monkeypatch.setenv('HOME', str(tmp_path))
    idx_files.write(tmp_path / 'data' / 'mnist', train=11)
    idx_files.write(tmp_path / 'data' / 'fashion_mnist', train=12)
    some = tmp_path / 'MNIST_data'
    idx_files.write(some, train=13)
    sizes = [
        input_data.read_data_sets(folder, validation_size=0, **more).train.num_examples
        for folder, more in [
            ('nowhere', {}),
            ('data/fashion', {}),
            ('nowhere', {'source_url': 'http://fashion-mnist.example.com/'}),
            (str(some), {}),
        ]
    ]
    assert sizes == [11, 12, 12, 13]
    (some / 'train-labels-idx1-ubyte.gz').unlink()  # TF1 fetched it
    assert input_data.read_data_sets(str(some), validation_size=0).train.num_examples == 11
    monkeypatch.delenv('TFAE_DATA_DIR')
    with pytest.raises(errors.InputError, match='`tfae fetch mnist` downloads it'):
        input_data.read_data_sets('nowhere')


def test_labels_may_be_of_more_classes(tmp_path):
    _, labels = idx_files.write(tmp_path, classes=27)['train']
    assert labels.max() > 9
    found = input_data.read_data_sets(str(tmp_path), validation_size=0)
    np.testing.assert_array_equal(found.train.labels, labels)
    with pytest.raises(errors.InputError, match='labels must lie in 0 to 9'):
        input_data.read_data_sets(str(tmp_path), one_hot=True)


def test_what_does_not_fit_is_refused(tmp_path):
    images = idx_files.write(tmp_path)['train'][0][..., None]
    with pytest.raises(ValueError, match=r'size is 21; it must lie in \[0, 20\]'):
        input_data.read_data_sets(str(tmp_path), validation_size=21)
    with pytest.raises(TypeError, match='must be uint8 or float32'):
        input_data.DataSet(images, images, dtype=tf.int32)
    with pytest.raises(ValueError, match='20 images and 19 labels'):
        input_data.DataSet(images, images[1:])
    with pytest.raises(ValueError, match='reshape needs one channel'):
        input_data.DataSet(images.repeat(3, 3), images)


def test_fake_data_are_constants():
    train = input_data.read_data_sets('', fake_data=True, one_hot=True).train
    images, labels = train.next_batch(2, fake_data=True)
    assert images == [[1] * 784] * 2 and labels == [[1] + [0] * 9] * 2
    assert train.num_examples == 10000


def test_single_files_are_read(tmp_path):
    files = idx_files.write(tmp_path)['t10k']
    with (tmp_path / 't10k-images-idx3-ubyte.gz').open('rb') as f:
        np.testing.assert_array_equal(input_data.extract_images(f), files[0][..., None])
    with tf.gfile.Open(str(tmp_path / 't10k-labels-idx1-ubyte.gz'), 'rb') as f:
        one_hot = input_data.extract_labels(f, one_hot=True)
    np.testing.assert_array_equal(one_hot, np.eye(10)[files[1]])
    source = tmp_path / 'source'
    source.write_bytes(b'content')
    path = input_data.maybe_download('file', str(tmp_path / 'new'), source.as_uri())
    assert (tmp_path / 'new' / 'file').read_bytes() == b'content' and path.endswith('new/file')
    with pytest.raises(errors.InputError, match='cannot be downloaded'):
        input_data.maybe_download('other', str(tmp_path), (tmp_path / 'none').as_uri())
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith('.')]


def test_the_network_of_the_tutorial_learns():
    random = np.random.RandomState(0)
    images = random.rand(30, tutorials_mnist.IMAGE_PIXELS).astype(np.float32)
    labels = random.randint(0, tutorials_mnist.NUM_CLASSES, 30)
    tf.set_random_seed(0)
    logits = tutorials_mnist.inference(tf.constant(images), 32, 16)
    loss = tutorials_mnist.loss(logits, tf.constant(labels))
    train = tutorials_mnist.training(loss, 0.1)
    right = tutorials_mnist.evaluation(logits, tf.constant(labels))
    names = [v.op.name for v in tf.trainable_variables()]
    assert names == [
        f'{scope}/{kind}'
        for scope in ('hidden1', 'hidden2', 'softmax_linear')
        for kind in ('weights', 'biases')
    ]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = session.run(logits)
        softmax = np.exp(values) / np.exp(values).sum(1, keepdims=True)
        wanted = -np.log(softmax[np.arange(30), labels]).mean()
        np.testing.assert_allclose(session.run(loss), wanted, rtol=1e-5)
        assert session.run(right) == (values.argmax(1) == labels).sum()
        for _ in range(300):
            session.run(train)
        assert session.run(right) == 30
