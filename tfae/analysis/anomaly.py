"""Anomaly scores from codes and reconstructions. After Zong et al., ICLR 2018 (DAGMM).

    e = G_s * (x' - x)            residual, blurred by a Gaussian of s pixels
    r_s = mean of e^2             over pixels and channels
    f = (z / spread, log r_0, log r_s, log r_2s)
    score = -log p(f) + n / 2 * r_s / mean r_s,   n = H W / (4 pi s^2)            nats

p is a Gaussian mixture fitted to training images. Blurring tolerates strokes that are displaced by
less than their width. n is the number of independent pixels of a blurred image, so the last term is
the negative log-likelihood of Gaussian pixels. p also penalizes residuals that are too small: a
blank image is reconstructed well, yet no training image is like it.

Sequences and volumes have no blur, which is 0: e = |x' - x|, f = (z / spread, log r_0), n is the
number of their values. `tfae.analysis.table_anomaly` scores rows of tables.

N images, H x W image, C channels, Z latent dimensions, K components, F = Z + 3.
"""

import dataclasses
import math
import pathlib
from collections.abc import Mapping

import numpy as np
from scipy import linalg, ndimage, special
from sklearn import metrics

from tfae import data
from tfae.analysis import _mixture, _nearest, _subspace
from tfae.core import errors as checks
from tfae.core.atomic_files import write_npz
from tfae.core.bounded_files import read_npz

MAX_FITTED = 10_000  # images that a detector should be fitted to, since codes of all are kept
_VARIANCE_FLOOR = 1e-3  # added to each variance of f, as a fraction of their mean
_MIN_IMAGES_PER_FEATURE = 2  # of each component
_MAP_QUANTILE = 0.999  # of the errors of normal pixels, at which a map is 1
_BLURS = (0, 1, 2)  # times s, of the residuals in f
_RANKS = np.linspace(0, 1, 1001)
# Bounds on numbers in a file: the blur decides how much is computed.
_DIVISOR = (1e-300, 1e300)
_BOUNDS = {
    'blur': (0, 100),
    'spread': _DIVISOR,
    'residual': _DIVISOR,
    'error': _DIVISOR,
    'step': (0, 2**63),
}


@dataclasses.dataclass(frozen=True)
class Detector:
    """A fitted anomaly detector: arrays only, so that a file can store it."""

    blur: np.ndarray  # [], s in pixels; 0 of other shapes
    spread: np.ndarray  # [], standard deviation of the codes
    residual: np.ndarray  # [], mean r_s of normal images
    error: np.ndarray  # [], quantile of |e| over the pixels of normal images
    log_weights: np.ndarray  # [K]
    means: np.ndarray  # [K, F]
    factors: np.ndarray  # [K, F, F], lower Cholesky factors of the covariances
    quantiles: np.ndarray  # [1001] scores of normal images, ascending
    threshold: np.ndarray  # [], score above which an image is anomalous
    step: np.ndarray  # [], global step of the checkpoint that made the codes

    def scores(
        self, images: np.ndarray, codes: np.ndarray, reconstructions: np.ndarray
    ) -> np.ndarray:
        """Returns anomaly scores in nats.

        Args:
          images: `[N, H, W, C]`.
          codes: `[N, Z]`.
          reconstructions: `[N, H, W, C]`.
        Returns: `[N]`; larger means more anomalous.
        """
        features, residual = _features(
            images, codes / self.spread, reconstructions, float(self.blur)
        )
        logs = []
        for log_weight, mean, factor in zip(
            self.log_weights, self.means, self.factors, strict=True
        ):
            white = linalg.solve_triangular(factor, (features - mean).T, lower=True)
            volume = np.log(np.diag(factor)).sum() + len(mean) / 2 * math.log(2 * math.pi)
            logs.append(log_weight - volume - np.square(white).sum(0) / 2)
        cells = float(math.prod(images.shape[1:]))
        if self.blur:
            cells = math.prod(images.shape[1:3]) / (4 * math.pi * float(self.blur) ** 2)
        return cells / 2 * residual / self.residual - special.logsumexp(logs, axis=0)

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """Returns the fraction of normal images that score lower, for each score `[N]`."""
        return np.interp(scores, self.quantiles, _RANKS)

    def maps(self, images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
        """Returns error maps `[N, H, W]`, above 1 for one in 1,000 pixels of normal images.

        Those of rows, sequences and volumes are the errors of their values, `[N, ...]`.
        """
        return _errors(images, reconstructions, float(self.blur)) / self.error

    def save(self, path: pathlib.Path) -> None:
        """Writes all arrays as .npz."""
        write_npz(path, {f.name: getattr(self, f.name) for f in dataclasses.fields(self)})


def load(path: pathlib.Path, code_size: int | None = None) -> Detector:
    """Reads a detector that `Detector.save` wrote.

    Args:
      path: of the file.
      code_size: latent dimensions of the run; None accepts any.
    Raises: InputError if the file is not a detector, or is for codes of another size.
    """
    arrays = read_npz(path, 'an anomaly detector of tfae')
    missing = [f.name for f in dataclasses.fields(Detector) if f.name not in arrays]
    if missing:
        raise checks.InputError(f'{path} is not an anomaly detector of tfae: it lacks {missing[0]}')
    detector = Detector(**{f.name: arrays[f.name] for f in dataclasses.fields(Detector)})
    if unsound := _unsound(detector):
        raise checks.InputError(f'{path} is not an anomaly detector of tfae: {unsound}')
    size = detector.means.shape[1] - _residuals(float(detector.blur))
    if code_size not in (None, size):
        raise checks.InputError(f'{path} is for {size} latent dimensions; the run has {code_size}')
    return detector


def _unsound(detector: Detector) -> str:
    """Describes the first array of a wrong shape or value; empty if all are sound."""
    count, size = (*detector.means.shape, 0, 0)[:2]
    shapes = {
        'log_weights': (count,),
        'means': (count, size),
        'factors': (count, size, size),
        'quantiles': _RANKS.shape,
    }
    for field in dataclasses.fields(detector):
        array, shape = getattr(detector, field.name), shapes.get(field.name, ())
        if array.shape != shape or not array.size:
            return f'{field.name} has shape {array.shape}; it must be {shape}'
        if not np.isfinite(array).all():
            return f'{field.name} is not finite'
    for name, (low, high) in _BOUNDS.items():
        if not low <= (value := float(getattr(detector, name))) <= high:
            return f'{name} is {value:g}; it must lie in [{low:g}, {high:g}]'
    if not (np.diff(detector.quantiles) >= 0).all():
        return 'the quantiles are not in ascending order'
    if not (np.diagonal(detector.factors, axis1=1, axis2=2) > 0).all():
        return 'factors have a diagonal that is not positive'
    return ''


def fit(
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    normal: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    blur: float,
    components: int,
    false_positive_rate: float,
    seed: int,
    step: int,
) -> Detector:
    """Fits a detector to normal images, their codes and reconstructions.

    Args:
      train: images `[N, H, W, C]`, codes `[N, Z]` and reconstructions `[N, H, W, C]` for the fit.
      normal: the same for images that set the scale and the threshold, best held out of the fit.
      blur: s in pixels; 0 for other shapes.
      components: largest number of Gaussians; fewer where a component would have too few images.
      false_positive_rate: fraction of the normal images above the threshold, in (0, 1).
      seed: of the initialization of the mixture.
      step: global step of the checkpoint.
    Returns: the detector.
    Raises: InputError if there are fewer than 2 images to fit.
    """
    images, codes, reconstructions = train
    if len(images) < 2:
        raise checks.InputError(
            'the training split has 1 example; fitting an anomaly detector requires at least 2'
        )
    spread = max(float(codes.std()), np.finfo(np.float32).tiny)
    features, _ = _features(images, codes / spread, reconstructions, blur)
    chosen = np.random.RandomState(seed).permutation(len(features))
    count = max(1, min(components, len(chosen) // (_MIN_IMAGES_PER_FEATURE * features.shape[1])))
    mixture = _mixture.fit(features[chosen], count, seed, _VARIANCE_FLOOR)
    _, residual = _features(normal[0], normal[1], normal[2], blur)
    errors = _errors(normal[0], normal[2], blur)
    tiny = np.finfo(np.float32).tiny
    found = Detector(
        blur=np.asarray(blur),
        spread=np.asarray(spread),
        residual=np.asarray(max(residual.mean(), tiny)),
        error=np.asarray(max(np.quantile(errors, _MAP_QUANTILE), tiny)),
        log_weights=np.log(mixture.weights_),
        means=mixture.means_,
        factors=np.linalg.cholesky(mixture.covariances_),
        quantiles=np.zeros_like(_RANKS),
        threshold=np.asarray(0.0),
        step=np.asarray(step),
    )
    scores = found.scores(*normal)
    return dataclasses.replace(
        found,
        quantiles=np.quantile(scores, _RANKS),
        threshold=np.quantile(scores, 1 - false_positive_rate),
    )


def baselines(train: np.ndarray, images: np.ndarray, components: int) -> dict[str, np.ndarray]:
    """Returns anomaly scores that need no network; larger means more anomalous.

    Args:
      train: normal images `[M, H, W, C]`, which are thinned.
      images: `[N, H, W, C]`.
      components: of PCA.
    Returns: scores `[N]` by name: `pca`, the reconstruction error of PCA; `neighbor`, the distance
      to the nearest normal image; `mean`, the distance to the mean image.
    """
    known, asked = data.flat(data.thinned(train)), data.flat(images)
    fitted = _subspace.fit(known, components)
    return {
        'pca': np.square(fitted.lift(fitted.flatten(asked)) - asked).mean(1),
        'neighbor': _nearest.nearest(known, asked, 1)[0][:, 0],
        'mean': np.linalg.norm(asked - known.mean(0), axis=1),
    }


def auroc(scores: np.ndarray, anomalous: np.ndarray) -> float:
    """Returns the probability that an anomalous image scores higher than a normal one.

    Args:
      scores: `[N]`.
      anomalous: bool `[N]`, with both values in it.
    """
    return float(metrics.roc_auc_score(anomalous, scores))


def curve(scores: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ROC curve: false and true positive rates `[M]`, for falling thresholds."""
    false_positives, true_positives, _ = metrics.roc_curve(anomalous, scores)
    return false_positives, true_positives


def by_class(scores: np.ndarray, labels: np.ndarray, normal: set[int]) -> Mapping[int, float]:
    """Returns the AUROC of each anomalous class against all normal examples."""
    usual = np.isin(labels, list(normal))
    found = {}
    for k in sorted(set(labels.tolist()) - normal):
        kept = usual | (labels == k)
        found[k] = auroc(scores[kept], ~usual[kept])
    return found


def _features(
    images: np.ndarray, codes: np.ndarray, reconstructions: np.ndarray, blur: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns f `[N, F]` of codes that are already scaled, and r_s `[N]`."""
    blurs = [s * blur for s in _BLURS[: _residuals(blur)]]
    residuals = [_residual(images, reconstructions, s) for s in blurs]
    # The floor keeps the logarithm finite where a reconstruction is exact.
    logs = [np.log(r + 1e-12) for r in residuals]
    features = np.column_stack([codes.reshape(len(codes), -1), *logs]).astype(np.float64)
    return features, residuals[len(blurs) // 2]


def _residuals(blur: float) -> int:
    """Returns the number of residuals in f: those of a table are not blurred."""
    return len(_BLURS) if blur else 1


def _residual(images: np.ndarray, reconstructions: np.ndarray, blur: float) -> np.ndarray:
    """r_s `[N]`."""
    errors = _errors(images, reconstructions, blur)
    return np.square(errors, dtype=np.float64).mean(tuple(range(1, errors.ndim)))


def _errors(images: np.ndarray, reconstructions: np.ndarray, blur: float) -> np.ndarray:
    """Returns |e| `[N, H, W]`, the root mean square over channels; `[N, ...]` of other shapes."""
    difference = reconstructions.astype(np.float32) - data.pixels(images)
    if not data.is_image(difference.shape[1:]):
        return np.abs(difference)
    # Beyond the edge of an image the error counts as 0.
    blurred = ndimage.gaussian_filter(difference, (0, blur, blur, 0), mode='constant')
    return np.sqrt(np.square(blurred).mean(-1))
