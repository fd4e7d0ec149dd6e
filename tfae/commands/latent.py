"""Draw the plane of codes twice: images as points colored by class, and the decoder over it.

Codes of more than two numbers are seen on the plane of their first two principal components, or by
t-SNE, which no decoder goes back from.
"""

import dataclasses
import pathlib

import numpy as np

from tfae.analysis import plane
from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import option
from tfae.plots import grids
from tfae.runs.directory import FIGURES


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """How the plane is drawn."""

    method: plane.Method = option('auto', 'Of the points; auto is pca, or the code itself.')
    count: int = option(5000, 'Images that become points, the first.', within='[4, 100000] images')
    side: int = option(
        20, 'Images on a side of the grid that the decoder makes.', within='[2, 100] images'
    )
    output: str = option('', "Folder for the images; empty: the run's figures/.")


def main(argv: list[str]) -> int:
    """Runs `tfae latent`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.LookAtData` does.
    """
    flags = command_flags.read('latent', __doc__, Config, argv)
    with flags.open() as run:
        loaded, part = flags.load(run)
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        codes = run.encode(part.images[: flags.count])
        labels = None if part.labels is None else part.labels[: flags.count]
        title = f'{loaded.name}, {flags.split}: {len(codes):,} codes of {codes.shape[1]} numbers'
        if codes.shape[1] < 2:
            raise errors.InputError(f'{run.folder.path} has codes of one number: no plane')
        seen = plane.through(codes)
        points = seen.flatten(codes)
        names = ('code 1', 'code 2')
        if codes.shape[1] > 2:
            names = ('first principal component', 'second principal component')
            title += f', {seen.explained:.0%} of their variance in this plane'
        shown, axes = points, names
        if flags.method == 'tsne':
            shown, axes = plane.tsne(codes, run.experiment.training.seed), ('t-SNE 1', 't-SNE 2')
            title = title.partition(' numbers')[0] + ' numbers by t-SNE'
        path = folder / 'latent_points.png'
        grids.save_points(path, shown, labels, loaded.class_names, axes, title)
        print(path)
        if run.built.inference.decoded is not None:
            grid = plane.lattice(points, flags.side)
            made = run.decode(seen.lift(grid).astype(np.float32))
            path = folder / 'latent_grid.png'
            (left, low), (right, high) = grid.min(0), grid.max(0)
            label = f'across: {names[0]}, {left:.2g} to {right:.2g}; '
            label += f'up: {names[1]}, {low:.2g} to {high:.2g}'
            title = f'{loaded.name}: what the decoder makes over the plane'
            grids.save_sheets(path, {label: made}, flags.side, title)
            print(path)
    return 0
