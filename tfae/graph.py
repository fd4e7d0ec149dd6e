"""The whole static graph of a run: model, inference, and a program for each phase.

Training, evaluation and every look inside build the same graph, so each variable and tensor has one
name everywhere.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, models, names, schedule, summaries
from tfae.data import pipeline
from tfae.experiment import Experiment

_BATCH = 1000  # examples a call outside training
_SHOWN = 32  # pictures in TensorBoard's grid


class Inference(NamedTuple):
    """Placeholders and what they become, without noise."""

    images: tf.Tensor  # placeholder [B, H, W, C]
    outputs: Any  # the family's Outputs
    code: tf.Tensor  # placeholder [B, Z]
    decoded: tf.Tensor  # [B, H, W, C]


class Graph(NamedTuple):
    """A run as tensors and operations."""

    graph: tf.Graph
    model: Any
    inference: Inference
    model_variables: list[tf.Variable]  # without what training adds
    source: pipeline.Examples
    validation: pipeline.Examples
    programs: list[schedule.Program]
    summary: tf.Tensor  # serialised histograms and pictures of this moment


def build(experiment: Experiment, train: data.Split, validation: data.Split) -> Graph:
    """Builds the graph of a run on these examples.

    Raises: UsageError if the configuration does not fit the examples.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.set_random_seed(experiment.training.seed)
        tf.get_variable(
            tf.GraphKeys.GLOBAL_STEP,
            [],
            tf.int64,
            tf.zeros_initializer(),
            trainable=False,
            collections=[tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.GLOBAL_STEP],
            use_resource=True,
        )
        family = models.load(experiment.model)
        model = family.Model(experiment.family, train.images.shape[1:])
        source = pipeline.Examples(*train, names.TRAINING)
        held_out = pipeline.Examples(*validation, names.VALIDATION)
        inference = _inference(model, train.images.shape[1:])
        model_variables = [
            v for v in tf.global_variables() if v.op.name != tf.GraphKeys.GLOBAL_STEP
        ]
        phases = schedule.phases(model, experiment.schedule, experiment.training, source, held_out)
        programs = [
            schedule.program(phase, stream, experiment.training)
            for stream, phase in enumerate(phases)
        ]
        summary = _summary(model, held_out if held_out.count else source)
    return Graph(graph, model, inference, model_variables, source, held_out, programs, summary)


def in_batches(
    run: pipeline.Run, tensor: tf.Tensor | str, placeholder: tf.Tensor, values: np.ndarray
) -> np.ndarray:
    """`tensor` `[N, ...]` for `values` `[N, ...]` fed to `placeholder` a part at a time.

    `run` is a session's. An empty input gives an empty output of the right shape.
    """
    starts = range(0, max(len(values), 1), _BATCH)
    return np.concatenate([run(tensor, {placeholder: values[s : s + _BATCH]}) for s in starts])


def _inference(model: Any, image_shape: tuple[int, ...]) -> Inference:
    with tf.name_scope(f'{names.INFERENCE}/'):
        images = tf.placeholder(tf.float32, [None, *image_shape], names.IMAGES)
        outputs = model(images)
        named = {k: tf.identity(v, k) for k, v in outputs._asdict().items()}
        code = tf.placeholder(tf.float32, [None, model.code_size], names.CODES)
        decoded = tf.identity(model.decode(code), names.DECODED)
    return Inference(images, type(outputs)(**named), code, decoded)


def _summary(model: Any, source: pipeline.Examples) -> tf.Tensor:
    before = len(tf.get_collection(tf.GraphKeys.ACTIVATIONS))
    with tf.name_scope(f'{names.SUMMARIES}/'):
        count = min(_SHOWN, source.count)
        images = source.gather(tf.range(count))[0]
        images.set_shape([count, *images.shape[1:]])
        reconstruction = model(images).reconstruction
        activations = tf.get_collection(tf.GraphKeys.ACTIVATIONS)[before:]
        variables = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
        return summaries.epoch_summary(images, reconstruction, activations, variables)
