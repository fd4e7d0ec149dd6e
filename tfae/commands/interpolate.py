"""Draw the way from image to image through the code, PCA's of the same code size beside it.

Two images or more give a strip and a looped film; four give a square too, with them at its
corners.
"""

import dataclasses
import pathlib

import numpy as np

from tfae import data
from tfae.analysis import interpolation, pca
from tfae.commands.shared import chosen_images, command_flags
from tfae.core import errors
from tfae.core.config import option
from tfae.plots import grids
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_WAYS = {'linear': interpolation.linear, 'spherical': interpolation.spherical}


@dataclasses.dataclass(frozen=True)
class Config(command_flags.ChooseImages):
    """Between which images."""

    steps: int = option(
        9, 'Images from one to the next, both among them.', within='[2, 100] images'
    )
    output: str = option('', "Folder for the images; empty: the run's figures/.")


def main(argv: list[str]) -> int:
    """Runs `tfae interpolate`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.LookAtData` does, or where an image is not there.
    """
    flags = command_flags.read('interpolate', __doc__, Config, argv)
    with flags.open() as run:
        loaded, part = flags.load(run)
        chosen = chosen_images.chosen(flags.classes, flags.indices, loaded, part)
        if len(chosen) < 2:
            raise errors.UsageError('--classes or --indices must name at least two images')
        images = data.pixels(part.images[chosen])
        baseline = pca.Baseline(loaded.train.images, run.built.model.code_size)
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        for path in _drawn(run, baseline, images, flags, folder):
            print(path)
    return 0


def _drawn(
    run: Run,
    baseline: pca.Baseline,
    images: np.ndarray,
    flags: Config,
    folder: pathlib.Path,
) -> list[pathlib.Path]:
    """Writes strip, film and, of four images, square; returns their paths."""
    family = run.experiment.model
    keys, scores = run.encode(images), baseline.encode(images)
    strips, films = {}, {}
    for name, way in _WAYS.items():
        strips[f'{family}\n{name}'] = run.decode(interpolation.strip(keys, flags.steps, way))
        films[name] = run.decode(interpolation.loop(keys, flags.steps, way))
    straight = interpolation.linear
    strips['PCA\nlinear'] = baseline.decode(interpolation.strip(scores, flags.steps, straight))
    films['PCA'] = baseline.decode(interpolation.loop(scores, flags.steps, straight))
    size = run.built.model.code_size
    title = f'{run.experiment.data.dataset}, {flags.split}: between {len(images)} images'
    title += f' through a code of {size} numbers'
    made = [folder / 'interpolation.png', folder / 'interpolation.gif']
    grids.save_rows(made[0], strips, title)
    grids.save_film(made[1], films)
    if len(images) == 4:
        squares = {}
        for name, codes, decode in ((family, keys, run.decode), ('PCA', scores, baseline.decode)):
            plane = interpolation.square(codes, flags.steps, straight)
            squares[name] = decode(plane.reshape(-1, plane.shape[-1]))
        made.append(folder / 'interpolation_square.png')
        grids.save_sheets(made[2], squares, flags.steps, title)
    return made
