"""The way of `tfae explain` from a unit of a network to a figure.

    images, units -> Target -> Attribution -> table, figure, arrays

A `Target` is the tensor whose units are explained; a method makes an `Attribution` of it, numbers
alone; `write` prints and draws them.

N images, H x W image, C channels, K units of the target.
"""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.analysis import activation_maximization, gradcam, integrated_gradients, saliency, units
from tfae.analysis._gradient import Fetch
from tfae.commands.shared import figures
from tfae.core import errors
from tfae.core.atomic_files import write_json, write_npz
from tfae.plots import heatmaps

_COLUMNS = 10  # images side by side
# Bounds of a slice, which goes through the graph at once: the maps of a VGG take 0.1 GB an image.
_MAX_IMAGES = 32
_MAX_PIXELS = 2**18


class Target(NamedTuple):
    """A tensor of a run or of a published network, and its units. See `target`."""

    network: str  # for titles
    weights: dict[str, Any]  # which ones, for the JSON
    run: Fetch  # a session's
    ways: units.Activations
    tensor: tf.Tensor
    place: tuple[int, ...]  # in a feature map, or empty
    unit_names: tuple[str, ...]  # K, or empty where units have numbers alone
    values: tf.Tensor  # [B, K]
    index: tf.Tensor  # placeholder [B] int32: a unit for each image
    score: tf.Tensor  # [B], the value of that unit

    @property
    def name(self) -> str:
        """Of the tensor."""
        return self.ways.name(self.tensor)

    @property
    def images(self) -> tf.Tensor:
        """Placeholder `[B, H, W, C]`."""
        return self.ways.images

    def unit(self, index: int) -> str:
        """Name or number of a unit."""
        return self.unit_names[index] if self.unit_names else f'unit {index}'


class Attribution(NamedTuple):
    """An explanation of N units: a map over an image for each, or an image made for each."""

    title: str
    settings: dict[str, Any]  # which decide the numbers, besides the weights
    rows: list[dict[str, Any]]  # N, of the table
    units: np.ndarray  # [N]
    images: np.ndarray  # [N, H, W, C]
    maps: np.ndarray | None = None  # [N, H, W]
    scale: heatmaps.Scale | None = None  # of the maps


def target(
    network: str,
    weights: dict[str, Any],
    run: Fetch,
    ways: units.Activations,
    tensor: tf.Tensor,
    place: tuple[int, ...],
    unit_names: Iterable[str],
) -> Target:
    """The units of `tensor`, at a place of a feature map or over all of it; see `Target`.

    Raises: UsageError as `units.values` does.
    """
    values = units.values(tensor, place)
    index = tf.placeholder(tf.int32, [None])
    score = units.chosen(values, index)
    return Target(
        network, weights, run, ways, tensor, place, tuple(unit_names), values, index, score
    )


def values(of: Target, images: np.ndarray) -> np.ndarray:
    """Every unit of images `[N, H, W, C]`, `[N, K]`."""
    slices = _slices(of, len(images))
    return np.concatenate([of.run(of.values, {of.images: images[s]}) for s in slices])


def by_gradcam(
    of: Target,
    images: np.ndarray,
    sources: Sequence[dict[str, str]],
    chosen: np.ndarray,
    layer: str,
) -> Attribution:
    """Grad-CAM in the feature maps of that name, or in those of the last convolution.

    Args:
      of: the target.
      images: `[N, H, W, C]` in [0, 1].
      sources: N, the cells of the table that say which image it is.
      chosen: `[N]`, a unit for each image.
      layer: name of a tensor, or empty.
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
    heat = gradcam.upsample(gradcam.build(of.score, found).heat, height, width)

    def explain(images: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        maps = of.run(heat, {of.images: images, of.index: chosen})
        return maps, {'peak': maps.max((1, 2))}

    name, sides = of.ways.name(found), 'x'.join(map(str, found.shape[1:3]))
    title = f'Where the units of {of.name} find what speaks for them: Grad-CAM in {name}, {sides}'
    scale = heatmaps.Scale('what speaks for the unit, part of the largest', False)
    return _maps(of, images, sources, chosen, explain, title, scale, {'layer': name})


def by_saliency(
    of: Target, images: np.ndarray, sources: Sequence[dict[str, str]], chosen: np.ndarray
) -> Attribution:
    """The largest slope of each pixel's channels; arguments as `by_gradcam`'s."""
    slopes = saliency.build(of.score, of.images).map

    def explain(images: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        maps = of.run(slopes, {of.images: images, of.index: chosen})
        return maps, {'peak': maps.max((1, 2))}

    title = f'Which pixels the units of {of.name} hang on: saliency'
    scale = heatmaps.Scale('change of the unit with the pixel, part of the largest', False)
    return _maps(of, images, sources, chosen, explain, title, scale, {})


def by_integrated_gradients(
    of: Target,
    images: np.ndarray,
    sources: Sequence[dict[str, str]],
    chosen: np.ndarray,
    baseline: tuple[str, float],
    steps: int,
) -> Attribution:
    """Integrated gradients from an image of one gray, summed over the channels.

    Args:
      of, images, sources, chosen: as `by_gradcam`'s.
      baseline: name and value of that gray, in [0, 1].
      steps: equal parts of the way from it to the image.
    """
    name, gray = baseline

    def explain(images: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        found = integrated_gradients.attribute(
            _fetch(of, chosen), of.score, of.images, images, np.float32(gray), steps
        )
        total = found.pixels.sum((1, 2, 3))
        return found.pixels.sum(-1), {'sum': total, 'difference': found.difference}

    title = f'What each pixel adds to the units of {of.name}: integrated gradients from {name}'
    scale = heatmaps.Scale('what the pixel adds to the unit, part of the largest', True)
    settings = {'base': name, 'steps': steps}
    return _maps(of, images, sources, chosen, explain, title, scale, settings)


def by_ascent(
    of: Target,
    chosen: np.ndarray,
    settings: activation_maximization.Settings,
    colors: np.ndarray | None,
) -> Attribution:
    """An image for each of the units `[N]`, made as if it were alone.

    Args:
      of: the target.
      chosen: `[N]`, the units.
      settings: of the ascent.
      colors: `[C, C]` as `activation_maximization.color_root` gives it, or None.
    """
    made = [
        activation_maximization.ascend(
            _fetch(of, chosen[s]), of.score, of.images, chosen[s].tolist(), settings, colors
        )
        for s in _slices(of, len(chosen))
    ]
    images, start, end = map(np.concatenate, zip(*made, strict=True))
    return Attribution(
        f'What the units of {of.name} answer most to: activation maximization',
        dataclasses.asdict(settings),
        _rows(of, [{}] * len(chosen), chosen, {'start': start, 'end': end}),
        chosen,
        images.astype(np.float32),
    )


def write(
    folder: pathlib.Path,
    method: str,
    of: Target,
    attribution: Attribution,
    *,
    sheet: bool,
    step: int | None,
) -> list[pathlib.Path]:
    """Prints the table; writes the figure, the arrays and the table; returns their paths.

    Args:
      folder: of the files.
      method: which made the attribution.
      of: the target.
      attribution: of its units.
      sheet: whether all units are of one image, which is then drawn once.
      step: at which TensorBoard shows the figure; None: it does not.
    """
    print(_table(attribution.rows))
    name = f'explain_{method}_{of.name.replace("/", "_")}'
    png, npz, table = (folder / f'{name}.{kind}' for kind in ('png', 'npz', 'json'))

    at = f', place {",".join(map(str, of.place))}' if of.place else ''
    title = f'{attribution.title}\n{of.network}{at}; above each image its unit and the value'
    heatmaps.save_cells(png, _lines(attribution, sheet), title, attribution.scale)

    maps = {} if attribution.maps is None else {'maps': attribution.maps}
    write_npz(npz, {'images': attribution.images, **maps, 'units': attribution.units})

    shape = of.tensor.shape.as_list()[1:]
    found = {'method': method, 'tensor': of.name, 'shape': shape, 'place': list(of.place)}
    found |= {**of.weights, **attribution.settings, 'rows': attribution.rows}
    write_json(table, found)
    if step is not None:
        figures.show([png], step)
    return [png, npz, table]


def _maps(
    of: Target,
    images: np.ndarray,
    sources: Sequence[dict[str, str]],
    chosen: np.ndarray,
    explain: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, dict[str, np.ndarray]]],
    title: str,
    scale: heatmaps.Scale,
    settings: dict[str, Any],
) -> Attribution:
    """An attribution by maps; `explain` makes maps and columns of a slice of images and units."""
    slices = _slices(of, len(images))
    made = [explain(images[s], chosen[s]) for s in slices]
    maps = np.concatenate([part for part, _ in made])
    scores = [of.run(of.score, {of.images: images[s], of.index: chosen[s]}) for s in slices]
    columns = {'value': np.concatenate(scores)}
    columns |= {key: np.concatenate([part[key] for _, part in made]) for key in made[0][1]}
    rows = _rows(of, sources, chosen, columns)
    return Attribution(title, settings, rows, chosen, images, maps, scale)


def _rows(
    of: Target,
    sources: Sequence[dict[str, str]],
    chosen: np.ndarray,
    columns: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    return [
        {
            **sources[k],
            'unit': of.unit(unit),
            **{key: float(column[k]) for key, column in columns.items()},
        }
        for k, unit in enumerate(chosen)
    ]


def _lines(attribution: Attribution, sheet: bool) -> list[Sequence[heatmaps.Cell]]:
    """The cells of the figure."""
    plain = heatmaps.plain(attribution.images)
    if attribution.maps is None or attribution.scale is None:
        cells = _captioned(plain, attribution.rows, 'end')
        return heatmaps.wrapped(cells, heatmaps.columns(len(cells)))
    mixed = heatmaps.over(attribution.images, attribution.maps, attribution.scale.signed)
    cells = _captioned(mixed, attribution.rows, 'value')
    explained = [
        heatmaps.Cell(image, str(row.get('class', row['image'])))
        for image, row in zip(plain, attribution.rows, strict=True)
    ]
    if sheet:
        return heatmaps.wrapped([explained[0], *cells], heatmaps.columns(len(cells) + 1))
    both = (heatmaps.wrapped(found, _COLUMNS) for found in (explained, cells))
    return [line for pair in zip(*both, strict=True) for line in pair]


def _captioned(
    images: Sequence[np.ndarray], rows: Sequence[dict[str, Any]], value: str
) -> list[heatmaps.Cell]:
    """Each image below its unit and the value of that column."""
    return [
        heatmaps.Cell(image, f'{row["unit"]}\n{row[value]:.3g}')
        for image, row in zip(images, rows, strict=True)
    ]


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Lines of text, a column a key."""
    cells = [list(rows[0])]
    for row in rows:
        cells.append([f'{v:.4f}' if isinstance(v, float) else v for v in row.values()])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [isinstance(value, str) for value in rows[0].values()]
    lines = [
        '  '.join(
            f'{cell:<{width}}' if text else f'{cell:>{width}}'
            for cell, width, text in zip(line, widths, left, strict=True)
        )
        for line in cells
    ]
    return '\n'.join(line.rstrip() for line in lines)


def _fetch(of: Target, chosen: np.ndarray) -> Fetch:
    """Runs the graph with these units `[N]` for the images of each feed."""

    def fetch(tensors: Any, feeds: Mapping[tf.Tensor, np.ndarray]) -> Any:
        return of.run(tensors, {**feeds, of.index: chosen})

    return fetch


def _slices(of: Target, count: int) -> list[slice]:
    """Of so many images, those that go through the graph at once."""
    pixels = math.prod(of.images.shape.as_list()[1:3])
    size = max(1, min(_MAX_IMAGES, _MAX_PIXELS // pixels))
    return [slice(start, start + size) for start in range(0, count, size)]
