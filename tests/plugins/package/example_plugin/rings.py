"""Small and large rings."""

import numpy as np

from tfae import data

FIELDS = ('synthetic_examples',)


def load(config):
    random = np.random.RandomState(0)
    n = config.synthetic_examples
    labels = np.arange(n) % 2
    center = random.uniform(4, 8, [2, n, 1, 1])
    place = np.arange(12)
    distance = np.hypot(place[:, None] - center[0], place - center[1])
    lit = np.abs(distance - np.array([2, 4])[labels, None, None]) < 0.8
    images = (255 * lit).astype(np.uint8)[..., None]
    cut = 4 * n // 5
    train, test = (data.Split(images[s], labels[s]) for s in (slice(cut), slice(cut, None)))
    return train, test, ('small', 'large')
