"""An open run: numpy in, numpy out."""

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import errors, names
from tfae.data.sets.arrays import NAME as ARRAYS
from tfae.runs import checkpoints
from tfae.runs.directory import BEST, Folder
from tfae.training import graph
from tfae.training.experiment import Experiment


def open_run(logdir: str | os.PathLike[str], checkpoint: str = 'any') -> 'Run':
    """Opens a run without reading its data set.

    Args:
      logdir: the run's folder.
      checkpoint: `best` (least validation loss), `last`, or `any` for the best where there is one.
    Raises: InputError if there is no run, or no checkpoint of it that can be read.
    """
    folder = Folder(logdir)
    experiment = folder.read_config()
    with folder.blaming_config():
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
    """What `tfae.open` gives. A context manager; `close` ends its session."""

    def __init__(
        self,
        folder: Folder,
        experiment: Experiment,
        built: graph.Graph,
        session: Any,
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
        """Pictures `[N, H, W, C]` (uint8, or float in [0, 1]) -> codes `[N, Z]`."""
        return self.fetch(self._output(names.CODE), images)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Pictures `[N, H, W, C]` -> their reconstructions `[N, H, W, C]` in [0, 1]."""
        return self.fetch(self._output(names.RECONSTRUCTION), images)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Codes `[N, Z]` -> pictures `[N, H, W, C]` in [0, 1]."""
        inference = self.built.inference
        if inference.code is None:
            raise errors.InputError(f'{self._what()} decodes no codes')
        size = self.built.model.code_size
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != size:
            raise ValueError(f'decode: codes are {codes.shape}; they must be [N, {size}]')
        return graph.in_batches(self.session.run, inference.decoded, {inference.code: codes})

    def restore(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures `[N, H, W, C]` as training corrupts them, and what the model makes of those.

        The noise is a function of a picture's place among the others.
        """
        inference = self.built.inference
        if inference.corrupted is None:
            raise errors.InputError(f'{self._what()} corrupts no pictures')
        run, feeds = self.session.run, {inference.images: self._pixels(images)}
        noisy = graph.in_batches(run, inference.corrupted, feeds, inference.seed)
        restored = self._output(names.RECONSTRUCTION)
        return noisy, graph.in_batches(run, restored, {inference.images: noisy})

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Codes `[count, Z]` from the prior of the family, a function of `seed`."""
        inference = self.built.inference
        if inference.samples is None:
            raise errors.InputError(f'{self._what()} has no distribution of codes to draw from')
        given = {inference.count: count, inference.seed: [seed, 0]}
        return self.session.run(inference.samples, given)

    def measure(self, images: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        """What the family measures of each picture `[N, H, W, C]`: name -> `[N]` or `[N, K]`.

        Measures that need noise draw it as a function of a picture's place among the others.
        """
        inference = self.built.inference
        if not inference.measures:
            return {}
        feeds = {inference.images: self._pixels(images)}
        if labels is not None:
            feeds[inference.labels] = labels
        return graph.in_batches(self.session.run, inference.measures, feeds, inference.seed)

    def fetch(self, tensor: tf.Tensor | str, images: np.ndarray) -> np.ndarray:
        """Any tensor `[B, ...]` of the graph that depends on the pictures, by itself or by name."""
        feeds = {self.built.inference.images: self._pixels(images)}
        return graph.in_batches(self.session.run, tensor, feeds)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        """Pictures as the graph takes them; ValueError where they are not what it takes."""
        placeholder = self.built.inference.images
        images = images if isinstance(images, data.Pictures) else np.asarray(images)
        if images.ndim != 4 or images.shape[1:] != tuple(placeholder.shape[1:]):
            wanted = ', '.join(map(str, placeholder.shape[1:]))
            raise ValueError(f'images are {images.shape}; they must be [N, {wanted}]')
        values = data.pixels(images)
        if isinstance(images, data.Pictures):  # they lie in [0, 1], and are decoded part by part
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
        """Name -> value of `tf.get_collection(collection, scope)`; all global variables if empty.

        What training adds (slots, sums) is in the newest checkpoint and read from there.
        """
        key = collection or tf.GraphKeys.GLOBAL_VARIABLES
        with self.graph.as_default():
            found = [v for v in tf.get_collection(key, scope or None) if hasattr(v, 'read_value')]
        model = {v.op.name for v in self.built.model_variables}
        newest = checkpoints.newest_first(self.folder.path)
        reader = tf.train.load_checkpoint(newest[0][1] if newest else self.checkpoint)
        return {
            v.op.name: self.session.run(v) if v.op.name in model else reader.get_tensor(v.op.name)
            for v in found
            if v.op.name in model or reader.has_tensor(v.op.name)
        }
