"""Anomaly scores of rows of a table, as sums over its columns.

    contribution of column k = (x'_k - x_k)^2 / (2 v_k)                           nats
    score                    = sum over the columns

v_k is the mean squared error of column k in normal rows. The score is the negative log-likelihood
of independent Gaussian errors, up to a constant; a normal row has D / 2 on average. In a row with
missing values, NaN, their contributions are 0, and the others are scaled by D over their number.

N rows, D columns.
"""

import dataclasses
import pathlib

import numpy as np

from tfae.core import errors as checks
from tfae.core.atomic_files import write_npz
from tfae.core.bounded_files import read_npz

_RANKS = np.linspace(0, 1, 1001)
_VARIANCE_FLOOR = 1e-3  # of each v_k, as a fraction of their mean
_MAX_STEP = 2**63


@dataclasses.dataclass(frozen=True)
class Detector:
    """A fitted anomaly detector: arrays only, so that a file can store it."""

    variances: np.ndarray  # [D], v_k
    quantiles: np.ndarray  # [1001] scores of normal rows, ascending
    quantile: np.ndarray  # [], fraction of normal rows with scores up to the threshold
    threshold: np.ndarray  # [], score above which a row is anomalous
    step: np.ndarray  # [], global step of the checkpoint

    def contributions(self, rows: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
        """Returns the contribution `[N, D]` of each column to the score, in nats.

        Args:
          rows: `[N, D]`, normalized.
          reconstructions: `[N, D]`, normalized.
        """
        found = _squares(rows, reconstructions) / (2 * self.variances)
        missing = np.isnan(found)
        if not missing.any():
            return found
        there = found.shape[1] - missing.sum(1, keepdims=True)
        return np.where(missing, 0, found) * (found.shape[1] / np.maximum(there, 1))

    def scores(self, rows: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
        """Returns the scores `[N]` in nats; larger means more anomalous. See `contributions`."""
        return self.contributions(rows, reconstructions).sum(1)

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """Returns the fraction of normal rows that score lower, for each score `[N]`."""
        return np.interp(scores, self.quantiles, _RANKS)

    def save(self, path: pathlib.Path) -> None:
        """Writes all arrays as .npz."""
        write_npz(path, {f.name: getattr(self, f.name) for f in dataclasses.fields(self)})


def load(path: pathlib.Path, columns: int | None = None) -> Detector:
    """Reads a detector that `Detector.save` wrote.

    Args:
      path: of the file.
      columns: their number in the table of the run; None accepts any.
    Raises: InputError if the file is not a detector, or is of another table.
    """
    what = 'an anomaly detector of a table'
    arrays = read_npz(path, what)
    missing = [f.name for f in dataclasses.fields(Detector) if f.name not in arrays]
    if missing:
        raise checks.InputError(
            f'{path} is not {what}: it lacks {missing[0]}; tfae anomaly fits it again'
        )
    detector = Detector(**{f.name: arrays[f.name] for f in dataclasses.fields(Detector)})
    if unsound := _unsound(detector):
        raise checks.InputError(f'{path} is not {what}: {unsound}')
    if columns not in (None, len(detector.variances)):
        raise checks.InputError(
            f'{path} is for {len(detector.variances)} columns; the run has {columns}'
        )
    return detector


def fit(rows: np.ndarray, reconstructions: np.ndarray, *, quantile: float, step: int) -> Detector:
    """Fits a detector to normal rows and their reconstructions, best held out of training.

    Args:
      rows: `[N, D]`, normalized.
      reconstructions: `[N, D]`, normalized.
      quantile: fraction of the rows that score no higher than the threshold, in (0, 1).
      step: global step of the checkpoint.
    """
    squares = _squares(rows, reconstructions)
    missing = np.isnan(squares)
    variances = squares.mean(0)
    if missing.any():
        there = (~missing).sum(0)
        variances = np.where(missing, 0, squares).sum(0) / np.maximum(there, 1)
        # A column without any value has the variance of the others.
        variances[there == 0] = variances[there > 0].mean() if there.any() else 1
    # A column that is reconstructed exactly, such as a constant one, would give infinite scores.
    least = max(_VARIANCE_FLOOR * variances.mean(), np.finfo(np.float32).tiny)
    found = Detector(
        variances=np.maximum(variances, least),
        quantiles=np.zeros_like(_RANKS),
        quantile=np.asarray(quantile),
        threshold=np.asarray(0.0),
        step=np.asarray(step),
    )
    scores = found.scores(rows, reconstructions)
    return dataclasses.replace(
        found, quantiles=np.quantile(scores, _RANKS), threshold=np.quantile(scores, quantile)
    )


def _squares(rows: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Returns squared errors `[N, D]`, NaN where a value is missing."""
    return np.square(reconstructions.astype(np.float64) - rows)


def _unsound(detector: Detector) -> str:
    """Describes the first array of a wrong shape or value; empty if all are sound."""
    shapes = {'variances': detector.variances.shape[:1], 'quantiles': _RANKS.shape}
    for field in dataclasses.fields(detector):
        array, shape = getattr(detector, field.name), shapes.get(field.name, ())
        if array.shape != shape or not array.size:
            return f'{field.name} has shape {array.shape}; it must be {shape}'
        if array.dtype.kind not in 'fiu' or not np.isfinite(array).all():
            return f'{field.name} is not finite'
    if not detector.variances.ndim:
        return 'variances are a single number; they must be one for each column'
    if not (detector.variances > 0).all():
        return 'variances are not all positive'
    if not 0 < float(detector.quantile) < 1:
        return f'quantile is {float(detector.quantile):g}; it must lie in (0, 1)'
    if not 0 <= float(detector.step) <= _MAX_STEP:
        return f'step is {float(detector.step):g}; it must lie in [0, {_MAX_STEP}]'
    if not (np.diff(detector.quantiles) >= 0).all():
        return 'the quantiles are not in ascending order'
    return ''
