"""Figures of examples of any shape.

Images are plotted in rows, rows of a table and sequences as lines, a panel each, and volumes as
slices.

N examples, K keys.
"""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tfae import data
from tfae.plots import grids, profiles, sequences, volumes


def lined(shape: Sequence[int]) -> bool:
    """Returns whether examples of this shape are plotted as lines: rows and sequences."""
    return data.noun(shape) in ('row', 'sequence')


def save_rows(
    path: pathlib.Path,
    rows: Mapping[str, np.ndarray],
    loaded: data.DataSet,
    title: str,
    unit: str,
) -> None:
    """Plots the same examples in several versions, such as originals and reconstructions.

    Args:
      path: of the PNG.
      rows: label -> examples `[N, ...]`; a label may have several lines.
      loaded: the data set, for names of columns and channels.
      title: of the figure.
      unit: of the values.
    """
    noun = data.noun(loaded.image_shape)
    if noun == 'volume':
        volumes.save_rows(path, rows, title)
    elif not lined(loaded.image_shape):
        grids.save_rows(path, rows, title)
    else:
        lines = {label.replace('\n', ', '): each for label, each in rows.items()}
        panels = [
            profiles.Panel(f'{noun} {i}', {label: each[i] for label, each in lines.items()})
            for i in range(len(next(iter(lines.values()))))
        ]
        save_panels(path, panels, loaded, title, unit)


def save_panels(
    path: pathlib.Path,
    panels: Sequence[profiles.Panel],
    loaded: data.DataSet,
    title: str,
    unit: str,
) -> None:
    """Plots panels of rows or sequences; see `profiles.save_panels`."""
    kind = profiles if data.tabular(loaded.image_shape) else sequences
    kind.save_panels(path, panels, loaded.column_names(), title, unit)


def images(examples: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Returns images `[N, H, W, C]`: of volumes their middle slices, scaled to gray levels.

    Args:
      examples: images or volumes `[N, ...]`.
      reference: examples whose middle slices span [0, 1]; None: `examples`. Volumes that a figure
        compares have the same reference.
    """
    if examples.ndim != 5:
        return examples
    made = volumes.middle(examples)
    return volumes.scaled(made, made if reference is None else volumes.middle(reference))
