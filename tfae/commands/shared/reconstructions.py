"""The same images, rebuilt by each of several runs and by PCA of the same code sizes."""

import dataclasses
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.analysis import pca, reconstruction
from tfae.commands.shared import command_flags
from tfae.core import errors, names
from tfae.plots import charts, grids
from tfae.report import comparison

_LABEL = 18  # letters a line


class Row(NamedTuple):
    """What rebuilt the images."""

    size: int  # numbers in the code
    mse: float  # per pixel, over the whole part
    made: np.ndarray  # [N, H, W, C], of the images that are drawn


class Rebuilt(NamedTuple):
    """What runs and PCA make of the same images."""

    originals: np.ndarray  # [N, H, W, C]
    rows: dict[str, Row]  # by run
    pca: dict[int, Row]  # by numbers in the code
    measured: dict[str, dict[str, Any]]  # by run: what comparison.Side takes as `drawn`
    examples: int  # of the part


class NoImage(Exception):
    """The runs cannot be shown on the same images; its text says why, for the page too."""


def rebuild(
    compared: Sequence[comparison.Side], look: command_flags.LookAtData, count: int
) -> tuple[Rebuilt, list[str]]:
    """Opens each run, lets it rebuild the part that `look` names; and words on those that cannot.

    Raises: NoImage where there is nothing to draw, InputError as `_flags.LookAtData.load` does.
    """
    sets = dict.fromkeys(side.experiment.data.dataset for side in compared)
    if len(sets) > 1:
        raise NoImage(f'no images: the runs are of different data sets, {", ".join(sets)}')
    rebuilt: Rebuilt | None = None
    words = []
    for side in compared:
        try:
            rebuilt = _add(rebuilt, side, look, count)
        except NoImage as reason:
            words.append(f'{side.name} has no images: {reason}')
    if rebuilt is None:
        raise NoImage('; '.join(words))
    return rebuilt, words


def _add(
    rebuilt: Rebuilt | None, side: comparison.Side, look: command_flags.LookAtData, count: int
) -> Rebuilt:
    """What is rebuilt already, and what this run rebuilds; PCA where its size is new."""
    look = dataclasses.replace(look, logdir=side.logdir)
    try:
        run = look.open()
    except errors.InputError as error:
        raise NoImage(str(error)) from None
    with run:
        if not hasattr(run.built.inference.outputs, names.RECONSTRUCTION):
            raise NoImage(f'the family {side.experiment.model} rebuilds none')
        loaded, part = look.load(run)
        images = data.pixels(part.images)
        rebuilt = rebuilt or Rebuilt(images[:count], {}, {}, {}, len(images))
        if rebuilt.examples != len(images) or not np.array_equal(rebuilt.originals, images[:count]):
            raise NoImage('its images are others than those of the run before')
        made, size = run.reconstruct(images), run.built.model.code_size
        row = Row(size, reconstruction.mse(images, made), made[:count])
        trained = run.graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
        parameters = sum(variable.shape.num_elements() for variable in trained)
    if size not in rebuilt.pca:
        projected = pca.Baseline(loaded.train.images, size).reconstruct(images)
        mse = reconstruction.mse(images, projected)
        rebuilt.pca[size] = Row(size, mse, projected[:count])
    rebuilt.rows[side.name] = row
    rebuilt.measured[side.name] = {
        'mse': row.mse,
        'pca_mse': rebuilt.pca[size].mse,
        'code_size': size,
        'parameters': parameters,
        'split': look.split,
        'examples': len(images),
        'step': run.step,
    }
    return rebuilt


def draw(
    rebuilt: Rebuilt, compared: Sequence[comparison.Side], split: str, folder: pathlib.Path
) -> Mapping[pathlib.Path, str]:
    """Writes compare.png and, of two code sizes or more, compare_curve.png; path -> its meaning."""
    dataset = compared[0].experiment.data.dataset
    what = f'{dataset}, {split}: mean squared error over {rebuilt.examples:,} images'
    path = folder / 'compare.png'
    grids.save_rows(path, _lines(rebuilt), what)
    drawn = {path: 'the same images, rebuilt by each run and by PCA of the same code size'}
    if len(rebuilt.pca) > 1:
        path = folder / 'compare_curve.png'
        charts.save_sizes(path, _curves(rebuilt, compared), what)
        drawn[path] = 'how the error falls with the size of the code, of the runs and of PCA'
    return drawn


def _lines(rebuilt: Rebuilt) -> dict[str, np.ndarray]:
    """Originals, then for each code size its runs and PCA."""
    lines = {'original': rebuilt.originals}
    for size in sorted(rebuilt.pca):
        for name, row in rebuilt.rows.items():
            if row.size == size:
                word = textwrap.fill(name, _LABEL)
                lines[f'{word}\ncode {size}\nMSE {row.mse:.4f}'] = row.made
        baseline = rebuilt.pca[size]
        lines[f'PCA\ncode {size}\nMSE {baseline.mse:.4f}'] = baseline.made
    return lines


def _curves(rebuilt: Rebuilt, compared: Sequence[comparison.Side]) -> list[charts.Curve]:
    """Of each family the best run of each code size; PCA the last."""
    best: dict[str, dict[int, float]] = {}
    for side in compared:
        if row := rebuilt.rows.get(side.name):
            found = best.setdefault(side.experiment.model, {})
            found[row.size] = min(row.mse, found.get(row.size, row.mse))
    best['PCA'] = {size: row.mse for size, row in rebuilt.pca.items()}
    return [
        charts.Curve(label, np.array(sorted(found)), np.array([found[d] for d in sorted(found)]))
        for label, found in best.items()
    ]
