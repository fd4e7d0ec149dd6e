"""TF1's `tf.contrib.layers`: the part that tf-slim does not provide."""

from typing import Any

import tensorflow.compat.v1 as tf
import tf_slim
from tf_slim.layers import (
    initializers,
    normalization,
    optimizers,
    regularizers,
    summaries,
    utils,
)

from tfae.core import names

__all__ = [
    'embed_sequence',
    'initializers',
    'normalization',
    'optimizers',
    'real_valued_column',
    'regularizers',
    'safe_embedding_lookup_sparse',
    'summaries',
    'utils',
]

safe_embedding_lookup_sparse = tf.nn.safe_embedding_lookup_sparse
ARRAY = 'x'  # column of features that are one array, which TF1 called ''


def real_valued_column(
    column_name: str,
    dimension: int = 1,
    default_value: Any = None,
    dtype: Any = tf.float32,
    normalizer: Any = None,
) -> Any:
    """Returns a numeric column; without a name, that of features which are one array."""
    return tf.feature_column.numeric_column(
        column_name or ARRAY, dimension, default_value, dtype, normalizer
    )


def embed_sequence(
    ids: tf.Tensor,
    vocab_size: int | None = None,
    embed_dim: int | None = None,
    unique: bool = False,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    scope: Any = None,
    reuse: bool | None = None,
) -> tf.Tensor:
    """Returns the embeddings `[B, T, embed_dim]` of ids `[B, T]`.

    Args:
      ids: integer tensor.
      vocab_size: number of different ids.
      embed_dim: number of dimensions of an embedding.
      unique: whether to look each id up once; the values are the same.
      initializer: of the variable `EmbedSequence/embeddings`.
      regularizer: of that variable.
      trainable: whether it is.
      scope: replaces the scope `EmbedSequence`.
      reuse: of the scope.

    Raises:
      ValueError: with a new variable of unknown size.
    """
    if not (reuse or (vocab_size and embed_dim)):
        raise ValueError(
            f'embed_sequence: vocab_size is {vocab_size} and embed_dim is {embed_dim}; a new '
            'variable needs both.'
        )
    shape = [vocab_size, embed_dim] if vocab_size and embed_dim else None
    with tf.variable_scope(scope, names.EMBED_SEQUENCE, [ids], reuse=reuse):
        embeddings = tf_slim.model_variable(
            names.EMBEDDINGS,
            shape,
            initializer=initializer,
            regularizer=regularizer,
            trainable=trainable,
        )
        if not unique:
            return tf.nn.embedding_lookup(embeddings, ids)
        known, index = tf.unique(tf.reshape(ids, [-1]))
        found = tf.gather(tf.nn.embedding_lookup(embeddings, known), index)
        return tf.reshape(found, tf.concat([tf.shape(ids), embeddings.shape[1:]], 0))
