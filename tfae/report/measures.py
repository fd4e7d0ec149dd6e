"""What commands have measured, in words and units, and baselines beside it."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

NOTHING = '–'

# Start of a name -> the column of who was measured.
BASELINES = {'pca_': 'PCA, same code size', 'pixels_': 'pixels', 'pixel_': 'pixels'}
OWN = 'this run'

# What says under which conditions was measured, not what came.
CONDITIONS = ('split', 'examples', 'step')


class Measure(NamedTuple):
    """How a number is told."""

    words: str
    unit: str = ''
    factor: float = 1.0  # from the number in the file to that of the unit
    better: int = 0  # 1 if more is better, -1 if less, 0 if neither
    spread: bool = False  # a list in the file is a mean and its standard deviation


class Cell(NamedTuple):
    """One number of a table, as text."""

    text: str
    best: bool = False  # of its row


class Row(NamedTuple):
    """A line of a table."""

    words: str
    unit: str
    cells: list[Cell]


class Table(NamedTuple):
    """Lines of one measure each, a column for each who was measured."""

    columns: list[str]
    rows: list[Row]


_IMAGE = 'nats an image'
_PIXEL = 'nats a pixel'
_KNOWN = {
    'mse': Measure('mean squared error', 'per pixel', better=-1),
    'bce': Measure('binary cross-entropy', _PIXEL, better=-1),
    'bce_floor': Measure('the least cross-entropy that gray pixels allow', _PIXEL),
    'sharpness': Measure('steepness of edges', 'that of the images = 1'),
    'noise_mse': Measure('mean squared error of noise, which a code should not hold', 'per pixel'),
    'corrupted_psnr': Measure('corrupted images, signal to noise', 'dB'),
    'denoised_psnr': Measure('restored images, signal to noise', 'dB', better=1),
    'error': Measure('images put into a wrong class', '%', 100, -1),
    'cross_entropy': Measure('cross-entropy of the classes', _IMAGE, better=-1),
    'knn_error': Measure('classes that near neighbors tell wrong', '%', 100, -1),
    'probe_error': Measure('classes that a linear probe tells wrong', '%', 100, -1),
    'reconstruction_nats': Measure('reconstruction', _IMAGE),
    'kl': Measure('divergence of the code from the prior', _IMAGE),
    'kl_by_dimension': Measure('divergence of each number of the code', 'nats'),
    'elbo': Measure('bound on the log-likelihood', _IMAGE, better=1),
    'log_likelihood': Measure('log-likelihood, by importance sampling', _IMAGE, better=1),
    'diversity': Measure('diversity of samples', 'that of the images = 1'),
    'code_size': Measure('size of the code', 'numbers'),
    'dead_code_units': Measure('numbers of the code that never change', 'numbers'),
    'active_units': Measure('numbers of the code that say anything', 'numbers'),
    'parameters': Measure('trained parameters', 'numbers'),
    'auroc': Measure('anomalous images told from normal ones, area under the curve', '', 1, 1),
    'false_positive_rate': Measure('normal images called anomalous', '%', 100, -1),
    'true_positive_rate': Measure('anomalous images found', '%', 100, 1),
    'threshold': Measure('threshold of the score', 'nats'),
    'blank_score': Measure('score of a black image', 'nats'),
    'blank_rank': Measure('normal images that are less anomalous than a black one', '%', 100),
    'frechet': Measure('Frechet distance of the samples', 'of codes of the classifier', better=-1),
    'real_frechet': Measure('Frechet distance of as many real images', 'of the same codes'),
    'count': Measure('samples', 'images'),
    'classes': Measure('samples that the classifier takes for', 'images'),
    'classes_seen': Measure('classes that it sees in samples', 'classes'),
    'fitted': Measure('images that it was fitted to', 'images'),
    'loss': Measure('loss', 'what training makes small'),
    'validation_loss': Measure('loss of the validation part', 'as the loss'),
    'examples_per_second': Measure('speed of training', 'images a second'),
    'seconds': Measure('time of training', 's'),
    'step': Measure('steps of training'),
    'mean_activation': Measure('mean of the code'),
    'jacobian_squared_norm': Measure('squared norm of the slopes of the code'),
    'variance': Measure('variance of the pixels'),
}
_FORMS = [
    (r'pca_(.*)', 'PCA of the same code size: {}'),
    (r'pixels?_(.*)', 'pixels: {}'),
    (r'kmeans_(.*)', 'k-means: {}'),
    (r'spherical_kmeans_(.*)', 'spherical k-means: {}'),
    (r'mixture_(.*)', 'mixture of Gaussians: {}'),
    (r'(.*)_by_class', '{}, by class'),
]
# Names that files of 0.1.0 have, as patterns -> those of today.
_FORMER = {
    r'(pca_|pixel_)?neighbour_error': r'\1knn_error',
    r'(pca_)?restored_psnr': r'\1denoised_psnr',
    r'neighbour(_auroc.*)': r'neighbor\1',
    r'false_alarms': 'false_positive_rate',
    r'hits': 'true_positive_rate',
    r'strange_examples': 'anomalous_examples',
    r'blank_is_strange': 'blank_is_anomalous',
}
_ENDINGS = {
    'error': Measure('error', '%', 100, -1),
    'accuracy': Measure('accuracy', '%', 100, 1),
    'nmi': Measure('normalized mutual information', '', 1, 1),
    'ari': Measure('adjusted Rand index', '', 1, 1),
}


def renamed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Measures by their names of today, whichever version of tfae wrote them."""
    return {_today(name): value for name, value in found.items()}


def _today(name: str) -> str:
    for pattern, today in _FORMER.items():
        if found := re.fullmatch(pattern, name):
            return found.expand(today)
    return name


def measure(name: str) -> Measure:
    """How the number of this name is told; one that nobody knows by its name."""
    if told := _KNOWN.get(name) or _ENDINGS.get(name):
        return told
    for pattern, words in _FORMS:
        if found := re.fullmatch(pattern, name):
            inner = measure(found[1])
            peer = pattern.startswith('p')  # a baseline beside others is held against nothing
            return inner._replace(
                words=words.format(inner.words), better=0 if peer else inner.better
            )
    if found := re.fullmatch(r'probe_error_(\d+)_labels', name):
        words = f'linear probe, {int(found[1]):,} labels: error'
        return _ENDINGS['error']._replace(words=words, spread=True)
    if found := re.fullmatch(r'(\d+)_nearest_error', name):
        return _ENDINGS['error']._replace(words=f'vote of {found[1]} nearest: error')
    ending = name.rpartition('_')[2]
    words = name.replace('_', ' ').replace('/', ': ')
    return _ENDINGS.get(ending, Measure(words))._replace(words=words)


def number(value: Any, factor: float = 1.0) -> str:
    """A value as a reader takes it in: four digits, thousands apart."""
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int) and factor == 1:
        return f'{value:,}'
    if isinstance(value, int | float):
        scaled = value * factor
        if not math.isfinite(scaled):
            return str(scaled)
        return f'{scaled:,.0f}' if 1000 <= abs(scaled) < 1e15 else f'{scaled:#.4g}'.rstrip('.')
    if isinstance(value, list) and all(isinstance(v, int | float) for v in value):
        return f'{len(value)} from {number(min(value))} to {number(max(value))}' if value else '0'
    return ', '.join(map(str, value)) if isinstance(value, list) else str(value)


def beside(found: Mapping[str, Any], own: str = OWN) -> Table:
    """A table of what a command wrote, with a column for each baseline that it measured too.

    What a baseline has too comes first. A mapping becomes a row for each of its keys; conditions
    and `confusion` have no row.
    """
    flat = flattened(found)
    bases = dict.fromkeys(_of_whom(name, flat)[1] for name in flat)
    present = {_of_whom(name, flat)[0] for name in flat} - {''}
    columns = [own, *dict.fromkeys(BASELINES[prefix] for prefix in BASELINES if prefix in present)]
    rows = []
    for base in bases:
        values = [flat.get(base)]
        for column in columns[1:]:
            prefixes = [prefix for prefix in BASELINES if BASELINES[prefix] == column]
            values.append(next((flat[p + base] for p in prefixes if p + base in flat), None))
        rows.append((values.count(None) == len(values) - 1, row(base, values)))
    return Table(columns, [line for _, line in sorted(rows, key=lambda pair: pair[0])])


def row(name: str, values: list[Any]) -> Row:
    """Values of one measure, the best of them marked where there is one; None was not measured."""
    key, _, rest = name.partition('\0')
    told = measure(key)
    numbers = [v[0] if told.spread and _is_spread(v) else v for v in values]
    usable = [v for v in numbers if isinstance(v, int | float) and not math.isnan(v)]
    best = None
    if told.better and len(usable) > 1 and min(usable) < max(usable):
        best = max(usable) if told.better > 0 else min(usable)
    cells = [
        Cell(_text(v, told), best is not None and n == best)
        for v, n in zip(values, numbers, strict=True)
    ]
    return Row(f'{told.words}: {rest}' if rest else told.words, told.unit, cells)


def _text(value: Any, told: Measure) -> str:
    if value is None:
        return NOTHING
    if told.spread and _is_spread(value):
        return ' ± '.join(f'{v * told.factor:.2f}' for v in value)
    return number(value, told.factor)


def _is_spread(value: Any) -> bool:
    """Whether a value is a mean and its standard deviation."""
    listed = isinstance(value, list) and len(value) == 2
    return listed and all(isinstance(v, int | float) for v in value)


def flattened(found: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values but for conditions and `confusion`; within a mapping by `name NUL key`."""
    flat: dict[str, Any] = {}
    for name, value in found.items():
        if name in CONDITIONS or name == 'confusion':
            continue
        if isinstance(value, Mapping):
            flat |= {f'{name}\0{key}': inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _of_whom(name: str, known: Mapping[str, Any]) -> tuple[str, str]:
    """Whom a name speaks of, as its start, and what was measured."""
    for prefix in BASELINES:
        # `pixel_size` alone is no measure of pixels; `pca_mse` beside `mse` is one of PCA.
        if name.startswith(prefix) and name.removeprefix(prefix) in known:
            return prefix, name.removeprefix(prefix)
    return '', name
