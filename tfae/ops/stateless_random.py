"""Random numbers as a function of a seed tensor, for a slice of a batch.

Workers and towers that share a batch sample the same numbers as a single process: each generates
only those of its own examples. Philox generates numbers in order, four per value of a counter, so a
slice starts where the one before it ends.

B examples of the whole batch, b of a slice.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import tensorflow.compat.v1 as tf

_PER_COUNT = 4  # float32 numbers per value of Philox's counter


@dataclasses.dataclass(frozen=True)
class Slice:
    """Number `index` of `count` equal slices of a batch; with micro-batches, of each of them."""

    index: int = 0
    count: int = 1
    micro_batches: int = 1

    def rows(self, whole: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Returns this slice of a tensor whose `axis` is the batch, of static length B."""
        if self.count == 1:
            return whole
        shape = whole.shape.as_list()
        split = [*shape[:axis], self.micro_batches, self.count, -1, *shape[axis + 1 :]]
        mine = tf.gather(tf.reshape(whole, split), self.index, axis=axis + 1)
        length = shape[axis] // self.count
        return tf.reshape(mine, [*shape[:axis], length, *shape[axis + 1 :]])


_slices = [Slice()]


@contextlib.contextmanager
def slicing(of_batch: Slice) -> Iterator[None]:
    """Makes random operations that are built inside generate the numbers of this slice."""
    _slices.append(of_batch)
    try:
        yield
    finally:
        _slices.pop()


def uniform(
    shape: tf.Tensor | list[int],
    seed: tf.Tensor,
    minval: float = 0,
    maxval: float = 1,
    dtype: tf.DType = tf.float32,
    axis: int = 0,
) -> tf.Tensor:
    """Returns `tf.random.stateless_uniform` for the current slice of a batch.

    Args:
      shape: of the result, `[..., b, ...]`; static where `axis` is not 0.
      seed: int tensor `[2]`.
      minval, maxval: range of the numbers, [minval, maxval).
      dtype: float32; another only where the batch is not sliced or `axis` is not 0.
      axis: of the examples.
    Returns: tensor of that shape.
    """
    of_batch = _slices[-1]
    if of_batch.count == 1:
        return tf.random.stateless_uniform(shape, seed, minval, maxval, dtype)
    if axis or of_batch.micro_batches > 1 or dtype.is_integer:
        whole = [*shape[:axis], shape[axis] * of_batch.count, *shape[axis + 1 :]]
        return of_batch.rows(tf.random.stateless_uniform(whole, seed, minval, maxval, dtype), axis)
    numbers = _continued(tf.raw_ops.StatelessRandomUniformV2, shape, seed, dtype)
    return numbers * (maxval - minval) + minval


def normal(
    shape: tf.Tensor | list[int], seed: tf.Tensor, dtype: tf.DType = tf.float32, copies: int = 1
) -> tf.Tensor:
    """Returns `tf.random.stateless_normal` for the current slice of a batch.

    Args:
      shape: of the result, `[copies * b, ...]`.
      seed: int tensor `[2]`.
      dtype: float32; another only where the batch is not sliced.
      copies: consecutive copies of the batch, each with independent noise.
    Returns: tensor of that shape.
    """
    if _slices[-1].count == 1:
        return tf.random.stateless_normal(shape, seed, dtype=dtype)
    return _continued(tf.raw_ops.StatelessRandomNormalV2, shape, seed, dtype, copies)


def _continued(op, shape, seed, dtype: tf.DType, copies: int = 1) -> tf.Tensor:
    """Returns the numbers of this slice, out of those that `op` generates for the whole batch."""
    if dtype != tf.float32:
        raise ValueError(
            f'random numbers: dtype is {dtype.name}; for a sliced batch it must be float32.'
        )
    of_batch = _slices[-1]
    shape = tf.convert_to_tensor(shape, tf.int32)
    count = tf.reduce_prod(tf.cast(shape, tf.int64)) // copies
    made = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    algorithm = tf.raw_ops.StatelessRandomGetAlg()
    found = []
    for copy in range(copies):
        # The counter of the first number; those before it under the same count are dropped.
        first = count * (copy * of_batch.count + of_batch.index)
        skipped = tf.stack([tf.cast(first // _PER_COUNT, tf.uint64), tf.constant(0, tf.uint64)])
        before = first % _PER_COUNT
        numbers = op(
            shape=[before + count],
            key=made.key,
            counter=made.counter + skipped,
            alg=algorithm,
            dtype=dtype,
        )
        found.append(numbers[before:])
    return tf.reshape(tf.concat(found, 0) if copies > 1 else found[0], shape)
