"""The session side: `fit` trains a run, `open_run` looks into one. Sessions open here alone."""

import contextlib
import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae import checkpoints, checks, data, graph, models, names, weights
from tfae.data import streaming
from tfae.experiment import Experiment, Signature
from tfae.folder import BEST, CONFIG, Folder
from tfae.reference_run import Reference
from tfae.run import Run
from tfae.trainer import Trainer
from tfae.watch import Config as Config

_LARGE_PRODUCT = 32e6  # multiplications from which two cores beat one


def fit(experiment: Experiment, logdir: str | os.PathLike[str], watch: Config | None = None) -> int:
    """Trains a run in `logdir`, from where it stands, to its end.

    Returns: 0 at the end; 128 + the signal's number if SIGINT or SIGTERM stopped it, after a
      checkpoint.
    Raises:
      UsageError: the configuration cannot be built, or differs from that of the run in `logdir`.
      InputError: the data or the folder are not what they should be, or a loss is not finite.
    """
    folder = Folder(logdir)
    known = folder.read_config() if folder.exists() else None
    _refuse_differences(known, experiment, folder.path)
    loaded = data.load(experiment.data)
    if known:
        refuse_other_examples(folder.path, known, loaded)
    experiment = dataclasses.replace(experiment, signature=Signature.of(loaded))
    # Before any op is built: order and noise are functions of (seed, step), so must results be.
    tf2.config.experimental.enable_op_determinism()
    with _blaming(folder if known else None):
        built = graph.build(experiment, loaded.train, loaded.validation)
    settings = experiment.training
    if known is None and settings.restore_from:
        # What cannot be restored must not leave a run behind.
        variables, scopes = built.model_variables, settings.restore_map
        checkpoints.transfer(None, variables, settings.restore_from, scopes)
    folder.create()
    with folder.locked(), _session(built, watch or Config()) as session:
        if known is None:
            if folder.exists():
                raise checks.InputError(
                    f'--logdir {folder.path}: another program has just begun a run there; '
                    f'name another folder, or give the command again to go on with that run'
                )
            folder.write_config(experiment)
        trainer = Trainer(experiment, folder, built, session, watch or Config())
        with streaming.blaming(built.source, built.validation):
            return trainer.train(loaded)


def open_run(logdir: str | os.PathLike[str], checkpoint: str = 'any') -> Run:
    """Opens a run to look into it; its data set is not read.

    Args:
      logdir: the run's folder.
      checkpoint: `best` (least validation loss), `last`, or `any` for the best where there is one.
    Raises: InputError if there is no run, or no checkpoint of it that can be read.
    """
    folder = Folder(logdir)
    experiment = folder.read_config()
    with _blaming(folder):
        built = graph.build(experiment, *experiment.signature.stand_ins())
    session = tf.Session(graph=built.graph)
    places = {'best': [folder.path / BEST], 'last': [folder.path]}
    with built.graph.as_default():
        saver = tf.train.Saver(built.model_variables)
        for path in places.get(checkpoint, [folder.path / BEST, folder.path]):
            step = checkpoints.restore_newest(saver, session, path, print)
            if step is not None:
                found = checkpoints.path(path, step)
                return Run(folder, experiment, built, session, found, step)
    raise checks.InputError(f'--logdir {folder.path} has no checkpoint yet')


def open_reference(
    name: str,
    path: str,
    *,
    preprocessing: weights.Preprocessing | None = None,
    classes: int = 1000,
    width: float = 1.0,
) -> Reference:
    """Opens a published network with the weights in a file.

    Args:
      name: of the network, one of `models.references()`.
      path: of the file; see `tfae.weights`.
      preprocessing: what the network was trained to see; None is what the file's layout says.
      classes: that it tells apart.
      width: factor of the size of every layer but the last.
    Raises: UsageError for an unknown network, or weights that leave the preprocessing open;
      InputError if the file is not that network's.
    """
    known = models.references()
    page = known[checks.one_of('--model', name, known)]
    config = dataclasses.replace(page.NETWORKS[name], width=width)
    found = weights.open_weights(path, name, page.Model(config, classes=classes).parameters)
    if preprocessing is None and found.preprocessing is None:
        raise checks.UsageError(
            f'{path} does not tell what {name} was trained to see; --preprocessing must name it'
        )
    config = dataclasses.replace(config, preprocessing=preprocessing or found.preprocessing)
    built = tf.Graph()
    with built.as_default():
        model = page.Model(config, classes=classes)
        with tf.name_scope(f'{names.INFERENCE}/'):
            images = tf.placeholder(tf.float32, [None, *model.image_shape], names.IMAGES)
            outputs = model(images)
        variables = {v.op.name: v for v in tf.global_variables()}
    session = tf.Session(graph=built)
    try:
        with built.as_default():
            for variable, value in found:
                variables[variable].load(value, session)
    except checks.InputError:
        session.close()
        raise
    return Reference(name, built, session, images, outputs)


@contextlib.contextmanager
def holding(graph: tf.Graph, values: Mapping[str, np.ndarray]) -> Iterator[Any]:
    """A session on a graph whose variables take these values, given by their names."""
    with graph.as_default(), tf.Session(graph=graph) as session:
        for variable in tf.global_variables():
            variable.load(values[variable.op.name], session)
        yield session


@contextlib.contextmanager
def _blaming(folder: Folder | None) -> Iterator[None]:
    """A configuration read from a folder that cannot be built was edited: no fault of a flag."""
    try:
        yield
    except checks.UsageError as error:
        if folder is None:
            raise
        raise checks.InputError(f'{folder.path / CONFIG}: {error}') from None


def refuse_other_examples(path: pathlib.Path, known: Experiment, loaded: data.DataSet) -> None:
    """Raises InputError if a data set is not the one that the run in `path` was trained on."""
    came, recorded = loaded.fingerprint(), known.signature.fingerprint
    if came != recorded:
        raise checks.InputError(
            f'--logdir {path} was trained on other examples than data set {loaded.name} now '
            f'holds: fingerprint {recorded} is recorded, {came} came'
        )


@contextlib.contextmanager
def _session(built: graph.Graph, watch: Config) -> Iterator[Any]:
    """A session whose thread pools suit the graph."""
    inter, intra = _threads(built.graph)
    settings = tf.ConfigProto(
        inter_op_parallelism_threads=watch.inter_op_threads or inter,
        intra_op_parallelism_threads=watch.intra_op_threads or intra,
    )
    with tf.Session(graph=built.graph, config=settings) as session:
        yield session


def _threads(graph: tf.Graph) -> tuple[int, int]:
    """Operations run at once and threads that each may take; 0 leaves the choice to TensorFlow.

    Measured by tools/bench/training.py: small matrix products run fastest when each keeps to its
    own cores and independent ones run side by side; large ones are worth splitting, since those of
    the forward pass wait for each other; convolutions use every core by themselves.
    """
    cores = os.cpu_count() or 1
    operations = graph.get_operations()
    if any('Conv2D' in op.type for op in operations):
        return 0, 0
    largest = max((_multiplications(op) for op in operations if op.type == 'MatMul'), default=0)
    return 2, cores if largest >= _LARGE_PRODUCT else max(1, cores // 2)


def _multiplications(product: tf.Operation) -> float:
    """mkn of the product of [m, k] and [k, n], either transposed; 0 if one of them is unknown."""
    tensors = (*product.inputs, *product.outputs)
    return math.sqrt(math.prod(tensor.shape.num_elements() or 0 for tensor in tensors))


def _refuse_differences(known: Experiment | None, wanted: Experiment, path: pathlib.Path) -> None:
    differences = known.differences(wanted) if known else []
    if differences:
        raise checks.UsageError(
            f'--logdir {path} holds a run of another configuration: {"; ".join(differences)}; '
            f'name another folder, or leave these flags out to go on with that run'
        )
