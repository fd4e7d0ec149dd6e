"""Phases of training: which objectives are trained at which steps.

A phase runs its objectives in turn at each of its steps. The phase of a step is a function of
`global_step` alone, so a run resumes in the right phase wherever it was stopped.

    joint               one phase with the model's objectives
    greedy              one phase per layer (Bengio et al., NIPS 2006), on the codes of the frozen
                        layers below; then one phase that fine-tunes all layers
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.core.config import Part, broadcast, option
from tfae.data import pipeline
from tfae.distributed.replica import SINGLE, Replica
from tfae.models import Batch, Objective
from tfae.models.base.family import Headed, Layered, Model
from tfae.ops import augmentation, stateless_random
from tfae.training import freezing
from tfae.training.config import TrainingConfig
from tfae.training.step import learning_rate, training_step, watched

_AUGMENTATION = 2**31 - 1  # folded into the seed; unlike that of any other noise
_VALIDATION_SEED = 0  # the same for all runs, whose validation losses are compared


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Pretraining phases, before joint training."""

    pretraining: Literal['none', 'greedy'] = option(
        'none',
        'greedy: pretrains layer by layer, then fine-tunes all layers; none: no pretraining.',
    )
    pretraining_epochs: tuple[int, ...] = option(
        (10,),
        'Epochs of greedy pretraining of each layer; one value applies to all.',
        within='[0, 1000000000] epochs',
        needs=('--pretraining=greedy',),
    )
    pretraining_learning_rate: tuple[float, ...] = option(
        (),
        'Learning rate of greedy pretraining of each layer; one value applies to all (default: '
        '--learning_rate).',
        within='[0, inf)',
        needs=('--pretraining=greedy',),
    )
    head_epochs: int = option(
        0,
        'Epochs in which only the layers on top of the code are trained, before the whole '
        'network is trained.',
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
        """Returns the number of complete epochs of this phase before `step`."""
        return (step - self.start) * batch_size // self.source.count

    def step(self, epoch: int, batch_size: int) -> int:
        """Returns the step that completes an epoch of this phase, counted from 1."""
        return self.start + math.ceil(epoch * self.source.count / batch_size)

    def epoch_end(self, step: int, batch_size: int) -> int:
        """Returns the step that completes the epoch after those complete at `step`."""
        return self.step(self.epoch(step, batch_size) + 1, batch_size)


class Program(NamedTuple):
    """A phase as tensors and operations."""

    phase: Phase
    train: tf.Operation  # one step
    scalars: dict[str, tf.Tensor]  # losses, gradient norms and learning rate of the same step
    every: dict[str, int]  # objective -> steps from one update of its variables to the next
    seen: tf.Tensor  # float64 [1 + N]: steps since the last reset, sum of each loss and term
    reset: tf.Operation  # sets the sums to zero
    means: dict[str, tf.Tensor]  # loss or term -> mean since the last reset
    validation_start: tf.Tensor  # int64 placeholder
    validation_size: int  # examples per validation batch
    validation: dict[str, tf.Tensor]  # loss or term on the batch at that place of a fixed order
    begin: tf.Operation | None  # to be run before a sequence of steps, if not None
    waited: tf.Tensor | None  # float64: seconds that steps since then waited for examples


def phases(
    model: Model,
    config: Config,
    training_config: TrainingConfig,
    source: pipeline.Source,
    validation: pipeline.Source,
) -> list[Phase]:
    """Returns the phases of a run, in order.

    Args:
      model: the model.
      config: pretraining phases.
      training_config: epochs and learning rate of the last phase.
      source: training examples.
      validation: validation examples.
    Raises: UsageError if the model has no layers to pretrain, a batch exceeds the training set, or
      early stopping is requested without validation examples.
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

    # Greedy pretraining, each layer on the codes of those below.
    below, held_out = source, validation
    for i, (layer, epochs, rate) in enumerate(_layers(model, config, training_config), 1):
        scope = f'{names.PRETRAINING}/{names.layer(i)}'
        add(scope, (layer.objective,), below, held_out, epochs, rate)
        below, held_out = codes(layer.encode, layer.size, names.layer(i))

    # Layers on top of the code.
    rate = training_config.learning_rate
    if config.head_epochs and isinstance(model, Headed):
        below, held_out = source, validation
        scope = f'{names.PRETRAINING}/{names.HEAD}'
        below, held_out = codes(model.encode, model.code_size, names.HEAD)
        add(scope, (model.head,), below, held_out, config.head_epochs, rate)

    # Joint training.
    last = names.FINE_TUNING if found else names.TRAINING
    epochs = training_config.last_epochs(source.count)
    add(last, model.objectives, source, validation, epochs, rate)
    return found


def program(
    phase: Phase, stream: int, config: TrainingConfig, replica: Replica = SINGLE
) -> Program:
    """Builds the graph of a phase.

    Args:
      phase: the phase.
      stream: index of the random stream of its examples and noise.
      config: optimizer, batch size and learning rate.
      replica: the worker, which trains on its share of each batch.
    """
    # The optimizer of the joint phase has TF1's slot names; the others have scopes of their own.
    scope = phase.name if phase.name.startswith(names.PRETRAINING) else ''
    global_step = tf.train.get_or_create_global_step()
    with tf.name_scope(f'{phase.name}/'):
        # One training step.
        number = global_step.read_value()
        step = number - phase.start
        examples = phase.source.count
        size = config.batch(examples)
        batch, sampled = _batch(phase, config, step, [config.seed, stream], replica)
        steps = phase.stop - phase.start
        warmup = math.ceil(config.warmup_epochs * examples / size)
        rate = learning_rate(config, phase.learning_rate, step, steps, warmup)
        trained = [freezing.without(build, config.freeze, phase.name) for build in phase.objectives]
        made = training_step(trained, batch, rate, config, scope, replica, number)

        # Sums of losses and terms over the epoch.
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
        start, size, validation = _validation(phase, sampled.images.shape[1:])
    return Program(
        phase,
        train,
        {**made.scalars, **made.norms, names.LEARNING_RATE: rate},
        made.every,
        seen,
        reset,
        dict(zip(made.scalars, means, strict=True)),
        start,
        size,
        validation,
        sampled.start,
        sampled.waited,
    )


def validate(run: pipeline.Run, program: Program) -> dict[str, float]:
    """Returns the mean of each loss and term over the validation split, without noise.

    Args:
      run: `run` of a session.
      program: the phase.
    """
    count = program.phase.validation.count
    totals: dict[str, float] = {}
    for start in range(0, count, program.validation_size):
        size = min(program.validation_size, count - start)
        found = run(program.validation, {program.validation_start: start})
        for name, value in found.items():
            totals[name] = totals.get(name, 0.0) + float(value) * size / count
    return totals


def markdown(found: Sequence[Phase]) -> str:
    """Returns a table of the phases, numbered from 1, for TensorBoard."""
    rows = [
        f'| {i} | {phase.name} | {phase.epochs} | {phase.start} to {phase.stop} |'
        for i, phase in enumerate(found, 1)
    ]
    return '\n'.join(['| phase | name | epochs | steps |', '| --- | --- | --- | --- |', *rows])


def locate(found: Sequence[Phase], step: int) -> int:
    """Returns the index of the phase of the step after `step`; `len(found)` after the last."""
    return next((i for i, phase in enumerate(found) if step < phase.stop), len(found))


def refuse_unsupported(model: Any, config: Config) -> None:
    """Refuses phases for which a model, or the class of one, has no layers.

    Raises: UsageError.
    """
    if config.head_epochs and not hasattr(model, 'head'):
        raise errors.UsageError(
            f'--head_epochs is {config.head_epochs}; this family has no layers on top of its code'
        )
    if config.pretraining == 'greedy' and not hasattr(model, 'layerwise'):
        raise errors.UsageError('--pretraining is greedy; this family has no layers to pretrain')


def _refuse(
    model: Model,
    config: Config,
    training_config: TrainingConfig,
    source: pipeline.Source,
    validation: pipeline.Source,
) -> None:
    """Raises UsageError for settings that do not fit the model or the examples."""
    refuse_unsupported(model, config)
    training_config.batch(source.count)
    patience = training_config.early_stopping_epochs
    if patience and not validation.count:
        raise errors.UsageError(
            f'--early_stopping_epochs is {patience}; it requires validation examples, and '
            f'--validation_fraction leaves none'
        )
    if patience and len(model.objectives) > 1:
        raise errors.UsageError(
            f'--early_stopping_epochs is {patience}; this family has {len(model.objectives)} '
            f'losses, and early stopping requires a single one'
        )


def _layers(model: Model, config: Config, training_config: TrainingConfig) -> list[tuple]:
    """Returns `(layer, epochs, learning rate)` of each greedy phase."""
    if config.pretraining == 'none' or not isinstance(model, Layered):
        return []
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
    """Returns the sums, which checkpoints contain: a resumed run logs the same means."""
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
    # Batches of nearly equal sizes, in one fixed random order: data sets are often sorted by class,
    # and some losses and terms are not means over examples but of pairs, or of batch means.
    count = phase.validation.count
    batches = max(1, math.ceil(count / pipeline.at_once(shape)))
    size = max(1, math.ceil(count / batches))
    start = tf.placeholder(tf.int64, [])
    order = pipeline.indices('shuffled', start // size, size, max(1, count), [_VALIDATION_SEED])
    indices = order[: count - start]
    batch = Batch(*phase.validation.gather(indices), None, phase.validation.present(indices))
    scalars: dict[str, tf.Tensor] = {}
    for build in phase.objectives:
        scalars |= watched(build(batch), len(phase.objectives))
    return start, size, scalars


def _batch(
    phase: Phase, config: TrainingConfig, step: tf.Tensor, seeds: Sequence[int], replica: Replica
) -> tuple[Batch, pipeline.Sampled]:
    """Returns the batch of a step, and the examples it was made from."""
    count = phase.source.count
    own = stateless_random.Slice(replica.index, replica.workers, config.accumulation_steps)

    def indices(step: tf.Tensor) -> tf.Tensor:
        size = config.batch(count)
        return own.rows(pipeline.indices(config.order, step, size, count, seeds))

    examples = phase.source.batch(step, indices)
    noise = pipeline.noise_seed(step, seeds)
    with stateless_random.slicing(own):
        images = _augmented(examples.images, config.augment, noise)
    return Batch(images, examples.labels, noise, examples.present), examples


def _augmented(
    images: tf.Tensor, augmentations: Sequence[augmentation.Augmentation], seed: tf.Tensor
) -> tf.Tensor:
    """Returns augmented images; codes are returned unchanged."""
    if not augmentations or images.shape.rank != 4:
        return images
    own = tf.random.experimental.stateless_fold_in(seed, _AUGMENTATION)
    return augmentation.augment(images, augmentations, own)
