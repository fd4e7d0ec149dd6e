"""Phases over steps: which objectives are trained when.

A phase runs its objectives in turn at every one of its steps. Which phase a step belongs to is a
function of `global_step` alone, so a run that is stopped anywhere resumes in the right one.

    jointly             one phase, the model's objectives
    layer by layer      one phase a layer (Bengio et al., NIPS 2006), each on the codes of the
                        layers below, which are frozen; then one over everything
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.core.config import Part, broadcast, option
from tfae.data import pipeline
from tfae.distributed.replica import SINGLE, Replica
from tfae.models import Batch, Objective
from tfae.models.base.family import Headed, Layered, Model
from tfae.ops import augmentation, stateless_random
from tfae.training.config import TrainingConfig
from tfae.training.step import learning_rate, training_step, watched

_AUGMENTATION = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """What comes before the joint training."""

    pretraining: Literal['none', 'greedy'] = option(
        'none', 'greedy trains the stack layer by layer before it is fine-tuned.'
    )
    pretraining_epochs: tuple[int, ...] = option(
        (10,),
        'Epochs of each layer; one value serves all.',
        within='[0, 1000000000] epochs',
        needs=('--pretraining=greedy',),
    )
    pretraining_learning_rate: tuple[float, ...] = option(
        (),
        'Learning rate of each layer; one value serves all, none takes --learning_rate.',
        within='[0, inf)',
        needs=('--pretraining=greedy',),
    )
    head_epochs: int = option(
        0,
        'Epochs in which only what lies on top of the code is trained, before the rest is too.',
        within='[0, 1000000000] epochs',
    )


class Phase(NamedTuple):
    """Objectives, run in turn at every step from `start` up to `stop`."""

    name: str
    objectives: Sequence[Callable[[Batch], Objective]]
    source: pipeline.Source
    validation: pipeline.Source
    epochs: int
    learning_rate: float
    start: int  # global step
    stop: int

    def epoch(self, step: int, batch_size: int) -> int:
        """Whole epochs of this phase that lie before `step`."""
        return (step - self.start) * batch_size // self.source.count

    def epoch_end(self, step: int, batch_size: int) -> int:
        """The first step after `step` by which one more epoch is seen."""
        epochs = self.epoch(step, batch_size) + 1
        return self.start + math.ceil(epochs * self.source.count / batch_size)


class Program(NamedTuple):
    """A phase as tensors and operations."""

    phase: Phase
    train: tf.Operation  # one step
    scalars: dict[str, tf.Tensor]  # losses, gradient norms and rate of the step run with them
    seen: tf.Tensor  # float64: steps since the last reset, and the sum of each loss and term
    reset: tf.Operation  # zeroes the sums
    means: dict[str, tf.Tensor]  # loss or term -> mean since the last reset
    validation_start: tf.Tensor  # int64 placeholder
    validation_size: int  # of a validation batch
    validation: dict[str, tf.Tensor]  # loss or term on the validation batch that starts there
    begin: tf.Operation | None  # to be run before the first of a row of steps, if not None
    waited: tf.Tensor | None  # float64: seconds that steps since then waited for examples


def phases(
    model: Model,
    config: Config,
    training_config: TrainingConfig,
    source: pipeline.Source,
    validation: pipeline.Source,
) -> list[Phase]:
    """The phases of a run, in order.

    Raises: UsageError if the model has no layers to pretrain, a batch exceeds the set, or training
      must stop early without a validation part.
    """
    _refuse(model, config, training_config, source, validation)
    found: list[Phase] = []

    def add(name, objectives, source, validation, epochs, rate):
        start = found[-1].stop if found else 0
        steps = math.ceil(epochs * source.count / training_config.batch(source.count))
        stop = start + steps
        found.append(Phase(name, objectives, source, validation, epochs, rate, start, stop))

    def codes(encode, size, name):
        held_out_name = f'{names.VALIDATION}_{name}'
        return (
            pipeline.Codes(below, encode, size, name),
            pipeline.Codes(held_out, encode, size, held_out_name),
        )

    below, held_out = source, validation
    for i, (layer, epochs, rate) in enumerate(_layers(model, config, training_config), 1):
        scope = f'{names.PRETRAINING}/{names.layer(i)}'
        add(scope, (layer.objective,), below, held_out, epochs, rate)
        below, held_out = codes(layer.encode, layer.size, names.layer(i))
    rate = training_config.learning_rate
    if config.head_epochs and isinstance(model, Headed):
        below, held_out = source, validation
        scope = f'{names.PRETRAINING}/{names.HEAD}'
        below, held_out = codes(model.encode, model.code_size, names.HEAD)
        add(scope, (model.head,), below, held_out, config.head_epochs, rate)
    last = names.FINE_TUNING if found else names.TRAINING
    add(last, model.objectives, source, validation, training_config.epochs, rate)
    return found


def program(
    phase: Phase, stream: int, config: TrainingConfig, replica: Replica = SINGLE
) -> Program:
    """Builds the graph of `phase`, whose examples and noise are stream number `stream`.

    Each of several workers takes its share of a batch.
    """
    # The joint phase's optimizer has TF1's slot names; those before it live under their own scope.
    scope = phase.name if phase.name.startswith(names.PRETRAINING) else ''
    global_step = tf.train.get_or_create_global_step()
    with tf.name_scope(f'{phase.name}/'):
        step = global_step.read_value() - phase.start
        examples = phase.source.count
        size = config.batch(examples)
        batch, drawn = _batch(phase, config, step, [config.seed, stream], replica)
        steps = phase.stop - phase.start
        warmup = math.ceil(config.warmup_epochs * examples / size)
        rate = learning_rate(config, phase.learning_rate, step, steps, warmup)
        made = training_step(phase.objectives, batch, rate, config, scope, replica)
        sums = _sums(phase.name, len(made.scalars))
        added = [tf.ones([], tf.float64)]
        added += [tf.cast(value, tf.float64) for value in made.scalars.values()]
        with tf.control_dependencies([made.op, sums.assign_add(tf.stack(added)).op]):
            train = global_step.assign_add(1).op
        seen = sums.read_value()
        reset = sums.assign(tf.zeros_like(sums)).op
        count = len(made.scalars)
        means = tf.unstack(tf.cast(seen[1:] / tf.maximum(seen[0], 1), tf.float32), count)
    with tf.name_scope(f'{names.VALIDATION}/{phase.name}/'):
        start, size, validation = _validation(phase, drawn.images.shape[1:])
    return Program(
        phase,
        train,
        {**made.scalars, **made.norms, names.LEARNING_RATE: rate},
        seen,
        reset,
        dict(zip(made.scalars, means, strict=True)),
        start,
        size,
        validation,
        drawn.start,
        drawn.waited,
    )


def validate(run: pipeline.Run, program: Program) -> dict[str, float]:
    """Mean of each loss and term over the validation part, without noise; `run` is a session's."""
    count = program.phase.validation.count
    totals: dict[str, float] = {}
    for start in range(0, count, program.validation_size):
        size = min(program.validation_size, count - start)
        found = run(program.validation, {program.validation_start: start})
        for name, value in found.items():
            totals[name] = totals.get(name, 0.0) + float(value) * size / count
    return totals


def locate(found: Sequence[Phase], step: int) -> int:
    """Index of the phase that makes the step after `step`; `len(found)` when all is done."""
    return next((i for i, phase in enumerate(found) if step < phase.stop), len(found))


def _refuse(
    model: Model,
    config: Config,
    training_config: TrainingConfig,
    source: pipeline.Source,
    validation: pipeline.Source,
) -> None:
    """Refuses what these examples and this model cannot be trained with."""
    if config.head_epochs and not isinstance(model, Headed):
        raise errors.UsageError(
            f'--head_epochs is {config.head_epochs}; this family has nothing on top of its code'
        )
    training_config.batch(source.count)
    patience = training_config.early_stopping_epochs
    if patience and not validation.count:
        raise errors.UsageError(
            f'--early_stopping_epochs is {patience}; it needs a validation part, and '
            f'--validation_fraction leaves it none'
        )
    if patience and len(model.objectives) > 1:
        raise errors.UsageError(
            f'--early_stopping_epochs is {patience}; this family has {len(model.objectives)} '
            f'losses, none of which alone says when to stop'
        )


def _layers(model: Model, config: Config, training_config: TrainingConfig) -> list[tuple]:
    """`(layer, epochs, learning rate)` of each greedy phase."""
    if config.pretraining == 'none':
        return []
    if not isinstance(model, Layered):
        raise errors.UsageError('--pretraining is greedy; this family has no layers to pretrain')
    layers = model.layerwise()
    rates = config.pretraining_learning_rate or (training_config.learning_rate,)
    return list(
        zip(
            layers,
            broadcast('pretraining_epochs', config.pretraining_epochs, len(layers)),
            broadcast('pretraining_learning_rate', rates, len(layers)),
            strict=True,
        )
    )


def _sums(name: str, count: int) -> tf.Variable:
    """In every checkpoint, so that a resumed run prints the means it would have printed."""
    with tf.variable_scope(name):
        return tf.get_variable(
            names.SUMS,
            [1 + count],
            tf.float64,
            tf.zeros_initializer(),
            trainable=False,
            use_resource=True,
        )


def _validation(phase: Phase, shape: tf.TensorShape) -> tuple[tf.Tensor, int, dict]:
    start, size = tf.placeholder(tf.int64, []), pipeline.at_once(shape)
    indices = tf.range(start, tf.minimum(start + size, phase.validation.count))
    batch = Batch(*phase.validation.gather(indices), None)
    scalars: dict[str, tf.Tensor] = {}
    for build in phase.objectives:
        scalars |= watched(build(batch), len(phase.objectives))
    return start, size, scalars


def _batch(
    phase: Phase, config: TrainingConfig, step: tf.Tensor, seeds: Sequence[int], replica: Replica
) -> tuple[Batch, pipeline.Drawn]:
    """What a step of a phase is trained on, and what was drawn for it."""
    count = phase.source.count
    share = stateless_random.Slice(replica.index, replica.workers, config.accumulation_steps)

    def indices(step: tf.Tensor) -> tf.Tensor:
        size = config.batch(count)
        return share.rows(pipeline.indices(config.order, step, size, count, seeds))

    drawn = phase.source.batch(step, indices)
    noise = pipeline.noise_seed(step, seeds)
    with stateless_random.slicing(share):
        images = _augmented(drawn.images, config.augment, noise)
    return Batch(images, drawn.labels, noise), drawn


def _augmented(
    images: tf.Tensor, augmentations: Sequence[augmentation.Augmentation], seed: tf.Tensor
) -> tf.Tensor:
    """Images, changed; codes come back as they are."""
    if not augmentations or images.shape.rank != 4:
        return images
    # A salt that no other noise of a step has.
    own = tf.random.experimental.stateless_fold_in(seed, _AUGMENTATION)
    return augmentation.augment(images, augmentations, own)
