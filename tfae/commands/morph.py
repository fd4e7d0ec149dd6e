"""Add attributes to images by moving their codes along latent directions.

    tfae morph --logdir=RUN --attribute=class=7 --indices=0,1,2
    tfae morph --logdir=RUN --attributes=labels.csv --attribute='gender=Female,age>40' --film

The direction of an attribute is the mean code of the images with it minus the mean code of those
without (Larsen et al. 2016; White 2016), over --split. Prints the counts and the AUROC of the
direction as a classifier; plots each image at each strength; --film writes a GIF through the listed
images. morph.npz has the directions, for `tfae explore` too.

--path moves images through combinations of attributes instead, each a list of --attribute, as a
strip and a film:

    tfae morph --logdir=RUN --attributes=labels.csv
        --path='gender=Female,age=20-29 -> gender=Female,age=60-69 -> gender=Male,age=60-69'

An image moves by the differences of the mean codes of these combinations, times --scale. By default
the images are the first that have the first combination.
"""

import dataclasses
import pathlib
import re
import textwrap
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from tfae import data
from tfae.analysis import interpolation, morphing
from tfae.commands.shared import chosen_images, command_flags, figures
from tfae.core import errors, names
from tfae.core.atomic_files import write_json, write_npz
from tfae.core.config import option, split, text
from tfae.data import attributes
from tfae.plots import grids, heatmaps
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_SHOWN = 6  # images by default
_BETWEEN = 3  # cells of a strip from one combination to the next
_CAPTION = 16  # characters of a line
_MAX_CLASSES = 10  # that are attributes by default


@dataclasses.dataclass(frozen=True)
class Config(command_flags.ChooseImages):
    """The attributes, the images, and the strengths."""

    ALL_SHAPES: ClassVar[bool] = False

    attribute: tuple[str, ...] = option(
        (),
        'Attributes to add, from columns of --attributes: name (a yes/no column), name=value, '
        'name=value|value, name<number or name>number (default: the classes, at most '
        f'{_MAX_CLASSES}).',
    )
    attributes: str = option(
        '',
        'Table of attributes: CSV whose first column has the indices of images in the split, or '
        "CelebA's format (default: the classes, as in class=7).",
    )
    images: tuple[str, ...] = option(
        (),
        'Image files to morph, preprocessed like the training images.',
        excludes=('--classes', '--indices'),
        formerly='pictures',
    )
    strengths: tuple[float, ...] = option(
        (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5),
        'Strengths of an attribute: the multiples of its direction that are added.',
        within='(-inf, inf)',
    )
    path: str = option(
        '',
        'Combinations of attributes to move through, separated by ->.',
        excludes=('--attribute', '--strengths', '--film'),
    )
    scale: float = option(
        1.0, 'Factor that scales the moves of --path.', within='(-inf, inf)', needs=('--path',)
    )
    film: bool = option(
        False, 'Write a GIF that interpolates between the images, with and without each attribute.'
    )
    steps: int = option(
        12,
        'Number of GIF frames from one image, or combination of --path, to the next.',
        within='[2, 1000] images',
    )
    output: str = option('', 'Output folder (default: figures/ in the run).')

    def __post_init__(self):
        super().__post_init__()
        if not self.strengths:
            raise errors.UsageError('--strengths is empty; it must be finite numbers')
        if self.attributes and not (self.attribute or self.path):
            raise errors.UsageError('--attribute is empty; it must name columns of --attributes')
        if self.steps != Config.steps and not (self.film or self.path):
            raise errors.UsageError('--steps needs --film or --path')
        if self.path and (len(self.combinations) < 2 or not all(self.combinations)):
            raise errors.UsageError(
                f'--path is {self.path!r}; it must hold two or more combinations of attributes, '
                'separated by ->'
            )
        if self.film and len(self.images or self.classes or self.indices) == 1:
            raise errors.UsageError('--film needs at least two images')

    @property
    def combinations(self) -> list[list[str]]:
        """The attributes of each combination of the path."""
        return [split(part) for part in self.path.split('->')]


def main(argv: list[str]) -> int:
    """Runs `tfae morph`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, or where the run has no
      codes or no decoder, or for an unknown table, attribute or image.
    """
    flags = command_flags.read('morph', __doc__, Config, argv)
    with flags.open(names.CODE, names.DECODER) as run:
        loaded, part = flags.load(run)
        table = _table(flags, loaded, part)
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        if flags.path:
            paths = _along(flags, run, folder, table, loaded, part)
            figures.show([path for path in paths if path.suffix == '.png'], run.step)
            for path in paths:
                print(path)
            return 0
        images = _keys(flags, run, loaded, part)
        if flags.film and len(images) < 2:
            raise errors.UsageError('--film needs at least two images')
        codes = run.encode(part.images)
        attributes = flags.attribute or _classes(loaded, part)
        found = {word: _found(table, word, codes) for word in attributes}
        paths = _written(flags, run, folder, images, found)
        figures.show([path for path in paths if path.suffix == '.png'], run.step)
    for path in paths:
        print(path)
    return 0


def _table(flags: Config, loaded: data.DataSet, part: data.Split) -> attributes.Table:
    """Returns the attributes of the images of the split, in their order."""
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
        f'{path}: rows for {len(there):,} of {len(part.images):,} images'
        + (f', none for {known[bare[0]] if known else bare[0]}' if len(bare) else '')
        + f'; {len(other):,} rows match no image of {flags.split}'
        + (f', such as {table.keys[other[0]]}' if len(other) else '')
    )
    if not len(there):
        raise errors.InputError(
            f'--attributes {path} names no image of {flags.split}; its first column must be '
            + (f'names such as {known[0]}' if known else f'indices from 0 to {len(rows) - 1}')
        )
    columns = {
        name: [cells[row] if row >= 0 else '' for row in rows]
        for name, cells in table.columns.items()
    }
    return attributes.Table(tuple(map(str, range(len(rows)))), columns)


def _classes(loaded: data.DataSet, part: data.Split) -> list[str]:
    """Returns the attributes that are classes with images in the split.

    Raises: InputError if there are not two.
    """
    assert part.labels is not None  # else refused
    known = np.unique(part.labels)
    if len(known) < 2:
        raise errors.InputError(
            f'--attribute is empty, and the images of data set {loaded.name} are of one class; '
            f'--attributes must name a table of attributes'
        )
    known = known[:_MAX_CLASSES]
    words = data.class_words(known, loaded.class_names)
    # A | in an attribute separates alternatives.
    return [f'class={k if "|" in word else word}' for k, word in zip(known, words, strict=True)]


def _found(table: attributes.Table, word: str, codes: np.ndarray) -> dict[str, Any]:
    """Returns the direction `[Z]` of an attribute, its counts, length and AUROC."""
    having, known = table.having(word)
    codes, having = codes[known], having[known]
    if having.all() or not having.any():
        raise errors.InputError(
            f'--attribute={word}: {"every" if having.any() else "no"} image has it; some must '
            f'have it and some not'
        )
    v = morphing.direction(codes, having).astype(np.float32)
    return {
        'direction': v,
        'with': int(having.sum()),
        'without': int((~having).sum()),
        'length': float(np.linalg.norm(v)),
        'auroc': morphing.separation(codes, having),
    }


def _along(
    flags: Config,
    run: Run,
    folder: pathlib.Path,
    table: attributes.Table,
    loaded: data.DataSet,
    part: data.Split,
) -> list[pathlib.Path]:
    """Prints the combinations of `--path`; writes strip, film, moves and table; returns the paths.

    Raises: InputError if no image has a combination.
    """
    names = [' '.join(words) for words in flags.combinations]
    having = np.stack([_having_all(table, words) for words in flags.combinations])
    if len(bare := np.flatnonzero(~having.any(1))):
        raise errors.InputError(f'--path: no image has {names[bare[0]]}')
    moves = flags.scale * morphing.path(run.encode(part.images), having).astype(np.float32)
    lengths = np.linalg.norm(np.diff(moves, axis=0), axis=1)
    rows: list[dict[str, Any]] = [
        {'combination': name, 'images': int(count), 'length': float(length)}
        for name, count, length in zip(names, having.sum(1), [0, *lengths], strict=True)
    ]
    width = max(len('combination'), *map(len, names))
    print(f'{"combination":{width}} {"images":>9} {"length":>8}')
    for row in rows:
        print(f'{row["combination"]:{width}} {row["images"]:9,} {row["length"]:8.3f}')

    if flags.images or flags.classes or flags.indices:
        images = _keys(flags, run, loaded, part)
    else:
        images = data.pixels(part.images[np.flatnonzero(having[0])[:_SHOWN]])
    way = interpolation.strip(moves, flags.steps, interpolation.linear)
    codes = run.encode(images)
    made = run.decode((codes[:, None] + way).reshape(-1, way.shape[-1]))
    made = made.reshape(len(images), len(way), *images.shape[1:])

    paths = [folder / f'morph_path.{kind}' for kind in ('png', 'gif', 'npz', 'json')]
    between = np.linspace(0, len(way) - 1, _BETWEEN * (len(names) - 1) + 1).round().astype(int)
    captions = ['image', *_captions(names)]
    lines = []
    for image, row in zip(images, made, strict=True):
        shown = heatmaps.plain([image, *row[between]])
        lines.append([heatmaps.Cell(*pair) for pair in zip(shown, captions, strict=True)])
        captions = [''] * len(captions)
    title = f'{run.experiment.data.dataset}, {flags.split}: from each image, {" -> ".join(names)}'
    heatmaps.save_cells(paths[0], lines, title)
    # There and back.
    films = {str(k): np.concatenate([row, row[-2:0:-1]]) for k, row in enumerate(made)}
    grids.save_film(paths[1], films)
    write_npz(paths[2], {'moves': moves})
    content = {
        'path': flags.path,
        'attributes': flags.attributes,
        'split': flags.split,
        'step': run.step,
        'scale': flags.scale,
        'combinations': rows,
    }
    write_json(paths[3], content)
    return paths


def _having_all(table: attributes.Table, words: Iterable[str]) -> np.ndarray:
    """Returns which images `[N]` have all attributes of a combination."""
    found = [table.having(word) for word in words]
    return np.all([having & known for having, known in found], 0)


def _captions(names: list[str]) -> list[str]:
    """Returns captions of the cells of a strip: names at the combinations, nothing between."""
    found = [''] * (_BETWEEN * (len(names) - 1) + 1)
    found[::_BETWEEN] = [textwrap.fill(name, _CAPTION) for name in names]
    return found


def _keys(flags: Config, run: Run, loaded: data.DataSet, part: data.Split) -> np.ndarray:
    """Returns the images `[K, H, W, C]` in [0, 1] to morph."""
    if flags.images:
        return chosen_images.read(run, flags.images)
    places = chosen_images.chosen(flags.classes, flags.indices, loaded, part)
    return data.pixels(part.images[places or chosen_images.of_each_class(part, _SHOWN)])


def _written(
    flags: Config,
    run: Run,
    folder: pathlib.Path,
    images: np.ndarray,
    found: dict[str, dict[str, Any]],
) -> list[pathlib.Path]:
    """Prints the table; writes table, directions and figures; returns their paths."""
    width = max(len('attribute'), *map(len, found))
    print(f'{"attribute":{width}} {"with":>9} {"without":>9} {"length":>8} {"AUROC":>7}')
    rows, directions = [], {}
    for (word, of), figure in zip(found.items(), _file_names(found), strict=True):
        directions[word] = of['direction']
        about = {'attribute': word, 'figure': figure, **of}
        rows.append({k: v for k, v in about.items() if k != 'direction'})
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
    for (word, v), row in zip(directions.items(), rows, strict=True):
        paths.append(folder / row['figure'])
        title = f'{run.experiment.data.dataset}, {flags.split}: {word} added'
        _plot(paths[-1], run, images, codes, v, flags.strengths, title)
    if flags.film:
        paths.append(folder / 'morph.gif')
        way = interpolation.loop(codes, flags.steps, interpolation.linear)
        films = {'unchanged': run.decode(way)}
        films |= {word: run.decode(way + v) for word, v in directions.items()}
        grids.save_film(paths[-1], films)
    return paths


def _file_names(words: Iterable[str]) -> list[str]:
    """Returns file names of figures, as `morph_age_above_40.png` for `age>40`."""
    taken = ['morph_path.png']  # which --path writes
    for word in words:
        said = word.replace('>', ' above ').replace('<', ' below ')
        stem = 'morph_' + re.sub(r'\W+', '_', said).strip('_')[:60]
        while f'{stem}.png' in taken:
            stem += '_'
        taken.append(f'{stem}.png')
    return taken[1:]


def _plot(
    path: pathlib.Path,
    run: Run,
    images: np.ndarray,
    codes: np.ndarray,
    v: np.ndarray,
    strengths: tuple[float, ...],
    title: str,
) -> None:
    """Plots a row per image: the original, then the decoded image at each strength."""
    lengths = np.array(strengths, np.float32)
    swept = morphing.sweep(codes, v, lengths)
    made = run.decode(swept.reshape(-1, swept.shape[-1]))
    made = made.reshape(*swept.shape[:2], *images.shape[1:])
    lines = []
    for image, row in zip(images, made, strict=True):
        words = ['image', *(f'{strength:+g}' for strength in strengths)]
        shown = heatmaps.plain([image, *row])
        lines.append([heatmaps.Cell(*pair) for pair in zip(shown, words, strict=True)])
    heatmaps.save_cells(path, lines, f'{title}; strengths are multiples of the direction')
