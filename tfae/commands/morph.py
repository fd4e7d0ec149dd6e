"""Add attributes to images: their codes are moved along directions, and decoded.

    tfae morph --logdir=RUN --attribute=class=7 --indices=0,1,2
    tfae morph --logdir=RUN --attributes=labels.csv --attribute='gender=Female,age>40' --film

The direction of an attribute is the mean code of the images that have it less that of those that
lack it (Larsen et al. 2016; White 2016), over the part that --split names. Prints how many there
are and how well the direction tells them apart; draws each image at each strength, and with
--film a film through the listed images. morph.npz has the directions, for `tfae explore` too.
"""

import dataclasses
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfae import data
from tfae.analysis import interpolation, morphing
from tfae.commands.shared import chosen_images, command_flags, figures
from tfae.core import errors, names
from tfae.core.atomic_files import write_json, write_npz
from tfae.core.config import option, text
from tfae.data import attributes
from tfae.plots import grids, heatmaps
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_SHOWN = 6  # images, where none are named


@dataclasses.dataclass(frozen=True)
class Config(command_flags.ChooseImages):
    """Which attributes, of which images."""

    attribute: tuple[str, ...] = option(
        (),
        'Attributes: name of a column of yes and no, name=word, name=word|word, name<number or '
        'name>number. Required.',
    )
    attributes: str = option(
        '',
        "Table of the part's images: CSV whose first column has their places, or CelebA's "
        'form. Empty: the one attribute is class, as in class=7.',
    )
    images: tuple[str, ...] = option(
        (),
        'Image files, read as those of the training set.',
        excludes=('--classes', '--indices'),
        formerly='pictures',
    )
    strengths: tuple[float, ...] = option(
        (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5),
        'Lengths of the way, in directions.',
        within='(-inf, inf)',
    )
    film: bool = option(False, 'Write a film too, through the images, with and without.')
    steps: int = option(
        12,
        'Images of the film from one image to the next.',
        within='[2, 1000] images',
        needs=('--film',),
    )
    output: str = option('', "Folder for what is written; empty: the run's figures/.")

    def __post_init__(self):
        super().__post_init__()
        if not self.strengths:
            raise errors.UsageError('--strengths is empty; it must be finite numbers')


def main(argv: list[str]) -> int:
    """Runs `tfae morph`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.LookAtData` does, or where the run has no codes or
      no decoder, or there is no such table, attribute or image.
    """
    flags = command_flags.read('morph', __doc__, Config, argv)
    if not flags.attribute:
        raise errors.UsageError('--attribute is empty; it must name at least one attribute')
    with flags.open() as run:
        built = run.built.inference
        if built.decoded is None or not hasattr(built.outputs, names.CODE):
            raise errors.InputError(
                f'{run.folder.path}, a run of the family {run.experiment.model}, has not both '
                f'code and decoder; images are morphed through both'
            )
        loaded, part = flags.load(run)
        table = _table(flags, loaded, part)
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        images = _keys(flags, run, loaded, part)
        if flags.film and len(images) < 2:
            raise errors.UsageError('--film needs at least two images')
        codes = run.encode(part.images)
        found = {word: _found(table, word, codes) for word in flags.attribute}
        paths = _written(flags, run, folder, images, found)
        figures.show([path for path in paths if path.suffix == '.png'], run.step)
    for path in paths:
        print(path)
    return 0


def _table(flags: Config, loaded: data.DataSet, part: data.Split) -> attributes.Table:
    """What is known of the images of the part, in their order."""
    if not flags.attributes:
        return attributes.of_classes(part, loaded.class_names)
    path = pathlib.Path(flags.attributes)
    table = attributes.read(path)
    known = part.images.names if isinstance(part.images, data.LazyImages) else None
    rows = table.places(known, len(part.images))
    there = rows[rows >= 0]
    bare = np.flatnonzero(rows < 0)  # without a row
    other = np.setdiff1d(np.arange(len(table.keys)), there)  # of no image
    print(
        f'{path}: rows of {len(there):,} of {len(part.images):,} images'
        + (f', none of {known[bare[0]] if known else bare[0]}' if len(bare) else '')
        + f'; {len(other):,} rows are of no image of {flags.split}'
        + (f', such as that of {table.keys[other[0]]}' if len(other) else '')
    )
    if not len(there):
        raise errors.InputError(
            f'--attributes {path} names no image of {flags.split}; its first column must be '
            + (f'names such as {known[0]}' if known else f'their places, 0 to {len(rows) - 1}')
        )
    columns = {
        name: [cells[row] if row >= 0 else '' for row in rows]
        for name, cells in table.columns.items()
    }
    return attributes.Table(tuple(map(str, range(len(rows)))), columns)


def _found(table: attributes.Table, word: str, codes: np.ndarray) -> dict[str, Any]:
    """The direction of an attribute, and how well it tells images apart."""
    having, known = table.having(word)
    codes, having = codes[known], having[known]
    if having.all() or not having.any():
        raise errors.InputError(
            f'--attribute={word}: {"every" if having.any() else "no"} image has it; there must '
            f'be some with it and some without'
        )
    v = morphing.direction(codes, having).astype(np.float32)
    return {
        'direction': v,
        'with': int(having.sum()),
        'without': int((~having).sum()),
        'length': float(np.linalg.norm(v)),
        'auroc': morphing.separation(codes, having),
    }


def _keys(flags: Config, run: Run, loaded: data.DataSet, part: data.Split) -> np.ndarray:
    """The images `[K, H, W, C]` in [0, 1] that are morphed."""
    if flags.images:
        return chosen_images.read(run, flags.images)
    places = chosen_images.chosen(flags.classes, flags.indices, loaded, part)
    return data.pixels(part.images[places or list(range(min(_SHOWN, len(part.images))))])


def _written(
    flags: Config,
    run: Run,
    folder: pathlib.Path,
    images: np.ndarray,
    found: dict[str, dict[str, Any]],
) -> list[pathlib.Path]:
    """Prints the table and writes it, the directions and the figures; returns the paths."""
    width = max(len('attribute'), *map(len, found))
    print(f'{"attribute":{width}} {"with":>9} {"without":>9} {"length":>8} {"AUROC":>7}')
    rows, directions = [], {}
    for word, of in found.items():
        directions[word] = of['direction']
        rows.append({'attribute': word, **{k: v for k, v in of.items() if k != 'direction'}})
        print(
            f'{word:{width}} {of["with"]:9,} {of["without"]:9,} {of["length"]:8.3f} '
            f'{of["auroc"]:7.4f}'
        )
    paths = [folder / 'morph.json', folder / 'morph.npz']
    content = {
        'attribute': text(tuple(found)),
        'attributes': flags.attributes,
        'split': flags.split,
        'step': run.step,
        'directions': rows,
    }
    write_json(paths[0], content)
    write_npz(paths[1], directions)
    codes = run.encode(images)
    for (word, v), name in zip(directions.items(), _file_names(directions), strict=True):
        paths.append(folder / name)
        title = f'{run.experiment.data.dataset}, {flags.split}: {word} added'
        _draw(paths[-1], run, images, codes, v, flags.strengths, title)
    if flags.film:
        paths.append(folder / 'morph.gif')
        way = interpolation.loop(codes, flags.steps, interpolation.linear)
        films = {'as they are': run.decode(way)}
        films |= {word: run.decode(way + v) for word, v in directions.items()}
        grids.save_film(paths[-1], films)
    return paths


def _file_names(words: Iterable[str]) -> list[str]:
    """Names for the figures of attributes, as `morph_age_above_40.png` for `age>40`."""
    taken: list[str] = []
    for word in words:
        said = word.replace('>', ' above ').replace('<', ' below ')
        stem = 'morph_' + re.sub(r'\W+', '_', said).strip('_')[:60]
        while f'{stem}.png' in taken:
            stem += '_'
        taken.append(f'{stem}.png')
    return taken


def _draw(
    path: pathlib.Path,
    run: Run,
    images: np.ndarray,
    codes: np.ndarray,
    v: np.ndarray,
    strengths: tuple[float, ...],
    title: str,
) -> None:
    """A line an image: itself, then what the decoder makes at each strength."""
    lengths = np.array(strengths, np.float32)
    swept = morphing.sweep(codes, v, lengths)
    made = run.decode(swept.reshape(-1, swept.shape[-1]))
    made = made.reshape(*swept.shape[:2], *images.shape[1:])
    lines = []
    for image, row in zip(images, made, strict=True):
        words = ['image', *(f'{strength:+g}' for strength in strengths)]
        shown = heatmaps.plain([image, *row])
        lines.append([heatmaps.Cell(*pair) for pair in zip(shown, words, strict=True)])
    heatmaps.save_cells(path, lines, f'{title}; strengths in lengths of the direction')
