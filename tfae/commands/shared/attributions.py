"""The steps of `tfae explain` from the units of a network to a figure.

    images, units -> Target -> Attribution -> table, figure, arrays

A `Target` is the tensor whose units are explained. A method returns an `Attribution` of them, as
arrays; `write` prints and plots it.

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
# Bounds of a batch; the feature maps of VGG need 0.1 GB per image.
_MAX_IMAGES = 32
_MAX_PIXELS = 2**18


class Target(NamedTuple):
    """A tensor of a run or of a published network, and its units. See `target`."""

    network: str  # for titles
    weights: dict[str, Any]  # identifies them in the JSON
    run: Fetch  # of its session
    activations: units.Activations
    tensor: tf.Tensor
    place: tuple[int, ...]  # row and column in a feature map, or empty
    unit_names: tuple[str, ...]  # K, or empty for units without names
    values: tf.Tensor  # [B, K]
    index: tf.Tensor  # placeholder [B] int32, the unit of each image
    score: tf.Tensor  # [B], its value

    @property
    def name(self) -> str:
        """Name of the tensor."""
        return self.activations.name(self.tensor)

    @property
    def images(self) -> tf.Tensor:
        """Placeholder `[B, H, W, C]`."""
        return self.activations.images

    def unit(self, index: int) -> str:
        """Returns the name or number of a unit."""
        return self.unit_names[index] if self.unit_names else f'unit {index}'


class Attribution(NamedTuple):
    """An explanation of N units: for each a heat map over an image, or a generated image."""

    title: str
    settings: dict[str, Any]  # of the method, for the JSON
    rows: list[dict[str, Any]]  # N rows of the table
    units: np.ndarray  # [N]
    images: np.ndarray  # [N, H, W, C]
    maps: np.ndarray | None = None  # [N, H, W]
    scale: heatmaps.Scale | None = None  # of the maps


def target(
    network: str,
    weights: dict[str, Any],
    run: Fetch,
    activations: units.Activations,
    tensor: tf.Tensor,
    place: tuple[int, ...],
    unit_names: Iterable[str],
) -> Target:
    """Returns the units of `tensor`, at a place of a feature map or averaged over it.

    Raises: UsageError as `units.values` does.
    """
    values = units.values(tensor, place)
    index = tf.placeholder(tf.int32, [None])
    score = units.chosen(values, index)
    return Target(
        network, weights, run, activations, tensor, place, tuple(unit_names), values, index, score
    )


def values(of: Target, images: np.ndarray) -> np.ndarray:
    """Returns the values `[N, K]` of all units for images `[N, H, W, C]`."""
    slices = _slices(of, len(images))
    return np.concatenate([of.run(of.values, {of.images: images[s]}) for s in slices])


def by_gradcam(
    of: Target,
    images: np.ndarray,
    sources: Sequence[dict[str, str]],
    chosen: np.ndarray,
    layer: str,
) -> Attribution:
    """Grad-CAM in the feature maps `layer`, or in those of the last convolution.

    Args:
      of: the target.
      images: `[N, H, W, C]` in [0, 1].
      sources: N, table cells that identify each image.
      chosen: `[N]`, the unit explained for each image.
      layer: name of a tensor, or empty.
    Raises: UsageError if the units do not depend on these maps; InputError if there are none.
    """
    found = (
        of.activations.find('--layer', layer) if layer else units.last_maps(of.images, of.tensor)
    )
    if found is None:
        raise errors.InputError(
            f'--method=gradcam needs feature maps, and {of.name} is computed without a '
            f'convolution; --method=saliency and integrated_gradients need none'
        )
    units.refuse_no_maps('--layer', of.images, found, of.tensor)
    height, width = of.images.shape.as_list()[1:3]
    heat = gradcam.upsample(gradcam.build(of.score, found).heat, height, width)

    def explain(images: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        maps = of.run(heat, {of.images: images, of.index: chosen})
        return maps, {'peak': maps.max((1, 2))}

    name, sides = of.activations.name(found), 'x'.join(map(str, found.shape[1:3]))
    title = f'Grad-CAM of the units of {of.name} in {name}, {sides}'
    scale = heatmaps.Scale('evidence for the unit, relative to the maximum', False)
    return _maps(of, images, sources, chosen, explain, title, scale, {'layer': name})


def by_saliency(
    of: Target, images: np.ndarray, sources: Sequence[dict[str, str]], chosen: np.ndarray
) -> Attribution:
    """Saliency, the largest gradient magnitude of a pixel's channels; see `by_gradcam`."""
    gradients = saliency.build(of.score, of.images).map

    def explain(images: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        maps = of.run(gradients, {of.images: images, of.index: chosen})
        return maps, {'peak': maps.max((1, 2))}

    title = f'Saliency of the units of {of.name}'
    scale = heatmaps.Scale('gradient magnitude, relative to the maximum', False)
    return _maps(of, images, sources, chosen, explain, title, scale, {})


def by_integrated_gradients(
    of: Target,
    images: np.ndarray,
    sources: Sequence[dict[str, str]],
    chosen: np.ndarray,
    baseline: tuple[str, float],
    steps: int,
) -> Attribution:
    """Integrated gradients from a uniform baseline image, summed over the channels.

    Args:
      of, images, sources, chosen: as `by_gradcam`'s.
      baseline: name and value in [0, 1] of the baseline.
      steps: of the path from the baseline to the image.
    """
    name, gray = baseline

    def explain(images: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        found = integrated_gradients.attribute(
            _fetch(of, chosen), of.score, of.images, images, np.float32(gray), steps
        )
        total = found.pixels.sum((1, 2, 3))
        return found.pixels.sum(-1), {'sum': total, 'difference': found.difference}

    title = f'Integrated gradients of the units of {of.name}, baseline {name}'
    scale = heatmaps.Scale('attribution to the pixel, relative to the maximum', True)
    settings = {'baseline': name, 'steps': steps}
    return _maps(of, images, sources, chosen, explain, title, scale, settings)


def by_ascent(
    of: Target,
    chosen: np.ndarray,
    settings: activation_maximization.Settings,
    colors: np.ndarray | None,
) -> Attribution:
    """Activation maximization: an image for each unit, independent of the others.

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
        f'Activation maximization of the units of {of.name}',
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
    columns: int | None,
    step: int | None,
) -> list[pathlib.Path]:
    """Prints the table; writes figure, arrays and table; returns their paths.

    Args:
      folder: output folder.
      method: name of the method.
      of: the target.
      attribution: of its units.
      columns: units of each image, next to each other; None: all are of one image.
      step: at which TensorBoard shows the figure; None: not shown.
    """
    print(_table(attribution.rows))
    name = f'explain_{method}_{of.name.replace("/", "_")}'
    png, npz, table = (folder / f'{name}.{kind}' for kind in ('png', 'npz', 'json'))

    at = f', place {",".join(map(str, of.place))}' if of.place else ''
    title = f'{attribution.title}\n{of.network}{at}; above each image: unit and value'
    heatmaps.save_cells(png, _lines(attribution, columns), title, attribution.scale)

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
    """Returns an attribution by heat maps.

    `explain` takes images `[B, H, W, C]` and their units `[B]`, and returns heat maps `[B, H, W]`
    and columns of the table `[B]`.
    """
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


def _lines(attribution: Attribution, columns: int | None) -> list[Sequence[heatmaps.Cell]]:
    """Returns the rows of cells of the figure."""
    plain = heatmaps.plain(attribution.images)
    if attribution.maps is None or attribution.scale is None:
        cells = _captioned(plain, attribution.rows, 'end')
        return heatmaps.wrapped(cells, heatmaps.columns(len(cells)))
    mixed = heatmaps.over(attribution.images, attribution.maps, attribution.scale.signed)
    cells = _captioned(mixed, attribution.rows, 'value')
    explained = [_original(image, row) for image, row in zip(plain, attribution.rows, strict=True)]
    if columns is None:
        return heatmaps.wrapped([explained[0], *cells], heatmaps.columns(len(cells) + 1))
    if columns > 1:
        starts = range(0, len(cells), columns)
        return [[explained[k], *cells[k : k + columns]] for k in starts]
    both = (heatmaps.wrapped(found, _COLUMNS) for found in (explained, cells))
    return [line for pair in zip(*both, strict=True) for line in pair]


def _original(image: np.ndarray, row: dict[str, Any]) -> heatmaps.Cell:
    """Returns an image, captioned with its class and marked if it is misclassified."""
    known = str(row.get('class', row['image']))
    wrong = 'predicted' in row and row['predicted'] != row['class']
    caption = f'{known}\npredicted {row["predicted"]}' if wrong else known
    return heatmaps.Cell(image, caption, wrong)


def _captioned(
    images: Sequence[np.ndarray], rows: Sequence[dict[str, Any]], value: str
) -> list[heatmaps.Cell]:
    """Returns each image, captioned with its unit and the value in the column."""
    return [
        heatmaps.Cell(image, f'{row["unit"]}\n{row[value]:.3g}')
        for image, row in zip(images, rows, strict=True)
    ]


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Returns the table as text, a column per key."""
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
    """Returns a function that runs the graph for the units `[N]` of the N images fed."""

    def fetch(tensors: Any, feeds: Mapping[tf.Tensor, np.ndarray]) -> Any:
        return of.run(tensors, {**feeds, of.index: chosen})

    return fetch


def _slices(of: Target, count: int) -> list[slice]:
    """Returns the batches of `count` images."""
    pixels = math.prod(of.images.shape.as_list()[1:3])
    size = max(1, min(_MAX_IMAGES, _MAX_PIXELS // pixels))
    return [slice(start, start + size) for start in range(0, count, size)]
