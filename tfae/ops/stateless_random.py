"""Random numbers as a function of a seed tensor, of the share of a batch that a process works on.

Several processes, or several devices of one, that train on a batch together draw what one alone
would: each makes only the numbers of its own examples. Philox makes its numbers in order, four of
each value of a counter, so a share begins where those before it end.

B examples of the whole batch, b of a share.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import tensorflow.compat.v1 as tf

_AT_ONCE = 4  # float32 numbers of a value of Philox's counter


@dataclasses.dataclass(frozen=True)
class Share:
    """Number `index` of `count` equal shares of a batch.

    A batch that goes through the graph in `parts` is shared part by part.
    """

    index: int = 0
    count: int = 1
    parts: int = 1

    def rows(self, whole: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """The share of a tensor whose `axis` is the batch, of known length B."""
        if self.count == 1:
            return whole
        shape = whole.shape.as_list()
        split = [*shape[:axis], self.parts, self.count, -1, *shape[axis + 1 :]]
        mine = tf.gather(tf.reshape(whole, split), self.index, axis=axis + 1)
        length = shape[axis] // self.count
        return tf.reshape(mine, [*shape[:axis], length, *shape[axis + 1 :]])


_shares = [Share()]


@contextlib.contextmanager
def sharing(share: Share) -> Iterator[None]:
    """What is drawn while the graph is built inside is drawn for this share."""
    _shares.append(share)
    try:
        yield
    finally:
        _shares.pop()


def uniform(
    shape: tf.Tensor | list[int],
    seed: tf.Tensor,
    minval: float = 0,
    maxval: float = 1,
    dtype: tf.DType = tf.float32,
    axis: int = 0,
) -> tf.Tensor:
    """`tf.random.stateless_uniform` of this share's shape.

    Args:
      shape: of the result, `[..., b, ...]`. Known where `axis` is not 0.
      seed: int tensor `[2]`.
      minval, maxval: where the numbers lie.
      dtype: float32; or another, where the batch is not shared or `axis` is not 0.
      axis: of the examples.
    """
    share = _shares[-1]
    if share.count == 1:
        return tf.random.stateless_uniform(shape, seed, minval, maxval, dtype)
    if axis or share.parts > 1 or dtype.is_integer:
        whole = [*shape[:axis], shape[axis] * share.count, *shape[axis + 1 :]]
        return share.rows(tf.random.stateless_uniform(whole, seed, minval, maxval, dtype), axis)
    numbers = _continued(tf.raw_ops.StatelessRandomUniformV2, shape, seed, dtype)
    return numbers * (maxval - minval) + minval


def normal(
    shape: tf.Tensor | list[int], seed: tf.Tensor, dtype: tf.DType = tf.float32, copies: int = 1
) -> tf.Tensor:
    """`tf.random.stateless_normal` of this share's shape `[copies * b, ...]`.

    Args:
      shape: of the result.
      seed: int tensor `[2]`.
      dtype: float32; or another, where the batch is not shared.
      copies: of the batch that follow each other, each with numbers of its own.
    """
    share = _shares[-1]
    if share.count == 1:
        return tf.random.stateless_normal(shape, seed, dtype=dtype)
    return _continued(tf.raw_ops.StatelessRandomNormalV2, shape, seed, dtype, copies)


def _continued(op, shape, seed, dtype: tf.DType, copies: int = 1) -> tf.Tensor:
    """Numbers `shape` of those that `op` makes for the whole batch."""
    if dtype != tf.float32:
        raise ValueError(f'draws: dtype is {dtype.name}; that of a shared batch must be float32.')
    share = _shares[-1]
    shape = tf.convert_to_tensor(shape, tf.int32)
    count = tf.reduce_prod(tf.cast(shape, tf.int64)) // copies
    made = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    algorithm = tf.raw_ops.StatelessRandomGetAlg()
    found = []
    for copy in range(copies):
        first = count * (copy * share.count + share.index)
        skipped = tf.stack([tf.cast(first // _AT_ONCE, tf.uint64), tf.constant(0, tf.uint64)])
        before = first % _AT_ONCE
        numbers = op(
            shape=[before + count],
            key=made.key,
            counter=made.counter + skipped,
            alg=algorithm,
            dtype=dtype,
        )
        found.append(numbers[before:])
    return tf.reshape(tf.concat(found, 0) if copies > 1 else found[0], shape)
