"""What `tfae explain` draws: one function a method, and what they write.

N pictures, H W C picture, K units.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.analysis import activation_maximisation, gradcam, integrated_gradients, saliency, units
from tfae.analysis._slope import Fetch
from tfae.commands.shared import figures
from tfae.core import errors
from tfae.core.atomic_files import write_npz, write_text
from tfae.plots import heatmaps

_COLUMNS = 10  # pictures side by side
# What goes through the graph at once: of large pictures, all maps of a VGG take 0.1 GB each.
_TOGETHER = 32  # pictures
_PIXELS = 2**18


class Opened(NamedTuple):
    """What is looked into: a run, or a published network with its weights."""

    what: str  # as titles have it
    origin: dict[str, Any]  # which weights, as the JSON has it
    step: int | None  # of TensorBoard, None if it is not shown there
    folder: pathlib.Path  # where files go unless another one is named
    run: Fetch  # a session's
    images: tf.Tensor  # [B, H, W, C], what pictures are fed as
    outputs: Sequence[tf.Tensor]  # what the pictures become in the end
    usual: tf.Tensor  # whose units are explained where no tensor is named
    classes: Sequence[tf.Tensor]  # those whose units are classes
    class_names: Sequence[str]  # or empty where classes have numbers alone
    # Pictures [N, H, W, C] in [0, 1], and of each what the table says of it.
    pictures: Callable[[], tuple[np.ndarray, list[dict[str, str]]]]
    colours: Callable[[], np.ndarray | None]  # [C, C], how channels of pictures go together


class Subject(NamedTuple):
    """Whose reasons are asked for."""

    run: Fetch  # a session's
    images: tf.Tensor  # [B, H, W, C], what pictures are fed as
    ways: units.Ways
    tensor: tf.Tensor
    values: tf.Tensor  # [B, K], the units of `tensor`
    index: tf.Tensor  # [B], what the unit of each picture is fed as
    score: tf.Tensor  # [B], the value of that unit
    place: tuple[int, ...]  # of a feature map, or empty
    unit_names: tuple[str, ...]  # K, or empty where units have numbers alone

    @property
    def name(self) -> str:
        """Of the tensor."""
        return self.ways.name(self.tensor)

    def unit(self, index: int) -> str:
        """Name or number of a unit."""
        return self.unit_names[index] if self.unit_names else f'unit {index}'


class Method(NamedTuple):
    """Pictures and a unit for each -> what speaks for it, and where."""

    explain: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, dict[str, np.ndarray]]]
    title: str
    scale: heatmaps.Scale
    settings: dict[str, Any]  # what decides the maps, beside the checkpoint


class Explained(NamedTuple):
    """What is written."""

    rows: list[dict[str, Any]]  # of the table
    lines: list[Sequence[heatmaps.Cell]]  # of the figure
    title: str
    scale: heatmaps.Scale | None
    arrays: dict[str, np.ndarray]
    settings: dict[str, Any]


def subject(opened: Opened, ways: units.Ways, tensor: tf.Tensor, place: tuple[int, ...]) -> Subject:
    """The units of `tensor`, at a place of a feature map or over all of it."""
    values = units.values(tensor, place)
    index = tf.placeholder(tf.int32, [None])
    score = units.chosen(values, index)
    of_classes = any(tensor is found for found in opened.classes)
    known = tuple(opened.class_names) if of_classes else ()
    return Subject(opened.run, opened.images, ways, tensor, values, index, score, place, known)


def values(of: Subject, pictures: np.ndarray) -> np.ndarray:
    """Every unit of pictures `[N, H, W, C]`, `[N, K]`."""
    slices = _slices(of.images, len(pictures))
    return np.concatenate([of.run(of.values, {of.images: pictures[s]}) for s in slices])


def by_gradcam(of: Subject, layer: str) -> Method:
    """Grad-CAM in the feature maps of that name, or in those of the last convolution.

    Raises: UsageError if it is no feature map on the way to the units; InputError if there is none.
    """
    found = of.ways.find('--layer', layer) if layer else units.last_maps(of.images, of.tensor)
    if found is None:
        raise errors.InputError(
            f'--method=gradcam looks into feature maps, and {of.name} is made without a '
            f'convolution; saliency and integrated_gradients need none'
        )
    units.refuse_no_maps('--layer', of.images, found, of.tensor)
    height, width = of.images.shape.as_list()[1:3]
    heat = gradcam.enlarge(gradcam.build(of.score, found).heat, height, width)

    def explain(pictures, chosen):
        maps = of.run(heat, {of.images: pictures, of.index: chosen})
        return maps, {'peak': maps.max((1, 2))}

    name, sides = of.ways.name(found), 'x'.join(map(str, found.shape[1:3]))
    scale = heatmaps.Scale('what speaks for the unit, part of the largest', False)
    title = f'Where the units of {of.name} find what speaks for them: Grad-CAM in {name}, {sides}'
    return Method(explain, title, scale, {'layer': name})


def by_saliency(of: Subject) -> Method:
    """The largest slope of each pixel's channels."""
    maps = saliency.build(of.score, of.images).map

    def explain(pictures, chosen):
        found = of.run(maps, {of.images: pictures, of.index: chosen})
        return found, {'peak': found.max((1, 2))}

    scale = heatmaps.Scale('change of the unit with the pixel, part of the largest', False)
    return Method(explain, f'Which pixels the units of {of.name} hang on: saliency', scale, {})


def by_integrated_gradients(of: Subject, name: str, base: float, steps: int) -> Method:
    """Integrated gradients from a picture of one grey of that name, summed over the channels."""

    def explain(pictures, chosen):
        found = integrated_gradients.attribute(
            _fetch(of, chosen), of.score, of.images, pictures, np.float32(base), steps
        )
        total = found.pixels.sum((1, 2, 3))
        return found.pixels.sum(-1), {'sum': total, 'difference': found.difference}

    scale = heatmaps.Scale('what the pixel adds to the unit, part of the largest', True)
    settings = {'base': name, 'steps': steps}
    title = f'What each pixel adds to the units of {of.name}: integrated gradients from {name}'
    return Method(explain, title, scale, settings)


def maps(
    of: Subject,
    method: Method,
    pictures: np.ndarray,
    words: Sequence[dict[str, str]],
    chosen: np.ndarray,
    sheet: bool,
) -> Explained:
    """Heat maps over pictures `[N, H, W, C]`, of a unit `[N]` each.

    `words` are the table's of each picture; a sheet shows one picture for all units.
    """
    slices = _slices(of.images, len(pictures))
    parts = [method.explain(pictures[s], chosen[s]) for s in slices]
    heat = np.concatenate([part[0] for part in parts])
    columns = {key: np.concatenate([part[1][key] for part in parts]) for key in parts[0][1]}
    values = [of.run(of.score, {of.images: pictures[s], of.index: chosen[s]}) for s in slices]
    columns = {'value': np.concatenate(values), **columns}
    rows = [
        {**words[k], 'unit': of.unit(unit), **{key: float(v[k]) for key, v in columns.items()}}
        for k, unit in enumerate(chosen)
    ]
    mixed = heatmaps.over(pictures, heat, method.scale.signed)
    shown = [
        heatmaps.Cell(image, f'{row["unit"]}\n{row["value"]:.3g}')
        for image, row in zip(mixed, rows, strict=True)
    ]
    plain = [
        heatmaps.Cell(image, str(row.get('class', row['picture'])))
        for image, row in zip(heatmaps.plain(pictures), rows, strict=True)
    ]
    if sheet:
        lines = heatmaps.wrapped([plain[0], *shown], heatmaps.columns(len(shown) + 1))
    else:
        both = (heatmaps.wrapped(cells, _COLUMNS) for cells in (plain, shown))
        lines = [line for pair in zip(*both, strict=True) for line in pair]
    arrays = {'pictures': pictures, 'maps': heat, 'units': chosen}
    return Explained(rows, lines, method.title, method.scale, arrays, method.settings)


def ascents(
    of: Subject,
    chosen: np.ndarray,
    settings: activation_maximisation.Settings,
    colours: np.ndarray | None,
) -> Explained:
    """A picture for each of the units `[N]`, made as if it were alone."""
    parts = [
        activation_maximisation.ascend(
            _fetch(of, chosen[s]), of.score, of.images, chosen[s].tolist(), settings, colours
        )
        for s in _slices(of.images, len(chosen))
    ]
    pictures, start, end = map(np.concatenate, zip(*parts, strict=True))
    rows = [
        {'unit': of.unit(unit), 'start': float(low), 'end': float(high)}
        for unit, low, high in zip(chosen, start, end, strict=True)
    ]
    cells = [
        heatmaps.Cell(image, f'{row["unit"]}\n{row["end"]:.3g}')
        for image, row in zip(heatmaps.plain(pictures), rows, strict=True)
    ]
    lines = heatmaps.wrapped(cells, heatmaps.columns(len(cells)))
    title = f'What the units of {of.name} answer most to: activation maximisation'
    arrays = {'pictures': pictures.astype(np.float32), 'units': chosen}
    return Explained(rows, lines, title, None, arrays, dataclasses.asdict(settings))


def write(
    folder: pathlib.Path, method: str, of: Subject, opened: Opened, explained: Explained
) -> list[pathlib.Path]:
    """Prints the table; writes it, the arrays, the figure and TensorBoard's; returns the paths."""
    print(_table(explained.rows))
    name = f'explain_{method}_{of.name.replace("/", "_")}'
    paths = [folder / f'{name}.{kind}' for kind in ('png', 'npz', 'json')]
    at = f', place {",".join(map(str, of.place))}' if of.place else ''
    title = f'{explained.title}\n{opened.what}{at}; above each picture its unit and the value'
    heatmaps.save_cells(paths[0], explained.lines, title, explained.scale)
    write_npz(paths[1], explained.arrays)
    shape = of.tensor.shape.as_list()[1:]
    found = {'method': method, 'tensor': of.name, 'shape': shape, 'place': list(of.place)}
    found |= {**opened.origin, **explained.settings, 'rows': explained.rows}
    write_text(paths[2], json.dumps(found, indent=2) + '\n')
    if opened.step is not None:
        figures.show(paths[:1], opened.step)
    return paths


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Lines of text, a column a key."""
    words = [list(rows[0])]
    for row in rows:
        words.append([f'{v:.4f}' if isinstance(v, float) else v for v in row.values()])
    wide = [max(map(len, column)) for column in zip(*words, strict=True)]
    left = [isinstance(value, str) for value in rows[0].values()]
    lines = [
        '  '.join(
            f'{word:<{width}}' if text else f'{word:>{width}}'
            for word, width, text in zip(line, wide, left, strict=True)
        )
        for line in words
    ]
    return '\n'.join(line.rstrip() for line in lines)


def _fetch(of: Subject, chosen: np.ndarray) -> Fetch:
    def fetch(tensors: Any, feeds: Mapping[tf.Tensor, np.ndarray]) -> Any:
        return of.run(tensors, {**feeds, of.index: chosen})

    return fetch


def _slices(images: tf.Tensor, count: int) -> list[slice]:
    """Of so many pictures, those that go through the graph at once."""
    together = max(1, min(_TOGETHER, _PIXELS // math.prod(images.shape.as_list()[1:3])))
    return [slice(start, start + together) for start in range(0, count, together)]
