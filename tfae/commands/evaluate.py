"""Measure a run on a part of its data set, PCA of the same code size beside it.

Prints a table and writes it to evaluation.json in the run: mse is per pixel, bce in nats per pixel;
what a family measures of its own is the mean over the examples.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.analysis import classification, pca, reconstruction
from tfae.commands.shared import command_flags
from tfae.core import errors, names
from tfae.core.atomic_files import write_json
from tfae.core.config import option
from tfae.losses import variational
from tfae.runs.saved_run import Run


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """What is measured."""

    neighbors: int = option(
        0,
        'Neighbors among the training examples by whose vote the classes of examples are told, '
        "from codes, PCA's and pixels; 0 measures no such error.",
        within='[0, inf) neighbors',
        formerly='neighbours',
    )

    def __post_init__(self):
        super().__post_init__()
        if self.neighbors and self.split == 'train':
            raise errors.UsageError(
                '--neighbors with --split=train: each example would be a neighbor of its own'
            )


def main(argv: list[str]) -> int:
    """Runs `tfae evaluate`; returns the exit code 0.

    Raises: UsageError or InputError as `Config` does.
    """
    flags = command_flags.read('evaluate', __doc__, Config, argv)
    with flags.open() as run:
        loaded, part = flags.load(run)
        outputs = run.built.inference.outputs
        measured: dict[str, Any] = {'split': flags.split, 'examples': len(part.images)}
        for name, values in run.measure(part.images, part.labels).items():
            measured[name] = np.mean(values, axis=0, dtype=np.float64).tolist()
        if hasattr(outputs, names.RECONSTRUCTION):
            measured |= _reconstruction(run, loaded, part)
        if hasattr(outputs, names.CODE):
            measured |= _code(run.encode(part.images))
        if hasattr(outputs, names.PROBABILITIES) and part.labels is not None:
            predicted = run.fetch(outputs.probabilities, part.images).argmax(-1)
            matrix = classification.confusion(
                part.labels, predicted, run.experiment.signature.classes
            )
            print(classification.table(matrix, loaded.class_names))
            measured['confusion'] = matrix.tolist()
        if flags.neighbors:
            measured |= _neighbors(run, loaded, part, flags.neighbors)
        measured['parameters'] = _parameters(run)
        measured['step'] = run.step
    for name, value in measured.items():
        if not isinstance(value, list):
            print(f'{name:16} {value:.5f}' if isinstance(value, float) else f'{name:16} {value}')
        elif name != 'confusion':
            print(f'{name:16} {" ".join(f"{number:.3g}" for number in value)}')
    write_json(run.folder.place('evaluation.json'), measured)
    return 0


def _reconstruction(run: Run, loaded: data.DataSet, part: data.Split) -> dict[str, float]:
    """How well images come back, and how well PCA's do."""
    images, outputs = data.pixels(part.images), run.built.inference.outputs
    restored = run.reconstruct(images)
    measured = {
        'mse': reconstruction.mse(images, restored),
        'sharpness': reconstruction.sharpness(images, restored),
    }
    if hasattr(outputs, names.LOGITS):
        measured['bce'] = reconstruction.bce(images, run.fetch(outputs.logits, images))
        measured['bce_floor'] = reconstruction.entropy(images)
    baseline = pca.Baseline(loaded.train.images, run.built.model.code_size)
    measured['pca_mse'] = reconstruction.mse(images, baseline.reconstruct(images))
    # A code that says nothing of the images alone brings back anything.
    noise = np.random.RandomState(0).uniform(size=images.shape).astype(np.float32)
    measured['noise_mse'] = reconstruction.mse(noise, run.reconstruct(noise))
    if run.built.inference.corrupted is not None:
        noisy, restored = run.denoise(images)
        measured['corrupted_psnr'] = reconstruction.psnr(images, noisy)
        measured['denoised_psnr'] = reconstruction.psnr(images, restored)
        projected = baseline.reconstruct(noisy)
        measured['pca_denoised_psnr'] = reconstruction.psnr(images, projected)
    return measured


def _neighbors(run: Run, loaded: data.DataSet, part: data.Split, count: int) -> dict[str, float]:
    """Errors of a vote of the nearest training examples, by what they are compared in."""
    train = loaded.train
    if train.labels is None or part.labels is None:
        raise errors.UsageError(f'--neighbors is {count}; data set {loaded.name} has no labels')
    if count > len(train.labels):
        raise errors.UsageError(
            f'--neighbors is {count}; there are only {len(train.labels)} training examples'
        )
    baseline = pca.Baseline(train.images, run.built.model.code_size)
    encoders = {
        'knn_error': run.encode,
        'pca_knn_error': baseline.encode,
        'pixel_knn_error': lambda images: data.pixels(images).reshape(len(images), -1),
    }
    return {
        name: classification.knn_error(
            encode(train.images), train.labels, encode(part.images), part.labels, count
        )
        for name, encode in encoders.items()
    }


def _parameters(run: Run) -> int:
    """How many numbers training moves."""
    trained = run.graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
    return sum(variable.shape.num_elements() for variable in trained)


def _code(codes: np.ndarray) -> dict[str, int]:
    """How much of the code says anything."""
    return {
        'code_size': codes.shape[1],
        'dead_code_units': int(np.sum(np.ptp(codes, axis=0) == 0)),
        'active_units': int(np.sum(np.var(codes, axis=0, dtype=np.float64) > variational.ACTIVE)),
    }
