"""`tf.estimator.inputs`: input functions of arrays. N examples, B examples of a batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf


def numpy_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
) -> Callable[[], Any]:
    """Returns an input function of arrays.

    Args:
      x: array `[N, ...]`, or name -> array.
      y: labels `[N, ...]`, or name -> labels, or None.
      batch_size: number of examples of a batch; the last may have fewer.
      num_epochs: number of passes over the examples; None: no end.
      shuffle: whether each epoch has another order. Required.
      queue_capacity: not used.
      num_threads: not used.
    Returns: a function that returns the features `[B, ...]`, or with `y` features and labels.
    Raises: ValueError if `shuffle` is missing, or the lengths differ.
    """
    if not isinstance(shuffle, bool):
        raise ValueError(f'shuffle is {shuffle!r}; it must be True or False')
    arrays = tf.nest.map_structure(np.asarray, x if y is None else (x, y))
    leaves = tf.nest.flatten(arrays)
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) != 1:
        raise ValueError(f'Arrays have {sorted(lengths)} examples; the lengths must match')
    (count,) = lengths

    def rows(order: np.ndarray) -> list[np.ndarray]:
        return [leaf[order] for leaf in leaves]

    def batch(order: tf.Tensor) -> Any:
        # The arrays stay out of the graph, which is limited to 2 GB and written to a file.
        found = tf.numpy_function(rows, [order], [leaf.dtype for leaf in leaves])
        for tensor, leaf in zip(found, leaves, strict=True):
            tensor.set_shape([None, *leaf.shape[1:]])
        return tf.nest.pack_sequence_as(arrays, found)

    def input_fn() -> Any:
        order = tf.data.Dataset.range(count)
        order = order.shuffle(count) if shuffle else order
        data = order.repeat(num_epochs).batch(batch_size).map(batch).prefetch(1)
        iterator = tf.data.make_initializable_iterator(data)
        tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
        return iterator.get_next()

    return input_fn


def pandas_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
    target_column: str = 'target',
) -> Callable[[], Any]:
    """Returns an input function of the columns of a DataFrame; see `numpy_input_fn`."""
    columns = {name: x[name].values for name in x.columns}
    labels = getattr(y, 'values', y)
    return numpy_input_fn(
        columns, labels, batch_size, num_epochs, shuffle, queue_capacity, num_threads
    )
