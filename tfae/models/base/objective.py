"""What a model gives to whoever trains it: objectives, each one scalar and what it moves.

B batch, H W C image, D numbers of a code.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
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
    # Of moving averages, run with the step; None takes all that are built with the objective.
    updates: list[tf.Operation] | None = None


class Layer(NamedTuple):
    """One layer of a stack, trained as an autoencoder of the codes of the layer below."""

    objective: Callable[[Batch], Objective]
    encode: Callable[[tf.Tensor], tf.Tensor]  # codes of the layer below -> [B, size]
    size: int


@contextlib.contextmanager
def recorded_updates() -> Iterator[list[tf.Operation]]:
    """Lists, once the block has ended, the operations that it added to `UPDATE_OPS`."""
    collection = tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS)
    before = len(collection)
    added: list[tf.Operation] = []
    yield added
    added += collection[before:]


def drawing_seed(seed: tf.Tensor | None) -> tf.Tensor:
    """`seed`, or a fixed one at inference: validation draws the same every time."""
    return tf.zeros([2], tf.int64) if seed is None else seed


def trainable(*scopes: str) -> list[tf.Variable]:
    """Trainable variables under these scopes of the current variable scope."""
    outer = tf.get_variable_scope().name
    prefixes = [f'{outer}/{scope}/' if outer else f'{scope}/' for scope in scopes]
    # `tf.get_collection` takes a scope as a regular expression.
    return [
        variable
        for prefix in prefixes
        for variable in tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, re.escape(prefix))
    ]


def regularization(variables: Sequence[tf.Variable]) -> tf.Tensor | None:
    """Sum of the regularization losses that depend on these variables; None if there are none.

    A loss has the name of the operations among which its variable was made first, so its name does
    not tell whose it is.
    """
    handles = {variable.op for variable in variables}
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    found = [loss for loss in losses if handles & ancestors(loss.op)]
    return tf.add_n(found) if found else None


def ancestors(op: tf.Operation) -> set[tf.Operation]:
    """Returns the operation and all that it is computed from."""
    found: set[tf.Operation] = set()
    waiting = [op]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return found
