"""Names and units of measures, and tables that compare a run with its baselines.

Pages, consoles, titles and axes of plots take the names from here: one measure, one name.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MISSING = '–'

# Prefix of a measure -> the column of its baseline.
BASELINES = {
    'pca_': 'PCA, same code size',
    'linear_': 'linear denoiser, same rank',
    'pixels_': 'pixels',
    'columns_': 'columns',
    'values_': 'values',
    'pixel_': 'pixels',
    'ridge_': 'ridge regression on pixels',
    'constant_': 'constant prediction',
}
OWN = 'this run'

# Keys that state the conditions of a measurement.
CONDITIONS = ('split', 'examples', 'step', 'pca_components')


class Measure(NamedTuple):
    """Name and unit of a measure."""

    name: str
    unit: str = ''
    factor: float = 1.0  # converts the value in the file to the unit
    better: int = 0  # 1: higher is better, -1: lower is better, 0: neither
    spread: bool = False  # the file holds [mean, standard deviation]


class Cell(NamedTuple):
    """One value of a table, as text."""

    text: str
    best: bool = False  # of its row


class Row(NamedTuple):
    """One measure of a table."""

    name: str
    unit: str
    cells: list[Cell]


class Table(NamedTuple):
    """A row for each measure, a column for each model."""

    columns: list[str]
    rows: list[Row]


_IMAGE = 'nats per image'
_PIXEL = 'nats per pixel'
_KNOWN = {
    'mse': Measure('MSE', 'per pixel', better=-1),
    'bce': Measure('binary cross-entropy', _PIXEL, better=-1),
    'bce_floor': Measure('binary cross-entropy, lower bound', _PIXEL),
    'sharpness': Measure('sharpness', 'relative to the images'),
    'noise_mse': Measure('MSE on uniform noise', 'per pixel'),
    'corrupted_psnr': Measure('PSNR, corrupted images', 'dB'),
    'denoised_psnr': Measure('PSNR, denoised images', 'dB', better=1),
    'class_accuracy': Measure('samples classified as their class', '%', 100, 1),
    'error': Measure('classification error', '%', 100, -1),
    'absolute_error': Measure('mean absolute error', 'in the unit of the quantity', better=-1),
    'squared_error': Measure('mean squared error', 'in the squared unit', better=-1),
    'cross_entropy': Measure('cross-entropy', _IMAGE, better=-1),
    'knn_error': Measure('k-nearest-neighbor error', '%', 100, -1),
    'probe_error': Measure('linear probe error', '%', 100, -1),
    'reconstruction_nats': Measure('reconstruction negative log-likelihood', _IMAGE),
    'kl': Measure('KL divergence', _IMAGE),
    'kl_by_dimension': Measure('KL divergence by latent dimension', 'nats'),
    'elbo': Measure('ELBO', _IMAGE, better=1),
    'log_likelihood': Measure('log-likelihood, importance-sampled', _IMAGE, better=1),
    'diversity': Measure('diversity', 'relative to the images'),
    'code_size': Measure('latent dimensions'),
    'dead_code_units': Measure('constant latent dimensions'),
    'active_units': Measure('active latent dimensions'),
    'parameters': Measure('trainable parameters'),
    'auroc': Measure('AUROC', better=1),
    'false_positive_rate': Measure('false positive rate', '%', 100, -1),
    'true_positive_rate': Measure('true positive rate', '%', 100, 1),
    'threshold': Measure('anomaly threshold', 'nats'),
    'threshold_quantile': Measure('normal images up to the anomaly threshold', '%', 100),
    'threshold_from': Measure('anomaly threshold set on', 'split'),
    'normal': Measure('normal classes'),
    'normal_examples': Measure('normal images'),
    'anomalous_examples': Measure('anomalous images'),
    'blank_score': Measure('anomaly score of a black image', 'nats'),
    'blank_rank': Measure('normal images with a lower score than a black image', '%', 100),
    'blank_is_anomalous': Measure('black image classified as anomalous'),
    'frechet': Measure('Fréchet distance, samples', 'in codes of the classifier', better=-1),
    'real_frechet': Measure('Fréchet distance, real images', 'in codes of the classifier'),
    'frechet_count': Measure('images compared by Fréchet distance'),
    'count': Measure('samples'),
    'classes': Measure('samples by predicted class'),
    'classes_seen': Measure('classes among the samples'),
    'fitted': Measure('training images used'),
    'loss': Measure('loss'),
    'validation_loss': Measure('validation loss'),
    'examples_per_second': Measure('training speed', 'images per second'),
    'seconds': Measure('training time', 's'),
    'step': Measure('training steps'),
    'mean_activation': Measure('mean activation of the code'),
    'jacobian_squared_norm': Measure('squared Jacobian norm'),
    'variance': Measure('variance of the pixels'),
}
_FORMS = [
    (r'constant_(.*)', 'constant prediction: {}'),
    (r'ridge_(.*)', 'ridge regression on pixels: {}'),
    (r'pca_(.*)', 'PCA, same code size: {}'),
    (r'linear_(.*)', 'linear denoiser, same rank: {}'),
    (r'pixels?_(.*)', 'pixels: {}'),
    (r'columns_(.*)', 'columns: {}'),
    (r'values_(.*)', 'values: {}'),
    (r'kmeans_(.*)', 'k-means: {}'),
    (r'spherical_kmeans_(.*)', 'spherical k-means: {}'),
    (r'mixture_(.*)', 'Gaussian mixture: {}'),
    (r'neighbor_(.*)', 'nearest neighbor: {}'),
    (r'mean_(auroc.*)', 'distance to the mean: {}'),
    (r'(.*)_by_class', '{}, by class'),
]
# Patterns of keys in files of 0.1.0 -> the names of today.
_FORMER = {
    r'(pca_|pixel_)?neighbour_error': r'\1knn_error',
    r'(pca_)?restored_psnr': r'\1denoised_psnr',
    r'neighbour(_auroc.*)': r'neighbor\1',
    r'false_alarms': 'false_positive_rate',
    r'hits': 'true_positive_rate',
    r'strange_examples': 'anomalous_examples',
    r'blank_is_strange': 'blank_is_anomalous',
    r'base': 'baseline',
}
_ENDINGS = {
    'error': Measure('error', '%', 100, -1),
    'accuracy': Measure('accuracy', '%', 100, 1),
    'nmi': Measure('normalized mutual information', better=1),
    'ari': Measure('adjusted Rand index', better=1),
}


def renamed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns measures under the names of today, whichever version of tfae wrote them."""
    return {_today(name): value for name, value in found.items()}


def _today(name: str) -> str:
    for pattern, today in _FORMER.items():
        if found := re.fullmatch(pattern, name):
            return found.expand(today)
    return name


def measure(name: str) -> Measure:
    """Returns the name and unit of a key of a JSON file; an unknown key is its own name."""
    if known := _KNOWN.get(name) or _ENDINGS.get(name):
        return known
    for pattern, form in _FORMS:
        if found := re.fullmatch(pattern, name):
            inner = measure(found[1])
            # A baseline alone in its row has nothing to be compared with.
            baseline = name.startswith(tuple(BASELINES))
            return inner._replace(
                name=form.format(inner.name), better=0 if baseline else inner.better
            )
    if found := re.fullmatch(r'probe_error_(\d+)_labels', name):
        return _KNOWN['probe_error']._replace(
            name=f'linear probe error, {int(found[1]):,} labels', spread=True
        )
    if found := re.fullmatch(r'(\d+)_nearest_error', name):
        return _KNOWN['knn_error']._replace(name=f'{found[1]}-nearest-neighbor error')
    ending = name.rpartition('_')[2]
    words = name.replace('_', ' ').replace('/', ': ')
    return _ENDINGS.get(ending, Measure(words))._replace(name=words)


def number(value: Any, factor: float = 1.0) -> str:
    """Formats a value with four significant digits and thousands separators."""
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
        ends = f'{number(min(value))} to {number(max(value))}' if value else ''
        return f'{len(value)} from {ends}' if value else '0'
    return ', '.join(map(str, value)) if isinstance(value, list) else str(value)


def table(found: Mapping[str, Any], own: str = OWN) -> Table:
    """Returns the measures of one JSON file, with a column for each baseline in it.

    Measures that a baseline has come first. A mapping becomes a row for each of its keys;
    conditions and `confusion` have no row.

    Args:
      found: name -> value, as a command wrote them.
      own: heading of the column of the run.
    """
    flat = flattened(found)
    bases = dict.fromkeys(_baseline(name, flat)[1] for name in flat)
    present = {_baseline(name, flat)[0] for name in flat} - {''}
    headings = BASELINES | {'pca_': _pca(found)}
    columns = [own, *dict.fromkeys(headings[prefix] for prefix in headings if prefix in present)]
    rows = []
    for base in bases:
        values = [flat.get(base)]
        for column in columns[1:]:
            prefixes = [prefix for prefix in headings if headings[prefix] == column]
            values.append(next((flat[p + base] for p in prefixes if p + base in flat), None))
        rows.append((values.count(None) == len(values) - 1, row(base, values)))
    return Table(columns, [line for _, line in sorted(rows, key=lambda pair: pair[0])])


def _pca(found: Mapping[str, Any]) -> str:
    """Returns the heading of the column of PCA: `tfae anomaly` chooses its size by a flag."""
    if 'pca_auroc' not in found:
        return BASELINES['pca_']
    components = found.get('pca_components')  # files of 0.1.0 have none
    return f'PCA, {number(components)} components' if components else 'PCA'


def row(name: str, values: list[Any]) -> Row:
    """Returns the row of one measure, its best value marked; None stands for not measured."""
    key, _, rest = name.partition('\0')
    known = measure(key)
    numbers = [v[0] if known.spread and _is_spread(v) else v for v in values]
    usable = [v for v in numbers if isinstance(v, int | float) and not math.isnan(v)]
    best = None
    if known.better and len(usable) > 1 and min(usable) < max(usable):
        best = max(usable) if known.better > 0 else min(usable)
    cells = [
        Cell(_text(v, known), best is not None and n == best)
        for v, n in zip(values, numbers, strict=True)
    ]
    return Row(f'{known.name}: {rest}' if rest else known.name, known.unit, cells)


def _text(value: Any, known: Measure) -> str:
    if value is None:
        return MISSING
    if known.spread and _is_spread(value):
        return ' ± '.join(f'{v * known.factor:.2f}' for v in value)
    return number(value, known.factor)


def _is_spread(value: Any) -> bool:
    """Returns whether a value is a mean and its standard deviation."""
    listed = isinstance(value, list) and len(value) == 2
    return listed and all(isinstance(v, int | float) for v in value)


def flattened(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all but conditions and `confusion`; keys within a mapping become `name NUL key`."""
    flat: dict[str, Any] = {}
    for name, value in found.items():
        if name in CONDITIONS or name == 'confusion':
            continue
        if isinstance(value, Mapping):
            flat |= {f'{name}\0{key}': inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _baseline(name: str, known: Mapping[str, Any]) -> tuple[str, str]:
    """Splits a name into the prefix of its baseline, if any, and the measure."""
    for prefix in BASELINES:
        # `pixel_size` alone is not a measure of pixels; `pca_mse` with `mse` is one of PCA.
        if name.startswith(prefix) and name.removeprefix(prefix) in known:
            return prefix, name.removeprefix(prefix)
    return '', name
