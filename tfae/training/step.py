"""The operation of one training step: gradients, clipping and updates.

A step runs the objectives of its phase in turn, each on the variables updated by the one before. An
objective of several steps is measured at each, and updated at the last.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.distributed.replica import SINGLE, Replica
from tfae.models import Batch, Objective
from tfae.training import freezing, gradients
from tfae.training.config import TrainingConfig


class Step(NamedTuple):
    """One training step, with scalars to fetch in the same `session.run` as `op`."""

    op: tf.Operation
    scalars: dict[str, tf.Tensor]  # losses and terms of this step's batch, before the update
    norms: dict[str, tf.Tensor]  # global gradient norm of each objective, before clipping
    every: dict[str, int]  # objective -> steps from one update of its variables to the next


def make_optimizer(config: TrainingConfig, learning_rate: tf.Tensor) -> tf.train.Optimizer:
    """Returns TF1's optimizer of the configured name, whose slots have TF1's names.

    Args:
      config: its name and parameters.
      learning_rate: scalar tensor.
    """
    if config.optimizer == 'sgd':
        return tf.train.GradientDescentOptimizer(learning_rate)
    if config.optimizer in ('momentum', 'nesterov'):
        nesterov = config.optimizer == 'nesterov'
        return tf.train.MomentumOptimizer(learning_rate, config.momentum, use_nesterov=nesterov)
    if config.optimizer == 'rmsprop':
        return tf.train.RMSPropOptimizer(
            learning_rate, config.rmsprop_decay, config.momentum, config.rmsprop_epsilon
        )
    if config.optimizer == 'adagrad':
        return tf.train.AdagradOptimizer(learning_rate)
    return tf.train.AdamOptimizer(
        learning_rate, config.adam_beta1, config.adam_beta2, config.adam_epsilon
    )


def learning_rate(
    config: TrainingConfig, start: float, step: tf.Tensor, steps: int, warmup_steps: int
) -> tf.Tensor:
    """Returns the learning rate, which decays from `start` to `start * learning_rate_end`.

    Args:
      config: the schedule.
      start: initial learning rate.
      step: scalar tensor, steps since the start of the phase.
      steps: steps of the phase.
      warmup_steps: steps of linear warm-up, which multiplies the decay.
    Returns: scalar tensor.
    """
    end = config.learning_rate_end
    done = tf.cast(step, tf.float32) / max(steps, 1)
    factor = {
        'constant': lambda: tf.ones([]),
        'linear': lambda: 1 + (end - 1) * done,
        'exponential': lambda: tf.pow(max(end, 1e-12), done),
        'cosine': lambda: end + (1 - end) * (1 + tf.cos(math.pi * done)) / 2,
    }[config.learning_rate_decay]()
    if warmup_steps:
        factor *= tf.minimum(tf.cast(step + 1, tf.float32) / warmup_steps, 1)
    return start * factor


def training_step(
    objectives: Sequence[Callable[[Batch], Objective]],
    batch: Batch,
    rate: tf.Tensor,
    config: TrainingConfig,
    scope: str = '',
    replica: Replica = SINGLE,
    number: tf.Tensor | int = 0,
) -> Step:
    """Builds a step that trains `objectives` in turn on `batch`.

    Args:
      objectives: functions Batch -> Objective; each has an optimizer of its own.
      batch: with several workers, the share of this worker; all make the same update.
      rate: learning rate, a scalar tensor.
      config: optimizer and clipping.
      scope: variable scope of the optimizers' slots.
      replica: this worker.
      number: the steps that the run has made, a scalar tensor; it ends the freezing of variables,
        and decides which objectives the step trains.
    Raises: ValueError if a variable of an objective has no gradient.
    """
    scalars: dict[str, tf.Tensor] = {}
    norms: dict[str, tf.Tensor] = {}
    every: dict[str, int] = {}
    done: list[tf.Operation] = []
    for build in objectives:
        # Gradients, of the variables as the previous objective has updated them.
        with tf.control_dependencies(done):
            made = gradients.of_batch(build, batch, config.accumulation_steps, replica)
        objective, slopes, updates = made
        scalars |= watched(objective, len(objectives))
        every[objective.name] = objective.every

        # Variables that are frozen for now have no gradient.
        waits = [freezing.wait(v.op.name, config.freeze) for v in objective.variables]
        slopes = [
            tf.where(number >= int(wait), slope, tf.zeros_like(slope)) if wait else slope
            for slope, wait in zip(slopes, waits, strict=True)
        ]

        # Clipping.
        norm = tf.linalg.global_norm(slopes)
        norms[_tag(objective, len(objectives), names.GRADIENT_NORM)] = norm
        if config.clip_norm:
            slopes, _ = tf.clip_by_global_norm(slopes, config.clip_norm, use_norm=norm)

        # Update. Slots take their names from the variable scope, `beta1_power` from the name scope;
        # scalars are computed before, on the variables of this step.
        with (
            tf.control_dependencies([objective.loss, *objective.terms.values()]),
            tf.variable_scope(scope or tf.get_variable_scope(), auxiliary_name_scope=False),
            tf.name_scope(f'{scope}/' if scope else ''),
        ):
            done = []
            for wait in sorted({*waits}):
                optimizer = make_optimizer(config, rate)
                pairs = zip(slopes, objective.variables, waits, strict=True)
                found = [(slope, variable) for slope, variable, own in pairs if own == wait]
                apply = functools.partial(optimizer.apply_gradients, found)
                due = _due(wait, objective.every, number)
                done.append(apply() if due is None else tf.cond(due, apply, tf.no_op))
        for update in updates:
            due = _due(freezing.wait_of(update, config.freeze), objective.every, number)
            done.append(update if due is None else gradients.conditional(update, due))
    return Step(tf.group(*done), scalars, norms, every)


def _due(wait: float, every: int, number: tf.Tensor | int) -> tf.Tensor | None:
    """Returns whether a step updates a variable; None: every step does.

    Args:
      wait: steps of the run for which the variable is frozen.
      every: steps from one update of its objective to the next, from the start of the run.
      number: the steps that the run has made.
    """
    conditions = [number >= int(wait)] if wait else []
    conditions += [tf.equal((number + 1) % every, 0)] if every > 1 else []
    return tf.reduce_all(conditions) if conditions else None


def watched(objective: Objective, count: int) -> dict[str, tf.Tensor]:
    """Returns tag -> scalar of an objective; tags carry its name if its phase has several.

    Args:
      objective: the objective.
      count: number of objectives of the phase.
    """
    scalars = {names.LOSS: objective.loss, **objective.terms}
    return {_tag(objective, count, name): value for name, value in scalars.items()}


def _tag(objective: Objective, count: int, name: str) -> str:
    return f'{objective.name}/{name}' if count > 1 else name
