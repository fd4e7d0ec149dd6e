"""Gradients of a loss over a batch that is divided.

A batch is divided in time, into micro-batches that are processed in sequence to save memory; among
the towers of a process, one per device; and among the workers of a run. Losses, gradients and
updates of moving averages are averaged over all of them. A loss that is a mean over examples thus
has the same gradients however its batch is divided, except for rounding.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.distributed import all_reduce
from tfae.distributed.replica import SINGLE, Replica
from tfae.models.base.objective import Batch, Objective, recorded_updates
from tfae.ops import stateless_random

Build = Callable[[Batch], Objective]

ASSIGNMENTS = {
    'AssignVariableOp': tf.raw_ops.AssignVariableOp,
    'AssignAddVariableOp': tf.raw_ops.AssignAddVariableOp,
    'AssignSubVariableOp': tf.raw_ops.AssignSubVariableOp,
}


class Numbers(NamedTuple):
    """Everything that is averaged, computed on some examples, in the order of the all-reduce."""

    loss: tf.Tensor  # scalar
    terms: list[tf.Tensor]  # scalars
    gradients: list[tf.Tensor]  # with respect to the objective's variables
    moves: list[tf.Tensor]  # values that the updates assign, add or subtract


class Found(NamedTuple):
    """An objective on some examples, its gradients and the updates of its moving averages."""

    objective: Objective
    gradients: list[tf.Tensor]
    updates: list[tf.Operation]

    def numbers(self) -> Numbers:
        """Returns everything that is averaged."""
        return Numbers(
            self.objective.loss,
            list(self.objective.terms.values()),
            list(map(tf.convert_to_tensor, self.gradients)),
            list(map(_move, self.updates)),
        )

    def holding(self, means: Numbers) -> 'Found':
        """Returns a copy with these means instead of its own values."""
        terms = dict(zip(self.objective.terms, means.terms, strict=True))
        # The losses of all parts have read the variables by then.
        with tf.control_dependencies([means.loss, *means.terms]):
            updates = [
                ASSIGNMENTS[update.type](resource=update.inputs[0], value=move)
                for update, move in zip(self.updates, means.moves, strict=True)
            ]
        objective = self.objective._replace(loss=means.loss, terms=terms)
        return Found(objective, means.gradients, updates)


def of_batch(build: Build, batch: Batch, parts: int = 1, replica: Replica = SINGLE) -> Found:
    """Returns loss, gradients and updates of moving averages of an objective over a batch.

    Args:
      build: function of a batch that returns the objective.
      batch: the whole batch; with several workers, that of this worker.
      parts: number of equal micro-batches.
      replica: this worker and its towers.
    Raises: ValueError if a variable of the objective has no gradient, or, with a divided batch, an
      update is not an assignment to a resource variable.
    """
    # One tower per device.
    towers = []
    for i, device in enumerate(replica.towers):
        mine = stateless_random.Slice(i, len(replica.towers), parts)
        with tf.device(device), stateless_random.slicing(replica.slice(i)):
            towers.append(_over_parts(build, _rows(batch, mine), parts))
    found = _mean(towers)

    # Average over workers.
    if replica.workers == 1:
        return found
    numbers = found.numbers()
    means = all_reduce.mean(tf.nest.flatten(numbers), replica)
    return found.holding(tf.nest.pack_sequence_as(numbers, means))


def conditional(update: tf.Operation, due: tf.Tensor) -> tf.Operation:
    """Returns an assignment that does nothing unless `due`, a bool scalar, is true."""
    resource = update.inputs[0]
    value = _move(update)
    assign = ASSIGNMENTS[update.type]
    with tf.control_dependencies(update.control_inputs):
        return tf.cond(due, lambda: assign(resource=resource, value=value), tf.no_op)


def _over_parts(build: Build, batch: Batch, parts: int) -> Found:
    """Returns means over micro-batches, which run in sequence."""
    if parts == 1:
        return _of_part(build, batch)
    first = _of_part(build, _part(batch, 0, parts))
    sums = first.numbers()
    for i in range(1, parts):
        with tf.control_dependencies(tf.nest.flatten(sums)):
            more = _of_part(build, _part(batch, i, parts))
        sums = tf.nest.map_structure(lambda a, b: a + b, sums, more.numbers())
    return first.holding(tf.nest.map_structure(lambda total: total / parts, sums))


def _mean(towers: Sequence[Found]) -> Found:
    """Returns means over towers."""
    if len(towers) == 1:
        return towers[0]
    every = [tower.numbers() for tower in towers]
    sums = tf.nest.map_structure(lambda *each: tf.add_n(each), *every)
    return towers[0].holding(tf.nest.map_structure(lambda total: total / len(towers), sums))


def _of_part(build: Build, batch: Batch) -> Found:
    with recorded_updates() as built:
        objective = build(batch)
    gradients = tf.gradients(objective.loss, objective.variables)
    missing = [v.op.name for v, g in zip(objective.variables, gradients, strict=True) if g is None]
    if missing:
        raise ValueError(
            f'objective {objective.name}: {", ".join(missing)} have no gradient; each of its '
            f'variables must have one'
        )
    updates = built if objective.updates is None else objective.updates
    return Found(objective, gradients, updates)


def _move(update: tf.Operation) -> tf.Tensor:
    """Returns the value that an update assigns, adds or subtracts; the update itself is not run."""
    if update.type not in ASSIGNMENTS:
        raise ValueError(
            f'update {update.name} is a {update.type}; with a divided batch, or an objective that '
            f'is not updated at every step, it must assign to, add to or subtract from a resource '
            f'variable'
        )
    return update.inputs[1]


def _rows(batch: Batch, share: stateless_random.Slice) -> Batch:
    """Returns the examples of one tower."""
    if share.count == 1:
        return batch
    labels = None if batch.labels is None else share.rows(batch.labels)
    present = None if batch.present is None else share.rows(batch.present)
    return Batch(share.rows(batch.images), labels, batch.seed, present)


def _part(batch: Batch, i: int, parts: int) -> Batch:
    """Returns micro-batch `i` of `parts` equal ones, with independent noise."""
    images = tf.split(batch.images, parts)[i]
    labels = None if batch.labels is None else tf.split(batch.labels, parts)[i]
    present = None if batch.present is None else tf.split(batch.present, parts)[i]
    seed = batch.seed
    if seed is not None:
        seed = tf.random.experimental.stateless_fold_in(seed, i)
    return Batch(images, labels, seed, present)
