"""Interpolate between images in latent space, with PCA of the same code size as baseline.

Writes a strip and a looped GIF through two or more images, and for four a square with these at its
corners. Without --classes and --indices, these are the first images of four classes. Rows of a
table and sequences are plotted as lines, volumes as their middle slices. Prints how smooth each
path is: its length (Karras et al. 2019, by squared error of the pixels), and the variation of the
distances between consecutive images, 0 at constant speed.
"""

import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np

from tfae import data
from tfae.analysis import interpolation, pca
from tfae.commands.shared import chosen_images, command_flags, example_plots
from tfae.core import errors, names
from tfae.core.config import option
from tfae.plots import grids, profiles
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_SHOWN = 4  # images by default
_PATHS = {'linear': interpolation.linear, 'spherical': interpolation.spherical}


@dataclasses.dataclass(frozen=True)
class Config(command_flags.ChooseImages):
    """The images, and the number of steps between them."""

    steps: int = option(
        9,
        'Number of images from one end to the other, including both ends.',
        within='[2, 100] images',
    )
    constant_speed: bool = option(
        False, 'Space the codes so that consecutive images are equally distant from each other.'
    )
    output: str = option('', 'Output folder (default: figures/ in the run).')

    def __post_init__(self):
        super().__post_init__()
        if len(self.classes or self.indices) == 1:
            raise errors.UsageError('--classes or --indices must select at least two images')


class _Way(NamedTuple):
    """A path through codes, and its decoder."""

    keys: np.ndarray  # [K, Z]
    path: interpolation.Path
    decode: interpolation.Decode

    def strip(self, steps: int) -> np.ndarray:
        """Returns the decoded examples, `steps` from each key to the next."""
        return self.decode(interpolation.strip(self.keys, steps, self.path))


def main(argv: list[str]) -> int:
    """Runs `tfae interpolate`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, or for an unknown image.
    """
    flags = command_flags.read('interpolate', __doc__, Config, argv)
    with flags.open(names.CODE, names.DECODER) as run:
        loaded, part = flags.load(run)
        chosen = chosen_images.chosen(flags.classes, flags.indices, loaded, part)
        chosen = chosen or chosen_images.of_each_class(part, _SHOWN)
        if len(chosen) < 2:
            raise errors.InputError(
                f'--split {flags.split} has 1 example; interpolation needs two or more'
            )
        images = data.pixels(part.images[chosen])
        train = run.normalized(loaded.train.images)
        baseline = pca.Baseline(train, run.built.model.code_size)
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        if example_plots.lined(loaded.image_shape):
            print(_lines(run, loaded, baseline, images, flags, folder))
            return 0
        for path in _written(run, baseline, images, flags, folder):
            print(path)
    return 0


def _written(
    run: Run,
    baseline: pca.Baseline,
    images: np.ndarray,
    flags: Config,
    folder: pathlib.Path,
) -> list[pathlib.Path]:
    """Writes the strip, the GIF and, for four images, the square; returns their paths."""
    originals = run.normalized(images)

    def shown(made: np.ndarray) -> np.ndarray:
        return example_plots.images(made, originals)

    strips, films, squares = {}, {}, {}
    for (model, name), way in _paths(run, baseline, images, flags).items():
        strips[f'{model}\n{name}'] = shown(way.strip(flags.steps))
        loop = interpolation.loop(way.keys, flags.steps, way.path)
        films[f'{model} {name}'] = shown(way.decode(loop))
        if len(images) == 4 and name == 'linear':
            plane = interpolation.square(way.keys, flags.steps, way.path)
            made = way.decode(plane.reshape(-1, plane.shape[-1]))
            squares[model] = shown(made)
    size = run.built.model.code_size
    noun = data.noun(images.shape[1:])
    title = f'{run.experiment.data.dataset}, {flags.split}: interpolation of {len(images)} {noun}s'
    title += f' in {size} latent dimensions'
    paths = [folder / 'interpolation.png', folder / 'interpolation.gif']
    blocks = _blocks(shown(originals), strips, flags.steps)
    grids.save_rows(paths[0], blocks, title)
    grids.save_film(paths[1], films)
    if squares:
        paths.append(folder / 'interpolation_square.png')
        grids.save_sheets(paths[2], squares, flags.steps, title)
    return paths


def _lines(
    run: Run,
    loaded: data.DataSet,
    baseline: pca.Baseline,
    rows: np.ndarray,
    flags: Config,
    folder: pathlib.Path,
) -> pathlib.Path:
    """Writes the rows or sequences between each two of `rows` `[K, ...]` as lines.

    Returns: the path.
    """
    ways = _paths(run, baseline, rows, flags)
    strips = {f'{model}, {name}': w.strip(flags.steps) for (model, name), w in ways.items()}
    panels = [
        profiles.Panel(f'{name}: {k + 1} to {k + 2}', {'': block[name]}, graded=True)
        for k, block in enumerate(_blocks(run.normalized(rows), strips, flags.steps))
        for name in strips
    ]
    title = f'{loaded.name}, {flags.split}: interpolation of {len(rows)} {loaded.noun}s in '
    title += f'{run.built.model.code_size} latent dimensions, from dark to bright'
    path = folder / 'interpolation.png'
    example_plots.save_panels(path, panels, loaded, title, run.unit)
    return path


def _paths(
    run: Run, baseline: pca.Baseline, examples: np.ndarray, flags: Config
) -> dict[tuple[str, str], _Way]:
    """Returns (model, name) -> a path through examples, at constant speed if it is requested.

    Prints how smooth they are. Decoded examples are in normalized units, as those of PCA are.
    """

    def decode(codes: np.ndarray) -> np.ndarray:
        return run.normalized(run.decode(codes))

    family, keys = run.experiment.model, run.encode(examples)
    ways = {(family, name): _Way(keys, path, decode) for name, path in _PATHS.items()}
    scores = baseline.encode(run.normalized(examples))
    ways['PCA', 'linear'] = _Way(scores, interpolation.linear, baseline.decode)
    for (model, name), way in ways.items():
        _print(f'{model} {name}', way.strip(flags.steps), flags.steps)
        if flags.constant_speed:
            path = interpolation.at_constant_speed(way.path, way.decode)
            way = ways[model, name] = way._replace(path=path)
            _print(f'{model} {name}, constant speed', way.strip(flags.steps), flags.steps)
    return ways


def _print(path: str, strip: np.ndarray, steps: int) -> None:
    """Prints how smooth a path is."""
    length, variation = interpolation.smoothness(strip, steps)
    print(f'{path:36} path length {length:.4g}  variation {variation:.4f}')


def _blocks(
    images: np.ndarray, strips: dict[str, np.ndarray], steps: int
) -> list[dict[str, np.ndarray]]:
    """Cuts strips into one block for each pair of images, the originals above its ends.

    Args:
      images: `[K, H, W, C]`.
      strips: label -> `[(K - 1) * (steps - 1) + 1, H, W, C]`.
      steps: images of a block, both ends included.
    """
    blocks = []
    for k, ends in enumerate(zip(images[:-1], images[1:], strict=True)):
        originals = np.full([steps, *images.shape[1:]], np.nan, np.float32)
        originals[0], originals[-1] = ends
        cut = slice(k * (steps - 1), (k + 1) * (steps - 1) + 1)
        blocks.append({'original': originals} | {name: s[cut] for name, s in strips.items()})
    return blocks
