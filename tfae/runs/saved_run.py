"""An open run: numpy in, numpy out."""

import os
import pathlib

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import config, errors, names
from tfae.data.sets.arrays import NAME as ARRAYS
from tfae.runs import checkpoints
from tfae.runs.directory import BEST, Folder
from tfae.training import graph
from tfae.training.experiment import Experiment


def open_run(
    logdir: str | os.PathLike[str], checkpoint: str = 'any', family: object = None
) -> 'Run':
    """Opens a run without reading its data set.

    Args:
      logdir: the run's folder.
      checkpoint: `best` (least validation loss), `last`, or `any` for the best where there is one.
      family: the `Config` of the run's family, for a run of functions that cannot be imported.
    Raises:
      InputError: there is no run, or no checkpoint of it that can be read.
      UsageError: `family` is another than that of the run, or there is no such `checkpoint`.
    """
    if not isinstance(checkpoint, str):
        checkpoint = config.shown(checkpoint)
    errors.one_of('--checkpoint', checkpoint, ('best', 'last', 'any'))
    folder = Folder(logdir)
    experiment = folder.read_config()
    if family is not None:
        given = experiment.of_family(family)
        if differences := experiment.differences(given):
            raise errors.UsageError(
                f'--model is another than that of --logdir {folder.path}: {"; ".join(differences)}'
            )
        experiment = given
    with folder.blaming_config():
        built = graph.build(experiment, *experiment.signature.stand_ins())
    session = tf.Session(graph=built.graph)
    best, last = folder.path / BEST, folder.path
    places = {'best': [best], 'last': [last], 'any': [best, last]}
    with built.graph.as_default():
        saver = tf.train.Saver(built.model_variables)
        for path in places[checkpoint]:
            step = checkpoints.restore_newest(saver, session, path, print)
            if step is not None:
                found = checkpoints.path(path, step)
                return Run(folder, experiment, built, session, found, step)
    raise errors.InputError(f'--logdir {folder.path} has no checkpoint yet')


def refuse_other_examples(path: pathlib.Path, known: Experiment, loaded: data.DataSet) -> None:
    """Raises InputError if a data set is not the one that the run in `path` was trained on."""
    came, recorded = loaded.fingerprint(), known.signature.fingerprint
    what = f'data set {loaded.name} now holds'
    if loaded.name == ARRAYS:
        what = 'images, labels, validation_data and test_data (or the file of --data_dir) now hold'
    if came != recorded:
        raise errors.InputError(
            f'--logdir {path} was trained on other examples than {what}: fingerprint {recorded} '
            f'is recorded in its config.json, {came} came'
        )


class Run:
    """An open run: a static graph with the variables of a checkpoint, and a session on it.

    `tfae.open` and `tfae.fit` return one. It is a context manager; `close` ends the session. Images
    are `[N, H, W, C]`, uint8 or float in [0, 1]; where C is 1 also `[N, H, W]`, and where H is 1
    too, vectors `[N, W]`. They are fed a batch at a time, so any number of them will do.

    Attributes:
      folder: of the run.
      experiment: the configuration, with the signature of the data set.
      graph, session: of TensorFlow; `graph.get_collection` finds tensors and variables.
      built: the same graph by its parts: `built.model`, `built.inference` and others.
      checkpoint: path of the checkpoint.
      step: steps that it was trained for.
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
        self.folder = folder
        self.experiment = experiment
        self.built = built
        self.graph = built.graph
        self.session = session
        self.checkpoint = checkpoint  # path of what was restored
        self.step = step

    def __enter__(self) -> 'Run':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session."""
        self.session.close()

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Returns the codes `[N, Z]` of images.

        Raises: ValueError if the images are not of the run's shape and range; InputError if the
          family has no encoder.
        """
        return self.fetch(self._output(names.CODE), images)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns the reconstructions `[N, H, W, C]`, float32 in [0, 1], of images.

        Raises: ValueError as `encode` does; InputError if the family has no decoder.
        """
        return self.fetch(self._output(names.RECONSTRUCTION), images)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Returns the images `[N, H, W, C]`, float32 in [0, 1], of codes `[N, Z]`.

        Raises: ValueError if the codes have another size; InputError if the family has no decoder.
        """
        inference = self.built.inference
        if inference.code is None:
            raise errors.InputError(f'{self._what()} decodes no codes')
        size = self.built.model.code_size
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != size:
            raise ValueError(f'decode: codes are {codes.shape}; they must be [N, {size}]')
        return graph.in_batches(self.session.run, inference.decoded, {inference.code: codes})

    def denoise(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns images as training corrupts them, and their reconstructions: `[N, H, W, C]` both.

        The noise is a function of an image's place among the others.

        Raises: ValueError as `encode` does; InputError if the run was trained without corruption.
        """
        inference = self.built.inference
        if inference.corrupted is None:
            raise errors.InputError(f'{self._what()} corrupts no pictures')
        run, feeds = self.session.run, {inference.images: self._pixels(images)}
        noisy = graph.in_batches(run, inference.corrupted, feeds, inference.seed)
        reconstruction = self._output(names.RECONSTRUCTION)
        return noisy, graph.in_batches(run, reconstruction, {inference.images: noisy})

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Returns codes `[count, Z]` sampled from the prior of the family, a function of `seed`.

        Raises: InputError if the family has no prior.
        """
        inference = self.built.inference
        if inference.samples is None:
            raise errors.InputError(f'{self._what()} has no distribution of codes to draw from')
        given = {inference.count: count, inference.seed: [seed, 0]}
        return self.session.run(inference.samples, given)

    def measure(self, images: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        """Returns the measures of the family for each image, such as the ELBO of a variational run.

        Noise in them is a function of an image's place among the others.

        Args:
          images: as `encode` takes them.
          labels: `[N]` int, or None where the run has none.
        Returns: name -> `[N]` or `[N, K]`.
        """
        inference = self.built.inference
        if not inference.measures:
            return {}
        feeds = {inference.images: self._pixels(images)}
        if labels is not None:
            feeds[inference.labels] = labels
        return graph.in_batches(self.session.run, inference.measures, feeds, inference.seed)

    def fetch(self, tensor: tf.Tensor | str, images: np.ndarray) -> np.ndarray:
        """Returns the values `[N, ...]` of a tensor of the graph for images.

        Args:
          tensor: `[B, ...]`, a function of the graph's images; itself or its name.
          images: as `encode` takes them.
        """
        feeds = {self.built.inference.images: self._pixels(images)}
        return graph.in_batches(self.session.run, tensor, feeds)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        """Images as the graph takes them; ValueError where they are not what it takes."""
        placeholder = self.built.inference.images
        came = np.shape(images)
        if not isinstance(images, data.LazyImages):
            images = _with_channels(np.asarray(images), tuple(placeholder.shape[1:]))
        if images.ndim != 4 or images.shape[1:] != tuple(placeholder.shape[1:]):
            wanted = ', '.join(map(str, placeholder.shape[1:]))
            raise ValueError(f'images are {came}; they must be [N, {wanted}]')
        values = data.pixels(images)
        if isinstance(images, data.LazyImages):  # in [0, 1], decoded in batches
            return values
        low, high = values.min(initial=0), values.max(initial=0)
        if not (low >= 0 and high <= 1):  # false if any is NaN
            raise ValueError(
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
        """Returns name -> value of the variables in a collection below a scope, all of one step.

            run.variables('trainable_variables', 'encoder/layer_1')

        `best/` holds the model alone: the variables that training adds (slots of the optimizer,
        sums) come from the run's own checkpoint of that step, and are left out where it is gone.

        Args:
          collection: one of `tf.GraphKeys` or of the run's own; empty for all global variables.
          scope: prefix of the names, as `tf.get_collection` takes it; empty for all.
        """
        key = collection or tf.GraphKeys.GLOBAL_VARIABLES
        with self.graph.as_default():
            found = [v for v in tf.get_collection(key, scope or None) if hasattr(v, 'read_value')]
        model = {v.op.name for v in self.built.model_variables}
        whole = dict(checkpoints.newest_first(self.folder.path)).get(self.step, self.checkpoint)
        reader = tf.train.load_checkpoint(whole)
        return {
            v.op.name: self.session.run(v) if v.op.name in model else reader.get_tensor(v.op.name)
            for v in found
            if v.op.name in model or reader.has_tensor(v.op.name)
        }


def _with_channels(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Images with the dimensions that training added, and whole numbers as bytes, as it took them.

    Args:
      images: `[N, H, W, C]`, `[N, H, W]` where C is 1, or `[N, W]` where H is 1 too.
      shape: `(H, W, C)` of the run.
    """
    if images.ndim == 3 and shape[2] == 1:
        images = images[..., None]
    elif images.ndim == 2 and shape[0] == shape[2] == 1:
        images = images[:, None, :, None]
    if images.dtype.kind in 'iu' and images.size and 0 <= images.min() <= images.max() <= 255:
        images = images.astype(np.uint8, copy=False)
    return images
