"""The session side: `fit` trains a run, `open_run` looks into one. Sessions open here alone."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae import data, pretrained
from tfae.core import errors, names
from tfae.core.signals import Interrupt
from tfae.data import streaming
from tfae.data.sets.arrays import NAME as ARRAYS
from tfae.distributed import all_reduce, cluster
from tfae.distributed.all_reduce import Team
from tfae.pretrained import weights
from tfae.pretrained.classifier import Reference
from tfae.runs import checkpoints, sessions
from tfae.runs.directory import BEST, CONFIG, Folder
from tfae.runs.follower import Follower
from tfae.runs.options import Config as Config
from tfae.runs.saved_run import Run
from tfae.runs.trainer import Trainer
from tfae.training import graph
from tfae.training.experiment import Experiment, Signature


def open_first() -> None:
    """Opens a session where what TensorFlow says on stderr is dropped.

    2.18 to 2.20 tell there, once and whatever the log level, which pass the first one leaves out.
    """
    if tf2.__version__.startswith(('2.18.', '2.19.', '2.20.')):
        with tf.Graph().as_default(), tf.Session() as session:
            session.run(tf.constant(0))


def fit(
    experiment: Experiment,
    logdir: str | os.PathLike[str],
    watch: Config | None = None,
    members: cluster.Members | None = None,
    source: data.Source | None = None,
) -> int:
    """Trains a run in `logdir`, from where it stands, to its end.

    Of several `members` the chief alone reads and writes `logdir`; the others follow it.

    Returns: 0 at the end; 128 + the signal's number if SIGINT or SIGTERM stopped it, after a
      checkpoint.
    Raises:
      UsageError: the configuration cannot be built, or differs from that of the run in `logdir`.
      InputError: the data or the folder are not what they should be, a loss is not finite, or a
        member does not come.
      Lost: another of the members is gone.
    """
    watch = watch or Config()
    whole = (members.index, len(members.addresses)) if members else (0, 1)
    team = Team(*whole, sessions.devices(watch.towers))
    if members and team.index:
        return _follow(experiment, watch, members, team)
    folder = Folder(logdir)
    known = folder.read_config() if folder.exists() else None
    _refuse_differences(known, experiment, folder.path)
    loaded = data.load(experiment.data, source)
    if known:
        refuse_other_examples(folder.path, known, loaded)
    experiment = dataclasses.replace(experiment, signature=Signature.of(loaded))
    settings, blamed = experiment.training, folder if known else None
    with _blaming(blamed):
        size = settings.batch(len(loaded.train.images))
    team.refuse_uneven(size, settings.accumulation_steps)  # a fault of the flags that share
    with _blaming(blamed):
        built = _built(experiment, loaded, team)
    if known is None and settings.restore_from:
        # What cannot be restored must not leave a run behind.
        what = (settings.restore_from, settings.restore_map)
        checkpoints.transfer(None, built.model_variables, *what)
    folder.create()
    with folder.locked(), _session(built, watch, members) as session:
        if known is None:
            if folder.exists():
                raise errors.InputError(
                    f'--logdir {folder.path}: another program has just begun a run there; '
                    f'name another folder, or give the command again to go on with that run'
                )
            folder.write_config(experiment)
        trainer = Trainer(experiment, folder, built, session, watch, team)
        with _losing(team, trainer.interrupt), streaming.blaming(built.source, built.validation):
            return _lead(team, trainer, session, loaded)


def _lead(team: Team, trainer: Trainer, session: Any, loaded: data.DataSet) -> int:
    """Trains, and tells those who follow how it ended."""
    try:
        code = trainer.train(loaded)
    except Exception as error:
        if not all_reduce.lost(error):
            team.end(session.run, all_reduce.FAILED)
        raise
    team.end(session.run, code)
    return code


def _follow(experiment: Experiment, watch: Config, members: cluster.Members, team: Team) -> int:
    """Trains beside the chief. See `fit`."""
    loaded = data.load(experiment.data)
    experiment = dataclasses.replace(experiment, signature=Signature.of(loaded))
    settings = experiment.training
    team.refuse_uneven(settings.batch(len(loaded.train.images)), settings.accumulation_steps)
    built = _built(experiment, loaded, team)
    with _session(built, watch, members) as session:
        follower = Follower(built, session, team)
        with _losing(team, follower.interrupt), streaming.blaming(built.source):
            known = Experiment.from_dict(follower.begin(), 'the configuration of the chief')
            if differences := known.differences(experiment):
                raise errors.UsageError(
                    f'{members} has other flags than the chief: {"; ".join(differences)}'
                )
            if known.signature.fingerprint != experiment.signature.fingerprint:
                raise errors.InputError(
                    f'{members} has other examples than the chief: data set {loaded.name} has '
                    f'fingerprint {experiment.signature.fingerprint} here, '
                    f'{known.signature.fingerprint} there'
                )
            print(f'{members} follows {members.addresses[0]}', flush=True)
            code = follower.follow()
    print(f'{members} ends with the chief')
    return code


@contextlib.contextmanager
def _losing(team: Team, interrupt: Interrupt) -> Iterator[None]:
    """Tells that another worker is gone from everything else that can go wrong."""
    try:
        yield
    except tf.errors.OpError as error:
        if team.size == 1 or not all_reduce.lost(error):
            raise
        if team.begun:
            cluster.together()
        reason = type(error).__name__.removesuffix('Error')
        raise cluster.Lost(f'another worker is gone ({reason})', interrupt.number) from None


def _built(experiment: Experiment, loaded: data.DataSet, team: Team) -> graph.Graph:
    # Before any op is built: order and noise are functions of (seed, step), so must results be.
    tf2.config.experimental.enable_op_determinism()
    return graph.build(experiment, loaded.train, loaded.validation, team)


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
    raise errors.InputError(f'--logdir {folder.path} has no checkpoint yet')


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
      name: of the network, one of `pretrained.references()`.
      path: of the file; see `tfae.pretrained.weights`.
      preprocessing: what the network was trained to see; None is what the file's layout says.
      classes: that it tells apart.
      width: factor of the size of every layer but the last.
    Raises: UsageError for an unknown network, or weights that leave the preprocessing open;
      InputError if the file is not that network's.
    """
    known = pretrained.references()
    page = known[errors.one_of('--model', name, known)]
    config = dataclasses.replace(page.NETWORKS[name], width=width)
    found = weights.open_weights(path, name, page.Model(config, classes=classes).parameters)
    if preprocessing is None and found.preprocessing is None:
        raise errors.UsageError(
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
    except errors.InputError:
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
    except errors.UsageError as error:
        if folder is None:
            raise
        raise errors.InputError(f'{folder.path / CONFIG}: {error}') from None


def refuse_other_examples(path: pathlib.Path, known: Experiment, loaded: data.DataSet) -> None:
    """Raises InputError if a data set is not the one that the run in `path` was trained on."""
    came, recorded = loaded.fingerprint(), known.signature.fingerprint
    what = f'data set {loaded.name} now holds'
    if loaded.name == ARRAYS:
        what = 'images, labels, validation_data and test_data (or the file of --data_dir) now hold'
    if came != recorded:
        raise errors.InputError(
            f'--logdir {path} was trained on other examples than {what}: fingerprint {recorded} '
            f'is recorded, {came} came'
        )


@contextlib.contextmanager
def _session(
    built: graph.Graph, watch: Config, members: cluster.Members | None = None
) -> Iterator[Any]:
    """A session whose thread pools suit the graph; with several members, once all have come."""
    settings = sessions.settings(built.graph, watch)
    server = _server(settings, members) if members else None
    session = tf.Session(server.target if server else '', graph=built.graph, config=settings)
    lost = False
    try:
        with session.as_default(), built.graph.as_default():
            yield session
    except cluster.Lost:
        lost = True  # it may not let itself be closed
        raise
    finally:
        if not lost:
            session.close()


def _server(settings: tf.ConfigProto, members: cluster.Members) -> tf.train.Server:
    """TensorFlow's own server, which listens until the process ends; waits for those of others."""
    members.refuse_taken_port()
    settings.experimental.collective_group_leader = '/job:worker/replica:0/task:0'
    settings.device_filters.append(f'/job:worker/task:{members.index}')
    # Who finds out so late that another has begun anew still meets it before that gives up.
    settings.operation_timeout_in_ms = round(members.timeout / 2 * 1000)
    jobs = {'worker': list(members.addresses)}
    server = tf.train.Server(jobs, job_name='worker', task_index=members.index, config=settings)
    members.wait()
    return server


def _refuse_differences(known: Experiment | None, wanted: Experiment, path: pathlib.Path) -> None:
    differences = known.differences(wanted) if known else []
    if differences:
        raise errors.UsageError(
            f'--logdir {path} holds a run of another configuration: {"; ".join(differences)}; '
            f'name another folder, or leave these flags out to go on with that run'
        )
