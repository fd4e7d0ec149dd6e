"""Objective -> the operation that makes one step: gradients, clipping, update, bookkeeping.

Graph side only. A step gathers its batch, runs the objectives of its phase in turn (each on the
variables that the one before has moved), adds what it saw to `sums`, and counts `global_step` up.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.distributed.replica import SINGLE, Replica
from tfae.models import Batch, Objective
from tfae.training import gradients
from tfae.training.config import TrainingConfig


class Step(NamedTuple):
    """One training step and what can be watched of it, in the same run of a session as `op`."""

    op: tf.Operation
    scalars: dict[str, tf.Tensor]  # losses and terms of this step's batch, before the update
    norms: dict[str, tf.Tensor]  # global norm of each objective's gradients, before clipping


def make_optimizer(config: TrainingConfig, learning_rate: tf.Tensor) -> tf.train.Optimizer:
    """The optimizer of that name, TF1's own, so that its slots have TF1's names."""
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
    """Learning rate at `step` of `steps`, falling from `start` to `start * learning_rate_end`.

    The rise over `warmup_steps` is linear and multiplies the decay.
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
) -> Step:
    """Runs `objectives` in turn on `batch`.

    The optimizer's slots lie under variable scope `scope`; each objective has its own optimizer.
    With several workers, `batch` is this worker's share, and all make the same update.

    Raises: ValueError if a variable of an objective gets no gradient from it.
    """
    scalars: dict[str, tf.Tensor] = {}
    norms: dict[str, tf.Tensor] = {}
    done: list[tf.Operation] = []
    for build in objectives:
        # The dependency makes this objective read the variables after the last one's update.
        with tf.control_dependencies(done):
            found = gradients.of_batch(build, batch, config.accumulation_steps, replica)
        objective, slopes, updates = found
        scalars |= watched(objective, len(objectives))
        norm = tf.linalg.global_norm(slopes)
        norms[_tag(objective, len(objectives), names.GRADIENT_NORM)] = norm
        if config.clip_norm:
            slopes, _ = tf.clip_by_global_norm(slopes, config.clip_norm, use_norm=norm)
        optimizer = make_optimizer(config, rate)
        # Slots take their names from the variable scope, `beta1_power` from the name scope. What is
        # watched is computed first: no gradient may wait for it.
        with (
            tf.control_dependencies([objective.loss, *objective.terms.values()]),
            tf.variable_scope(scope or tf.get_variable_scope(), auxiliary_name_scope=False),
            tf.name_scope(f'{scope}/' if scope else ''),
        ):
            apply = optimizer.apply_gradients(zip(slopes, objective.variables, strict=True))
        done = [apply, *updates]
    return Step(tf.group(*done), scalars, norms)


def watched(objective: Objective, count: int) -> dict[str, tf.Tensor]:
    """Tag -> scalar of an objective; with its name in the tag if its phase has several."""
    scalars = {names.LOSS: objective.loss, **objective.terms}
    return {_tag(objective, count, name): value for name, value in scalars.items()}


def _tag(objective: Objective, count: int, name: str) -> str:
    return f'{objective.name}/{name}' if count > 1 else name
