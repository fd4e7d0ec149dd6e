"""The static graph of a run: model, inference, and a program per phase.

Training, evaluation and all other commands build the same graph, so variables and tensors always
have the same names.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, models
from tfae.core import errors, names
from tfae.core.config import text
from tfae.data import pipeline, streaming
from tfae.data.normalization import Normalization
from tfae.distributed.coordinator import Coordinator
from tfae.distributed.replica import SINGLE, Replica
from tfae.models.base.family import (
    Corrupting,
    Decoder,
    Encoder,
    Generator,
    Masking,
    Measuring,
    Model,
    Outputs,
)
from tfae.models.base.objective import Batch
from tfae.training import freezing, memory, summaries
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment
from tfae.training.phases import Program, phases, program

_SHOWN = 32  # images in TensorBoard's grid


class Inference(NamedTuple):
    """Placeholders and results, without noise; those that a family lacks are None or empty."""

    images: tf.Tensor  # placeholder [B, H, W, C], or of another shape of examples
    inputs: tf.Tensor  # of the model: the images, normalized, with 0 for missing values
    present: tf.Tensor | None  # of that shape, 1 where there is a value; None: none is missing
    outputs: Outputs  # of the family
    code: tf.Tensor | None  # placeholder [B, Z]
    decoded: tf.Tensor | None  # [B, H, W, C]
    labels: tf.Tensor  # placeholder [B], only for measures
    seed: tf.Tensor  # placeholder [2], for samples, noise and measures
    measures: dict[str, tf.Tensor]  # name -> [B] or [B, K]
    corrupted: tf.Tensor | None  # [B, H, W, C]
    count: tf.Tensor  # placeholder, only for samples
    samples: tf.Tensor | None  # codes [count, Z] from the prior


class Graph(NamedTuple):
    """A run as tensors and operations."""

    graph: tf.Graph
    model: Model
    inference: Inference
    normalization: Normalization | None  # its variables
    model_variables: list[tf.Variable]  # without those that training adds
    source: pipeline.Source
    validation: pipeline.Source
    programs: list[Program]
    summary: tf.Tensor  # serialized histograms and images of the current variables
    coordinator: Coordinator  # of the workers


def build(
    experiment: Experiment,
    train: data.Split,
    validation: data.Split,
    replica: Replica = SINGLE,
    normalization: Normalization | None = None,
) -> Graph:
    """Builds the graph of a run.

    Args:
      experiment: the configuration.
      train: training examples.
      validation: validation examples, possibly none.
      replica: the worker that trains it.
      normalization: initial values; None if a checkpoint has them.
    Raises: UsageError if the configuration does not fit the examples or the memory of this
      machine, or if the code of a plug-in family raises.
    """
    settings = experiment.training
    graph = tf.Graph()
    flags = [
        field.name
        for part in (experiment.data, settings, experiment.schedule)
        for field in dataclasses.fields(part)
    ]
    with (
        graph.as_default(),
        # After `disable_v2_behavior()` too, as in a TF1 program that trains a model of tfae.
        tf.variable_scope(tf.get_variable_scope(), use_resource=True, auxiliary_name_scope=False),
        models.building(experiment.model),
        memory.bounded(f'--model={experiment.model}'),
    ):
        # Global step.
        tf.set_random_seed(settings.seed)
        tf.get_variable(
            tf.GraphKeys.GLOBAL_STEP,
            [],
            tf.int64,
            tf.zeros_initializer(),
            trainable=False,
            collections=[tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.GLOBAL_STEP],
            use_resource=True,
        )

        # Model and inference.
        image_shape = train.images.shape[1:]
        classes = experiment.signature.classes
        model = models.build(experiment.model, experiment.family, image_shape, classes, flags)
        missing = experiment.data.missing != 'refuse'
        if missing and not (isinstance(model, Masking) and model.MASKING):
            raise errors.UsageError(
                f'--missing is {experiment.data.missing}; --model={experiment.model} cannot leave '
                f'out missing values; dense, convolutional, custom, variational, classifier and '
                f'regressor can'
            )
        applied = None
        if experiment.data.normalize != 'none':
            applied = _normalization(normalization, image_shape)
        source = streaming.source(*train, names.TRAINING, applied, missing)
        held_out = streaming.source(*validation, names.VALIDATION, applied, missing)
        labeled = experiment.signature.labeled
        inference = _inference(model, image_shape, labeled, applied, missing)
        model_variables = [
            v for v in tf.global_variables() if v.op.name != tf.GraphKeys.GLOBAL_STEP
        ]

        freezing.refuse_unknown(settings.freeze, model_variables)
        _refuse_augmentation(settings, image_shape)

        # Training.
        found = phases(model, experiment.schedule, settings, source, held_out)
        programs = [program(phase, stream, settings, replica) for stream, phase in enumerate(found)]
        summary = _summary(model, held_out if held_out.count else source)
        coordinator = Coordinator(replica, tf.global_variables())
    return Graph(
        graph,
        model,
        inference,
        applied,
        model_variables,
        source,
        held_out,
        programs,
        summary,
        coordinator,
    )


def parameters(graph: tf.Graph) -> int:
    """Returns the number of trainable parameters."""
    trained = graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
    return sum(variable.shape.num_elements() for variable in trained)


def forward(experiment: Experiment) -> tf.Graph:
    """Returns the graph of a training forward pass alone, without losses and gradients.

    A model that only generates images is applied to its samples and to images.
    """
    shape, classes = experiment.signature.image_shape, experiment.signature.classes

    def apply(images: tf.Tensor) -> None:
        model = models.build(experiment.model, experiment.family, shape, classes)
        seed = tf.placeholder(tf.int64, [2], names.SEED)
        if isinstance(model, Generator) and not isinstance(model, Encoder):
            model(model.decode(model.prior(tf.shape(images)[0], seed)), seed)
        model(images, seed)

    with models.building(experiment.model):
        return of_images(apply, shape)


def of_images(apply: Callable[[tf.Tensor], Any], image_shape: Sequence[int]) -> tf.Graph:
    """Returns the graph of a function of images `[B, H, W, C]` that uses variables."""
    graph = tf.Graph()
    scope = {'use_resource': True, 'auxiliary_name_scope': False}
    with graph.as_default(), tf.variable_scope(tf.get_variable_scope(), **scope):
        tf.set_random_seed(0)  # which initializers need where ops are deterministic
        apply(tf.placeholder(tf.float32, [None, *image_shape], names.IMAGES))
    return graph


def in_batches(
    run: pipeline.Run,
    fetched: Any,
    feeds: Mapping[tf.Tensor, np.ndarray],
    seed: tf.Tensor | None = None,
    stream: int = 0,
) -> Any:
    """Evaluates tensors `[N, ...]` in batches.

    Args:
      run: `run` of a session.
      fetched: tensors in any structure.
      feeds: placeholder -> values `[N, ...]`. Empty values give empty results of the right shape.
      seed: placeholder `[2]` that is fed `[stream, start]`, a different seed with each batch.
      stream: of the seeds.
    Returns: arrays `[N, ...]` in the structure of `fetched`.
    """
    count = len(next(iter(feeds.values())))
    size = min(pipeline.at_once(values.shape[1:]) for values in feeds.values())
    parts = []
    for start in range(0, max(count, 1), size):
        given: dict = {key: values[start : start + size] for key, values in feeds.items()}
        if seed is not None:
            given[seed] = [stream, start]
        parts.append(run(fetched, given))
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def _normalization(initial: Normalization | None, image_shape: tuple[int, ...]) -> Normalization:
    """Creates the variables of a normalization, which nothing trains."""
    shape = image_shape[-1:]  # the columns, or the channels
    initial = initial or Normalization(np.zeros(shape), np.ones(shape))
    with tf.variable_scope(names.NORMALIZATION, auxiliary_name_scope=False):
        return Normalization(
            *(
                tf.get_variable(
                    name,
                    shape,
                    tf.float32,
                    tf.constant_initializer(value),
                    trainable=False,
                    use_resource=True,
                )
                for name, value in zip((names.OFFSET, names.SCALE), initial, strict=True)
            )
        )


def _inference(
    model: Model,
    image_shape: tuple[int, ...],
    labeled: bool,
    normalization: Normalization | None,
    missing: bool,
) -> Inference:
    code = decoded = samples = corrupted = None
    measures: dict[str, tf.Tensor] = {}
    with tf.name_scope(f'{names.INFERENCE}/'):
        # Placeholders.
        images = tf.placeholder(tf.float32, [None, *image_shape], names.IMAGES)
        labels = tf.placeholder(tf.int64, [None], names.LABELS)
        seed = tf.placeholder(tf.int64, [2], names.SEED)
        count = tf.placeholder(tf.int32, [], names.COUNT)

        # Results of the model's abilities; images are in the units of the data set.
        inputs, present = images, None
        if normalization:
            inputs = normalization.normalize(images)
        if missing:
            inputs, present = pipeline.masked(inputs)
        if inputs is not images:
            inputs = tf.identity(inputs, names.NORMALIZED)

        def denormalized(made: tf.Tensor) -> tf.Tensor:
            return normalization.denormalize(made) if normalization else made

        outputs = model(inputs)
        found = outputs._asdict()
        if names.RECONSTRUCTION in found:
            found[names.RECONSTRUCTION] = denormalized(found[names.RECONSTRUCTION])
        named = {k: tf.identity(v, k) for k, v in found.items()}
        if isinstance(model, Decoder):
            code = tf.placeholder(tf.float32, [None, model.code_size], names.CODES)
            decoded = tf.identity(denormalized(model.decode(code)), names.DECODED)
        if isinstance(model, Generator):
            samples = tf.identity(model.prior(count, seed), names.SAMPLES)
        if isinstance(model, Corrupting):
            noisy = model.corrupt(inputs, seed)
            if noisy is not inputs:
                noisy = noisy if present is None else noisy * present
                corrupted = tf.identity(denormalized(noisy), names.CORRUPTED)
        if isinstance(model, Measuring):
            with tf.name_scope(names.MEASURES):
                batch = Batch(inputs, labels if labeled else None, seed, present)
                measures = {k: tf.identity(v, k) for k, v in model.measures(batch).items()}
    outputs = type(outputs)(**named)
    return Inference(
        images,
        inputs,
        present,
        outputs,
        code,
        decoded,
        labels,
        seed,
        measures,
        corrupted,
        count,
        samples,
    )


def _refuse_augmentation(settings: TrainingConfig, image_shape: Sequence[int]) -> None:
    """Refuses augmentation, which is of images, for other examples."""
    if settings.augment and not data.is_image(image_shape):
        raise errors.UsageError(
            f'--augment is {text(settings.augment)}, which changes images; the examples are '
            f'{data.noun(image_shape)}s of shape {tuple(image_shape)}'
        )


def _summary(model: Model, source: pipeline.Source) -> tf.Tensor:
    before = len(tf.get_collection(tf.GraphKeys.ACTIVATIONS))
    with tf.name_scope(f'{names.SUMMARIES}/'):
        count = min(_SHOWN, source.count)
        images = source.gather(tf.range(count))[0]
        images.set_shape([count, *images.shape[1:]])
        shown = {}
        outputs = model(images)
        pictured = data.is_image(images.shape[1:])
        if pictured and hasattr(outputs, 'reconstruction'):
            shown[names.RECONSTRUCTION] = tf.concat([images, outputs.reconstruction], 2)
        if pictured and isinstance(model, Generator):
            samples = model.decode(model.prior(_SHOWN, tf.zeros([2], tf.int64)))
            shown[names.SAMPLES] = tf.ensure_shape(samples, [_SHOWN, *images.shape[1:]])
        activations = tf.get_collection(tf.GraphKeys.ACTIVATIONS)[before:]
        variables = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
        return summaries.epoch_summary(images.shape[1:], shown, activations, variables)
