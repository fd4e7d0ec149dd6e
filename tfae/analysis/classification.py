"""How well classes are told apart.

N examples, K classes.
"""

from collections.abc import Sequence

import numpy as np
from sklearn import metrics


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many examples `[K, K]` of each class (row) were taken for each class (column)."""
    return metrics.confusion_matrix(labels, predicted, labels=np.arange(classes))


def table(matrix: np.ndarray, class_names: Sequence[str]) -> str:
    """A confusion matrix as lines of text, with the error of each class at the right."""
    words = list(class_names) or [str(k) for k in range(len(matrix))]
    width = max(map(len, words))
    columns = max(5, len(str(matrix.max())) + 1)
    head = ' ' * width + ''.join(f'{word[: columns - 1]:>{columns}}' for word in words)
    lines = [f'{head}    error']
    for word, row in zip(words, matrix, strict=True):
        wrong = 1 - row[words.index(word)] / max(row.sum(), 1)
        cells = ''.join(f'{count:>{columns}}' for count in row)
        lines.append(f'{word:>{width}}{cells}{100 * wrong:>7.2f} %')
    return '\n'.join(lines)
