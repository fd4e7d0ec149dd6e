"""Frozen variables: those of a scope keep their values, always or for the first steps.

Moving averages below the scope are frozen too. Batch normalization still normalizes by the moments
of the batch in training.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.models.base.objective import Batch, Objective, recorded_updates
from tfae.training import gradients

_MAX_STEPS = 10**15


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A scope and the steps for which it is frozen."""

    scope: str
    steps: float = math.inf  # of the run

    @classmethod
    def from_text(cls, text: str, who: str = '--freeze') -> 'Frozen':
        """Parses `'encoder/layer_1:500'`, or `'encoder'` for all steps.

        Raises: UsageError that names `who`, the text and what is wanted.
        """
        scope, colon, steps = text.partition(':')
        scope = scope.strip('/')
        valid = not colon or (steps.isdecimal() and 0 < int(steps[:20]) <= _MAX_STEPS)
        if not scope or not valid:
            raise errors.UsageError(
                f'{who} is {text!r}; it must be a scope, or scope:steps with 1 step or more'
            )
        return cls(scope, int(steps)) if colon else cls(scope)

    def __str__(self) -> str:
        return self.scope if self.steps == math.inf else f'{self.scope}:{self.steps}'

    def covers(self, name: str) -> bool:
        """Returns whether a variable of this name is in the scope."""
        return f'{name}/'.startswith(f'{self.scope}/')


def wait(name: str, frozen: Sequence[Frozen]) -> float:
    """Returns for how many steps a variable is frozen: 0, a number of them, or infinity."""
    return max((each.steps for each in frozen if each.covers(name)), default=0)


def refuse_unknown(frozen: Sequence[Frozen], variables: Sequence[tf.Variable]) -> None:
    """Raises UsageError for a scope without a variable."""
    for each in frozen:
        if not any(each.covers(variable.op.name) for variable in variables):
            raise errors.UsageError(
                f'--freeze is {each}; there is no variable in this scope: variables are '
                f'{", ".join(variable.op.name for variable in variables[:4])}, ...'
            )


def without(
    build: Callable[[Batch], Objective], frozen: Sequence[Frozen], phase: str
) -> Callable[[Batch], Objective]:
    """Returns the objective without the variables, and their updates, that are always frozen.

    Args:
      build: the objective.
      frozen: the scopes.
      phase: name of its phase, for errors.
    Returns: a function that raises UsageError if no variable is left.
    """
    if not frozen:
        return build

    def trained(batch: Batch) -> Objective:
        with recorded_updates() as built:
            objective = build(batch)
        variables = [v for v in objective.variables if wait(v.op.name, frozen) < math.inf]
        if not variables:
            raise errors.UsageError(
                f'--freeze is {",".join(map(str, frozen))}; nothing is left to train in phase '
                f'{phase}'
            )
        updates = built if objective.updates is None else objective.updates
        kept = [update for update in updates if wait(_target(update), frozen) < math.inf]
        return objective._replace(variables=variables, updates=kept)

    return trained


def _target(update: tf.Operation) -> str:
    """Returns the name of the variable that an update assigns to.

    Raises: UsageError if it is not an assignment, so that the variable it changes is unknown.
    """
    if update.type not in gradients.ASSIGNMENTS:
        raise errors.UsageError(
            f'--freeze: the update {update.name} is a {update.type}; with --freeze it must assign '
            f'to, add to or subtract from a resource variable'
        )
    return update.inputs[0].op.name


def wait_of(update: tf.Operation, frozen: Sequence[Frozen]) -> float:
    """Returns for how many steps the variable of an update is frozen, as `wait`.

    Raises: UsageError if there are frozen scopes and the update is not an assignment.
    """
    return wait(_target(update), frozen) if frozen else 0
