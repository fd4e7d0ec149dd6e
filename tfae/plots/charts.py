"""Charts of measures.

Colors are those of Okabe and Ito, distinguishable to color-blind readers.
"""

import itertools
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import patheffects

from tfae.core.atomic_files import replacing
from tfae.plots.grids import plt

COLORS = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#000000']
_ANOMALOUS = '#D55E00'
_BINS = 60
_WARM = 'inferno'
_MARKERS = 'osD^vPX*'


class Curve(NamedTuple):
    """A line of a chart."""

    label: str
    x: np.ndarray  # [N]
    y: np.ndarray  # [N]
    spread: np.ndarray | None = None  # [N], half width of a band around y


class Losses(NamedTuple):
    """The losses of a run by epoch."""

    label: str
    examples: np.ndarray  # [N], seen
    seconds: np.ndarray  # [N], of training and validation
    training: np.ndarray  # [N], mean over the epoch
    validation: np.ndarray  # [N]; [0] without validation examples
    diverged: bool

    @property
    def of_splits(self) -> tuple[np.ndarray, np.ndarray]:
        """The losses of the training and of the validation split."""
        return self.training, self.validation

    def plain(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        fields = self._asdict().items()
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in fields}


def colored(maps: np.ndarray) -> list[np.ndarray]:
    """Returns maps `[N, H, W]` in [0, 1] as N images `[H, W, 3]`, from black to bright."""
    return list(matplotlib.colormaps[_WARM](np.clip(maps, 0, 1))[..., :3])


def save_detection(
    path: pathlib.Path,
    groups: Mapping[str, np.ndarray],
    threshold: float,
    curves: Sequence[Curve],
    title: str,
) -> None:
    """Plots a histogram of anomaly scores and ROC curves.

    Args:
      path: of the PNG.
      groups: label -> scores `[N]` in nats, the normal images first.
      threshold: anomaly threshold.
      curves: false positive rate -> true positive rate in [0, 1]; may be empty.
      title: of the figure.
    """
    sides = 2 if curves else 1
    figure, axes = plt.subplots(1, sides, figsize=(5.4 * sides, 4.4), squeeze=False, dpi=150)
    _histogram(axes[0, 0], groups, threshold)
    if curves:
        axis = axes[0, 1]
        for curve, color in zip(curves, COLORS, strict=False):
            width = 2.5 if curve is curves[0] else 1.3
            axis.plot(100 * curve.x, 100 * curve.y, color=color, linewidth=width)
            axis.plot([], [], color=color, linewidth=width, label=curve.label)
        axis.plot([0, 100], [0, 100], color='0.7', linestyle=':')
        axis.set_xlabel('false positive rate, %')
        axis.set_ylabel('true positive rate, %')
        axis.legend(loc='lower right', fontsize=8, title='AUROC', title_fontsize=8)
        axis.grid(alpha=0.3)
    _finish(path, figure, title)


def save_errors(
    path: pathlib.Path,
    bars: Mapping[str, Mapping[str, float]],
    curves: Sequence[Curve],
    title: str,
) -> None:
    """Plots errors as bars, and over the number of training labels.

    Args:
      path: of the PNG.
      bars: features -> classifier -> error in %; the same classifiers in each.
      curves: training labels -> error in %, one for each key of `bars`; may be empty.
      title: of the figure.
    """
    sides = 2 if curves else 1
    figure, axes = plt.subplots(1, sides, figsize=(5.6 * sides, 4.4), squeeze=False, dpi=150)
    axis, classifiers = axes[0, 0], list(next(iter(bars.values())))
    height = 0.8 / len(bars)
    for i, (label, errors) in enumerate(bars.items()):
        places = np.arange(len(classifiers)) + (i - (len(bars) - 1) / 2) * height
        color = COLORS[i % len(COLORS)]
        rows = axis.barh(places, list(errors.values()), 0.92 * height, color=color, label=label)
        axis.bar_label(rows, fmt=' %.2f', fontsize=8)
    axis.set_yticks(np.arange(len(classifiers)), classifiers)
    axis.invert_yaxis()
    axis.set_xlabel('test error, %')
    axis.margins(x=0.15)
    axis.legend(fontsize=8, loc='best')
    if curves:
        _lines(axes[0, 1], curves)
    _finish(path, figure, title)


def save_losses(path: pathlib.Path, curves: Sequence[Losses], measure: str, title: str) -> None:
    """Plots losses by examples seen and by seconds.

    Args:
      path: of the PNG.
      curves: one of each run; training is dotted, validation has a marker for each epoch.
      measure: name of the losses.
      title: of the figure.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, dpi=150)
    shades = matplotlib.colormaps['viridis'](np.linspace(0, 0.9, len(curves)))
    for curve, color, marker in zip(curves, shades, itertools.cycle(_MARKERS), strict=False):
        label = f'{curve.label} (diverged)' if curve.diverged else curve.label
        for axis, x in zip(axes, (curve.examples, curve.seconds), strict=True):
            style = {'color': color, 'marker': marker, 'markersize': 4}
            axis.plot(x, curve.training, ':', **style | {'markersize': 2})
            axis.plot(x[: len(curve.validation)], curve.validation, **style, label=label)
    axes[0].plot([], [], ':', color='0.4', label='training, mean of the epoch')
    axes[0].xaxis.set_major_formatter('{x:,.0f}')
    axes[0].set(xlabel='examples seen', ylabel=measure)
    axes[1].set(xlabel='seconds of training and validation')
    if _span(curve.seconds for curve in curves):
        axes[1].set_xscale('log')
        _label_log(axes[1].xaxis)
    if _span(each for curve in curves for each in curve.of_splits):
        axes[0].set_yscale('log')
        _label_log(axes[0].yaxis)
    for axis in axes:
        axis.grid(which='both', alpha=0.3)
    lines = axes[0].get_legend_handles_labels()
    axes[1].legend(*lines, fontsize=8, loc='upper left', bbox_to_anchor=(1.01, 1))
    _finish(path, figure, title)


def save_sizes(path: pathlib.Path, curves: Sequence[Curve], title: str) -> None:
    """Plots MSE over the number of latent dimensions, both axes logarithmic.

    Args:
      path: of the PNG.
      curves: latent dimensions -> MSE per pixel; the last one, of PCA, is dashed.
      title: of the figure.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.6), dpi=150)
    for i, curve in enumerate(curves):
        last = i == len(curves) - 1
        color, line, marker = COLORS[i % len(COLORS)], '-', 'o'
        if last:
            color, line, marker = '0.35', '--', 's'
        axis.plot(curve.x, curve.y, line, color=color, marker=marker, label=curve.label)
        for x, y in zip(curve.x, curve.y, strict=True):
            text = axis.annotate(
                f'{y:#.3g}',
                (x, y),
                (0, 7 if last else -7),
                textcoords='offset points',
                fontsize=7,
                ha='center',
                va='bottom' if last else 'top',
            )
            text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground='white')])
    axis.set_xscale('log')
    axis.set_yscale('log')
    sizes = sorted({float(x) for curve in curves for x in curve.x})
    axis.set_xticks(sizes, [f'{x:,.0f}' for x in sizes])
    axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    _label_log(axis.yaxis)
    axis.margins(0.09, 0.12)
    axis.set_xlabel('latent dimensions')
    axis.set_ylabel('MSE per pixel')
    axis.legend(fontsize=8, frameon=False, loc='upper left', bbox_to_anchor=(1.01, 1))
    axis.grid(alpha=0.3)
    _finish(path, figure, title)


def save_matrices(
    path: pathlib.Path,
    matrices: Mapping[str, np.ndarray],
    rows: Mapping[str, Sequence[str]],
    class_names: Sequence[str],
    title: str,
) -> None:
    """Plots the share of each class in each cluster.

    Args:
      path: of the PNG.
      matrices: label -> counts `[K, L]`, one row per cluster, one column per class.
      rows: label -> names `[K]` of the clusters.
      class_names: of the columns.
      title: of the figure.
    """
    columns = min(3 if len(matrices) > 4 else 2, len(matrices))
    lines = math.ceil(len(matrices) / columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(4.6 * columns, 4.3 * lines), squeeze=False, dpi=150
    )
    for axis in axes.flat[len(matrices) :]:
        axis.axis('off')
    for (label, matrix), axis in zip(matrices.items(), axes.flat, strict=False):
        parts = 100 * matrix / np.maximum(matrix.sum(0), 1)
        axis.imshow(parts, cmap='Blues', vmin=0, vmax=100, aspect='auto')
        if matrix.size <= 400:
            for (row, column), part in np.ndenumerate(parts):
                if part >= 1:
                    color = 'white' if part > 55 else 'black'
                    axis.text(
                        column,
                        row,
                        f'{part:.0f}',
                        ha='center',
                        va='center',
                        fontsize=7,
                        color=color,
                    )
        axis.set_xticks(range(len(class_names)), class_names, fontsize=7, rotation=45)
        axis.set_yticks(range(len(matrix)), rows[label], fontsize=7)
        axis.set_xlabel('class', fontsize=8)
        axis.set_ylabel('cluster, matched to the classes', fontsize=8)
        axis.set_title(label, fontsize=9)
    _finish(path, figure, f'{title}\n% of each class')


def _histogram(axis: plt.Axes, groups: Mapping[str, np.ndarray], threshold: float) -> None:
    """Plots scores of groups on an arcsinh axis, linear around the normal ones."""
    low = min(float(np.min(scores)) for scores in groups.values())
    high = max(float(np.max(scores)) for scores in groups.values())
    usual = next(iter(groups.values()))
    scale = max(float(np.ptp(np.quantile(usual, [0.01, 0.99]))), 1e-6)

    def bent(x: np.ndarray) -> np.ndarray:
        return np.arcsinh((x - np.median(usual)) / scale)

    def straight(y: np.ndarray) -> np.ndarray:
        return np.sinh(y) * scale + np.median(usual)

    axis.set_xscale('function', functions=(bent, straight))
    edges = straight(np.linspace(bent(np.array(low)), bent(np.array(high + 1e-6)), _BINS + 1))
    for (label, scores), color in zip(groups.items(), [COLORS[0], _ANOMALOUS], strict=False):
        weights = np.full(len(scores), 100 / len(scores))
        axis.hist(scores, edges.tolist(), weights=weights, color=color, alpha=0.6, label=label)
    axis.axvline(threshold, color='black', linestyle='--', label=f'threshold {threshold:.4g}')
    axis.xaxis.set_major_locator(matplotlib.ticker.FixedLocator(_ticks(edges)))
    axis.xaxis.set_major_formatter('{x:,.6g}')
    axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_xlabel('anomaly score, nats (arcsinh axis)')
    axis.grid(axis='x', alpha=0.3)
    axis.set_ylabel('fraction of images, %')
    axis.legend(fontsize=8, loc='best')


def _ticks(edges: np.ndarray) -> list[float]:
    """Returns ticks at about equal distances, rounded to at most half their distance."""
    places = edges[np.linspace(0, len(edges) - 1, 9).round().astype(int)]
    steps = np.minimum(np.diff(places, prepend=-np.inf), np.diff(places, append=np.inf))
    units = 10.0 ** np.floor(np.log10(np.maximum(steps / 2, np.finfo(float).tiny)))
    ticks = np.round(places / units) * units
    # Adding 0 turns -0, which would be labeled so, into 0.
    return [float(f'{x:.12g}') + 0.0 for x in ticks if edges[0] <= x <= edges[-1]]


def _lines(axis: plt.Axes, curves: Sequence[Curve]) -> None:
    """Plots errors over numbers of labels."""
    for curve, color in zip(curves, COLORS, strict=False):
        axis.plot(curve.x, curve.y, color=color, marker='o', label=curve.label)
        if curve.spread is not None:
            low, high = curve.y - curve.spread, curve.y + curve.spread
            axis.fill_between(curve.x, low, high, color=color, alpha=0.2, linewidth=0)
    axis.set_xscale('log')
    axis.set_ylim(bottom=0)
    axis.set_xticks(curves[0].x, [f'{x:,.0f}' for x in curves[0].x])
    axis.minorticks_off()
    axis.set_xlabel('training labels, balanced over classes')
    axis.set_ylabel('linear probe error, %')
    axis.legend(fontsize=8, loc='best')
    axis.grid(alpha=0.3)


def _span(values: Iterable[np.ndarray]) -> bool:
    """Returns whether values are positive and span more than a factor of 4."""
    every = np.concatenate(list(values))
    return bool(every.size and 0 < 4 * every.min() < every.max())


def _label_log(axis: matplotlib.axis.Axis) -> None:
    """Labels 1, 2 and 5 times the powers of 10, without mathematical notation."""
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter('{x:,.10g}')
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def _finish(path: pathlib.Path, figure: plt.Figure, title: str) -> None:
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
