"""Cluster images by their codes, without labels, and compare the clusters with the classes.

k-means, spherical k-means (cosine distance) and a mixture of Gaussians are fitted to codes of
training examples, and for comparison to pixels and to PCA scores of the same code size (a mixture
of pixels would be singular). Prints cluster accuracy (Hungarian matching), normalized mutual
information and adjusted Rand index; writes them as JSON with a sheet of images of each cluster,
which TensorBoard shows too.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfae import data
from tfae.analysis import clustering, pca
from tfae.commands.shared import command_flags, example_plots, figures
from tfae.core import errors, names, terminal
from tfae.core.atomic_files import write_json, write_npz
from tfae.core.config import option
from tfae.plots import charts, grids, profiles
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

Encoder = Callable[[np.ndarray], np.ndarray]

_METHODS: dict[str, Any] = {
    'k-means': clustering.KMeansClusters,
    'spherical k-means': clustering.SphericalClusters,
    'mixture': clustering.MixtureClusters,
}
_SHOWN = 12  # images a cluster
_MEASURES = ('accuracy', 'nmi', 'ari')
_MAX_CLUSTERS = 1000


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The number of clusters, and the examples they are fitted to."""

    clusters: int = option(
        0,
        'Number of clusters; 0: the number of classes, or of examples if there are fewer.',
        within=f'[0, {_MAX_CLUSTERS}]',
    )
    examples: int = option(
        10_000,
        'Number of training examples to which clusters are fitted, sampled at random from larger '
        'training sets.',
        within='[2, inf) examples',
    )
    baselines: bool = option(True, 'Also cluster pixels and PCA scores, as baselines.')
    seed: int = option(
        0,
        'Random seed of the sampled examples and of the initial cluster centers.',
        within='[0, 4294967295]',
    )
    output: str = option('', 'Output folder (default: figures/ in the run).')


def main(argv: list[str]) -> int:
    """Runs `tfae cluster`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, or where there are no
      labels and no --clusters, or fewer examples than clusters.
    """
    flags = command_flags.read('cluster', __doc__, Config, argv)
    with flags.open(names.CODE) as run:
        loaded, part = flags.load(run)
        train = data.sample(loaded.train.images, flags.examples, flags.seed)
        count = flags.clusters or min(loaded.classes, len(train), len(part.images), _MAX_CLUSTERS)
        if not count:
            raise errors.UsageError(
                f'--clusters is 0 and data set {loaded.name} has no labels; it must be the number '
                f'of clusters'
            )
        if len(train) < 2:
            raise errors.InputError(
                'the training split has 1 example; fitting clusters requires at least 2'
            )
        if count > min(len(train), len(part.images)):
            raise errors.UsageError(
                f'--clusters is {count}; there are only {len(train)} examples to fit and '
                f'{len(part.images)} to evaluate'
            )
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        paths = _clustered(flags, run, loaded, part, train, count, folder)
        figures.show([path for path in paths if path.suffix == '.png'], run.step)
    for path in paths:
        print(path)
    return 0


def _clustered(
    flags: Config,
    run: Run,
    loaded: data.DataSet,
    part: data.Split,
    train: np.ndarray,
    count: int,
    folder: pathlib.Path,
) -> list[pathlib.Path]:
    """Fits and evaluates all clusterings, prints and writes; returns the paths of files."""
    found: dict[str, Any] = {'split': flags.split, 'clusters': count, 'fitted': len(train)}
    matrices, labels, clusters, sheets = {}, {}, {}, {}
    print(f'{"":18}{"":18}{"accuracy":>10}{"NMI":>8}{"ARI":>8}')
    for space, method, encode in terminal.progress(_pairs(flags, run, train), ' fits'):
        known, asked = encode(train), encode(part.images)
        fitted = _METHODS[method](known, count, flags.seed)
        chosen = fitted.predict(asked)
        name = f'{space}, {method}'
        clusters[name] = chosen
        order, score = np.arange(count), ''
        words = [''] * count
        if part.labels is not None:
            matrix = clustering.table(part.labels, chosen, count, loaded.classes)
            measured = clustering.agreement(part.labels, chosen, matrix)
            _print(space, method, measured)
            found |= {f'{_key(space, method)}_{key}': measured[key] for key in _MEASURES}
            order = clustering.order(matrix)
            score = f'accuracy {100 * measured["accuracy"]:.1f} %'
            matrices[f'{name}: {score}'] = matrix[order]
            labels[f'{name}: {score}'] = [str(k) for k in order]
            words = _captions(matrix, loaded)
        if space == 'code':
            shown = part._replace(images=run.normalized(part.images))
            rows = _rows(shown, chosen, fitted.closeness(asked), words, order)
            sheets[method] = rows, score
    paths = [folder / 'cluster.json', folder / 'cluster.npz']
    write_json(paths[0], found | {'step': run.step})
    write_npz(paths[1], {name.replace(', ', '_'): array for name, array in clusters.items()})
    what = f'{loaded.name}, {flags.split}: {count} clusters of {len(part.images):,} {loaded.noun}s'
    for method, (rows, score) in sheets.items():
        paths.append(folder / f'cluster_{_plain(method)}.png')
        title = f'{what}, {method} of codes{": " if score else ""}{score}'
        if example_plots.lined(loaded.image_shape):
            panels = [profiles.Panel(words, {'': found}) for words, found in rows.items()]
            example_plots.save_panels(paths[-1], panels, loaded, title, run.unit)
        else:
            every = np.concatenate(list(rows.values()))  # a cluster may be empty: all NaN
            rows = {words: example_plots.images(found, every) for words, found in rows.items()}
            grids.save_rows(paths[-1], rows, title)
    if matrices:
        paths.append(folder / 'cluster.png')
        names = loaded.class_names or tuple(map(str, range(loaded.classes)))
        charts.save_matrices(paths[-1], matrices, labels, names, what)
    return paths


def _print(space: str, method: str, measured: dict[str, float]) -> None:
    cells = [f'{100 * measured["accuracy"]:8.2f} %']
    cells += [f'{measured[key]:8.3f}' for key in ('nmi', 'ari')]
    terminal.write(f'{space:18}{method:18}{"".join(cells)}')


def _pairs(flags: Config, run: Run, train: np.ndarray) -> list[tuple[str, str, Encoder]]:
    """Returns space, method and the function images `[N, H, W, C]` -> points `[N, D]` of each."""
    pairs: list[tuple[str, str, Encoder]] = [('code', name, run.encode) for name in _METHODS]
    if flags.baselines:
        baseline = pca.Baseline(run.normalized(train), run.built.model.code_size)

        def flat(images: np.ndarray) -> np.ndarray:
            return data.flat(run.normalized(images))

        def scores(images: np.ndarray) -> np.ndarray:
            return baseline.encode(run.normalized(images))

        values = data.values(train.shape[1:])
        for name in ('k-means', 'spherical k-means'):
            pairs.append((values, name, flat))
        pairs += [(f'PCA-{baseline.components}', name, scores) for name in _METHODS]
    return pairs


def _key(space: str, method: str) -> str:
    """Returns the JSON key of a row: `kmeans` for codes, else `pixels_kmeans`, `pca_kmeans`, ..."""
    prefix = {'code': ''}.get(space, f'{space.partition("-")[0].lower()}_')
    return f'{prefix}{_plain(method)}'


def _plain(method: str) -> str:
    """Returns the name of a method for JSON keys and file names."""
    return method.replace('-', '').replace(' ', '_')


def _captions(matrix: np.ndarray, loaded: data.DataSet) -> list[str]:
    """Returns a caption for each cluster: the class that it is matched to, and its size."""
    words = []
    for cluster, row in enumerate(matrix):
        total = int(row.sum())
        # More clusters than classes: those without a match are named by their largest class.
        k = clustering.matching(matrix).get(cluster, int(row.argmax()))
        name = loaded.class_names[k] if loaded.class_names else str(k)
        words.append(f'class {name}: {100 * row[k] / max(total, 1):.0f} %\nof {total:,}, ')
    return words


def _rows(
    part: data.Split,
    chosen: np.ndarray,
    closeness: np.ndarray,
    words: list[str],
    order: np.ndarray,
) -> dict[str, np.ndarray]:
    """Returns images of each cluster, the most confident first, blank where there are fewer.

    Args:
      part: of the images.
      chosen: cluster of each image `[N]`.
      closeness: `[N, K]`.
      words: caption of each cluster.
      order: of the clusters `[K]`.
    """
    rows = {}
    blank = np.full([_SHOWN, *part.images.shape[1:]], np.nan, np.float32)
    for k in order:
        places = np.flatnonzero(chosen == k)
        places = places[np.argsort(-closeness[places, k], kind='stable')][:_SHOWN]
        shown = np.concatenate([data.pixels(part.images[places]), blank])[:_SHOWN]
        rows[f'{words[k]}cluster {k}'] = shown
    return rows
