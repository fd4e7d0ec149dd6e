"""An open run: numpy in, numpy out."""

import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import config, errors, names
from tfae.data.sets.arrays import NAME as ARRAYS
from tfae.models.base.family import ClassConditional
from tfae.runs import checkpoints
from tfae.runs.directory import BEST, EPOCHS, Folder
from tfae.training import graph
from tfae.training.experiment import Experiment


def open_run(
    logdir: str | os.PathLike[str],
    checkpoint: str = 'any',
    family: object = None,
    built: graph.Graph | None = None,
) -> 'Run':
    """Opens a run without reading its data set.

    Args:
      logdir: the run's folder.
      checkpoint: `best` (least validation loss), `last`, or `any` for the best where there is one.
      family: the `Config` of the run's family, if its functions cannot be imported.
      built: graph of the run, if it has just been trained; None builds it.
    Raises:
      InputError: there is no run, or no checkpoint of it that can be read.
      UsageError: `family` differs from that of the run, or `checkpoint` is none of these.
    """
    if not isinstance(checkpoint, str):
        checkpoint = config.shown(checkpoint)
    errors.one_of('--checkpoint', checkpoint, ('best', 'last', 'any'))
    folder = Folder(logdir)
    experiment = recorded = folder.read_config()
    if family is not None:
        given = experiment.of_family(family).resolved()
        if differences := experiment.resolved().differences(given):
            raise errors.UsageError(
                f'--model differs from that of --logdir {folder.path}: {"; ".join(differences)}'
            )
        experiment = given
    best, last = folder.path / BEST, folder.path
    places = {'best': [best], 'last': [last], 'any': [best, last]}
    any(checkpoints.refuse_other_configuration(recorded, path) for path in places[checkpoint])
    if built is None:
        with folder.blaming_config():
            built = graph.build(experiment, *experiment.signature.stand_ins())
    session = tf.Session(graph=built.graph)
    with built.graph.as_default():
        saver = checkpoints.Saver(built.model_variables, recorded)
        for path in places[checkpoint]:
            step = _loaded(saver, session, path, path is not places[checkpoint][-1])
            if step is not None:
                found = checkpoints.path(path, step)
                return Run(folder, experiment, built, session, found, step)
    raise errors.InputError(f'--logdir {folder.path} has no checkpoint yet')


def _loaded(
    saver: checkpoints.Saver, session: tf.Session, folder: pathlib.Path, others: bool
) -> int | None:
    """Loads the newest checkpoint of `folder` that can be read.

    Args:
      saver: of the model's variables.
      session: that holds them.
      folder: of the checkpoints.
      others: whether another folder follows; then unreadable checkpoints are reported, not refused.
    Returns: its step, or None if none was loaded.
    """
    try:
        return checkpoints.load_newest(saver, session, folder, print)
    except checkpoints.Unreadable as error:
        if not others:
            raise
        print(f'{error}; loading the last one')
        return None


def same_examples(path: pathlib.Path, known: Experiment, loaded: data.DataSet) -> data.DataSet:
    """Returns the data set on which the run in `path` was trained, as the run knows it.

    Runs of version 0.1 know the rows of a table as images of one row.

    Raises: InputError with both fingerprints if it is another data set.
    """
    if known.signature.image_shape == (1, *loaded.image_shape, 1):
        loaded = loaded.reshaped(known.signature.image_shape)
    came, recorded = loaded.fingerprint(), known.signature.fingerprint
    what = f'data set {loaded.name} now contains'
    if loaded.name == ARRAYS:
        what = (
            'images, labels, validation_data and test_data (or the file of --data_dir) now contain'
        )
    if came != recorded:
        raise errors.InputError(
            f'--logdir {path} was trained on other examples than {what}: its config.json has '
            f'fingerprint {recorded}, the examples have {came}'
        )
    return loaded


class Run:
    """An open run: a static graph, and a session that holds the variables of a checkpoint.

    `tfae.open` and `tfae.fit` return one. It is a context manager; `close` ends the session. Images
    are `[N, H, W, C]`, uint8 or float in [0, 1]; if C is 1 also `[N, H, W]`. A run on a table
    takes and returns rows `[N, D]` instead, in the units of the data set; NaN is a missing value if
    it was trained with --missing=mask. Examples are fed in batches, so N may be any number.

    Attributes:
      folder: of the run.
      experiment: the configuration, with the signature of the data set.
      graph, session: of TensorFlow; `graph.get_collection` finds tensors and variables.
      built: parts of the graph: `built.model`, `built.inference` and others.
      checkpoint: path of the checkpoint.
      step: of the checkpoint.
    """

    def __init__(
        self,
        folder: Folder,
        experiment: Experiment,
        built: graph.Graph,
        session: tf.Session,
        checkpoint: str,
        step: int,
    ):
        """Takes over an open session; see the attributes."""
        self.folder = folder
        self.experiment = experiment
        self.built = built
        self.graph = built.graph
        self.session = session
        self.checkpoint = checkpoint
        self.step = step
        self._closed = False

    def __enter__(self) -> 'Run':
        self._refuse_closed()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session; all other methods then raise UsageError."""
        self._closed = True
        self.session.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise errors.UsageError('the run is closed; open it again with tfae.open')

    def load_epoch(self, epoch: int) -> None:
        """Loads the model as it was after an epoch of the last phase, counted from 1.

        Raises: UsageError unless it is an integer of at least 1; InputError if there is no
          checkpoint of that epoch, see `--keep_epochs`, or it is of another model.
        """
        self._refuse_closed()
        _whole('epoch', epoch, 2**31 - 1, 1)
        phase = self.built.programs[-1].phase
        step = phase.step(epoch, self.experiment.training.batch(phase.source.count))
        path = self.folder.path
        for folder in (path / EPOCHS, path, path / BEST):
            place, variables = checkpoints.path(folder, step), self.built.model_variables
            held = checkpoints.values(self.graph, place, variables, self.experiment, True)
            if held:
                with self.graph.as_default():
                    for variable in variables:
                        variable.load(held[variable.op.name], self.session)
                self.checkpoint, self.step = place, step
                return
        raise errors.InputError(
            f'--logdir {path} has no checkpoint of epoch {epoch}, step {step:,}; '
            f'tfae train keeps those of --keep_epochs while it makes them'
        )

    def judged(self, images: Any) -> np.ndarray:
        """Returns examples in the units of losses and errors, with NaN for missing values.

        Raises: InputError as `encode` does.
        """
        values = data.pixels(self.normalized(images))
        if self.built.inference.present is None:
            return values
        present = self.fetch(self.built.inference.present, images)
        return np.where(present, values, np.float32(np.nan))

    def normalized(self, images: Any) -> Any:
        """Returns rows of a table, `[N, D]`, in the units of losses and errors; images unchanged.

        Missing values are 0, as the model sees them.

        Raises: InputError as `encode` does.
        """
        if self.built.inference.inputs is self.built.inference.images:
            return images
        return self.fetch(self.built.inference.inputs, images)

    @property
    def unit(self) -> str:
        """The unit of losses and errors on a table, for plots."""
        kind = self.experiment.data.normalize
        return 'value' if kind == 'none' else f'value, normalized ({kind})'

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Returns the codes `[N, Z]` of images.

        Raises: InputError if the images have another shape or range than the run's, or the family
          has no encoder.
        """
        return self.fetch(self._output(names.CODE), images)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns the reconstructions `[N, H, W, C]`, float32 in [0, 1], of images, or `[N, D]`.

        Raises: InputError as `encode` does, if the family has no decoder, and, in a run with
          --missing=mask, if a reconstruction is not finite: it would be taken for a missing value.
        """
        made = self.fetch(self._output(names.RECONSTRUCTION), images)
        if self.built.inference.present is not None:
            wrong = ~np.isfinite(made.reshape(len(made), -1)).all(1)
            if wrong.any():
                raise errors.InputError(
                    f'{int(wrong.sum())} of {len(made)} reconstructions are not finite; the first '
                    f'is that of example {int(np.argmax(wrong))}, from 0'
                )
        return made

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Returns the images `[N, H, W, C]`, float32 in [0, 1], or rows `[N, D]` of codes `[N, Z]`.

        Raises: InputError if the codes have another size or are not finite, or the family has no
          decoder.
        """
        self._refuse_closed()
        inference = self.built.inference
        if inference.code is None:
            raise errors.InputError(f'{self._what()} has no decoder')
        size = self.built.model.code_size
        codes = _numbers('decode: codes', codes).astype(np.float32, copy=False)
        if codes.ndim != 2 or codes.shape[1] != size:
            raise errors.InputError(f'decode: codes are {codes.shape}; they must be [N, {size}]')
        if wrong := int((~np.isfinite(codes)).sum()):
            raise errors.InputError(
                f'decode: {wrong} of {codes.size} values of the codes are not finite; they must be'
            )
        return graph.in_batches(self.session.run, inference.decoded, {inference.code: codes})

    def denoise(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns images with the noise of training and their reconstructions, `[N, H, W, C]` both.

        The noise of an image is a function of its index.

        Raises: InputError as `encode` does, and if the run was trained without corruption.
        """
        noisy = self.corrupt(images)
        feeds = {self.built.inference.images: noisy}
        reconstruction = self._output(names.RECONSTRUCTION)
        return noisy, graph.in_batches(self.session.run, reconstruction, feeds)

    def corrupt(self, images: np.ndarray, seed: int = 0) -> np.ndarray:
        """Returns images `[N, H, W, C]` as training corrupts them.

        The noise is a function of the seed and of an image's place among the others.

        Raises: InputError as `encode` does, and if the run was trained without corruption;
          UsageError if the seed is not an integer or too large.
        """
        self._refuse_closed()
        _whole('seed', seed, 2**63 - 1)
        inference = self.built.inference
        if inference.corrupted is None:
            raise errors.InputError(f'{self._what()} has no corruption')
        run, feeds = self.session.run, {inference.images: self._pixels(images)}
        return graph.in_batches(run, inference.corrupted, feeds, inference.seed, seed)

    def sample(self, count: int, seed: int = 0, labels: Sequence[int] | None = None) -> np.ndarray:
        """Samples codes `[count, Z]` from the prior of the family, a function of `seed`.

        Args:
          count: number of codes.
          seed: of the codes.
          labels: classes of the codes, in turn; None takes classes at random. Only for a run of
            `gan` with --conditional.
        Raises: InputError if the family has no prior, or no classes to sample of; UsageError if an
          argument is not an integer or too large.
        """
        self._refuse_closed()
        _whole('count', count, 2**31 - 1)
        _whole('seed', seed, 2**63 - 1)
        inference = self.built.inference
        if inference.samples is None:
            raise errors.InputError(f'{self._what()} has no prior to sample codes from')
        given = {inference.count: count, inference.seed: [seed, 0]}
        codes = self.session.run(inference.samples, given)
        if labels is None:
            return codes
        model = self.built.model
        if not isinstance(model, ClassConditional) or not model.classes:
            raise errors.InputError(
                f'{self._what()} does not generate images of a given class; it must be a run of '
                f'gan with --conditional'
            )
        if not len(labels):
            raise errors.UsageError('labels are empty; there must be at least one class')
        for label in labels:
            _whole('labels', label, model.classes - 1)
        return model.of_classes(codes, np.resize(labels, count))

    def measure(self, images: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        """Returns the measures of the family for each image, such as the ELBO of a variational run.

        Their noise is a function of the index of an image.

        Args:
          images: as `encode` takes them.
          labels: classes `[N]`, or None if the run has none.
        Returns: name -> `[N]` or `[N, K]`.
        Raises: InputError as `encode` does, or if the labels are not N classes of the run.
        """
        self._refuse_closed()
        inference = self.built.inference
        if not inference.measures:
            return {}
        feeds = {inference.images: self._pixels(images)}
        if labels is not None:
            count = len(feeds[inference.images])
            feeds[inference.labels] = self._classes(labels, count)
        elif inference.labels.consumers():
            raise errors.InputError(
                f'{self._what()} needs labels for its measures; labels must not be None'
            )
        return graph.in_batches(self.session.run, inference.measures, feeds, inference.seed)

    def fetch(self, tensor: tf.Tensor | str, images: np.ndarray) -> np.ndarray:
        """Returns the values `[N, ...]` of a tensor of the graph for images.

        Args:
          tensor: `[B, ...]`, a function of the graph's images, or its name.
          images: as `encode` takes them.
        Raises: UsageError if there is no such tensor; InputError as `encode` does.
        """
        self._refuse_closed()
        tensor = self._tensor(tensor)
        feeds = {self.built.inference.images: self._pixels(images)}
        try:
            return graph.in_batches(self.session.run, tensor, feeds)
        except tf.errors.InvalidArgumentError as error:
            reason = ' '.join(str(error.message).split())
            raise errors.UsageError(
                f'tensor {tensor.name} does not depend on the images alone: {reason}'
            ) from None

    def _tensor(self, tensor: tf.Tensor | str) -> tf.Tensor:
        """Returns a tensor of the graph, given itself or its name; refuses scalars."""
        if isinstance(tensor, str):
            try:
                tensor = self.graph.get_tensor_by_name(tensor)
            except (KeyError, ValueError):
                known = [out.name for op in self.graph.get_operations() for out in op.outputs]
                raise errors.UsageError(
                    f'tensor is {tensor!r}; the graph has none of that name'
                    f'{errors.nearest(tensor, known)}'
                ) from None
        if getattr(tensor, 'graph', None) is not self.graph or not hasattr(tensor, 'consumers'):
            raise errors.UsageError(
                f'tensor is {config.shown(tensor)}; it must be a tensor of the run, or its name'
            )
        if tensor.shape.rank == 0:
            raise errors.UsageError(f'tensor {tensor.name} is a single number; it must be [B, ...]')
        return tensor

    def _classes(self, labels: np.ndarray, count: int) -> np.ndarray:
        """Returns labels as an array `[N]` of the run's classes; refuses others."""
        labels = _numbers('labels', labels)
        if labels.shape != (count,) or labels.dtype.kind not in 'bui':
            raise errors.InputError(
                f'labels are {labels.dtype} {labels.shape}; they must be integers [{count}], one '
                'for each image'
            )
        classes = self.experiment.signature.classes
        if labels.size and classes and not 0 <= labels.min() <= labels.max() < classes:
            raise errors.InputError(
                f'labels span {labels.min()} to {labels.max()}; the run has the classes 0 to '
                f'{classes - 1}'
            )
        return labels

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        """Returns images `[N, *shape]` as float; refuses another shape or range."""
        placeholder = self.built.inference.images
        if not isinstance(images, data.LazyImages):
            images = _numbers('images', images)
        came = images.shape
        if not isinstance(images, data.LazyImages):
            images = _with_channels(images, tuple(placeholder.shape[1:]))
            images = _bytes(images, self.experiment.signature.dtype)
        if images.shape[1:] != tuple(placeholder.shape[1:]) or not images.ndim:
            wanted = ', '.join(map(str, placeholder.shape[1:]))
            raise errors.InputError(f'images are {came}; they must be [N, {wanted}]')
        values = data.pixels(images)
        if isinstance(images, data.LazyImages):  # in [0, 1], decoded in batches
            return values
        if not data.is_image(images.shape[1:]):
            masked = self.experiment.data.missing != 'refuse'
            if wrong := int((np.isinf(values) if masked else ~np.isfinite(values)).sum()):
                raise errors.InputError(
                    f'images: {wrong} of {values.size} values are not finite; they must be'
                    f'{"" if np.isinf(values).any() else "; --missing=mask trains a run on NaN"}'
                )
            return values
        low, high = values.min(initial=0), values.max(initial=0)
        if not (low >= 0 and high <= 1):  # false if any is NaN
            raise errors.InputError(
                f'images are {images.dtype} from {low} to {high}; they must be uint8 or in [0, 1]'
            )
        return values

    def _output(self, name: str) -> tf.Tensor:
        outputs = self.built.inference.outputs
        if not hasattr(outputs, name):
            raise errors.InputError(
                f'{self._what()} has no {name}; it has {", ".join(outputs._fields)}'
            )
        return getattr(outputs, name)

    def _what(self) -> str:
        return f'{self.folder.path}, a run of the family {self.experiment.model},'

    def variables(self, collection: str = '', scope: str = '') -> dict[str, np.ndarray]:
        """Returns the values of the variables in a collection below a scope, all of one step.

            run.variables('trainable_variables', 'encoder/layer_1')

        `best/` holds only the model. Variables that training adds (slots of the optimizer, sums)
        then come from the run's own checkpoint of that step, and are omitted if it was removed.

        Args:
          collection: one of `tf.GraphKeys` or of the run; empty for all global variables.
          scope: of the names, a regular expression as `tf.get_collection` takes it; empty for all.
        Returns: name -> value; empty if the collection has no variables below the scope.
        Raises: UsageError if there is no such collection, or the scope is not a regular expression.
        """
        self._refuse_closed()
        for who, text in (('collection', collection), ('scope', scope)):
            if not isinstance(text, str):
                raise errors.UsageError(f'{who} is {config.shown(text)}; it must be a string')
        key = collection or tf.GraphKeys.GLOBAL_VARIABLES
        there = [name for name in self.graph.get_all_collection_keys() if isinstance(name, str)]
        if key not in vars(tf.GraphKeys).values():
            errors.one_of('collection', key, there)
        try:
            with self.graph.as_default():
                held = tf.get_collection(key, scope or None)
        except (re.error, RecursionError, OverflowError) as error:
            raise errors.UsageError(
                f'scope is {scope!r}; it must be a regular expression: {error}'
            ) from None
        found = [v for v in held if hasattr(v, 'read_value')]
        model = {v.op.name for v in self.built.model_variables}
        rest = [v for v in found if v.op.name not in model]
        place = checkpoints.path(self.folder.path, self.step)
        held = checkpoints.values(self.graph, place, rest, self.experiment)
        return {
            v.op.name: self.session.run(v) if v.op.name in model else held[v.op.name]
            for v in found
            if v.op.name in model or v.op.name in held
        }


def _whole(who: str, value: object, largest: int, least: int = 0) -> None:
    """Raises a UsageError unless a value is an integer in [least, largest]."""
    if not isinstance(value, int | np.integer) or not least <= value <= largest:
        raise errors.UsageError(
            f'{who} is {config.shown(value)}; it must be an integer in [{least}, {largest}]'
        )


def _numbers(who: str, values: object) -> np.ndarray:
    """Returns an array of real numbers; raises InputError that names `who` for anything else."""
    if isinstance(values, np.ma.MaskedArray):
        raise errors.InputError(f'{who} are a masked array; they must be one without a mask')
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        reason = ' '.join(str(error).split())
        raise errors.InputError(f'{who} are not an array ({reason})') from None
    if array.dtype.kind not in 'buif':
        raise errors.InputError(f'{who} are {array.dtype} {array.shape}; they must be numbers')
    return array


def _with_channels(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns examples `[N, *shape]`.

    Args:
      images: with channels, or without if there is one; images of one row also as `[N, W]`.
      shape: of an example of the run.
    """
    if images.ndim == len(shape) > 1 and shape[-1] == 1:
        images = images[..., None]
    elif images.ndim == 2 and len(shape) == 3 and shape[0] == shape[2] == 1:
        images = images[:, None, :, None]
    return images


def _bytes(images: np.ndarray, dtype: str) -> np.ndarray:
    """Returns examples, integers in [0, 255] as uint8 where training takes them for bytes.

    Those of images always are; others where the training set has the type uint8.

    Raises: InputError if other examples than images are integers outside [0, 255] there.
    """
    of_images = data.is_image(images.shape[1:])
    if images.dtype.kind not in 'iu' or not images.size or not (of_images or dtype == 'uint8'):
        return images
    low, high = images.min(), images.max()
    if low >= 0 and high <= 255:
        return images.astype(np.uint8, copy=False)
    if not of_images:
        raise errors.InputError(
            f'images are {images.dtype} from {low} to {high}; the run was trained on bytes, so '
            'integers must lie in [0, 255]'
        )
    return images
