"""What a model gives to whoever trains it: objectives, each one scalar and what it moves.

B batch, H W C picture, D numbers of a code.
"""

from collections.abc import Callable, Sequence
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


def drawing_seed(seed: tf.Tensor | None) -> tf.Tensor:
    """`seed`, or a fixed one at inference: validation draws the same every time."""
    return tf.zeros([2], tf.int64) if seed is None else seed


def trainable(*scopes: str) -> list[tf.Variable]:
    """Trainable variables under these scopes of the current variable scope."""
    return _collected(tf.GraphKeys.TRAINABLE_VARIABLES, scopes)


def regularization(*scopes: str) -> tf.Tensor | None:
    """Sum of the regularization losses of the variables there; None if there are none."""
    found = _collected(tf.GraphKeys.REGULARIZATION_LOSSES, scopes)
    return tf.add_n(found) if found else None


def _collected(key: str, scopes: Sequence[str]) -> list:
    outer = tf.get_variable_scope().name
    prefixes = [f'{outer}/{scope}/' if outer else f'{scope}/' for scope in scopes]
    return [item for prefix in prefixes for item in tf.get_collection(key, prefix)]
