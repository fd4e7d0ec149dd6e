"""Training from Python: the functions that `tfae` shows. Their errors name arguments, not flags."""

import contextlib
import dataclasses
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tfae import data, models
from tfae.core import config, errors
from tfae.data.formats.arrays import Kind
from tfae.data.sets.arrays import NAME as ARRAYS
from tfae.data.sets.arrays import Arrays
from tfae.distributed import cluster
from tfae.runs import saved_run
from tfae.runs.directory import Folder
from tfae.runs.fit import fit as train
from tfae.runs.fit import fit_and_open
from tfae.runs.options import Config as Options
from tfae.training import recipes
from tfae.training.experiment import Experiment

_RARELY = 2**31 - 1  # steps


def fit(
    model: str | Experiment | object,
    images: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    *,
    logdir: str | os.PathLike[str],
    validation_data: Any = None,
    test_data: Any = None,
    sequences: npt.ArrayLike | None = None,
    volumes: npt.ArrayLike | None = None,
    **arguments: Any,
) -> saved_run.Run:
    """Trains a run, or resumes the one in `logdir`, and opens it.

        with tfae.fit('dense', images, logdir='runs/a', units=(128, 32), epochs=5) as run:
            codes = run.encode(images)

    The result equals, bit for bit, that of `tfae train` on a file of the same arrays with the same
    flags. The run stores the fingerprint of the arrays, not the arrays; to resume it, give the same
    arrays again. `run.encode` and `tfae report` do not need them. A command that reads the images
    takes `--data_dir=FILE.npz`, written by `numpy.savez` with these arrays.

    Training builds a graph of its own, and does not change the default graph, eager mode or signal
    handlers. It enables TensorFlow's op determinism, which TensorFlow cannot disable again: from
    then on, random ops of eager mode need `tf.random.set_seed`.

    Args:
      model: name of a family, the `Config` of one (`models.custom` of two functions), or an
        experiment (`tfae.recipe`, `tfae.Experiment`).
      images: `[N, H, W, C]`, `[N, H, W]` (gray), or rows of a table, `[N, D]`; uint8, or float, in
        [0, 1] of images. None trains on the data set that `dataset` names.
      labels: classes `[N]`, integers from 0.
      logdir: folder of the run.
      validation_data: `(images, labels)` or images; None takes `validation_fraction` of `images`,
        0.1 by default.
      test_data: `(images, labels)` or images; None takes a fixed fifth of `images`.
      sequences: instead of images, `[N, L, C]`, or `[N, L]` of one channel; any finite numbers.
      volumes: instead of images, `[N, D, H, W, C]`, or `[N, D, H, W]` of one channel; any finite
        numbers.
      **arguments: flags of `tfae train`, such as `units=(128, 32)` or `epochs=5`; omitted flags
        have their defaults, or the values of the run in `logdir`.
    Returns: the open run, at the checkpoint that `tfae.open` loads.
    Raises:
      UsageError: an argument is unknown or wrong, or differs from that of the run in `logdir`.
      InputError: the arrays are not images or labels, or differ from those of the run in `logdir`.
      KeyboardInterrupt: SIGINT stopped training after a checkpoint; the same call resumes it.
    """
    with _called_from_python():
        _refuse_no_path(logdir)
        options, flags = _options(arguments)
        experiment = _experiment(model, Folder(logdir), flags)
        source = None
        kind, examples = _given(images, sequences, volumes)
        if examples is not None:
            experiment = _on_arrays(experiment, flags, validation_data is not None)
            source = Arrays(examples, labels, validation_data, test_data, kind=kind)
        else:
            _refuse_without_images(experiment, logdir, labels, validation_data, test_data)
        code = train(experiment, logdir, options, source=source)
        if code:
            _stopped(code - 128)
        return saved_run.open_run(logdir, family=experiment.family)


def fit_table(
    model: str,
    rows: np.ndarray,
    columns: Sequence[str],
    *,
    logdir: str | os.PathLike[str],
    **arguments: Any,
) -> saved_run.Run:
    """Trains a run on all rows of a table as `fit` does, and opens it on its graph.

    Args:
      model: name of a family.
      rows: `[N, D]` float32. None is held out for testing; as `fit` needs a test split, the first
        row is repeated there.
      columns: D names, or none.
      logdir: folder of the run.
      **arguments: flags of `tfae train`.
    Returns: the open run.
    Raises: as `fit`.
    """
    with _called_from_python():
        _refuse_no_path(logdir)
        experiment = Experiment(model, dataset=ARRAYS, **arguments)
        source = Arrays(rows, test_data=rows[:1], columns=columns)
        options = Options(summary_steps=_RARELY, keep_checkpoints=1)
        found = fit_and_open(experiment, logdir, options, source)
        if isinstance(found, int):
            _stopped(found - 128)
        return found


def open_run(
    logdir: str | os.PathLike[str], checkpoint: str = 'any', *, model: object = None
) -> saved_run.Run:
    """Opens a run; its data set is not read.

    Args:
      logdir: the run's folder.
      checkpoint: `best` (lowest validation loss), `last`, or `any`: the best if there is one.
      model: the `Config` that the run was trained with, such as `models.custom(...)`, if its
        functions cannot be imported; None takes that of config.json.
    Raises:
      InputError: there is no run, or none of its checkpoints can be read.
      UsageError: an argument is wrong, or `model` differs from that of the run.
    """
    with _called_from_python():
        _refuse_no_path(logdir)
        return saved_run.open_run(logdir, checkpoint, model)


def recipe(name: str, **arguments: Any) -> Experiment:
    """Returns the experiment of a published system.

    Args:
      name: of the recipe; see `tfae train --help`.
      **arguments: flags of `tfae train` that differ from the recipe's.
    Raises: UsageError with the nearest names if there is no such recipe or argument.
    """
    with _called_from_python():
        _refuse_no_name('recipe', name, 'a recipe')
        return Experiment(**(recipes.arguments(name) | arguments))


def load_data(dataset: str, **arguments: Any) -> data.DataSet:
    """Loads a data set: its training, validation and test split.

        digits = tfae.load_data('digits', validation_fraction=0)
        digits.test.images, digits.test.labels

    Args:
      dataset: name of the set.
      **arguments: flags of `tfae train` about data, such as `data_dir` or `only_classes`.
    Raises: UsageError if a name is unknown or a value wrong; InputError if a file is
      missing or invalid.
    """
    with _called_from_python():
        _refuse_no_name('dataset', dataset, 'a data set')
        kinds = config.field_types(data.Config)
        former = config.former_names(data.Config)
        for name in arguments:
            if name in former:
                raise errors.UsageError(f'{name} is now {former[name]}')
            if name not in kinds:
                near = errors.nearest(name, kinds)
                raise errors.UsageError(f'{name} is not an argument of a data set{near}')
        values = {k: config.from_python(k, kinds[k], v) for k, v in arguments.items()}
        return data.load(data.Config(dataset=dataset, **values))


@contextlib.contextmanager
def _called_from_python() -> Iterator[None]:
    """Lets errors name arguments; discards notes on deprecated calls."""
    logger = logging.getLogger('tensorflow')
    level = logger.level
    logger.setLevel(max(level, logging.ERROR))
    try:
        with errors.naming_arguments():
            yield
    finally:
        logger.setLevel(level)


def _refuse_no_path(logdir: object) -> None:
    """Refuses a value that names no folder; the empty text would be the working directory."""
    path = os.fspath(logdir) if isinstance(logdir, os.PathLike) else logdir
    if not isinstance(path, str) or not path or '\0' in path:
        raise errors.UsageError(
            f'logdir is {config.shown(logdir)}; it must be the path of a folder, a string or a '
            'pathlib.Path'
        )


def _refuse_no_name(who: str, value: object, kind: str) -> None:
    """Refuses a name that is not a string."""
    if not isinstance(value, str):
        raise errors.UsageError(f'{who} is {config.shown(value)}; it must be the name of {kind}')


def _options(arguments: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    """Returns the options among the arguments, and the other arguments."""
    kinds = config.field_types(Options)
    for name in config.field_types(cluster.Config):
        if name in arguments:
            raise errors.UsageError(
                f'{name} is for several processes; tfae.fit trains in one process, use tfae train'
            )
    given = {k: config.from_python(k, kinds[k], v) for k, v in arguments.items() if k in kinds}
    return Options(**given), {k: v for k, v in arguments.items() if k not in kinds}


def _experiment(model: object, folder: Folder, flags: dict[str, Any]) -> Experiment:
    """Returns the given experiment, or that of the run in the folder, with these flags."""
    if isinstance(model, Experiment):
        return model.replace(**flags)
    name = model if isinstance(model, str) else models.name_of(model)
    known = folder.read_config() if folder.exists() else Experiment(name)
    if not isinstance(model, str):
        known = known.of_family(model)
    return known.replace(name, **flags)


def _given(images: Any, sequences: Any, volumes: Any) -> tuple[Kind, Any]:
    """Returns the kind of the examples that are given, and their array; None if there are none."""
    kinds: dict[Kind, Any] = {'': images, 'sequences': sequences, 'volumes': volumes}
    given = {kind: array for kind, array in kinds.items() if array is not None}
    if len(given) > 1:
        names = [kind or 'images' for kind in given]
        raise errors.UsageError(f'{" and ".join(names)} are given; one of them must be omitted')
    return next(iter(given.items()), ('', None))


def _on_arrays(experiment: Experiment, flags: dict[str, Any], validated: bool) -> Experiment:
    """Returns the experiment on arrays instead of the data set that it names."""
    if flags.get('dataset', ARRAYS) != ARRAYS:
        raise errors.UsageError(
            f'dataset is {flags["dataset"]!r} and images are given; one of them must be omitted'
        )
    # A field of another data set, such as a recipe's, is dropped; one that is given is refused.
    fields = (*data.COMMON_FIELDS, *(name for name in flags if hasattr(experiment.data, name)))
    kept = {name: getattr(experiment.data, name) for name in fields} | {'dataset': ARRAYS}
    if validated and 'validation_fraction' not in flags:
        kept['validation_fraction'] = 0.0
    return dataclasses.replace(experiment, data=data.Config(**kept))


def _refuse_without_images(
    experiment: Experiment, logdir: str | os.PathLike[str], *arrays: Any
) -> None:
    """Refuses other arrays without images, and a run on arrays without them."""
    for name, array in zip(('labels', 'validation_data', 'test_data'), arrays, strict=True):
        if array is not None:
            raise errors.UsageError(f'{name} must be omitted if images is None')
    if experiment.data.dataset == ARRAYS and not experiment.data.data_dir:
        if not Folder(logdir).exists():
            raise errors.UsageError(
                'images is None; the data set arrays consists of the images that are given'
            )
        raise errors.UsageError(
            f'images is None; the run in {os.fspath(logdir)} was trained on arrays: give the same '
            f'to resume it'
        )


def _stopped(number: int) -> NoReturn:
    """Raises the exception of the signal that stopped training."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.stdout.flush()  # the handler may end the process at once
    signal.raise_signal(number)  # to the caller's handler, which is installed again
    raise SystemExit(128 + number)
