"""TF1's `tensorflow.examples.tutorials.mnist.input_data`: MNIST in batches.

Splits, values and order are those of TensorFlow 1.15. N examples, H x W image, C classes.
"""

import collections
import math
import os
import pathlib
import shutil
import urllib.request
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.data import dataset, splits
from tfae.data.formats import idx

Datasets = collections.namedtuple('Datasets', ['train', 'validation', 'test'])

DEFAULT_SOURCE_URL = 'https://storage.googleapis.com/cvdf-datasets/mnist/'
_CLASSES = 10


class DataSet:
    """Images and labels, shuffled once an epoch by numpy's global generator."""

    def __init__(
        self,
        images: Any,
        labels: Any,
        fake_data: bool = False,
        one_hot: bool = False,
        dtype: Any = tf.float32,
        reshape: bool = True,
        seed: int | None = None,
    ):
        """Seeds numpy's global generator, and converts the images.

        Args:
          images: uint8 array `[N, H, W, 1]`.
          labels: array `[N]` or `[N, C]`.
          fake_data: whether `next_batch` returns constants instead of data.
          one_hot: whether the labels of these constants are one-hot.
          dtype: `tf.uint8` keeps the values; `tf.float32` scales them to [0, 1].
          reshape: whether images become `[N, H * W]`.
          seed: seed of the order. None: that of the graph.
        Raises: ValueError or TypeError for data that do not agree, or another dtype.
        """
        of_graph, of_operation = tf.get_seed(seed)
        np.random.seed(of_graph if seed is None else of_operation)
        dtype = tf.as_dtype(dtype).base_dtype
        if dtype not in (tf.uint8, tf.float32):
            raise TypeError(f'Image dtype is {dtype!r}; it must be uint8 or float32')
        self.one_hot = one_hot
        if fake_data:
            self._num_examples = 10000
        else:
            if len(images) != len(labels):
                raise ValueError(f'{len(images)} images and {len(labels)} labels do not agree')
            self._num_examples = len(images)
            if reshape:
                if images.shape[3] != 1:
                    raise ValueError(f'images are {images.shape}; reshape needs one channel')
                images = images.reshape(len(images), math.prod(images.shape[1:]))
            if dtype == tf.float32:
                images = np.multiply(images.astype(np.float32), 1.0 / 255.0)
        self._images = images
        self._labels = labels
        self._epochs_completed = 0
        self._index_in_epoch = 0  # of the next batch

    @property
    def images(self) -> Any:
        """The images, in the order of this epoch."""
        return self._images

    @property
    def labels(self) -> Any:
        """The labels, in the order of this epoch."""
        return self._labels

    @property
    def num_examples(self) -> int:
        """The number of examples."""
        return self._num_examples

    @property
    def epochs_completed(self) -> int:
        """The number of epochs whose last example was returned."""
        return self._epochs_completed

    def next_batch(
        self, batch_size: int, fake_data: bool = False, shuffle: bool = True
    ) -> tuple[Any, Any]:
        """Returns the next examples; a batch may reach into the next epoch.

        Args:
          batch_size: number of examples.
          fake_data: whether to return constants.
          shuffle: whether an epoch that begins here is shuffled.
        Returns: images and labels.
        """
        if fake_data:
            label = [1] + [0] * (_CLASSES - 1) if self.one_hot else 0
            return [[1] * 784] * batch_size, [label] * batch_size
        if self._index_in_epoch == self._epochs_completed == 0 and shuffle:
            self._shuffle()
        end = self._index_in_epoch + batch_size
        batch = self._images[self._index_in_epoch : end], self._labels[self._index_in_epoch : end]
        if end > self._num_examples:
            self._epochs_completed += 1
            if shuffle:
                self._shuffle()
            end -= self._num_examples
            following = self._images[:end], self._labels[:end]
            batch = tuple(map(np.concatenate, zip(batch, following, strict=True)))  # type: ignore
        self._index_in_epoch = end
        return batch

    def _shuffle(self) -> None:
        order = np.arange(self._num_examples)
        np.random.shuffle(order)
        self._images, self._labels = self._images[order], self._labels[order]


def read_data_sets(
    train_dir: str,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = tf.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str = DEFAULT_SOURCE_URL,
) -> Datasets:
    """Reads MNIST from IDX files, gzipped or not.

    Args:
      train_dir: folder of the files. If it lacks one: `$TFAE_DATA_DIR/mnist`, else the folder of
        `tfae fetch mnist`; `fashion_mnist` if `train_dir` or `source_url` names Fashion-MNIST.
      fake_data: whether the splits return constants.
      one_hot: whether labels are one-hot, `[N, 10]` float64, instead of `[N]` uint8.
      dtype: `tf.uint8` keeps the values; `tf.float32` scales them to [0, 1].
      reshape: whether images are `[N, 784]` instead of `[N, 28, 28, 1]`.
      validation_size: number of the first training examples that form the validation split.
      seed: seed of the order. None: that of the graph.
      source_url: address from which TF1 fetched the files. Not used: see `train_dir`.
    Returns: `Datasets(train, validation, test)`.
    Raises: InputError if files are missing, with the command that fetches them, or damaged;
      ValueError for a validation split larger than the training set.
    """
    if fake_data:
        fakes = [DataSet([], [], True, one_hot, dtype, seed=seed) for _ in Datasets._fields]
        return Datasets(*fakes)
    fashion = 'fashion' in f'{train_dir} {source_url}'.lower()
    name = 'fashion_mnist' if fashion else 'mnist'
    given = train_dir if _has_files(pathlib.Path(train_dir)) else ''
    # TF1 reads labels of any class, except as one-hot vectors.
    names = tuple(map(str, range(_CLASSES if one_hot else 256)))
    train, test, _ = idx.load(dataset.Config(data_dir=given), name, names)
    if not 0 <= validation_size <= len(train.images):
        raise ValueError(
            f'Validation size is {validation_size}; it must lie in [0, {len(train.images)}]'
        )

    def split(found: splits.Split, chosen: slice) -> DataSet:
        labels = np.asarray(found.labels, np.uint8)[chosen]
        labels = dense_to_one_hot(labels, _CLASSES) if one_hot else labels
        return DataSet(found.images[chosen], labels, dtype=dtype, reshape=reshape, seed=seed)

    training = split(train, slice(validation_size, None))
    validation = split(train, slice(validation_size))
    return Datasets(training, validation, split(test, slice(None)))


def _has_files(folder: pathlib.Path) -> bool:
    """Returns whether a folder has all four files; TF1 fetched those that it lacked."""
    kinds = ('train-images', 'train-labels', 't10k-images', 't10k-labels')
    return all(any(folder.glob(f'{kind}?idx?-ubyte*')) for kind in kinds)


def load_mnist(train_dir: str = 'MNIST-data') -> Datasets:
    """Returns `read_data_sets(train_dir)`."""
    return read_data_sets(train_dir)


def dense_to_one_hot(labels_dense: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns one-hot labels `[N, num_classes]`, float64, of class numbers `[N]`."""
    return np.eye(num_classes)[np.ravel(labels_dense)]


def extract_images(f: Any) -> np.ndarray:
    """Returns the uint8 images `[N, H, W, 1]` in an open IDX file.

    Raises: InputError that names the file if it holds no images.
    """
    return idx.read(pathlib.Path(f.name), idx.IMAGES_MAGIC)[..., np.newaxis]


def extract_labels(f: Any, one_hot: bool = False, num_classes: int = _CLASSES) -> np.ndarray:
    """Returns the labels in an open IDX file: uint8 `[N]`, or one-hot `[N, num_classes]`.

    Raises: InputError that names the file if it holds no labels.
    """
    labels = idx.read(pathlib.Path(f.name), idx.LABELS_MAGIC)
    return dense_to_one_hot(labels, num_classes) if one_hot else labels


def maybe_download(filename: str, work_directory: str, source_url: str) -> str:
    """Downloads a file from `source_url` unless `work_directory` has it.

    Returns: its path.
    Raises: InputError that names the address if it cannot be downloaded.
    """
    path = pathlib.Path(work_directory) / filename
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f'.{path.name}-{os.getpid()}')
        try:
            with urllib.request.urlopen(source_url, timeout=30) as answer, partial.open('wb') as f:
                shutil.copyfileobj(answer, f)
            partial.replace(path)
        except (OSError, ValueError) as error:
            raise errors.InputError(
                f'{source_url}: cannot be downloaded ({error}); copy the file to {path}'
            ) from error
        finally:
            partial.unlink(missing_ok=True)
    return str(path)
