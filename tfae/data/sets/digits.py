"""Handwritten digits, 8x8 gray, 1,797 of them: part of scikit-learn, needs no download.

Alpaydin and Kaynak, 1998, https://archive.ics.uci.edu/dataset/80. It has no published test split; a
fixed random fifth (360 examples) is the test split.
"""

import numpy as np

from tfae.data import dataset, splits

FIELDS = ()


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Train split [1437, 8, 8, 1], test split [360, 8, 8, 1], both float32; class names 0 to 9."""
    del config
    import sklearn.datasets  # here, because it takes a second that other data sets do not need

    bunch = sklearn.datasets.load_digits()
    counts = bunch.images.astype(np.float32)[..., None]  # 0 to 16: black pixels of a 4x4 block
    whole = splits.Split(counts / np.float32(16), bunch.target.astype(np.int64))
    train, test = splits.with_test(whole, 'digits')
    return train, test, tuple(map(str, range(10)))
