import numpy as np
import sklearn.datasets

from tfae import data


def test_parts_hold_every_digit_of_scikit_learn_once():
    dataset = data.load(data.Config())
    parts = [dataset.train, dataset.validation, dataset.test]
    assert [len(part.images) for part in parts] == [1293, 144, 360]
    assert dataset.image_shape == (8, 8, 1)
    assert dataset.class_names == tuple('0123456789')
    ours = np.concatenate([part.images for part in parts]).reshape(-1, 64) * 16
    theirs = sklearn.datasets.load_digits()
    labels = np.concatenate([part.labels for part in parts])
    assert sorted(map(tuple, np.c_[ours, labels])) == sorted(
        map(tuple, np.c_[theirs.data, theirs.target])
    )


def test_every_part_holds_every_class():
    dataset = data.load(data.Config())
    for part in (dataset.train, dataset.validation, dataset.test):
        assert np.bincount(part.labels, minlength=10).min() > 0.05 * len(part.labels)
