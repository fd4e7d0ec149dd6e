"""TF1's `tf.contrib.learn.datasets`.

N examples, D features.
"""

import collections
import csv
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn import datasets

from tfae.compat import input_data

__all__ = [
    'Dataset',
    'load_csv_with_header',
    'load_csv_without_header',
    'load_dataset',
    'load_iris',
]

Dataset = collections.namedtuple('Dataset', ['data', 'target'])


def _read(file: Any, target_dtype: Any, features_dtype: Any, target_column: int) -> Dataset:
    rows = [row for row in csv.reader(file) if row]
    targets = np.array([row.pop(target_column) for row in rows], target_dtype)
    return Dataset(np.array(rows, features_dtype), targets)


def load_csv_with_header(
    filename: str, target_dtype: Any, features_dtype: Any, target_column: int = -1
) -> Dataset:
    """Returns the features `[N, D]` and targets `[N]` of a CSV file, without its first line."""
    with tf.gfile.Open(filename) as file:
        file.readline()
        return _read(file, target_dtype, features_dtype, target_column)


def load_csv_without_header(
    filename: str, target_dtype: Any, features_dtype: Any, target_column: int = -1
) -> Dataset:
    """Returns the features `[N, D]` and targets `[N]` of a CSV file."""
    with tf.gfile.Open(filename) as file:
        return _read(file, target_dtype, features_dtype, target_column)


def load_iris(data_path: str | None = None) -> Dataset:
    """Returns Fisher's iris data: from scikit-learn, or from a CSV file with a header."""
    if data_path:
        return load_csv_with_header(data_path, np.int64, np.float64)
    iris = datasets.load_iris()
    return Dataset(iris.data, iris.target)


_SETS: dict[str, Callable] = {'iris': load_iris, 'mnist': input_data.load_mnist}


def load_dataset(name: str, size: str = 'small', test_with_fake_data: bool = False) -> Any:
    """Returns the data set of a name: 'iris' or 'mnist'."""
    if name not in _SETS:
        raise ValueError(f'{name!r} is not a known data set; there are {", ".join(_SETS)}.')
    return _SETS[name]()
