"""TF1's `tf.contrib.lookup`: tables between strings and indices."""

from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

__all__ = [
    'FastHashSpec',
    'HashTable',
    'HasherSpec',
    'KeyValueTensorInitializer',
    'MutableDenseHashTable',
    'MutableHashTable',
    'TextFileIndex',
    'TextFileInitializer',
    'index_table_from_file',
    'index_table_from_tensor',
    'index_to_string_table_from_file',
    'index_to_string_table_from_tensor',
]

KeyValueTensorInitializer = tf.lookup.KeyValueTensorInitializer
TextFileIndex = tf.lookup.TextFileIndex
TextFileInitializer = tf.lookup.TextFileInitializer


class HasherSpec(NamedTuple):
    """A function that hashes strings."""

    hasher: str
    key: Any


FastHashSpec = HasherSpec('fasthash', None)


class _Initialized:
    """A table that `init` fills."""

    initializer: tf.Operation

    @property
    def init(self) -> tf.Operation:
        """Operation that fills the table."""
        return self.initializer


class HashTable(_Initialized, tf.lookup.StaticHashTable):
    """A table that does not change; `shared_name` is not used."""

    def __init__(
        self,
        initializer: Any,
        default_value: Any,
        shared_name: str | None = None,
        name: str | None = None,
    ):
        super().__init__(initializer, default_value, name)


class _VocabularyTable(_Initialized, tf.lookup.StaticVocabularyTable):
    """A table that hashes other keys to further positions."""


class MutableHashTable(tf.lookup.experimental.MutableHashTable):
    """A table with `insert`; `shared_name` is not used."""

    def __init__(
        self,
        key_dtype: tf.DType,
        value_dtype: tf.DType,
        default_value: Any,
        shared_name: str | None = None,
        name: str = 'MutableHashTable',
        checkpoint: bool = True,
    ):
        super().__init__(key_dtype, value_dtype, default_value, name, checkpoint)


class MutableDenseHashTable(tf.lookup.experimental.DenseHashTable):
    """A table with `insert` on tensors; `shared_name` is not used."""

    def __init__(
        self,
        key_dtype: tf.DType,
        value_dtype: tf.DType,
        default_value: Any,
        empty_key: Any,
        deleted_key: Any,
        initial_num_buckets: int | None = None,
        shared_name: str | None = None,
        name: str = 'MutableDenseHashTable',
        checkpoint: bool = True,
    ):
        buckets = initial_num_buckets
        keys = empty_key, deleted_key
        super().__init__(key_dtype, value_dtype, default_value, *keys, buckets, name, checkpoint)


def _index_table(
    initializer: Any,
    num_oov_buckets: int,
    default_value: int,
    hasher_spec: HasherSpec,
    dtype: tf.DType,
    name: str | None,
) -> Any:
    if not num_oov_buckets:
        return HashTable(initializer, default_value, name=name)
    if hasher_spec != FastHashSpec:
        raise ValueError(f'hasher_spec is {hasher_spec}; it must be FastHashSpec.')
    return _VocabularyTable(initializer, num_oov_buckets, dtype, name)


def index_table_from_tensor(
    mapping: Any,
    num_oov_buckets: int = 0,
    default_value: int = -1,
    hasher_spec: HasherSpec = FastHashSpec,
    dtype: tf.DType = tf.string,
    name: str | None = None,
) -> Any:
    """Returns a table from the entries of a list to their positions.

    Args:
      mapping: vector of entries.
      num_oov_buckets: number of further positions, to which other entries are hashed.
      default_value: of other entries, without such positions.
      hasher_spec: `FastHashSpec`.
      dtype: of the entries; integers are looked up as int64 without further positions.
      name: of the table.

    Raises:
      ValueError: for other functions that hash.
    """
    keys = tf.convert_to_tensor(mapping, dtype)
    if dtype.is_integer:
        keys = tf.cast(keys, tf.int64)
    values = tf.range(tf.size(keys, out_type=tf.int64))
    initializer = KeyValueTensorInitializer(keys, values)
    return _index_table(initializer, num_oov_buckets, default_value, hasher_spec, dtype, name)


def index_table_from_file(
    vocabulary_file: str,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: int = -1,
    hasher_spec: HasherSpec = FastHashSpec,
    key_dtype: tf.DType = tf.string,
    name: str | None = None,
    key_column_index: int = TextFileIndex.WHOLE_LINE,
    value_column_index: int = TextFileIndex.LINE_NUMBER,
    delimiter: str = '\t',
) -> Any:
    """Returns a table from the lines or a column of a file to their numbers or another column.

    The arguments are those of `index_table_from_tensor`, and `vocab_size`, the number of lines, if
    it is known.
    """
    initializer = TextFileInitializer(
        vocabulary_file,
        tf.int64 if key_dtype.is_integer else key_dtype,
        key_column_index,
        tf.int64,
        value_column_index,
        vocab_size,
        delimiter,
    )
    return _index_table(initializer, num_oov_buckets, default_value, hasher_spec, key_dtype, name)


def index_to_string_table_from_tensor(
    mapping: Any, default_value: str = 'UNK', name: str | None = None
) -> Any:
    """Returns a table from positions to the entries of a list; others get the default."""
    values = tf.convert_to_tensor(mapping, tf.string)
    keys = tf.range(tf.size(values, out_type=tf.int64))
    return HashTable(KeyValueTensorInitializer(keys, values), default_value, name=name)


def index_to_string_table_from_file(
    vocabulary_file: str,
    vocab_size: int | None = None,
    default_value: str = 'UNK',
    name: str | None = None,
    key_column_index: int = TextFileIndex.LINE_NUMBER,
    value_column_index: int = TextFileIndex.WHOLE_LINE,
    delimiter: str = '\t',
) -> Any:
    """Returns a table from numbers to the lines of a file; others get the default."""
    initializer = TextFileInitializer(
        vocabulary_file,
        tf.int64,
        key_column_index,
        tf.string,
        value_column_index,
        vocab_size,
        delimiter,
    )
    return HashTable(initializer, default_value, name=name)
