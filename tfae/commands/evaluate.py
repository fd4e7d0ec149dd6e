"""Measure a run on a part of its data set, PCA of the same code size beside it.

Prints a table and writes it to evaluation.json in the run: mse is per pixel, bce in nats per pixel.
"""

import json

import numpy as np

from tfae import data
from tfae.analysis import pca, reconstruction
from tfae.commands import _flags
from tfae.files import write_text


def main(argv: list[str]) -> int:
    """Runs `tfae evaluate`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.LookAtData` does.
    """
    flags = _flags.read('evaluate', __doc__, _flags.LookAtData, argv)
    with flags.open() as run:
        loaded, part = flags.load(run)
        images = data.pixels(part.images)
        outputs = run.built.inference.outputs
        mse = reconstruction.mse(images, run.fetch(outputs.reconstruction, images))
        measured = {'split': flags.split, 'examples': len(images), 'mse': mse}
        if hasattr(outputs, 'logits'):
            measured['bce'] = reconstruction.bce(images, run.fetch(outputs.logits, images))
            measured['bce_floor'] = reconstruction.entropy(images)
        baseline = pca.Baseline(loaded.train.images, run.built.model.code_size)
        measured['pca_mse'] = reconstruction.mse(images, baseline.reconstruct(images))
        measured['code_size'] = run.built.model.code_size
        measured['dead_code_units'] = int(np.sum(np.ptp(run.encode(images), axis=0) == 0))
        measured['step'] = run.step
    for name, value in measured.items():
        print(f'{name:16} {value:.5f}' if isinstance(value, float) else f'{name:16} {value}')
    write_text(run.folder.path / 'evaluation.json', json.dumps(measured, indent=2) + '\n')
    return 0
