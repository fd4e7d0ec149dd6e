"""What a model gives to whoever trains it: objectives, each one scalar and what it moves.

B batch, H W C picture, D numbers of a code.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow.compat.v1 as tf


class Batch(NamedTuple):
    """What an objective is computed on."""

    images: tf.Tensor  # [B, H, W, C] float in [0, 1]; in a greedy phase codes [B, D]
    labels: tf.Tensor | None  # [B] int64
    seed: tf.Tensor | None  # [2] int64, a function of (run seed, step); None at inference


class Objective(NamedTuple):
    """One scalar and the variables that it moves."""

    name: str
    loss: tf.Tensor  # scalar
    variables: list[tf.Variable]
    terms: dict[str, tf.Tensor]  # scalars to watch beside the loss


class Layer(NamedTuple):
    """One layer of a stack, trained as an autoencoder of the codes of the layer below."""

    objective: Callable[[Batch], Objective]
    encode: Callable[[tf.Tensor], tf.Tensor]  # codes of the layer below -> [B, size]
    size: int


def trainable(*scopes: str) -> list[tf.Variable]:
    """Trainable variables under these scopes of the current variable scope."""
    outer = tf.get_variable_scope().name
    prefixes = [f'{outer}/{scope}/' if outer else f'{scope}/' for scope in scopes]
    return [
        variable
        for prefix in prefixes
        for variable in tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, prefix)
    ]
