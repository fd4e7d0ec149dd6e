"""TF1's `tf.contrib.lookup`: tables between strings and indices."""

from typing import Any

import tensorflow.compat.v1 as tf

__all__ = [
    'HashTable',
    'KeyValueTensorInitializer',
    'TextFileInitializer',
    'index_table_from_file',
    'index_table_from_tensor',
    'index_to_string_table_from_file',
    'index_to_string_table_from_tensor',
]

HashTable = tf.lookup.StaticHashTable
KeyValueTensorInitializer = tf.lookup.KeyValueTensorInitializer
TextFileInitializer = tf.lookup.TextFileInitializer


def _index_table(initializer: Any, num_oov_buckets: int, default_value: int, name: Any) -> Any:
    if num_oov_buckets:
        return tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets, name=name)
    return HashTable(initializer, default_value, name)


def index_table_from_tensor(
    vocabulary_list: Any,
    num_oov_buckets: int = 0,
    default_value: int = -1,
    name: str | None = None,
    dtype: tf.DType = tf.string,
) -> Any:
    """Returns a table from the entries of a list to their positions.

    Args:
      vocabulary_list: vector of entries.
      num_oov_buckets: number of further positions, to which other entries are hashed.
      default_value: of other entries, without such positions.
      name: of the table.
      dtype: of the entries.
    """
    keys = tf.convert_to_tensor(vocabulary_list, dtype)
    values = tf.range(tf.size(keys, out_type=tf.int64))
    initializer = KeyValueTensorInitializer(keys, values)
    return _index_table(initializer, num_oov_buckets, default_value, name)


def index_table_from_file(
    vocabulary_file: str,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: int = -1,
    name: str | None = None,
) -> Any:
    """Returns a table from the lines of a file to their numbers, as `index_table_from_tensor`."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    initializer = TextFileInitializer(
        vocabulary_file, tf.string, line, tf.int64, number, vocab_size
    )
    return _index_table(initializer, num_oov_buckets, default_value, name)


def index_to_string_table_from_tensor(
    vocabulary_list: Any, default_value: str = 'UNK', name: str | None = None
) -> Any:
    """Returns a table from positions to the entries of a list; others get the default."""
    values = tf.convert_to_tensor(vocabulary_list, tf.string)
    keys = tf.range(tf.size(values, out_type=tf.int64))
    return HashTable(KeyValueTensorInitializer(keys, values), default_value, name)


def index_to_string_table_from_file(
    vocabulary_file: str,
    vocab_size: int | None = None,
    default_value: str = 'UNK',
    name: str | None = None,
) -> Any:
    """Returns a table from numbers to the lines of a file; others get the default."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    initializer = TextFileInitializer(
        vocabulary_file, tf.int64, number, tf.string, line, vocab_size
    )
    return HashTable(initializer, default_value, name)
