"""Small IDX files in place of MNIST's."""

import gzip

import numpy as np


def write(folder, train=20, test=8, size=4, zipped=True, classes=10):
    """Writes the four files; returns name of a split -> (images [N, H, W], labels [N]), uint8."""
    random = np.random.RandomState(0)
    found = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (('train', train), ('t10k', test)):
        images = random.randint(0, 256, [count, size, size]).astype(np.uint8)
        labels = random.randint(0, classes, count).astype(np.uint8)
        found[name] = images, labels
        for kind, values in (('images', images), ('labels', labels)):
            header = np.array([0x0800 + values.ndim, *values.shape], '>u4').tobytes()
            content = header + values.tobytes()
            path = folder / f'{name}-{kind}-idx{values.ndim}-ubyte{".gz" if zipped else ""}'
            path.write_bytes(gzip.compress(content, 1) if zipped else content)
    return found
