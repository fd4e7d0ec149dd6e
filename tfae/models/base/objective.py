"""Objectives: the interface between models and training.

B batch, H W C image, D code of the layer below.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.ops.dependencies import ancestors


class Batch(NamedTuple):
    """Inputs of an objective."""

    images: tf.Tensor  # [B, H, W, C] float in [0, 1]; codes [B, D] in a greedy phase
    labels: tf.Tensor | None  # [B] int64
    seed: tf.Tensor | None  # [2] int64, a function of (run seed, step); None at inference
    # [B, ...] float, 1 where the images have a value, 0 where it is missing and the images are 0;
    # None: no value is missing.
    present: tf.Tensor | None = None


class Objective(NamedTuple):
    """A scalar loss and the variables that are trained to minimize it."""

    name: str
    loss: tf.Tensor  # scalar
    variables: list[tf.Variable]
    terms: dict[str, tf.Tensor]  # further scalars to log
    # Updates of moving averages, run with the step; None is all those built with the objective.
    updates: list[tf.Operation] | None = None
    every: int = 1  # steps from one update of the variables to the next


class Layer(NamedTuple):
    """One layer of a stack, trained as an autoencoder of the codes of the layer below."""

    objective: Callable[[Batch], Objective]
    encode: Callable[[tf.Tensor], tf.Tensor]  # codes of the layer below [B, ...] -> [B, size]
    size: int


@contextlib.contextmanager
def recorded_updates() -> Iterator[list[tf.Operation]]:
    """Yields a list that, after the block, holds the operations it added to `UPDATE_OPS`."""
    collection = tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS)
    before = len(collection)
    added: list[tf.Operation] = []
    yield added
    added += collection[before:]


def seed_or_zeros(seed: tf.Tensor | None) -> tf.Tensor:
    """Returns `seed`, or a fixed seed `[2]` for None: validation always has the same noise."""
    return tf.zeros([2], tf.int64) if seed is None else seed


def trainable(*scopes: str) -> list[tf.Variable]:
    """Returns the trainable variables under these scopes of the current variable scope."""
    outer = tf.get_variable_scope().name
    prefixes = [f'{outer}/{scope}/' if outer else f'{scope}/' for scope in scopes]
    # `tf.get_collection` interprets a scope as a regular expression.
    return [
        variable
        for prefix in prefixes
        for variable in tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, re.escape(prefix))
    ]


def regularization(variables: Sequence[tf.Variable]) -> tf.Tensor | None:
    """Returns the sum of the regularization losses that depend on these variables, or None.

    They are found by dependency: the name of a loss reflects where its variable was first created,
    not its layer.
    """
    handles = {variable.op for variable in variables}
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    found = [loss for loss in losses if handles & ancestors([loss.op])]
    return tf.add_n(found) if found else None
