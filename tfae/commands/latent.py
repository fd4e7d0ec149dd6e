"""Plot the latent plane: codes as points colored by class, and decoded images on a grid.

Codes of more than two dimensions are projected to their first two principal components. t-SNE is an
alternative for the points; the grid has no t-SNE. --traverse also moves single latent dimensions of
the first image, as rows of images and as a GIF, or as lines for a row of a table or a sequence:
each over the range of 98 % of the codes, the dimension of the largest variance first. Volumes are
plotted as their middle slices.
"""

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from tfae import data
from tfae.analysis import plane
from tfae.commands.shared import command_flags, example_plots
from tfae.core import errors, names, terminal
from tfae.core.config import option
from tfae.plots import grids, profiles, sequences
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The projection, the number of points and of grid images."""

    method: plane.Method = option(
        'auto', 'Projection of the points; auto: none for two latent dimensions, else pca.'
    )
    count: int = option(
        5000,
        'Number of points, one per image, starting with the first image.',
        within='[4, 100000] images',
    )
    side: int = option(
        20,
        'Number of images along each side of the grid, and of each traversal.',
        within='[2, 100] images',
    )
    traverse: int = option(
        0, 'Number of latent dimensions to traverse.', within='[0, 100] dimensions'
    )
    output: str = option('', 'Output folder (default: figures/ in the run).')


def main(argv: list[str]) -> int:
    """Runs `tfae latent`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does.
    """
    flags = command_flags.read('latent', __doc__, Config, argv)
    with flags.open(names.CODE, *([names.DECODER] if flags.traverse else [])) as run:
        loaded, part = flags.load(run)
        decodes = run.built.inference.decoded is not None
        with terminal.bar(2 + decodes + bool(flags.traverse), ' stages') as bar:
            for path in _figures(flags, run, loaded, part):
                if path:
                    terminal.write(str(path))
                bar.update()
    return 0


def _figures(
    flags: Config, run: Run, loaded: data.DataSet, part: data.Split
) -> Iterator[pathlib.Path | None]:
    """Encodes images, then plots points and, with a decoder, the grid and traversals.

    Yields: after each of these, the path of a figure, or None.
    Raises: InputError if there is one latent dimension.
    """
    folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
    codes = run.encode(part.images[: flags.count])
    labels = None if part.labels is None else part.labels[: flags.count]
    title = f'{loaded.name}, {flags.split}: {len(codes):,} codes of {codes.shape[1]} dimensions'
    if codes.shape[1] < 2:
        raise errors.InputError(
            f'{run.folder.path} has one latent dimension; a latent plane needs two'
        )
    yield None

    # Points.
    seen = plane.through(codes)
    points = seen.flatten(codes)
    axes = ('latent dimension 1', 'latent dimension 2')
    if codes.shape[1] > 2:
        axes = ('first principal component', 'second principal component')
        title += f', {seen.explained:.0%} of their variance in this plane'
    shown, shown_axes = points, axes
    if flags.method == 'tsne':
        shown = plane.tsne(codes, run.experiment.training.seed)
        shown_axes = ('t-SNE 1', 't-SNE 2')
        title = title.partition(' dimensions')[0] + ' dimensions, t-SNE'
    path = folder / 'latent_points.png'
    grids.save_points(path, shown, labels, loaded.class_names, shown_axes, title)
    yield path

    # Decoded images.
    if run.built.inference.decoded is not None:
        grid = plane.lattice(points, flags.side)
        made = run.decode(seen.lift(grid).astype(np.float32))
        path = folder / 'latent_grid.png'
        low, high = grid.min(0).tolist(), grid.max(0).tolist()
        placed = grids.Axes(axes, (low[0], low[1]), (high[0], high[1]))
        if data.tabular(loaded.image_shape):
            title = f'{loaded.name}: columns decoded over the latent plane'
            maps = made.reshape(flags.side, flags.side, -1)
            profiles.save_maps(path, maps, loaded.column_names(), placed, title)
        elif example_plots.lined(loaded.image_shape):
            title = f'{loaded.name}: sequences decoded over the latent plane'
            sequences.save_sheet(path, run.normalized(made), flags.side, title, placed)
        else:
            title = f'{loaded.name}: {loaded.noun}s decoded over the latent plane'
            grids.save_sheets(path, {'': example_plots.images(made)}, flags.side, title, placed)
        yield path

    # Traversals, there and back in the film.
    if flags.traverse:
        paths = plane.traversal(codes, codes[0], flags.traverse, flags.side)
        rows = {f'z{k + 1}': run.decode(path.astype(np.float32)) for k, path in paths.items()}
        path = folder / 'latent_traversal.png'
        title = f'{loaded.name}, {flags.split}: latent dimensions of the first '
        if example_plots.lined(loaded.image_shape):
            panels = [
                profiles.Panel(k, {'': run.normalized(made)}, graded=True)
                for k, made in rows.items()
            ]
            title += f'{loaded.noun}, from dark to bright'
            example_plots.save_panels(path, panels, loaded, title, run.unit)
        else:
            every = np.concatenate(list(rows.values()))
            rows = {k: example_plots.images(made, every) for k, made in rows.items()}
            grids.save_rows(path, rows, f'{title}{loaded.noun}')
            film = {k: np.concatenate([made, made[-2:0:-1]]) for k, made in rows.items()}
            grids.save_film(folder / 'latent_traversal.gif', film)
            terminal.write(str(folder / 'latent_traversal.gif'))
        yield path
