"""TF1's `tf.contrib.data`: the part that `tf.data.experimental` does not provide."""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf

__all__ = [
    'Dataset',
    'FixedLengthRecordDataset',
    'Iterator',
    'TFRecordDataset',
    'TextLineDataset',
    'batch_and_drop_remainder',
    'padded_batch_and_drop_remainder',
    'unbatch',
]

Dataset = tf.data.Dataset
FixedLengthRecordDataset = tf.data.FixedLengthRecordDataset
Iterator = tf.data.Iterator
TFRecordDataset = tf.data.TFRecordDataset
TextLineDataset = tf.data.TextLineDataset


def batch_and_drop_remainder(batch_size: int) -> Callable:
    """Returns a function for `Dataset.apply` that batches, without the last incomplete batch."""
    return lambda dataset: dataset.batch(batch_size, drop_remainder=True)


def padded_batch_and_drop_remainder(
    batch_size: int, padded_shapes: Any, padding_values: Any = None
) -> Callable:
    """Returns a function for `Dataset.apply` as above, with batches padded to a shape."""

    def apply(dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.padded_batch(batch_size, padded_shapes, padding_values, drop_remainder=True)

    return apply


def unbatch() -> Callable:
    """Returns a function for `Dataset.apply` that splits batches into elements."""
    return lambda dataset: dataset.unbatch()
