"""The input pipeline for image files, which `tf.data` reads and decodes ahead of time.

The examples of step s are a function of (seed, stream, s), as in `pipeline`: a dataset of the step
numbers from the current one on is mapped to indices, to the contents of files, and to images. A
resumed run starts at its own step, without decoding skipped ones. The batch stays in local
variables, with the number of its step, until another step is requested, so that evaluating the
losses of a step does not consume the batch.

N examples, B batch, H x W image, C channels.
"""

import contextlib
import functools
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.data import lazy_images, pipeline
from tfae.data.formats import resampling
from tfae.data.normalization import Normalization

_PREFETCHED = 2  # batches
# In the message of an error, which alone names operations inside functions.
_DECODING = re.compile(r'node \S*(Decode|ExtractJpegShape|IteratorGetNext)')
_LUMA = ((19595.0,), (38470.0,), (7471.0,))  # of R, G and B, in 2^-16


class Stream:
    """The images of a split. See `pipeline.Source`."""

    def __init__(self, images: lazy_images.LazyImages, labels: np.ndarray | None, name: str):
        """Declares the stream of `images` `[N, H, W, C]` and `labels` `[N]`; reads nothing yet."""
        self.count = len(images)
        self.trouble: errors.InputError | None = None  # the first file that could not be read
        self._images = images
        self._name = f'{names.EXAMPLES}/{name}'
        self._given = labels
        with tf.name_scope(f'{self._name}/'):
            # Not a constant, which would be part of every exported graph.
            self._value = None if labels is None else tf.placeholder(tf.int64, labels.shape)
            if labels is not None:
                self._labels = pipeline.local(tf.zeros(labels.shape, tf.int64))
                self._assign = self._labels.assign(self._value).op

    def load(self, run: pipeline.Run) -> None:
        """Loads the labels; see `pipeline.Source`."""
        if self._value is not None:
            run(self._assign, {self._value: self._given})

    def release(self, run: pipeline.Run) -> None:
        """See `pipeline.Source`."""

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """See `pipeline.Source`."""
        return None if self._value is None else tf.gather(self._labels, indices)

    def present(self, indices: tf.Tensor) -> tf.Tensor | None:
        """Returns None: no pixel is missing."""

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """See `pipeline.Source`; files are read and decoded on demand."""
        images = self._gathered(indices)
        return tf.image.convert_image_dtype(images, tf.float32), self.labels(indices)

    def batch(
        self, step: tf.Tensor, indices_of: Callable[[tf.Tensor], tf.Tensor]
    ) -> pipeline.Sampled:
        """See `pipeline.Source`; files are read and decoded ahead of time."""
        with tf.name_scope(f'{self._name}/'):
            size = int(indices_of(step).shape[0])
            iterator = tf.data.make_initializable_iterator(self._from(step, indices_of))
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
            labels = self.labels(indices_of(step))
            return pipeline.Sampled(images, labels, start, waited.read_value())

    def _from(
        self, start: tf.Tensor, indices_of: Callable[[tf.Tensor], tf.Tensor]
    ) -> tf.data.Dataset:
        """Returns the images `[B, H, W, C]` of step `start` and of all later steps."""
        cores = os.cpu_count() or 1
        plainly = tf.autograph.experimental.do_not_convert
        options = tf.data.Options()
        options.threading.private_threadpool_size = cores
        options.autotune.enabled = False
        return (
            tf.data.Dataset.range(start, np.iinfo(np.int64).max)
            .map(plainly(lambda step: self._gathered(indices_of(step))), cores, True)
            .prefetch(_PREFETCHED)
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
        """Raises InputError that names the invalid file of this split, if there is one."""
        if self.trouble:
            raise self.trouble from None
        decoding = _DECODING.search(error.message)
        if isinstance(error, tf.errors.InvalidArgumentError) and decoding:
            for place in range(self.count):
                self._images[place]


def source(
    images: Any,
    labels: np.ndarray | None,
    name: str,
    normalization: Normalization | None = None,
    missing: bool = False,
) -> pipeline.Source:
    """Creates the `pipeline.Source` of a split; see `pipeline.Examples`."""
    if isinstance(images, lazy_images.LazyImages):
        return Stream(images, labels, name)
    return pipeline.Examples(images, labels, name, normalization, missing)


@contextlib.contextmanager
def blaming(*sources: pipeline.Source) -> Iterator[None]:
    """Converts errors of a session about a file to an InputError that names the file."""
    try:
        yield
    except tf.errors.OpError as error:
        for found in sources:
            if isinstance(found, Stream):
                found.blame(error)
        raise


def decoded(content: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """Decodes a JPEG or PNG to `[H, W, C]` uint8, bit for bit as `lazy_images.decoded`."""
    image = tf.cond(
        tf.io.is_jpeg(content),
        lambda: _jpeg(content, form),
        lambda: _cropped(tf.io.decode_png(content, 3), form.crop),
    )
    return _scaled(image, form)


def whole(content: tf.Tensor) -> tf.Tensor:
    """Decodes a whole JPEG or PNG to `[h, w, 3]` uint8."""
    return tf.cond(
        tf.io.is_jpeg(content), lambda: _jpeg_at(content, 1), lambda: tf.io.decode_png(content, 3)
    )


def shaped(image: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """Crops, scales and converts `[h, w, 3]` uint8 to `[H, W, C]` uint8."""
    return _scaled(_cropped(image, form.crop), form)


def _now() -> tf.Tensor:
    """Seconds of a clock. TensorFlow's own fails where operations must be deterministic."""
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
    """Decodes a JPEG at 1 / `ratio` of its size to `[h, w, 3]` uint8, bit for bit as pillow."""
    return tf.io.decode_jpeg(content, 3, ratio, dct_method='INTEGER_ACCURATE')


def _luma(image: tf.Tensor) -> tf.Tensor:
    """Converts colors `[h, w, 3]` to gray `[h, w, 1]`, as `lazy_images` defines it."""
    sums = tf.matmul(tf.reshape(tf.cast(image, tf.float32), [-1, 3]), tf.constant(_LUMA))
    gray = tf.cast(tf.floor((sums + 2**15) * 2**-16), tf.uint8)
    return tf.reshape(gray, [*tf.unstack(tf.shape(image)[:2], 2), 1])


def _cropped(image: tf.Tensor, size: tuple[int, int] | None) -> tf.Tensor:
    """Returns the center of an image."""
    if not size:
        return image
    top, left = (tf.shape(image)[i] - size[i] for i in (0, 1))
    return tf.slice(image, [top // 2, left // 2, 0], [*size, -1])


def _scaled(image: tf.Tensor, form: lazy_images.Form) -> tf.Tensor:
    """Converts a cropped `[h, w, 3]` to the channels and the size of a form."""
    with tf.device('/cpu:0'):  # accelerators may multiply with lower precision
        image = _luma(image) if form.channels == 1 else image
        there = tf.reduce_all(tf.equal(tf.shape(image)[:2], [form.height, form.width]))
        image = tf.cond(there, lambda: image, lambda: _resized(image, form.height, form.width))
    return tf.ensure_shape(image, [form.height, form.width, form.channels])


def _resized(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Scales an image as `resampling.resized` does."""

    def columns(image: tf.Tensor, made: int) -> tf.Tensor:
        """Scales along the columns and transposes."""
        size, *rest = tf.unstack(tf.shape(image), 3)
        places, weights = _taps(tf.cast(size, tf.int64), made)
        taken = tf.gather(tf.reshape(image, [size, -1]), places)  # [made, K, w C]
        sums = tf.matmul(weights[:, tf.newaxis], tf.cast(taken, tf.float32))
        rounded = tf.floor((sums + 2 ** (resampling.PRECISION - 1)) * 2**-resampling.PRECISION)
        return tf.transpose(tf.reshape(tf.cast(rounded, tf.uint8), [made, *rest]), [1, 0, 2])

    return columns(columns(image, height), width)


def _taps(size: tf.Tensor, made: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the positions and weights of `resampling.taps`, with weights as float32."""
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
