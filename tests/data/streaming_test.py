"""Images in files, as the batches of steps: which, when, and what a look at them costs."""

import collections
import time

import numpy as np
import pytest
import sample_images
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import errors
from tfae.data import pipeline, streaming

SEEDS = (3, 0)


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    sample_images.fill(folder, 60, 'png')
    return data.load(data.Config('images', str(folder), validation_fraction=0)).train.images


class Counting:
    """Files that remember which of them were read."""

    def __init__(self, files):
        self.files, self.names = files, files.names
        self.read_places = collections.Counter()

    def read(self, place):
        self.read_places[place] += 1
        return self.files.read(place)

    def where(self, place):
        return self.files.where(place)

    def identity(self, places):
        return self.files.identity(places)


class Streamed:
    """A session over the batches of a stream, at any step."""

    def __init__(self, images, labels=None, size=7, order='shuffled'):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.step = pipeline.local(np.int64(0))
            step = self.step.read_value()
            self.stream = streaming.Stream(images, labels, 'training')

            def drawn(step):
                return pipeline.indices(order, step, size, len(images), SEEDS)

            self.drawn = self.stream.batch(step, drawn)
            self.indices = drawn(step)
            self.session = tf.Session()
            self.session.run(tf.local_variables_initializer())
        self.stream.load(self.session.run)

    def begin(self, step):
        self.goto(step)
        self.session.run(self.drawn.start)

    def goto(self, step):
        self.step.load(step, self.session)

    def see(self):
        """Indices, images as uint8 and labels of the step."""
        fetched = [self.indices, self.drawn.images]
        indices, images = self.session.run(fetched)
        return indices, np.uint8(np.rint(255 * images))


@pytest.mark.parametrize('order', ['shuffled', 'sequential', 'with_replacement'])
def test_a_step_sees_the_examples_of_its_indices_wherever_the_row_began(images, order):
    array = images[:]
    streamed = Streamed(images, order=order)
    for start in (0, 5):
        streamed.begin(start)
        for step in range(start, start + 12):  # into the next epoch
            streamed.goto(step)
            indices, seen = streamed.see()
            assert np.array_equal(seen, array[indices]), step


def test_a_step_that_is_asked_twice_sees_the_same_and_takes_nothing_from_the_next(images):
    array = images[:]
    streamed = Streamed(images)
    streamed.begin(0)
    for step in (0, 0, 0, 1, 1, 2):
        streamed.goto(step)
        indices, seen = streamed.see()
        assert np.array_equal(seen, array[indices])


def test_a_run_that_goes_on_reads_nothing_that_it_skips(images):
    counting = Counting(images.files)
    streamed = Streamed(data.LazyImages(counting, images.places, images.form), size=1)
    streamed.begin(30)
    for step in range(30, 33):
        streamed.goto(step)
        streamed.see()
    streamed.session.close()
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.placeholder(tf.int64, [])
        indices = pipeline.indices('shuffled', step, 1, len(images), SEEDS)
        skipped = [int(session.run(indices, {step: s})[0]) for s in range(30)]
    assert len(images) >= 45  # so that no example comes twice before step 45
    assert not {int(images.places[i]) for i in skipped} & counting.read_places.keys()
    assert counting.read_places


def test_labels_are_those_of_the_images(images):
    labels = np.arange(len(images), dtype=np.int64) * 3
    streamed = Streamed(images, labels)
    streamed.begin(4)
    indices, found = streamed.session.run([streamed.indices, streamed.drawn.labels])
    assert np.array_equal(found, labels[indices])
    with streamed.graph.as_default():
        gathered = streamed.stream.gather(tf.constant([2, 0], tf.int64))[1]
    assert streamed.session.run(gathered).tolist() == [6, 0]


def test_waiting_is_counted(images):
    streamed = Streamed(images)
    began = time.monotonic()
    streamed.begin(0)
    streamed.see()
    first = streamed.session.run(streamed.drawn.waited)
    assert 0 < first < time.monotonic() - began
    streamed.see()  # the same step: nothing to wait for
    assert streamed.session.run(streamed.drawn.waited) == first


def test_the_first_file_that_cannot_be_read_is_named(images):
    class Broken(Counting):
        def read(self, place):
            raise errors.InputError('x.png is empty')

    streamed = Streamed(data.LazyImages(Broken(images.files), images.places, images.form))
    streamed.begin(0)
    with (
        pytest.raises(errors.InputError, match=r'^x\.png is empty$'),
        streaming.blaming(streamed.stream),
    ):
        streamed.see()


def test_an_error_of_another_operation_reads_no_file(images):
    counting = Counting(images.files)
    streamed = Streamed(data.LazyImages(counting, images.places, images.form))
    with streamed.graph.as_default():
        wrong = tf.debugging.assert_equal(streamed.step.read_value(), np.int64(9))
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        streaming.blaming(streamed.stream),
    ):
        streamed.session.run(wrong)
    assert not counting.read_places


def test_a_file_that_cannot_be_decoded_is_named(images):
    class Damaged(Counting):
        def read(self, place):
            return self.files.read(place)[: 100 if place == 3 else None]

    lazy = data.LazyImages(Damaged(images.files), np.arange(7), images.form)
    streamed = Streamed(lazy)
    with streamed.graph.as_default():
        gathered = streamed.stream.gather(tf.range(7))[0]
    for fetched in (gathered, streamed.drawn.images):
        with (
            pytest.raises(errors.InputError, match=r'cannot be decoded'),
            streaming.blaming(streamed.stream),
        ):
            streamed.begin(0)
            streamed.session.run(fetched)


def test_a_fault_that_has_passed_is_named_too(images):
    class Interrupted(Counting):
        faults = iter([errors.InputError('x.png was away')])

        def read(self, place):
            for fault in self.faults:
                raise fault
            return self.files.read(place)

    streamed = Streamed(data.LazyImages(Interrupted(images.files), images.places, images.form))
    streamed.begin(0)
    with (
        pytest.raises(errors.InputError, match=r'^x\.png was away$'),
        streaming.blaming(streamed.stream),
    ):
        for step in range(20):  # that of a later one may be read first
            streamed.goto(step)
            streamed.see()


def test_an_array_is_no_stream(images):
    with tf.Graph().as_default():
        made = streaming.source(images[:], None, 'training')
        assert isinstance(made, pipeline.Examples)
        assert isinstance(streaming.source(images, None, 'validation'), streaming.Stream)
