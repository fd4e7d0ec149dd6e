"""Gradients of a loss over a whole batch that is divided.

In time: parts go through the graph one after another, to save memory. Among the towers of a
process: the same network on several devices. Among processes: the workers of a `Team`. What each
share gives is numbers, of which the mean is taken, moving averages included: a loss that is a mean
over examples has the same gradients however its batch is divided, but for rounding.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.distributed.all_reduce import Team
from tfae.models.base.objective import Batch, Objective
from tfae.ops import stateless_random

Build = Callable[[Batch], Objective]

_ASSIGNMENTS = {
    'AssignVariableOp': tf.raw_ops.AssignVariableOp,
    'AssignAddVariableOp': tf.raw_ops.AssignAddVariableOp,
    'AssignSubVariableOp': tf.raw_ops.AssignSubVariableOp,
}


class Found(NamedTuple):
    """What a loss says of some examples."""

    objective: Objective
    gradients: list[tf.Tensor]  # of the objective's variables
    updates: list[tf.Operation]  # of moving averages

    def numbers(self) -> list[tf.Tensor]:
        """All of it that a mean is taken of."""
        objective = self.objective
        return [
            objective.loss,
            *objective.terms.values(),
            *map(tf.convert_to_tensor, self.gradients),
            *map(_assigned, self.updates),
        ]

    def holding(self, numbers: Sequence[tf.Tensor]) -> 'Found':
        """The same with other numbers."""
        loss, *rest = numbers
        terms = dict(zip(self.objective.terms, rest, strict=False))
        rest = rest[len(terms) :]
        count = len(self.gradients)
        moves = zip(self.updates, rest[count:], strict=True)
        return Found(
            self.objective._replace(loss=loss, terms=terms),
            rest[:count],
            [_ASSIGNMENTS[u.type](resource=u.inputs[0], value=value) for u, value in moves],
        )


def of_batch(build: Build, batch: Batch, parts: int = 1, team: Team | None = None) -> Found:
    """Loss, gradients and moving averages of an objective over a batch.

    Args:
      build: makes the objective of some examples.
      batch: the whole one; where a team trains, this worker's share.
      parts: equal ones in which it goes through the graph.
      team: of workers and their towers.
    Raises: ValueError if a variable of the objective gets no gradient from it, or what moves beside
      the gradients is not assigned to a resource variable where the batch is divided.
    """
    team = team or Team()
    towers = []
    for i, device in enumerate(team.towers):
        mine = stateless_random.Share(i, len(team.towers), parts)
        with tf.device(device), stateless_random.sharing(team.share(i)):
            towers.append(_over_parts(build, _rows(batch, mine), parts))
    found = _mean(towers)
    return found if team.size == 1 else found.holding(team.mean(found.numbers()))


def _over_parts(build: Build, batch: Batch, parts: int) -> Found:
    """Means over parts, each computed once the sums over those before are there."""
    if parts == 1:
        return _of_part(build, batch)
    first = _of_part(build, _part(batch, 0, parts))
    sums = first.numbers()
    for i in range(1, parts):
        with tf.control_dependencies(sums):
            more = _of_part(build, _part(batch, i, parts))
        sums = [a + b for a, b in zip(sums, more.numbers(), strict=True)]
    return first.holding([total / parts for total in sums])


def _mean(towers: Sequence[Found]) -> Found:
    """Means over towers."""
    if len(towers) == 1:
        return towers[0]
    sums = [tf.add_n(each) for each in zip(*(tower.numbers() for tower in towers), strict=True)]
    return towers[0].holding([total / len(towers) for total in sums])


def _of_part(build: Build, batch: Batch) -> Found:
    before = set(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
    objective = build(batch)
    gradients = tf.gradients(objective.loss, objective.variables)
    missing = [v.op.name for v, g in zip(objective.variables, gradients, strict=True) if g is None]
    if missing:
        raise ValueError(
            f'objective {objective.name}: {", ".join(missing)} get no gradient; each of its '
            f'variables must'
        )
    updates = [op for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS) if op not in before]
    return Found(objective, gradients, updates)


def _assigned(update: tf.Operation) -> tf.Tensor:
    """What an update assigns, adds or subtracts. It is not run: all shares read what was before."""
    if update.type not in _ASSIGNMENTS:
        raise ValueError(
            f'update {update.name} is a {update.type}; where a batch is divided it must assign to '
            f'a resource variable, add to it or subtract from it'
        )
    return update.inputs[1]


def _rows(batch: Batch, share: stateless_random.Share) -> Batch:
    """A tower's examples."""
    if share.count == 1:
        return batch
    labels = None if batch.labels is None else share.rows(batch.labels)
    return Batch(share.rows(batch.images), labels, batch.seed)


def _part(batch: Batch, i: int, parts: int) -> Batch:
    """Part `i` of `parts` equal ones, with noise of its own."""
    images = tf.split(batch.images, parts)[i]
    labels = None if batch.labels is None else tf.split(batch.labels, parts)[i]
    seed = batch.seed
    if seed is not None:
        seed = tf.random.experimental.stateless_fold_in(seed, i)
    return Batch(images, labels, seed)
