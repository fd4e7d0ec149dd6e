"""Normalization of the columns of a table, or of channels, fitted to the training split.

    x' = (x - offset) / scale

    minmax      offset minimum, scale maximum - minimum: [0, 1] in training
    standard    offset mean, scale standard deviation
    robust      offset median, scale difference of the quartiles

The scale of a column in which it would be 0 is 1. Missing values, NaN, do not count. The channels
of sequences and volumes are normalized as columns are, over all steps or voxels.

N rows, D columns or channels.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

Kind = Literal['none', 'minmax', 'standard', 'robust']


class Normalization(NamedTuple):
    """An affine map of each column or channel: of arrays, and of tensors if it holds variables."""

    offset: Any  # [D] float32
    scale: Any  # [D] float32

    def normalize(self, rows: Any) -> Any:
        """Returns examples `[..., D]` in units of the scale."""
        return (rows - self.offset) / self.scale

    def denormalize(self, rows: Any) -> Any:
        """Returns normalized examples `[..., D]` in the units of the columns."""
        return rows * self.scale + self.offset


def fit(kind: Kind, rows: np.ndarray) -> Normalization | None:
    """Fits a normalization to examples `[N, ..., D]`, float32; None for none."""
    if kind == 'none':
        return None
    columns = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
    if np.isnan(columns).any():
        there = [column[~np.isnan(column), np.newaxis] for column in columns.T]
        offset, scale = np.concatenate([_FITS[kind](column) for column in there], 1)
    else:
        offset, scale = _FITS[kind](columns)
    scale = np.where(scale > 0, scale, 1)
    return Normalization(offset.astype(np.float32), scale.astype(np.float32))


def _minmax(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.min(0), np.ptp(rows, 0)


def _standard(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The deviation of a constant column is 0, not what rounding leaves of it.
    return rows.mean(0), np.where(np.ptp(rows, 0) > 0, rows.std(0), 0)


def _robust(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, middle, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    return middle, high - low


_FITS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    'minmax': _minmax,
    'standard': _standard,
    'robust': _robust,
}
