"""Reconstructions of the same images by several runs, and by PCA of the same code sizes."""

import dataclasses
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae import data
from tfae.analysis import pca, reconstruction
from tfae.commands.shared import command_flags
from tfae.core import errors, names
from tfae.plots import charts, grids
from tfae.report import comparison
from tfae.training import graph

_LABEL_WIDTH = 18  # characters


class Fit(NamedTuple):
    """A PCA, by its size and the examples that it is fitted to."""

    size: int  # latent dimensions
    fingerprint: str  # of the data set, whose training examples it is fitted to


class Row(NamedTuple):
    """The reconstructions of a run or of PCA."""

    fit: Fit  # of the PCA that it is compared with
    mse: float  # per pixel, over the whole split
    made: np.ndarray  # [N, H, W, C], of the images that are plotted


class Rebuilt(NamedTuple):
    """The reconstructions of the same images by runs and by PCA."""

    originals: np.ndarray  # [N, H, W, C]
    rows: dict[str, Row]  # by run
    pca: dict[Fit, Row]
    measured: dict[str, dict[str, Any]]  # by run: see comparison.Side
    examples: int  # of the split


class NoImage(Exception):
    """The runs cannot reconstruct the same images; the text is the reason, shown to the user."""


def rebuild(
    compared: Sequence[comparison.Side], look: command_flags.LookAtData, count: int
) -> tuple[Rebuilt, list[str]]:
    """Reconstructs the split of `look` by each run; returns notes on those that cannot, too.

    Raises: NoImage where no run can, InputError as `command_flags.LookAtData.load` does.
    """
    sets = dict.fromkeys(side.experiment.data.dataset for side in compared)
    if len(sets) > 1:
        raise NoImage(f'no images: the runs use different data sets, {", ".join(sets)}')
    rebuilt: Rebuilt | None = None
    notes = []
    for side in compared:
        try:
            rebuilt = _add(rebuilt, side, look, count)
        except NoImage as reason:
            notes.append(f'{side.name} has no images: {reason}')
    if rebuilt is None:
        raise NoImage('; '.join(notes))
    return rebuilt, notes


def _add(
    rebuilt: Rebuilt | None, side: comparison.Side, look: command_flags.LookAtData, count: int
) -> Rebuilt:
    """Adds the reconstructions of a run, and of PCA if its fit is new."""
    look = dataclasses.replace(look, logdir=side.logdir)
    try:
        run = look.open()
    except errors.InputError as error:
        raise NoImage(str(error)) from None
    with run:
        if not hasattr(run.built.inference.outputs, names.RECONSTRUCTION):
            raise NoImage(f'the family {side.experiment.model} has no reconstruction')
        shape = run.experiment.signature.image_shape
        if not data.is_image(shape):
            what = 'a table' if data.tabular(shape) else f'{data.noun(shape)}s'
            raise NoImage(f'it is a run on {what}')
        loaded, part = look.load(run)
        images = data.pixels(part.images)
        rebuilt = rebuilt or Rebuilt(images[:count], {}, {}, {}, len(images))
        if rebuilt.examples != len(images) or not np.array_equal(rebuilt.originals, images[:count]):
            raise NoImage('its images differ from those of the previous run')
        made, size = run.reconstruct(images), run.built.model.code_size
        fit = Fit(size, run.experiment.signature.fingerprint)
        row = Row(fit, reconstruction.mse(images, made), made[:count])
        parameters = graph.parameters(run.graph)
    if fit not in rebuilt.pca:
        projected = pca.Baseline(loaded.train.images, size).reconstruct(images)
        mse = reconstruction.mse(images, projected)
        rebuilt.pca[fit] = Row(fit, mse, projected[:count])
    rebuilt.rows[side.name] = row
    rebuilt.measured[side.name] = {
        'mse': row.mse,
        'pca_mse': rebuilt.pca[fit].mse,
        'code_size': size,
        'parameters': parameters,
        'split': look.split,
        'examples': len(images),
        'step': run.step,
    }
    return rebuilt


def plot(
    rebuilt: Rebuilt, compared: Sequence[comparison.Side], split: str, folder: pathlib.Path
) -> Mapping[pathlib.Path, str]:
    """Writes compare.png and, for several code sizes, compare_curve.png; path -> description."""
    dataset = compared[0].experiment.data.dataset
    what = f'{dataset}, {split}: MSE over {rebuilt.examples:,} images'
    path = folder / 'compare.png'
    grids.save_rows(path, _lines(rebuilt), what)
    written = {path: 'reconstructions by each run and by PCA of the same code size'}
    if len({fit.size for fit in rebuilt.pca}) > 1:
        path = folder / 'compare_curve.png'
        charts.save_sizes(path, _curves(rebuilt, compared), what)
        written[path] = 'reconstruction error over code size, of runs and PCA'
    return written


def _lines(rebuilt: Rebuilt) -> dict[str, np.ndarray]:
    """Returns the rows of the plot: originals, then for each code size its runs and PCA."""
    lines = {'original': rebuilt.originals}
    for fit, baseline in sorted(rebuilt.pca.items(), key=lambda item: item[0].size):
        for name, row in rebuilt.rows.items():
            if row.fit == fit:
                word = textwrap.fill(name, _LABEL_WIDTH)
                lines[f'{word}\ncode {fit.size}\nMSE {row.mse:#.3g}'] = row.made
        lines[f'PCA\ncode {fit.size}\nMSE {baseline.mse:#.3g}'] = baseline.made
    return lines


def _curves(rebuilt: Rebuilt, compared: Sequence[comparison.Side]) -> list[charts.Curve]:
    """Returns a curve for each family and PCA, of the least error of each code size."""
    best: dict[str, dict[int, float]] = {}
    families = {side.name: side.experiment.model for side in compared}
    labeled = [(families[name], row) for name, row in rebuilt.rows.items()]
    for label, row in (*labeled, *(('PCA', row) for row in rebuilt.pca.values())):
        found = best.setdefault(label, {})
        found[row.fit.size] = min(row.mse, found.get(row.fit.size, row.mse))
    return [
        charts.Curve(label, np.array(sorted(found)), np.array([found[d] for d in sorted(found)]))
        for label, found in best.items()
    ]
