"""Draw pictures, their reconstructions and PCA's of the same code size as PNG."""

import dataclasses
import pathlib

from tfae import data
from tfae.analysis import pca, reconstruction
from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import option
from tfae.plots import grids
from tfae.runs.directory import FIGURES


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """What to draw."""

    count: int = option(12, 'Images to reconstruct, the first.', within='[1, 100] images')
    output: str = option('', "PNG to write; empty: in the run's figures/.")


def main(argv: list[str]) -> int:
    """Runs `tfae reconstruct`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.LookAtData` does.
    """
    flags = command_flags.read('reconstruct', __doc__, Config, argv)
    if flags.output and not flags.output.endswith('.png'):
        raise errors.UsageError(f'--output is {flags.output!r}; it must end in .png')
    with flags.open() as run:
        loaded, part = flags.load(run)
        images = data.pixels(part.images[: flags.count])
        made = run.reconstruct(images)
        size = run.built.model.code_size
        baseline = pca.Baseline(loaded.train.images, size)
        projected = baseline.reconstruct(images)
    name = f'reconstructions_{flags.split}.png'
    path = pathlib.Path(flags.output or run.folder.place(FIGURES, name))
    rows = {
        'original': images,
        f'{run.experiment.model}\nMSE {reconstruction.mse(images, made):.4f}': made,
        f'PCA\nMSE {reconstruction.mse(images, projected):.4f}': projected,
    }
    title = f'{loaded.name}, {flags.split}: code of {size} numbers'
    grids.save_rows(path, rows, title)
    print(path)
    return 0
