"""The input pipeline: from arrays to the batch tensors of step s, inside the graph.

The examples of step s are a function of (seed, stream, s). The orders `shuffled` and `sequential`
take positions s * B ... s * B + B - 1 of an endless sequence of permutations of the N examples;
`with_replacement` samples every example independently. There is no iterator and no hidden random
state, so a resumed run sees the same batches as one that was never stopped.

The arrays are local variables: in memory once, gathered by index inside the graph, and absent from
checkpoints. `load(run)` fills a `Source`, with `run` of a session.

N examples, B batch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.data.normalization import Normalization

Run = Callable[..., Any]
Order = Literal['shuffled', 'sequential', 'with_replacement']

_MAX_VALUES = 2**22  # of the examples of a batch outside training
_MAX_EXAMPLES = 1000  # of a batch outside training
_PHILOX = 1  # tf.random.Algorithm.PHILOX


class Sampled(NamedTuple):
    """The examples of a step."""

    images: tf.Tensor  # float32 [B, ...]
    labels: tf.Tensor | None  # int64 [B]
    start: tf.Operation | None = None  # to be run once before the first of consecutive steps
    waited: tf.Tensor | None = None  # float64: seconds that steps have waited for examples
    present: tf.Tensor | None = None  # float32 [B, ...], see `masked`; None: no value is missing


class Source(Protocol):
    """Examples that a graph gathers by index."""

    count: int

    def load(self, run: Run) -> None:
        """Loads the examples, unless they are loaded."""

    def release(self, run: Run) -> None:
        """Frees their memory where they can be computed again."""

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Gathers examples `[B, ...]` float32 and labels `[B]` int64, or None."""

    def batch(self, step: tf.Tensor, indices_of: Callable[[tf.Tensor], tf.Tensor]) -> Sampled:
        """Returns the examples of `step`, int64, at the indices `[B]` that `indices_of` returns."""

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """Gathers the labels alone."""

    def present(self, indices: tf.Tensor) -> tf.Tensor | None:
        """Gathers which values there are, float32 `[B, ...]`: see `masked`; None: all."""


class Examples:
    """The arrays of a split."""

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        name: str,
        normalization: Normalization | None = None,
        missing: bool = False,
    ):
        """Declares variables for `images` `[N, ...]` and `labels` `[N]`; `load` fills them.

        Batches of rows of a table are normalized by the variables of `normalization`, and masked if
        values may be `missing`.
        """
        self._normalization = normalization
        self._missing = missing
        self.count = len(images)
        self._arrays = [images] if labels is None else [images, labels]
        with tf.name_scope(f'{names.EXAMPLES}/{name}/'):
            self._rows = [_rows(array.shape[1:], array.dtype) for array in self._arrays]
            self._values = [tf.placeholder(a.dtype, a.shape) for a in self._arrays]
            self._assign = [
                tf.assign(rows, value, validate_shape=False)
                for rows, value in zip(self._rows, self._values, strict=True)
            ]
        self._loaded = False

    def load(self, run: Run) -> None:
        """See `Source`."""
        if not self._loaded:
            run([op.op for op in self._assign], dict(zip(self._values, self._arrays, strict=True)))
        self._loaded = True

    def release(self, run: Run) -> None:
        """Does nothing: every phase and every evaluation reads the arrays."""

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """See `Source`."""
        images = tf.gather(self._rows[0], indices)
        values = tf.image.convert_image_dtype(images, tf.float32)
        if self._normalization:
            values = self._normalization.normalize(values)
        if self._missing:
            values, _ = masked(values)
        return values, self.labels(indices)

    def batch(self, step: tf.Tensor, indices_of: Callable[[tf.Tensor], tf.Tensor]) -> Sampled:
        """See `Source`."""
        indices = indices_of(step)
        return Sampled(*self.gather(indices), present=self.present(indices))

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """See `Source`."""
        return tf.gather(self._rows[1], indices) if len(self._rows) > 1 else None

    def present(self, indices: tf.Tensor) -> tf.Tensor | None:
        """See `Source`."""
        if not self._missing:
            return None
        images = tf.gather(self._rows[0], indices)
        return masked(tf.image.convert_image_dtype(images, tf.float32))[1]


class Codes:
    """The codes of another source under a frozen encoder: computed once for all examples."""

    def __init__(
        self, source: Source, encode: Callable[[tf.Tensor], tf.Tensor], size: int, name: str
    ):
        """Declares a variable for codes `[N, size]`, which `encode` computes from the source."""
        self.count = source.count
        self._source = source
        with tf.name_scope(f'{names.CODES}/{name}/'):
            self._rows = _rows((size,), np.float32)
            self._reserve = tf.assign(
                self._rows, tf.zeros([self.count, size]), validate_shape=False
            ).op
            self._release = tf.assign(self._rows, tf.zeros([0, size]), validate_shape=False).op
            self._start, self._stop = tf.placeholder(tf.int64, []), tf.placeholder(tf.int64, [])
            indices = tf.range(self._start, self._stop)
            examples = source.gather(indices)[0]
            self._at_once = at_once(examples.shape[1:])
            self._fill = tf.scatter_update(self._rows, indices, encode(examples)).op
        self._loaded = False

    def load(self, run: Run) -> None:
        """See `Source`; the underlying source is released after the last code."""
        if self._loaded:
            return
        self._source.load(run)
        run(self._reserve)
        for start in range(0, self.count, self._at_once):
            stop = min(start + self._at_once, self.count)
            run(self._fill, {self._start: start, self._stop: stop})
        self._source.release(run)
        self._loaded = True

    def release(self, run: Run) -> None:
        """See `Source`."""
        run(self._release)
        self._loaded = False

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """See `Source`."""
        return tf.gather(self._rows, indices), self.labels(indices)

    def batch(self, step: tf.Tensor, indices_of: Callable[[tf.Tensor], tf.Tensor]) -> Sampled:
        """See `Source`."""
        return Sampled(*self.gather(indices_of(step)))

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """Returns the labels of the underlying source."""
        return self._source.labels(indices)

    def present(self, indices: tf.Tensor) -> tf.Tensor | None:
        """Returns None: no code is missing."""


def indices(
    order: Order, step: tf.Tensor, batch_size: int, count: int, seeds: Sequence[int]
) -> tf.Tensor:
    """Returns the indices `[batch_size]` int64 of the examples of a step.

    Args:
      order: shuffled and sequential visit each example once in every `count` positions, in random
        order or in that of the data set; with_replacement samples each independently.
      step: int64 scalar, counted from 0 within the stream.
      batch_size: may not exceed `count`.
      count: number of examples N.
      seeds: run seed and number of the stream.
    """
    if order == 'with_replacement':
        return _with_replacement(step, batch_size, count, seeds)
    position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
    if order == 'sequential':
        return position % count
    first = step * batch_size // count  # a batch ends in this epoch or in the next
    keys = _keys(first, seeds)
    # The raw op: its wrapper pads a seed of rank 2 wrongly (TensorFlow 2.21).
    return tf.raw_ops.RandomIndexShuffle(
        index=position % count,
        seed=tf.gather(keys, position // count - first),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=8,  # at 4, neighbors remain neighbors too often
    )


def _with_replacement(
    step: tf.Tensor, batch_size: int, count: int, seeds: Sequence[int]
) -> tf.Tensor:
    """Returns independent uniform samples `[batch_size]` from [0, count)."""
    # The samples of a step count up the low half of the counter; `_keys` alone has 0 in the high.
    high = tf.cast(step + 1, tf.uint64)
    return tf.raw_ops.StatelessRandomUniformIntV2(
        shape=[batch_size],
        key=[_key(seeds)],
        counter=tf.stack([tf.constant(0, tf.uint64), high]),
        alg=_PHILOX,
        minval=tf.constant(0, tf.int64),
        maxval=tf.constant(count, tf.int64),
    )


def _keys(epoch: tf.Tensor, seeds: Sequence[int]) -> tf.Tensor:
    """Keys `[2, 3]` of the permutations of an epoch and of the next.

    Their bits are well mixed, as the shuffle needs, which uses 8 bits of each number. Philox
    generates four numbers per value of its counter, the epoch; one call generates those of two.
    """
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[8],
        key=[_key(seeds)],
        counter=tf.stack([tf.cast(epoch, tf.uint64), tf.constant(0, tf.uint64)]),
        alg=_PHILOX,
        dtype=tf.int32,
    )
    return tf.reshape(words, [2, 4])[:, :3]


def _key(seeds: Sequence[int]) -> np.uint64:
    return np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]


def masked(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns values with 0 for those that are missing, and which there are.

    Args:
      values: float tensor `[B, ...]`, normalized; NaN where a value is missing.
    Returns: two tensors of that shape; the second is 1 where there is a value, else 0.
    """
    missing = tf.math.is_nan(values)
    filled = tf.where(missing, tf.zeros_like(values), values)
    return filled, tf.cast(tf.logical_not(missing), values.dtype)


def at_once(shape: Sequence[int]) -> int:
    """Returns the batch size outside training, for examples of this shape."""
    numbers = math.prod(int(length) for length in shape)
    return min(max(_MAX_VALUES // max(numbers, 1), 1), _MAX_EXAMPLES)


def noise_seed(step: tf.Tensor, seeds: Sequence[int]) -> tf.Tensor:
    """Returns the seed `[2]` int64 of the stateless noise of a step of a stream."""
    seed = tf.stack([tf.constant(seeds[0], tf.int64), step])
    for salt in seeds[1:]:
        seed = tf.random.experimental.stateless_fold_in(seed, salt)
    return seed


def _rows(shape: Sequence[int], dtype: Any) -> tf.Variable:
    """Returns a local variable `[None, *shape]`, empty until it is assigned."""
    return local(np.zeros([0, *shape], dtype), tf.TensorShape([None, *shape]))


def local(value: Any, shape: tf.TensorShape | None = None) -> tf.Variable:
    """Creates a local variable, which is in no checkpoint, with this initial value."""
    return tf.Variable(
        value,
        trainable=False,
        collections=[tf.GraphKeys.LOCAL_VARIABLES],
        use_resource=True,
        shape=shape,
    )
