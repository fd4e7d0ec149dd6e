"""Order, noise seeds, and the arrays in the graph."""

import numpy as np
import pytest
import scipy.stats
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import names
from tfae.data import pipeline


def stream(count, batch_size, steps, seeds=(3, 0), order='shuffled'):
    """Indices `[steps, batch_size]` that these steps see."""
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.placeholder(tf.int64, [])
        indices = pipeline.indices(order, step, batch_size, count, seeds)
        assert indices.dtype == tf.int64
        assert indices.shape.as_list() == [batch_size]
        see = session.make_callable(indices, [step])
        return np.array([see(s) for s in steps])


@pytest.mark.parametrize(
    'count, batch_size',
    [(1, 1), (7, 1), (7, 3), (7, 7), (10, 5), (100, 64), (1437, 64), (999, 998)],
)
@pytest.mark.parametrize('order', ['shuffled', 'sequential'])
def test_every_epoch_sees_each_example_once(count, batch_size, order):
    epochs = 4
    steps = range(-(-epochs * count // batch_size))
    seen = stream(count, batch_size, steps, order=order).ravel()
    for epoch in seen[: epochs * count].reshape(epochs, count):
        assert np.array_equal(np.sort(epoch), np.arange(count))


@pytest.mark.parametrize('count, batch_size', [(7, 3), (7, 7), (100, 64)])
def test_a_sequence_goes_round_in_the_order_of_the_set(count, batch_size):
    seen = stream(count, batch_size, range(9), order='sequential', seeds=(5, 2)).ravel()
    assert np.array_equal(seen, np.arange(9 * batch_size) % count)


@pytest.mark.parametrize('batch_size', [1, 6, 10])
def test_positions_of_a_shuffled_epoch_do_not_depend_on_the_batch_size(batch_size):
    one_by_one = stream(10, 1, range(60)).ravel()
    assert np.array_equal(stream(10, batch_size, range(60 // batch_size)).ravel(), one_by_one)


@pytest.mark.parametrize('order', ['shuffled', 'with_replacement'])
def test_orders_differ_by_epoch_seed_and_stream(order):
    orders = [
        seen.tobytes()
        for seeds in ([0, 0], [0, 1], [1, 0], [1, 1], [2**40, 0])
        for seen in stream(50, 50, range(3), seeds, order)
    ]
    assert len(set(orders)) == 15


@pytest.mark.parametrize('order', ['shuffled', 'sequential', 'with_replacement'])
def test_a_step_sees_the_same_whatever_ran_before_it(order):
    whole = stream(30, 7, range(20), order=order)
    assert np.array_equal(stream(30, 7, range(12, 20), order=order), whole[12:])
    assert np.array_equal(stream(30, 7, reversed(range(20)), order=order), whole[::-1])


@pytest.mark.parametrize('count, batch_size', [(3, 1), (20, 7), (100, 100)])
def test_draws_with_replacement_are_uniform_and_independent(count, batch_size):
    """Over all draws, at each place of a batch, and of one draw given the one before it."""
    seen = stream(count, batch_size, range(20_000 // batch_size), order='with_replacement')
    assert seen.min() == 0
    assert seen.max() == count - 1
    for draws in (seen, seen[:, 0], seen[:, -1]):
        found = np.bincount(draws.ravel(), minlength=count)
        assert scipy.stats.chisquare(found).pvalue > 1e-6
    flat = seen.ravel()
    repeats = (flat[1:] == flat[:-1]).sum()  # binomial, each with chance 1 / N
    assert scipy.stats.binomtest(repeats, len(flat) - 1, 1 / count).pvalue > 1e-6


def test_an_epoch_with_replacement_misses_as_many_as_chance_does():
    """Each of N is missed with (1 - 1/N)^N; the mean over 100 epochs is within 6 deviations."""
    count, epochs = 500, 100
    seen = stream(count, count, range(epochs), order='with_replacement')
    missed = np.mean([count - len(np.unique(epoch)) for epoch in seen])
    once, twice = (1 - 1 / count) ** count, (1 - 2 / count) ** count
    variance = count * once * (1 - once) + count * (count - 1) * (twice - once**2)
    assert abs(missed - count * once) < 6 * np.sqrt(variance / epochs)


def test_no_two_steps_of_a_large_batch_share_draws():
    """Draws of a step count up from the step: they must not run into those of the next."""
    seen = stream(2**40, 4096, range(4), order='with_replacement')
    assert len(np.unique(seen)) == seen.size


@pytest.mark.parametrize('count', [3, 20, 100])
def test_orders_look_as_if_they_were_drawn(count):
    """Places of an example are equally likely, neighbors are as rare, no order comes again."""
    epochs = 600
    seen = stream(count, count, range(epochs))
    for place in (0, count // 2, count - 1):
        found = np.bincount(seen[:, place], minlength=count)
        assert scipy.stats.chisquare(found).pvalue > 1e-6
    neighbors = (np.abs(np.diff(seen, axis=1)) == 1).sum()
    expected = epochs * (count - 1) * 2 / count
    assert abs(neighbors - expected) < 6 * np.sqrt(expected)
    if count > 3:
        assert len(np.unique(seen, axis=0)) > epochs - 5


def test_noise_seeds_differ_by_step_seed_and_stream():
    step = tf.placeholder(tf.int64, [])
    made = [pipeline.noise_seed(step, seeds) for seeds in ([0, 0], [0, 1], [1, 0], [1, 1])]
    with tf.Session() as session:
        found = [session.run(made, {step: s}) for s in (0, 1, 2, 10**10)]
    assert len({seed.tobytes() for row in found for seed in row}) == 16
    assert all(seed.shape == (2,) for row in found for seed in row)


def recording(session, runs):
    """The session's `run`, which also notes what it ran."""

    def run(fetches, feed_dict=None):
        runs.append(fetches)
        return session.run(fetches, feed_dict)

    return run


def random_images(count, dtype=np.uint8, shape=(3, 2, 1)):
    random = np.random.RandomState(0)
    if dtype == np.uint8:
        return random.randint(0, 256, [count, *shape]).astype(np.uint8)
    return random.uniform(size=[count, *shape]).astype(np.float32)


def opened():
    session = tf.Session()
    session.run(tf.local_variables_initializer())
    return session


def test_bytes_become_the_pixels_of_the_data_set_bit_for_bit():
    images = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1)
    source = pipeline.Examples(images, None, 'all')
    gathered, labels = source.gather(tf.range(256))
    assert labels is None
    with opened() as session:
        source.load(session.run)
        got = session.run(gathered)
    assert got.dtype == np.float32
    assert got.tobytes() == data.pixels(images).tobytes()


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_examples_and_labels_are_gathered_in_the_order_asked_for(dtype):
    images, labels = random_images(20, dtype), np.arange(20) ** 2
    source = pipeline.Examples(images, labels, 'all')
    order = [5, 3, 19, 3, 0]
    with opened() as session:
        source.load(session.run)
        got, classes = session.run(source.gather(tf.constant(order)))
    assert np.array_equal(got, data.pixels(images)[order])
    assert np.array_equal(classes, labels[order])
    assert source.count == 20


def test_examples_are_copied_once_and_lie_in_no_checkpoint_and_no_graph():
    images = random_images(5000)
    source = pipeline.Examples(images, None, 'all')
    runs = []
    with opened() as session:
        for _ in range(3):
            source.load(recording(session, runs))
            source.release(recording(session, runs))
        assert np.array_equal(session.run(source.gather([4999])[0]), data.pixels(images[4999:]))
    assert len(runs) == 1
    assert tf.global_variables() == []
    assert all(v.op.name.startswith(f'{names.EXAMPLES}/all/') for v in tf.local_variables())
    assert len(tf.get_default_graph().as_graph_def().SerializeToString()) < images.nbytes / 2


def test_an_empty_part_has_no_example():
    source = pipeline.Examples(random_images(0), np.zeros(0, np.int64), 'none')
    with opened() as session:
        source.load(session.run)
        got, labels = session.run(source.gather(tf.zeros([0], tf.int64)))
    assert got.shape == (0, 3, 2, 1)
    assert labels.shape == (0,)


class Encoder:
    """A fixed map of two columns that counts the examples that go through it."""

    def __init__(self, size):
        self.size = size
        self.seen = 0
        self.weights = np.random.RandomState(size).normal(size=[6, 6]).astype(np.float32)

    def __call__(self, x):
        x = tf.reshape(x, [tf.shape(x)[0], -1])
        made = tf.py_func(self.of, [x], tf.float32)
        made.set_shape([None, self.size])
        return made

    def of(self, x):
        self.seen += len(x)
        return np.tanh(x @ self.weights[: x.shape[1], : self.size])


@pytest.mark.parametrize('count', [1, 999, 1000, 1001, 5000])
def test_codes_are_those_of_the_encoder_made_once_for_all_examples(count):
    images = random_images(count)
    encoder = Encoder(4)
    source = pipeline.Examples(images, np.arange(count), 'all')
    codes = pipeline.Codes(source, encoder, 4, 'all')
    gathered, labels = codes.gather(tf.range(count))
    assert codes.count == count
    with opened() as session:
        for _ in range(3):
            codes.load(session.run)
            got, classes = session.run([gathered, labels])
    assert np.array_equal(classes, np.arange(count))  # those of the examples below
    assert encoder.seen == count
    want = encoder.of(data.pixels(images).reshape(count, -1))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_large_images_are_encoded_a_few_at_once(monkeypatch):
    monkeypatch.setattr(pipeline, '_MAX_VALUES', 30)  # five images of 6 values
    images, most = random_images(23), []

    class Recording(Encoder):
        def of(self, x):
            most.append(len(x))
            return super().of(x)

    codes = pipeline.Codes(pipeline.Examples(images, None, 'all'), Recording(4), 4, 'all')
    with opened() as session:
        codes.load(session.run)
    assert most == [5, 5, 5, 5, 3]


def test_codes_of_codes_release_those_below():
    images = random_images(3000)
    lower, upper = Encoder(5), Encoder(2)
    first = pipeline.Codes(pipeline.Examples(images, None, 'all'), lower, 5, 'first')
    second = pipeline.Codes(first, upper, 2, 'second')
    gathered = second.gather(tf.range(3000))[0]
    with opened() as session:
        first.load(session.run)
        second.load(session.run)
        got = session.run(gathered)
        held = {v.op.name: session.run(tf.shape(v.read_value()))[0] for v in tf.local_variables()}
    assert (lower.seen, upper.seen) == (3000, 3000)
    want = upper.of(lower.of(data.pixels(images).reshape(3000, -1)))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    sizes = {name.split('/')[1]: size for name, size in held.items()}
    assert sizes == {'all': 3000, 'first': 0, 'second': 3000}


def test_released_codes_can_be_made_again():
    encoder = Encoder(4)
    codes = pipeline.Codes(pipeline.Examples(random_images(10), None, 'all'), encoder, 4, 'all')
    gathered = codes.gather([9, 0])[0]
    with opened() as session:
        codes.load(session.run)
        before = session.run(gathered)
        codes.release(session.run)
        codes.load(session.run)
        assert np.array_equal(session.run(gathered), before)
    assert encoder.seen == 20
    assert tf.global_variables() == []
