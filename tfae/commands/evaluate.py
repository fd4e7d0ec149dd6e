"""Evaluate a run on a split of its data set, compared with linear baselines of the same code size.

Prints a table and writes it to evaluation.json in the run. All measures are means over the examples
of the split. The baselines are PCA with as many components as the code has dimensions (pca_), for
denoising runs the best linear denoiser of that rank (linear_), and for regressors the median
(constant_) and ridge regression on the pixels (ridge_). Reconstructed images of the run and of
the baselines are clipped to [0, 1].

docs/reference/measures.md defines every measure that tfae prints, with its unit.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tfae import data
from tfae.analysis import classification, linear_denoiser, pca, reconstruction, regression
from tfae.commands.shared import command_flags
from tfae.core import errors, names, terminal
from tfae.core.atomic_files import write_json
from tfae.core.config import option
from tfae.losses import variational
from tfae.models import regressor, siamese
from tfae.runs.saved_run import Run
from tfae.training import graph


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """Optional measures."""

    neighbors: int = option(
        -1,
        'Number of neighbors (k) in k-nearest-neighbor classification from codes, PCA scores and '
        'pixels; 0: not measured (default: 1 for siamese, 0 for other families).',
        within='[-1, inf) neighbors',
        formerly='neighbours',
    )

    def __post_init__(self):
        super().__post_init__()
        if self.neighbors > 0 and self.split == 'train':
            raise errors.UsageError(
                '--neighbors with --split=train: each example would be its own neighbor'
            )


def main(argv: list[str]) -> int:
    """Runs `tfae evaluate`; returns the exit code 0.

    Raises: UsageError or InputError as `Config` does.
    """
    flags = command_flags.read('evaluate', __doc__, Config, argv)
    with flags.open(*[names.CODE] * (flags.neighbors > 0)) as run:
        loaded, part = flags.load(run)
        outputs = run.built.inference.outputs
        measured: dict[str, Any] = {'split': flags.split, 'examples': len(part.images)}
        stages = [lambda: _measures(run, part)]
        if hasattr(outputs, names.RECONSTRUCTION):
            stages.append(lambda: _reconstruction(run, loaded, part))
        if hasattr(outputs, names.CODE):
            stages.append(lambda: _code(run.encode(part.images)))
        model = run.built.model
        if isinstance(model, regressor.Model):
            stages.append(lambda: _regression(run, model.values, loaded, part))
        neighbors = flags.neighbors
        if neighbors < 0:
            neighbors = int(isinstance(model, siamese.Model) and flags.split != 'train')
        if neighbors:
            stages.append(lambda: _neighbors(run, loaded, part, neighbors))
        for stage in terminal.progress(stages, ' stages'):
            measured |= stage()
        if hasattr(outputs, names.PROBABILITIES) and part.labels is not None:
            predicted = run.fetch(outputs.probabilities, part.images).argmax(-1)
            matrix = classification.confusion(
                part.labels, predicted, run.experiment.signature.classes
            )
            print(classification.table(matrix, loaded.class_names))
            measured['confusion'] = matrix.tolist()
        measured['parameters'] = graph.parameters(run.graph)
        measured['step'] = run.step
    width = max(map(len, measured))
    for name, value in measured.items():
        if not isinstance(value, list):
            print(f'{name:{width}}', f'{value:.5f}' if isinstance(value, float) else value)
        elif name != 'confusion':
            print(f'{name:{width}} {" ".join(f"{number:.3g}" for number in value)}')
    write_json(run.folder.place('evaluation.json'), measured)
    return 0


def _measures(run: Run, part: data.Split) -> dict[str, Any]:
    """Returns the means of the measures of the family."""
    return {
        name: np.mean(values, axis=0, dtype=np.float64).tolist()
        for name, values in run.measure(part.images, part.labels).items()
    }


def _regression(
    run: Run, values: np.ndarray, loaded: data.DataSet, part: data.Split
) -> dict[str, float | int]:
    """Returns the mean absolute errors of two baselines.

    They are the median of the training split, and ridge regression on its pixels.
    """
    known, wanted = values[loaded.train.labels], values[part.labels]
    train, images = (run.normalized(split.images) for split in (loaded.train, part))
    predicted, used = regression.ridge(train, known, images)
    return {
        'constant_absolute_error': regression.absolute_error(wanted, np.median(known)),
        'ridge_absolute_error': regression.absolute_error(wanted, predicted),
        **({'ridge_examples': used} if used < len(known) else {}),
    }


def _reconstruction(run: Run, loaded: data.DataSet, part: data.Split) -> dict[str, float]:
    """Returns measures of the reconstructions, and of those of PCA."""
    images, outputs = run.judged(part.images), run.built.inference.outputs
    reconstructed = run.normalized(run.reconstruct(part.images))
    measured = {'mse': reconstruction.mse(images, reconstructed)}
    if images.ndim == 4:
        measured['sharpness'] = reconstruction.sharpness(images, reconstructed)
    if hasattr(outputs, names.LOGITS):
        measured['bce'] = reconstruction.bce(images, run.fetch(outputs.logits, part.images))
        # False if a value is missing; columns may leave [0, 1] outside training.
        if np.min(images) >= 0 and np.max(images) <= 1:
            measured['bce_floor'] = reconstruction.entropy(images)
    baseline = pca.Baseline(run.normalized(loaded.train.images), run.built.model.code_size)
    projected = baseline.reconstruct(run.normalized(part.images))
    measured['pca_mse'] = reconstruction.mse(images, projected)
    # An encoder that did not specialize on the data reconstructs noise too.
    noise = data.pixels(_noise(part.images))
    measured['noise_mse'] = reconstruction.mse(
        run.judged(noise), run.normalized(run.reconstruct(noise))
    )
    if run.built.inference.corrupted is not None:
        measured |= _denoising(run, loaded, part.images)
    return measured


def _noise(images: Any) -> np.ndarray:
    """Returns as many examples of noise: uniform images, or others whose columns are shuffled.

    The values at one place of all sequences or volumes are a column too.
    """
    random = np.random.RandomState(0)
    if data.is_image(images.shape[1:]):
        return random.uniform(size=images.shape).astype(np.float32)
    columns = images.reshape(len(images), -1).T
    shuffled = np.stack([random.permutation(column) for column in columns], 1)
    return shuffled.reshape(images.shape)


def _denoising(run: Run, loaded: data.DataSet, examples: Any) -> dict[str, float]:
    """Returns the PSNR of corrupted and denoised images, and that of the best linear denoiser."""
    images = run.judged(examples)
    noisy, denoised = map(run.normalized, run.denoise(examples))
    measured = {
        'corrupted_psnr': reconstruction.psnr(images, noisy),
        'denoised_psnr': reconstruction.psnr(images, denoised),
    }
    if noisy[0].size <= linear_denoiser.MAX_VALUES:
        clean = data.thinned(loaded.train.images)
        # Another seed: the noise of the training images is not that of the images judged.
        fitted = linear_denoiser.LinearDenoiser(
            run.normalized(run.corrupt(clean, seed=1)),
            data.pixels(run.normalized(clean)),
            run.built.model.code_size,
        )
        measured['linear_denoised_psnr'] = reconstruction.psnr(images, fitted.denoise(noisy))
    return measured


def _neighbors(run: Run, loaded: data.DataSet, part: data.Split, count: int) -> dict[str, float]:
    """Returns k-nearest-neighbor errors from codes, PCA scores and pixels."""
    train = loaded.train
    if train.labels is None or part.labels is None:
        raise errors.UsageError(f'--neighbors is {count}; data set {loaded.name} has no labels')
    if count > len(train.labels):
        raise errors.UsageError(
            f'--neighbors is {count}; there are only {len(train.labels)} training examples'
        )
    baseline = pca.Baseline(run.normalized(train.images), run.built.model.code_size)
    encoders: dict[str, Callable[[Any], np.ndarray]] = {
        'knn_error': run.encode,
        'pca_knn_error': lambda images: baseline.encode(run.normalized(images)),
        'pixel_knn_error': lambda images: data.flat(run.normalized(images)),
    }
    return {
        name: classification.knn_error(
            encode(train.images), train.labels, encode(part.images), part.labels, count
        )
        for name, encode in encoders.items()
    }


def _code(codes: np.ndarray) -> dict[str, int]:
    """Returns the numbers of latent dimensions: all, constant, active. `codes` are `[N, Z]`."""
    return {
        'code_size': codes.shape[1],
        'dead_code_units': int(np.sum(np.ptp(codes, axis=0) == 0)),
        'active_units': int(np.sum(np.var(codes, axis=0, dtype=np.float64) > variational.ACTIVE)),
    }
