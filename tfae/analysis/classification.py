"""Accuracy of classification: confusion matrices and k-nearest-neighbor error.

N, M examples, K classes, Z latent dimensions.
"""

from collections.abc import Sequence

import numpy as np
from sklearn import metrics

from tfae.analysis import _nearest


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Returns the confusion matrix `[K, K]`: true classes in rows, predictions in columns."""
    return metrics.confusion_matrix(labels, predicted, labels=np.arange(classes))


def table(matrix: np.ndarray, class_names: Sequence[str]) -> str:
    """Formats a confusion matrix as text, with the error of each class at the right.

    A class without a name is shown by its number, one without examples has no error.
    """
    words = [*class_names, *map(str, range(len(class_names), len(matrix)))]
    width = max(map(len, words))
    columns = max(5, len(str(matrix.max())) + 1)
    head = ' ' * width + ''.join(f'{word[: columns - 1]:>{columns}}' for word in words)
    lines = [f'{head}    error']
    for k, (word, row) in enumerate(zip(words, matrix, strict=True)):
        cells = ''.join(f'{count:>{columns}}' for count in row)
        error = f'{100 * (1 - row[k] / row.sum()):7.2f} %' if row.any() else f'{"-":>7}'
        lines.append(f'{word:>{width}}{cells}{error}')
    return '\n'.join(lines)


def knn_error(
    codes: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    wanted: np.ndarray,
    count: int = 1,
) -> float:
    """Returns the k-nearest-neighbor classification error, in [0, 1]; see `knn_errors`."""
    return knn_errors(codes, labels, queries, wanted, [count])[0]


def knn_errors(
    codes: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    wanted: np.ndarray,
    counts: Sequence[int],
) -> list[float]:
    """Returns the k-nearest-neighbor classification error, in [0, 1], for each k in `counts`.

    Args:
      codes: `[N, Z]`, of training examples.
      labels: `[N]`, their classes.
      queries: `[M, Z]`, of other examples.
      wanted: `[M]`, the classes of the queries.
      counts: numbers of neighbors that vote, in Euclidean distance; of classes with equal votes
        the lowest wins.
    """
    if not counts:
        return []
    votes = labels[_nearest.nearest(codes, queries, max(counts))[1]]
    classes = np.unique(labels)
    found = []
    for count in counts:
        sums = (votes[:, :count, None] == classes).sum(1)
        found.append(float(np.mean(classes[sums.argmax(1)] != wanted)))
    return found
