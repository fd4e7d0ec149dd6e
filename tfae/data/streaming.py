"""Images in files -> the batch tensors of step s, read and decoded ahead of it by `tf.data`.

The examples of step s are those that `pipeline` says, a function of (seed, stream, s): a data set
of the numbers s, s + 1, ... from where the run stands is mapped to indices, to the contents of the
files, and to images. A resumed run starts at its own step and decodes nothing that it skips. The
batch lies in local variables, with the number of its step, until another step is asked for: a look
at the losses of a step takes no batch from the step itself.

N examples, B batch, H x W image, C channels.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.data import lazy_images, pipeline

_AHEAD = 2  # batches that are ready and wait


class Stream:
    """The images of a split. See `pipeline.Source`."""

    def __init__(self, images: lazy_images.LazyImages, labels: np.ndarray | None, name: str):
        """Reads nothing yet; `images` `[N, H, W, C]`, `labels` `[N]`."""
        self.count = len(images)
        self.trouble: errors.InputError | None = None  # the first file that could not be read
        self._images = images
        self._name = f'{names.EXAMPLES}/{name}'
        self._given = labels
        with tf.name_scope(f'{self._name}/'):
            # No constant: the graph would carry it wherever it is written.
            self._value = None if labels is None else tf.placeholder(tf.int64, labels.shape)
            if labels is not None:
                self._labels = pipeline.local(tf.zeros(labels.shape, tf.int64))
                self._assign = self._labels.assign(self._value).op

    def load(self, run: pipeline.Run) -> None:
        """See `pipeline.Source`: the labels alone."""
        if self._value is not None:
            run(self._assign, {self._value: self._given})

    def release(self, run: pipeline.Run) -> None:
        """See `pipeline.Source`."""

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """See `pipeline.Source`."""
        return None if self._value is None else tf.gather(self._labels, indices)

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """See `pipeline.Source`; read and decoded when they are asked for."""
        images = self._gathered(indices)
        return tf.image.convert_image_dtype(images, tf.float32), self.labels(indices)

    def batch(self, step: tf.Tensor, drawn: Callable[[tf.Tensor], tf.Tensor]) -> pipeline.Drawn:
        """See `pipeline.Source`; read and decoded before they are asked for."""
        with tf.name_scope(f'{self._name}/'):
            size = int(drawn(step).shape[0])
            iterator = tf.data.make_initializable_iterator(self._ahead(step, drawn))
            held = pipeline.local(tf.zeros([size, *self._images.shape[1:]], tf.uint8))
            held_step = pipeline.local(np.int64(-1))
            waited = pipeline.local(np.float64(0))

            def advance() -> tf.Tensor:
                before = _now()
                with tf.control_dependencies([before]):
                    images = iterator.get_next()
                with tf.control_dependencies([images]):
                    seconds = _now() - before
                kept = [held.assign(images), held_step.assign(step), waited.assign_add(seconds)]
                with tf.control_dependencies([value.op for value in kept]):
                    return tf.identity(step)

            current = held_step.read_value()
            ready = tf.cond(tf.equal(current, step), lambda: tf.identity(current), advance)
            with tf.control_dependencies([ready]):
                images = tf.image.convert_image_dtype(held.read_value(), tf.float32)
            start = tf.group(iterator.initializer, held_step.assign(-1).op)
            return pipeline.Drawn(images, self.labels(drawn(step)), start, waited.read_value())

    def _ahead(self, start: tf.Tensor, drawn: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
        """The images `[B, H, W, C]` of step `start` and of all that follow."""
        cores = os.cpu_count() or 1
        plainly = tf.autograph.experimental.do_not_convert
        options = tf.data.Options()
        options.threading.private_threadpool_size = cores
        options.autotune.enabled = False
        return (
            tf.data.Dataset.range(start, np.iinfo(np.int64).max)
            .map(plainly(lambda step: self._gathered(drawn(step))), cores, True)
            .prefetch(_AHEAD)
            .with_options(options)
        )

    def _gathered(self, indices: tf.Tensor) -> tf.Tensor:
        """Images `[B, H, W, C]` uint8 at `indices`."""
        contents, cores = self._contents(indices), os.cpu_count() or 1
        images = tf.map_fn(
            self._decoded, contents, parallel_iterations=cores, fn_output_signature=tf.uint8
        )
        return tf.ensure_shape(images, [indices.shape[0], *self._images.shape[1:]])

    def _contents(self, indices: tf.Tensor) -> tf.Tensor:
        """Contents `[B]` of the files at `indices`."""
        contents = tf.numpy_function(self._read, [indices], tf.string, stateful=False)
        contents.set_shape(indices.shape)
        return contents

    def _read(self, indices: np.ndarray) -> np.ndarray:
        files, places = self._images.files, self._images.places
        try:
            return np.array([files.read(int(places[i])) for i in indices], object)
        except errors.InputError as error:
            self.trouble = self.trouble or error
            raise

    def _decoded(self, content: tf.Tensor) -> tf.Tensor:
        return decoded(content, self._images.form)

    def blame(self, error: tf.errors.OpError) -> None:
        """Raises InputError that names the file of this split that cannot be decoded, if any."""
        if self.trouble:
            raise self.trouble from None
        if isinstance(error, tf.errors.InvalidArgumentError):
            for place in range(self.count):
                self._images[place]


def source(images: Any, labels: np.ndarray | None, name: str) -> pipeline.Source:
    """The `pipeline.Source` of a split."""
    if isinstance(images, lazy_images.LazyImages):
        return Stream(images, labels, name)
    return pipeline.Examples(images, labels, name)


@contextlib.contextmanager
def blaming(*sources: pipeline.Source) -> Iterator[None]:
    """Turns what a session raises for a file into an InputError that names it."""
    try:
        yield
    except tf.errors.OpError as error:
        for found in sources:
            if isinstance(found, Stream):
                found.blame(error)
        raise


def decoded(content: tf.Tensor, form: Any) -> tf.Tensor:
    """`[H, W, C]` uint8 of the content of one file."""
    if form.all_jpeg:
        return _shaped(_jpeg(content, form), form, form.ratio)
    image = tf.cond(
        tf.io.is_jpeg(content),
        lambda: _shaped(_jpeg(content, form), form, form.ratio),
        lambda: _shaped(_png(content, form), form, 1),
    )
    return tf.ensure_shape(image, [form.height, form.width, form.channels])


def _now() -> tf.Tensor:
    """Seconds of a clock. TensorFlow's own refuses to be read where results must repeat."""
    now = tf.numpy_function(time.monotonic, [], tf.float64)
    now.set_shape([])
    return now


def _jpeg(content: tf.Tensor, form: Any) -> tf.Tensor:
    # As pillow decodes it, to the bit.
    return tf.io.decode_jpeg(content, form.channels, form.ratio, dct_method='INTEGER_ACCURATE')


def _png(content: tf.Tensor, form: Any) -> tf.Tensor:
    image = tf.io.decode_png(content, 3)
    # decode_png has weights of its own for grey, those of another standard than JPEG's.
    return image if form.channels == 3 else tf.image.rgb_to_grayscale(image)


def _shaped(image: tf.Tensor, form: Any, ratio: int) -> tf.Tensor:
    """The centre of a decoded image, at the wanted size."""
    cropped = form.cropped(ratio)
    if cropped:
        top, left = (tf.shape(image)[i] - cropped[i] for i in (0, 1))
        image = tf.slice(image, [top // 2, left // 2, 0], [*cropped, form.channels])
    if form.scaled:
        # The antialiasing kind, which the v1 function of this name lacks.
        scaled = tf2.image.resize(image, [form.height, form.width], antialias=True)
        image = tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)
    return tf.reshape(image, [form.height, form.width, form.channels])
