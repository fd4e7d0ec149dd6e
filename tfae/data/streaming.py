"""Images in files -> the batch tensors of step s, read and decoded ahead of it by `tf.data`.

The examples of step s are those that `pipeline` says, a function of (seed, stream, s): a data set
of the numbers s, s + 1, ... from where the run stands is mapped to indices, to the contents of the
files, and to images. A resumed run starts at its own step and decodes nothing that it skips. The
batch lies in local variables, with the number of its step, until another step is asked for: a look
at the losses of a step takes no batch from the step itself.

N examples, B batch, H x W image, C channels.
"""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.data import lazy_images, pipeline
from tfae.data.formats import resampling

_AHEAD = 2  # batches that are ready and wait
_LUMA = ((19595.0,), (38470.0,), (7471.0,))  # of R, G and B, in 2^-16


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


def decoded(content: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """`[H, W, C]` uint8 of the content of one JPEG or PNG: `lazy_images.decoded` to the bit."""
    image = tf.cond(
        tf.io.is_jpeg(content),
        lambda: _jpeg(content, form),
        lambda: _cropped(tf.io.decode_png(content, 3), form.crop),
    )
    return _scaled(image, form)


def whole(content: tf.Tensor) -> tf.Tensor:
    """`[h, w, 3]` uint8 of all of one JPEG or PNG."""
    return tf.cond(
        tf.io.is_jpeg(content), lambda: _jpeg_at(content, 1), lambda: tf.io.decode_png(content, 3)
    )


def shaped(image: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """`[h, w, 3]` uint8, upright -> `[H, W, C]` uint8."""
    return _scaled(_cropped(image, form.crop), form)


def _now() -> tf.Tensor:
    """Seconds of a clock. TensorFlow's own refuses to be read where results must repeat."""
    now = tf.numpy_function(time.monotonic, [], tf.float64)
    now.set_shape([])
    return now


def _jpeg(content: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    if form.crop:
        ratio = form.ratio(*form.crop)
        return _cropped(_jpeg_at(content, ratio), form.cropped(ratio))
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(content), 3)
    fits = [(height >= r * form.height) & (width >= r * form.width) for r in lazy_images.RATIOS]
    branches = [functools.partial(_jpeg_at, content, ratio) for ratio in (1, *lazy_images.RATIOS)]
    return tf.switch_case(tf.add_n([tf.cast(fit, tf.int32) for fit in fits]), branches)


def _jpeg_at(content: tf.Tensor, ratio: int) -> tf.Tensor:
    """`[h, w, 3]` uint8 of a JPEG at 1 / `ratio` of its sides, as pillow decodes it, to the bit."""
    return tf.io.decode_jpeg(content, 3, ratio, dct_method='INTEGER_ACCURATE')


def _luma(image: tf.Tensor) -> tf.Tensor:
    """Gray `[h, w, 1]` of colors `[h, w, 3]`, as `lazy_images` defines it."""
    sums = tf.matmul(tf.reshape(tf.cast(image, tf.float32), [-1, 3]), tf.constant(_LUMA))
    gray = tf.cast(tf.floor((sums + 2**15) * 2**-16), tf.uint8)
    return tf.reshape(gray, [*tf.unstack(tf.shape(image)[:2], 2), 1])


def _cropped(image: tf.Tensor, size: tuple[int, int] | None) -> tf.Tensor:
    """The center of an image."""
    if not size:
        return image
    top, left = (tf.shape(image)[i] - size[i] for i in (0, 1))
    return tf.slice(image, [top // 2, left // 2, 0], [*size, -1])


def _scaled(image: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """A cropped `[h, w, 3]` in the channels and at the size of a form."""
    with tf.device('/cpu:0'):  # others may multiply with fewer bits
        image = _luma(image) if form.channels == 1 else image
        there = tf.reduce_all(tf.equal(tf.shape(image)[:2], [form.height, form.width]))
        image = tf.cond(there, lambda: image, lambda: _resized(image, form.height, form.width))
    return tf.ensure_shape(image, [form.height, form.width, form.channels])


def _resized(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """What `resampling.resized` does."""

    def columns(image: tf.Tensor, made: int) -> tf.Tensor:
        """The columns scaled, as rows."""
        size, *rest = tf.unstack(tf.shape(image), 3)
        places, shares = _taps(tf.cast(size, tf.int64), made)
        shared = tf.gather(tf.reshape(image, [size, -1]), places)  # [made, K, w C]
        sums = tf.matmul(shares[:, tf.newaxis], tf.cast(shared, tf.float32))
        rounded = tf.floor((sums + 2 ** (resampling.PRECISION - 1)) * 2**-resampling.PRECISION)
        return tf.transpose(tf.reshape(tf.cast(rounded, tf.uint8), [made, *rest]), [1, 0, 2])

    return columns(columns(image, height), width)


def _taps(size: tf.Tensor, made: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What `resampling.taps` gives, the shares as float32."""
    longer = tf.maximum(size, made)
    centers = tf.constant(2 * np.arange(made)[:, np.newaxis] + 1) * size
    first = (centers - 2 * longer - made) // (2 * made) + 1
    places = first + tf.range(-(-2 * longer // made) + 1)
    weights = tf.maximum(2 * longer - tf.abs((2 * places + 1) * made - centers), 0)
    inside = tf.cast((places >= 0) & (places < size), tf.int64)
    sums = tf.cumsum(weights * inside, axis=1)
    shares = (sums * 2**resampling.PRECISION + sums[:, -1:] // 2) // sums[:, -1:]
    shares -= tf.pad(shares[:, :-1], [[0, 0], [1, 0]])
    return tf.clip_by_value(places, 0, size - 1), tf.cast(shares, tf.float32)
