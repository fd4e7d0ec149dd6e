"""Arrays -> the batch tensors of step s, inside the graph.

Which examples step s sees is a function of (seed, stream, s). Of the orders `shuffled` and
`sequential` they are the positions s * B ... s * B + B - 1 of an endless sequence whose every N in
a row are one permutation of the N examples; `with_replacement` draws each anew. There is no
iterator and no hidden generator, so a run resumed at step s sees what it would have seen.

The arrays lie in local variables: they are in memory once, are gathered by index without leaving
the graph, and are in no checkpoint. A `Source` is filled by `load(run)`, `run` being a session's.

N examples, B batch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import names

Run = Callable[..., Any]
Order = Literal['shuffled', 'sequential', 'with_replacement']

_CHUNK = 2048
_AT_ONCE = 2**22  # numbers, of examples that go through a network outside training
_MOST_AT_ONCE = 1000
_PHILOX = 1  # tf.random.Algorithm.PHILOX


class Drawn(NamedTuple):
    """The examples of a step."""

    images: tf.Tensor  # float32 [B, ...]
    labels: tf.Tensor | None  # int64 [B]
    start: tf.Operation | None = None  # to be run once before the first of a row of steps
    waited: tf.Tensor | None = None  # float64: seconds that steps waited for examples


class Source(Protocol):
    """Examples that a graph gathers by index."""

    count: int

    def load(self, run: Run) -> None:
        """Makes the examples ready; does nothing where they are."""

    def release(self, run: Run) -> None:
        """Gives their memory back where they can be made again."""

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Examples `[B, ...]` as float32 and labels `[B]` int64 or None."""

    def batch(self, step: tf.Tensor, drawn: Callable[[tf.Tensor], tf.Tensor]) -> Drawn:
        """The examples of `step`, int64, at the indices that `drawn` makes of it."""

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """The labels alone."""


class Examples:
    """The arrays of a split."""

    def __init__(self, images: np.ndarray, labels: np.ndarray | None, name: str):
        """Declares room for `images` `[N, H, W, C]` and `labels` `[N]`, without filling it."""
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
        """See `Source`; the arrays stay, since every phase and every evaluation reads them."""

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """See `Source`."""
        images = tf.gather(self._rows[0], indices)
        return tf.image.convert_image_dtype(images, tf.float32), self.labels(indices)

    def batch(self, step: tf.Tensor, drawn: Callable[[tf.Tensor], tf.Tensor]) -> Drawn:
        """See `Source`."""
        return Drawn(*self.gather(drawn(step)))

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """See `Source`."""
        return tf.gather(self._rows[1], indices) if len(self._rows) > 1 else None


class Codes:
    """What a frozen encoder makes of another source: computed once for all examples, then kept."""

    def __init__(
        self, source: Source, encode: Callable[[tf.Tensor], tf.Tensor], size: int, name: str
    ):
        """Declares room for codes `[N, size]`; `encode` makes them of the source's examples."""
        self.count = source.count
        self._source = source
        with tf.name_scope(f'{names.CODES}/{name}/'):
            self._rows = _rows((size,), np.float32)
            self._reserve = tf.assign(
                self._rows, tf.zeros([self.count, size]), validate_shape=False
            ).op
            self._release = tf.assign(self._rows, tf.zeros([0, size]), validate_shape=False).op
            self._start = tf.placeholder(tf.int64, [])
            indices = tf.range(self._start, tf.minimum(self._start + _CHUNK, self.count))
            codes = encode(source.gather(indices)[0])
            self._fill = tf.scatter_update(self._rows, indices, codes).op
        self._loaded = False

    def load(self, run: Run) -> None:
        """See `Source`; the source below is released when its last code is made."""
        if self._loaded:
            return
        self._source.load(run)
        run(self._reserve)
        for start in range(0, self.count, _CHUNK):
            run(self._fill, {self._start: start})
        self._source.release(run)
        self._loaded = True

    def release(self, run: Run) -> None:
        """See `Source`."""
        run(self._release)
        self._loaded = False

    def gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """See `Source`."""
        return tf.gather(self._rows, indices), self.labels(indices)

    def batch(self, step: tf.Tensor, drawn: Callable[[tf.Tensor], tf.Tensor]) -> Drawn:
        """See `Source`."""
        return Drawn(*self.gather(drawn(step)))

    def labels(self, indices: tf.Tensor) -> tf.Tensor | None:
        """Those of the source below."""
        return self._source.labels(indices)


def indices(
    order: Order, step: tf.Tensor, batch_size: int, count: int, seeds: Sequence[int]
) -> tf.Tensor:
    """Indices `[batch_size]` int64 of the examples that step `step` of a stream sees.

    Args:
      order: shuffled and sequential visit each example once in every `count` positions, in an order
        of their own or in that of the set; with_replacement draws each independently.
      step: int64 scalar, counted from 0 within the stream.
      batch_size: may not exceed `count`.
      count: number of examples N.
      seeds: run seed and number of the stream.
    """
    if order == 'with_replacement':
        return _drawn(step, batch_size, count, seeds)
    position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
    if order == 'sequential':
        return position % count
    first = step * batch_size // count  # a batch ends in this epoch or in the next
    keys = _keys(first, seeds)
    # The raw op: the wrapper of this name pads a seed of rank 2 wrongly (TensorFlow 2.21).
    return tf.raw_ops.RandomIndexShuffle(
        index=position % count,
        seed=tf.gather(keys, position // count - first),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=8,  # at 4, neighbors stay neighbors too often
    )


def _drawn(step: tf.Tensor, batch_size: int, count: int, seeds: Sequence[int]) -> tf.Tensor:
    """Independent uniform draws `[batch_size]` from [0, count)."""
    # A step's draws count up the low half of the counter; the high half is 0 in `_keys` alone.
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
    """Keys `[2, 3]` of the orders of an epoch and of the next.

    Their bits are well mixed, since the shuffle uses 8 of each number. Philox makes four numbers of
    each value of a counter, which is the epoch; one call makes those of two.
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


def at_once(shape: Sequence[int]) -> int:
    """How many examples of this shape go through a network at once outside training."""
    numbers = math.prod(int(length) for length in shape)
    return min(max(_AT_ONCE // max(numbers, 1), 1), _MOST_AT_ONCE)


def noise_seed(step: tf.Tensor, seeds: Sequence[int]) -> tf.Tensor:
    """Seed `[2]` int64 for the stateless noise of step `step` of a stream."""
    seed = tf.stack([tf.constant(seeds[0], tf.int64), step])
    for salt in seeds[1:]:
        seed = tf.random.experimental.stateless_fold_in(seed, salt)
    return seed


def _rows(shape: Sequence[int], dtype: Any) -> tf.Variable:
    """A local variable `[None, *shape]`, empty until it is assigned."""
    return local(np.zeros([0, *shape], dtype), tf.TensorShape([None, *shape]))


def local(value: Any, shape: tf.TensorShape | None = None) -> tf.Variable:
    """A variable that is in no checkpoint, of this value at first."""
    return tf.Variable(
        value,
        trainable=False,
        collections=[tf.GraphKeys.LOCAL_VARIABLES],
        use_resource=True,
        shape=shape,
    )
