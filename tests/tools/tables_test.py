"""The comparison of anomaly detectors on tables."""

import importlib.util
import pathlib

import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[2] / 'tools' / 'experiments' / 'tables.py'


@pytest.fixture(scope='module')
def tables():
    spec = importlib.util.spec_from_file_location('tables', PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_anomalies_are_in_no_training_rows(tables):
    found = list(tables.tasks('iris', 0))
    assert [task.name for task in found] == ['iris, setosa', 'iris, versicolor', 'iris, virginica']
    for task in found:
        assert (len(task.train), len(task.test), task.anomalous.sum()) == (70, 80, 50)
        rows = np.concatenate([task.train, task.test])
        assert len(rows) == 150
        assert not np.isin(task.test[task.anomalous][:, 2], task.train[:, 2]).all()


def test_replaced_columns_come_from_the_same_column_of_other_rows(tables):
    rows = np.arange(40.0).reshape(8, 5)
    found = tables.replaced(rows, 0)
    changed = found != np.repeat(rows, 3, 0)
    assert found.shape == (24, 5)
    assert changed.any() and changed.sum(1).max() <= 2
    np.testing.assert_array_equal(found % 5, np.tile(np.arange(5), [24, 1]))


def test_the_summary_counts_rows_without_a_better_detector(tables):
    auroc = {
        'a': {'tfae': [0.9, 0.8], 'PyOD PCA': [0.8, 0.8], 'PyOD KNN': [0.85, 0.85]},
        'b': {'tfae': [0.5], 'PyOD PCA': [0.6], 'PyOD KNN': [0.9]},
    }
    line, _, text = tables.summary(auroc)
    assert line == '| mean | **0.6750** | **0.7000** | **0.8750** |'
    assert 'above none of them, and not above PyOD PCA, PyOD KNN.' in text
    assert text.endswith('in 1 of 2 rows.')
