"""Volumes as images: slices along their first axis, in [0, 1].

N volumes of D x H x W voxels and C channels.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from tfae.plots import grids

_MAX_SLICES = 8  # of a volume
_MAX_VOLUMES = 8  # of a figure


def scaled(volumes: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns values so that those of the reference span [0, 1]; others are clipped when shown."""
    low, high = float(np.nanmin(reference)), float(np.nanmax(reference))
    return (volumes - low) / (high - low or 1)


def middle(volumes: np.ndarray) -> np.ndarray:
    """Returns the middle slices `[N, H, W, C]` of volumes `[N, D, H, W, C]`."""
    return volumes[:, volumes.shape[1] // 2]


def slices(volume: np.ndarray) -> np.ndarray:
    """Returns up to eight evenly spaced slices `[S, H, W, C]` of a volume `[D, H, W, C]`."""
    count = min(_MAX_SLICES, len(volume))
    edges = (np.arange(count) + 0.5) / count * len(volume)
    return volume[edges.astype(int)]


def save_rows(path: pathlib.Path, rows: Mapping[str, np.ndarray], title: str) -> None:
    """Plots each volume as rows of slices, one row per label, below each other.

    Args:
      path: of the PNG.
      rows: label -> volumes `[N, D, H, W, C]`, the same shape in each; eight of them are plotted,
        as the title then says, with the range of the first label as gray levels.
      title: of the figure.
    """
    first = next(iter(rows.values()))
    kept = first[:_MAX_VOLUMES]
    shown = {label: scaled(volumes[:_MAX_VOLUMES], kept) for label, volumes in rows.items()}
    blocks = [{k: slices(volumes[i]) for k, volumes in shown.items()} for i in range(len(kept))]
    more = '' if len(kept) == len(first) else f'; {len(kept)} of {len(first)} volumes'
    grids.save_rows(path, blocks, title + more)
