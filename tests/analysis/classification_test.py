"""Errors of classes against brute force."""

import numpy as np
import pytest

from tfae.analysis import classification

RANDOM = np.random.RandomState(0)
LABELS = RANDOM.randint(0, 3, 60)
PREDICTED = np.where(RANDOM.uniform(size=60) < 0.7, LABELS, RANDOM.randint(0, 4, 60))


def test_a_confusion_counts_examples_by_class_and_by_what_they_were_taken_for():
    found = classification.confusion(LABELS, PREDICTED, 4)
    for i, j in np.ndindex(4, 4):
        assert found[i, j] == sum((i == LABELS) & (j == PREDICTED))
    assert not found[3].any()


def test_a_table_shows_each_count_and_the_error_of_each_class_that_has_one():
    matrix = np.array([[8, 2, 0], [0, 12345, 0], [0, 0, 0]])
    head, *lines = classification.table(matrix, ['cat', 'elephant', 'dog']).splitlines()
    assert head.split() == ['cat', 'eleph', 'dog', 'error']
    assert [line.split() for line in lines] == [
        ['cat', '8', '2', '0', '20.00', '%'],
        ['elephant', '0', '12345', '0', '0.00', '%'],
        ['dog', '0', '0', '0', '-'],
    ]
    named = classification.table(matrix, ['cat']).splitlines()
    assert [line.split()[0] for line in named] == ['cat', 'cat', '1', '2']


@pytest.mark.parametrize('count', [1, 5])
def test_the_error_of_neighbors_equals_brute_force(count):
    codes, queries = RANDOM.normal(size=(60, 3)), RANDOM.normal(size=(40, 3))
    wanted = RANDOM.randint(0, 3, 40)
    wrong = 0
    for query, label in zip(queries, wanted, strict=True):
        nearest = np.argsort(np.square(codes - query).sum(1))[:count]
        wrong += np.bincount(LABELS[nearest]).argmax() != label
    found = classification.knn_error(codes, LABELS, queries, wanted, count)
    assert found == pytest.approx(wrong / 40)
    assert 0 < found < 1


def test_examples_that_are_known_are_told_apart():
    codes = RANDOM.normal(size=(60, 3))
    assert classification.knn_error(codes, LABELS, codes, LABELS) == 0
