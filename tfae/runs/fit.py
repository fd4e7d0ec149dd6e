"""Training of a run from its newest checkpoint, by one process or by several workers."""

import contextlib
import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae import data, models
from tfae.core import config, errors
from tfae.core.signals import Interrupt
from tfae.data import normalization, streaming
from tfae.distributed import cluster, coordinator
from tfae.distributed.coordinator import Coordinator
from tfae.distributed.replica import Replica
from tfae.models.base.family import ClassConditional, Model
from tfae.runs import checkpoints, saved_run, sessions, transfer
from tfae.runs.directory import Folder
from tfae.runs.follower import Follower
from tfae.runs.options import Config
from tfae.runs.trainer import Trainer
from tfae.training import graph, phases
from tfae.training import overview as training_overview
from tfae.training.experiment import Experiment, Signature
from tfae.training.phases import Phase, Program


class _Job(NamedTuple):
    """A run that is ready to be trained by this process, alone or as one of several workers."""

    experiment: Experiment  # signed
    loaded: data.DataSet
    built: graph.Graph
    options: Config
    members: cluster.Members | None

    def session(self) -> contextlib.AbstractContextManager[tf.Session]:
        """Opens the session."""
        return sessions.open_session(self.built.graph, self.options, self.members)


def fit(
    experiment: Experiment,
    logdir: str | os.PathLike[str],
    options: Config | None = None,
    members: cluster.Members | None = None,
    source: data.Source | None = None,
) -> int:
    """Trains a run in `logdir`, from its newest checkpoint or from the start, to its end.

    An existing run may be given another number of epochs, not fewer than it has completed. Unless
    the learning rate depends on that number, the result is bit for bit that of a run that had it
    from the start. The chief alone reads and writes `logdir`; the other `members` follow it.

    Args:
      experiment: the configuration; its signature is taken from the data set.
      logdir: folder of the run, created if it does not exist.
      options: logging, checkpoints, threads and devices; they change results by rounding at most.
      members: the workers that train together; None trains in this process alone.
      source: of the data set's arrays; None loads the data set that the experiment names.
    Returns: 0 at the end; 128 + the signal's number if SIGINT or SIGTERM stopped training, after
      a checkpoint.
    Raises:
      UsageError: the configuration cannot be built, differs from that of the run in `logdir` by
        more than the epochs, or has fewer epochs than the run has made.
      InputError: the data or the folder is invalid, a loss is not finite, or a member does not
        connect in time.
      Lost: the connection to another member is lost.
    """
    job, folder, known = _prepared(experiment, logdir, options or Config(), members, source)
    return _trained(job, folder, known) if folder else _follow(job)


def fit_and_open(
    experiment: Experiment,
    logdir: str | os.PathLike[str],
    options: Config,
    source: data.Source,
) -> saved_run.Run | int:
    """Trains a run as `fit` does, and opens it on the graph that trained it.

    That saves the time to build a second graph, but keeps the arrays in memory while it is open.

    Returns: the run, as `tfae.open` returns it; or 128 + the number of the signal that stopped
      training.
    Raises: as `fit`.
    """
    job, folder, known = _prepared(experiment, logdir, options, None, source)
    assert folder
    code = _trained(job, folder, known)
    return code or saved_run.open_run(logdir, family=experiment.family, built=job.built)


def overview(
    experiment: Experiment, logdir: str | os.PathLike[str] | None, options: Config | None = None
) -> Iterator[str]:
    """Yields the lines that describe what `fit` would train; writes and trains nothing.

    Without a `logdir` they describe a run from the start.

    Raises: UsageError or InputError as `fit` does before its first step.
    """
    job, _, _ = _prepared(experiment, logdir, options or Config(), None, None)
    yield from data.described(job.loaded, job.experiment.data.normalize)
    yield from training_overview.lines(job.experiment, job.built, job.loaded)


def resolved(
    experiment: Experiment, logdir: str | os.PathLike[str] | None, options: Config | None = None
) -> Experiment:
    """Returns the configuration with which `fit` would train, without defaults left open.

    Raises: UsageError or InputError as `fit` does before its first step.
    """
    return _prepared(experiment, logdir, options or Config(), None, None)[0].experiment


def _prepared(
    experiment: Experiment,
    logdir: str | os.PathLike[str] | None,
    options: Config,
    members: cluster.Members | None,
    source: data.Source | None,
) -> tuple[_Job, Folder | None, Experiment | None]:
    """Loads the data and builds the graph.

    Returns: the job; its folder, None for a worker that is not the chief; and the configuration of
      the run in that folder, None if there is no run yet.
    """
    place = (members.index, len(members.addresses)) if members else (0, 1)
    replica = Replica(*place, sessions.devices(options.towers))
    folder = None if replica.index or logdir is None else Folder(logdir)
    known = folder.read_config() if folder and folder.exists() else None
    blaming = folder.blaming_config if folder and known else contextlib.nullcontext

    if folder and known:
        experiment = _resolved(experiment, known.signature)
        _refuse_differences(folder.path, known.resolved(), experiment)
        if experiment.training.epochs < 0:
            experiment = _with_epochs(experiment, known.training.epochs)
        checkpoints.refuse_other_configuration(known, folder.path)
    # Loading may take minutes, so errors that do not depend on the data come before it.
    if folder:
        folder.refuse_file()
    with blaming():
        data.module(experiment.data.dataset)
        if experiment.model in models.FAMILIES:  # others may have layers that only models show
            phases.refuse_unsupported(models.load(experiment.model).Model, experiment.schedule)
    loaded = data.load(experiment.data, source)
    if folder and known:
        loaded = saved_run.same_examples(folder.path, known, loaded)
    experiment = _resolved(experiment, Signature.of(loaded))
    if not known:
        data.refuse_gaps(loaded, experiment.data)
        _refuse_unbounded(experiment, loaded)
        _refuse_no_counts(experiment, loaded)
        _refuse_one_class(experiment, loaded.train)
    with blaming():
        size = experiment.training.batch(len(loaded.train.images))
    # The flags that share a batch are not part of config.json.
    replica.refuse_uneven(size, experiment.training.accumulation_steps)
    # Before any op is built: order and noise are functions of (seed, step), so must results be.
    tf2.config.experimental.enable_op_determinism()
    with blaming():
        rows, kind = loaded.train.images, experiment.data.normalize
        fitted = normalization.fit(kind, rows if kind == 'none' else data.pixels(rows))
        built = graph.build(experiment, loaded.train, loaded.validation, replica, fitted)
    last = built.programs[-1].phase
    _refuse_untrained(built.programs[-1])
    _refuse_unseen_classes(built.model, loaded)
    experiment = _with_epochs(experiment, last.epochs)
    if folder and known:
        _refuse_fewer_epochs(folder.path, last, size)
    if experiment.training.restore_from and not known and not replica.index:
        # Variables that cannot be loaded are refused before the run is created.
        _refuse_other_normalization(experiment)
        what = (experiment.training.restore_from, experiment.training.restore_map)
        transfer.transfer(None, built.model_variables, *what)

    return _Job(experiment, loaded, built, options, members), folder, known


def _trained(job: _Job, folder: Folder, known: Experiment | None) -> int:
    """Describes the data set and trains; returns the exit code."""
    print(*data.described(job.loaded, job.experiment.data.normalize), sep='\n')
    return _lead(job, folder, known)


def _lead(job: _Job, folder: Folder, known: Experiment | None) -> int:
    """Trains, alone or as the chief, and sends the exit code to the other workers."""
    settings = job.experiment.training
    folder.create()
    with folder.locked(), job.session() as session:
        if known is None:
            if folder.exists():
                raise errors.InputError(
                    f'--logdir {folder.path}: another program has just started a run there; '
                    'choose another folder, or repeat the command to resume that run'
                )
            folder.write_config(job.experiment)

        def begun(step: int) -> None:  # of the loaded checkpoint: config.json waits for it
            if known and known.training.epochs != settings.epochs:
                _change_epochs(job, folder, known.training.epochs, step)
            if known:
                _warn_of_weight_decay(job.experiment, folder, step)

        recorded = known or job.experiment
        trainer = Trainer(job.experiment, recorded, folder, job.built, session, job.options)
        sources = (job.built.source, job.built.validation)
        with _losing(job.built.coordinator, trainer.interrupt), streaming.blaming(*sources):
            try:
                code = trainer.train(job.loaded, begun)
            except Exception as error:
                if not coordinator.lost(error):
                    job.built.coordinator.end(session.run, coordinator.FAILED)
                raise
            job.built.coordinator.end(session.run, code)
            return code


def _follow(job: _Job) -> int:
    """Runs the steps that the chief requests, and writes nothing."""
    assert job.members
    with job.session() as session:
        follower = Follower(job.built, session)
        with (
            _losing(job.built.coordinator, follower.interrupt),
            streaming.blaming(job.built.source),
        ):
            chief = Experiment.from_dict(follower.begin(), 'the configuration of the chief')
            _refuse_other_worker(job, chief)
            print(f'{job.members} follows {job.members.addresses[0]}', flush=True)
            code = follower.follow()
    print(f'{job.members} exits with the chief')
    return code


def _refuse_other_worker(job: _Job, chief: Experiment) -> None:
    """Refuses a chief that trains another configuration or other examples."""
    if differences := chief.differences(job.experiment):
        raise errors.UsageError(
            f'{job.members} has different flags from the chief: {"; ".join(differences)}'
        )
    ours, theirs = job.experiment.signature.fingerprint, chief.signature.fingerprint
    if ours != theirs:
        raise errors.InputError(
            f'{job.members} has different examples from the chief: data set {job.loaded.name} has '
            f'fingerprint {ours} here, {theirs} there'
        )


@contextlib.contextmanager
def _losing(workers: Coordinator, interrupt: Interrupt) -> Iterator[None]:
    """Turns the errors that a lost worker causes into `Lost`, and exhausted memory into InputError.

    Other errors pass.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise errors.InputError(
            f'out of memory ({checkpoints.reason(error)}); --accumulation_steps splits a batch '
            'into smaller micro-batches'
        ) from None
    except tf.errors.OpError as error:
        if workers.replica.workers == 1 or not coordinator.lost(error):
            raise
        if workers.begun:
            cluster.all_joined()
        reason = type(error).__name__.removesuffix('Error')
        raise cluster.Lost(f'another worker was lost ({reason})', interrupt.number) from None


def _resolved(experiment: Experiment, signature: Signature) -> Experiment:
    """Returns the experiment with its signature and the layers that its family has by default."""
    return dataclasses.replace(experiment, signature=signature).resolved()


def _refuse_other_normalization(experiment: Experiment) -> None:
    """Refuses an encoder of a run whose columns or channels were normalized in another way."""
    path, mine = experiment.training.restore_from, experiment.data.normalize
    source = Folder(path)
    if not source.exists():
        return
    known = source.read_config()
    if (its := known.data.normalize) != mine:
        raise errors.UsageError(
            f'--restore_from {path} is a run with --normalize={its}; --normalize is {mine}, and '
            f'must be the same'
        )
    # A dense layer fits any examples of as many values; the statistics fit those of as many columns
    # or channels.
    old, new = known.signature.image_shape, experiment.signature.image_shape
    if mine != 'none' and math.prod(old) == math.prod(new) and old[-1] != new[-1]:
        examples = [f'{data.noun(each)}s of {" x ".join(map(str, each))}' for each in (old, new)]
        raise errors.UsageError(
            f'--restore_from {path} is a run on {examples[0]}, the examples are {examples[1]}; '
            f'with --normalize={mine} both must have the same number of columns or channels'
        )


def _with_epochs(experiment: Experiment, epochs: int) -> Experiment:
    training = dataclasses.replace(experiment.training, epochs=epochs)
    return dataclasses.replace(experiment, training=training)


def _refuse_one_class(experiment: Experiment, train: data.Split) -> None:
    """Refuses training examples of a single class, for a family that classifies."""
    there = 0 if train.labels is None else len(np.unique(train.labels))
    if there == 1:
        shape = experiment.signature.image_shape
        models.build(experiment.model, experiment.family, shape, there)


def _refuse_untrained(program: Program) -> None:
    """Refuses a run that ends before the first update of one of its objectives."""
    steps = program.phase.stop - program.phase.start
    for name, every in program.every.items():
        if 0 < steps < every:
            raise errors.UsageError(
                f'the {name} is updated once every {every} steps, and the run has {steps}: it '
                f'would never be trained; give more --epochs'
            )


def _refuse_unseen_classes(model: Model, loaded: data.DataSet) -> None:
    """Refuses classes without training images where images of each class are generated."""
    if not isinstance(model, ClassConditional) or not model.classes or loaded.train.labels is None:
        return
    missing = sorted(set(range(loaded.classes)) - set(np.unique(loaded.train.labels).tolist()))
    if missing:
        name = loaded.class_names[missing[0]] if loaded.class_names else missing[0]
        raise errors.UsageError(
            f'--conditional needs training images of every class; class {name} has none'
        )


def _refuse_unbounded(experiment: Experiment, loaded: data.DataSet) -> None:
    """Refuses values beyond [0, 1] where the output of the family cannot reach them."""
    normalize, family = experiment.data.normalize, experiment.family
    if data.is_image(loaded.image_shape) or normalize == 'minmax':
        return
    table = data.tabular(loaded.image_shape)
    what, scaled = ('table', 'columns') if table else ('data set', 'channels')
    where = f'leaves [0, 1] under --normalize={normalize}'
    if normalize == 'none':
        splits = [data.pixels(split.images) for split in loaded[1:4] if len(split.images)]
        low = min(np.nanmin(split, initial=np.inf) for split in splits)
        high = max(np.nanmax(split, initial=-np.inf) for split in splits)
        if low >= 0 and high <= 1:
            return
        where = f'holds values from {low:g} to {high:g}'
    for flag, bounded in (('likelihood', 'bernoulli'), ('output_activation', 'sigmoid')):
        chosen = getattr(family, flag, None)
        if str(chosen) == bounded:
            kind = config.field_types(type(family))[flag]
            other = next(k for k in config.choices(kind) if k not in ('auto', bounded))
            raise errors.UsageError(
                f'--{flag} is {bounded}, for values in [0, 1], and the {what} {where}; '
                f'--normalize=minmax scales {scaled} to [0, 1], --{flag}={other} takes any values'
            )


def _refuse_no_counts(experiment: Experiment, loaded: data.DataSet) -> None:
    """Refuses values of a table that are not counts, under a likelihood of counts."""
    likelihood = getattr(experiment.family, 'likelihood', None)
    if not getattr(likelihood, 'counts', False) or not data.tabular(loaded.image_shape):
        return
    if experiment.data.normalize != 'none':
        raise errors.UsageError(
            f'--likelihood is {likelihood}, of counts; --normalize is {experiment.data.normalize}, '
            f'and must be none'
        )
    for split in loaded[1:4]:
        rows = data.pixels(split.images)
        wrong = ~np.isnan(rows) & ((rows < 0) | (rows != np.floor(rows)))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise errors.UsageError(
                f'--likelihood is {likelihood}, of counts; column {loaded.column(column)} holds '
                f'{rows[row, column]:g}, and must hold integers from 0'
            )


def _refuse_differences(path: pathlib.Path, known: Experiment, wanted: Experiment) -> None:
    """Refuses to resume a run under another configuration; the epochs may differ."""
    if differences := known.differences(wanted, resumed=True):
        raise errors.UsageError(
            f'--logdir {path} holds a run with a different configuration: '
            f'{"; ".join(differences)}; choose another folder, or omit these flags to resume that '
            'run'
        )


def _refuse_fewer_epochs(path: pathlib.Path, last: Phase, batch_size: int) -> None:
    """Refuses an end of the last phase before the steps that the run has made."""
    made = checkpoints.newest_step(path)
    if made > last.stop:
        epochs = (made - last.start - 1) * batch_size // last.source.count + 1
        raise errors.UsageError(
            f'--epochs is {last.epochs}; the run in --logdir {path} has completed {epochs} '
            f'({made:,} steps): give {epochs} or more, or choose another folder'
        )


def _change_epochs(job: _Job, folder: Folder, before: int, step: int) -> None:
    """Records another number of epochs from `step` on, and prints what it changes."""
    last = job.built.programs[-1].phase
    folder.change_epochs(last.epochs, step)
    print(f'{folder.path}: {last.epochs} epochs instead of {before}, from step {step:,} on')
    decay = job.experiment.training.learning_rate_decay
    if decay != 'constant' and last.start < step:
        rates = (
            f'up to step {step:,} the learning rate followed the schedule of {before} epochs, from '
            f'there on it follows that of {last.epochs}'
        )
        if step == last.stop:
            rates = (
                f'up to step {step:,} the learning rate followed the schedule of {before} epochs'
            )
        print(
            f'tfae: warning: --learning_rate_decay={decay} depends on --epochs: {rates}; the '
            f'result differs from that of {last.epochs} epochs from the start'
        )


def _warn_of_weight_decay(experiment: Experiment, folder: Folder, step: int) -> None:
    """Warns that weight decay takes effect in a run of version 0.1, where it had none."""
    weight, version = getattr(experiment.family, 'weight_decay', 0), folder.version()
    if weight and version.startswith('0.1.'):
        print(
            f'tfae: warning: --weight_decay={weight} had no effect in version {version}, which '
            f'started this run; it takes effect from step {step:,} on'
        )
