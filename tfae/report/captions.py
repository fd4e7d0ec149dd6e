"""Captions of the figures of a run, and the commands that make them."""

import pathlib
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfae.core import bounded_files, config, errors, json_text, names
from tfae.report import measures
from tfae.runs.directory import FIGURES


class Section(NamedTuple):
    """A section of the page of a run, filled by a command."""

    title: str
    command: str
    needs: tuple[str, ...] = ()  # parts of the run, as of `run_page.Graph`


SECTIONS = {
    'reconstructions': Section('Reconstructions', 'reconstruct', (names.RECONSTRUCTION,)),
    'latent': Section('Latent space', 'latent', (names.CODE,)),
    'interpolation': Section('Interpolations', 'interpolate', (names.CODE, names.DECODER)),
    'samples': Section('Samples', 'sample', (names.DECODER,)),
    'morph': Section('Attributes', 'morph', (names.CODE, names.DECODER, names.LABELS)),
    'explain': Section('Explanations', 'explain', (names.CODE,)),
    'anomaly': Section('Anomalies', 'anomaly', (names.CODE, names.RECONSTRUCTION)),
    'cluster': Section('Clusters', 'cluster', (names.CODE, names.LABELS)),
    'probe': Section('Probes', 'probe', (names.CODE, names.LABELS)),
}

_EXPLAINED = {
    'gradcam': 'Grad-CAM',
    'saliency': 'Saliency',
    'integrated_gradients': 'Integrated gradients',
    'activation_maximization': 'Activation maximization',
}
# Flags recorded in the JSON of a command.
_REMEMBERED = {
    'samples': ('kind', 'count', 'seed', 'classifier', 'split', 'over_epochs'),
    'morph': ('attributes', 'attribute', 'path', 'scale', 'split'),
    'explain': ('method', 'tensor', 'baseline'),
}
# Flag and value in files of 0.1.0 -> value of today.
_FORMER_VALUES = {
    ('method', 'activation_maximisation'): 'activation_maximization',
    ('baseline', 'grey'): 'gray',
}
# Pattern of a file name -> caption; the first match is taken.
_CAPTIONS = [
    (
        r'reconstructions_(\w+)',
        'images of the {} split, and their reconstructions by the model and by PCA',
    ),
    (r'latent_points', 'codes of the images in the latent plane, colored by class'),
    (r'latent_grid', 'decoded images at evenly spaced points of the latent plane'),
    (r'latent_traversal', 'decoded images along single latent dimensions of the first image'),
    (
        r'interpolation_square',
        'interpolation between the four images at the corners, next to that in PCA space',
    ),
    (r'interpolation', 'interpolation between images in latent space and in PCA space'),
    (r'samples', 'decoded images of random codes'),
    (r'samples_over_epochs', 'decoded images of the same random codes after several epochs'),
    (r'morph', 'interpolation between images, as they are and with attributes added'),
    (r'morph_path', 'images moved along a path of combinations of attributes in latent space'),
    (r'morph_.+', 'images with an attribute subtracted and added in latent space'),
    (r'anomaly', 'distribution of anomaly scores, and ROC curves'),
    (r'anomaly_maps', 'images from the lowest to the highest anomaly score, with anomaly maps'),
    (
        r'anomaly_(rows|sequences|volumes)',
        'the {} of the highest anomaly scores, and their reconstructions',
    ),
    (r'anomaly_(?:images|pictures)', 'the scored files, with anomaly maps'),
    (r'cluster_kmeans', 'images of each k-means cluster of the codes, closest to its center first'),
    (
        r'cluster_spherical_kmeans',
        'images of each spherical k-means cluster of the codes, closest to its center first',
    ),
    (
        r'cluster_mixture',
        'images of each component of a Gaussian mixture over the codes, most probable first',
    ),
    (r'cluster', 'share of each class in each cluster'),
    (r'probe', 'probe errors on codes, PCA and pixels, and by number of labels'),
]


_reported: set[str] = set()  # warnings that this process has printed


class Caption(NamedTuple):
    """Text below a figure."""

    section: str  # key of SECTIONS; '' if no command makes such a figure
    text: str
    command: str  # '' if unknown


def caption(path: pathlib.Path, logdir: str) -> Caption:
    """Returns the caption of a figure, by its name and the JSON file next to it."""
    stem, section = path.stem, _section(path)
    shared = section == 'morph' and stem != 'morph_path'  # by all figures of a call
    found = read(path.with_name('morph.json' if shared else f'{stem}.json'))
    if section == 'explain':
        return Caption(section, _explained(stem, found), command(section, logdir, found))
    made = command(section, logdir, found) if section and _made(path, found) else ''
    for pattern, text in _CAPTIONS:
        if match := re.fullmatch(pattern, stem):
            return Caption(section, text.format(*match.groups()), made)
    words = stem.replace('_', ' ')
    return Caption(section, words, made)


def _made(path: pathlib.Path, found: Mapping[str, Any]) -> bool:
    """Returns whether the call that wrote the JSON made the figure; `tfae morph` adds figures."""
    rows = found.get('directions')
    names = (
        [row.get('figure') for row in rows if isinstance(row, dict)]
        if isinstance(rows, list)
        else []
    )
    return path.suffix != '.png' or not any(names) or path.name in names


def command(section: str, logdir: str, found: Mapping[str, Any] | None = None) -> str:
    """Returns the command that fills a section, with the flags that an earlier one recorded."""
    known = {name: (found or {}).get(name) for name in _REMEMBERED.get(section, ())}
    flags = [
        f'--{name}={shlex.quote(_today(name, value))}'
        for name, value in known.items()
        if value not in ('', None)
    ]
    name = SECTIONS[section].command
    return ' '.join(['tfae', name, f'--logdir={shlex.quote(logdir)}', *flags])


def read(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object in a JSON file of a run; empty where there is none.

    An unreadable file is skipped with a line on stderr: the page is still written.
    """
    try:
        found = bounded_files.read_json(path)
    except FileNotFoundError:
        return {}
    except errors.InputError as error:
        return _left_out(str(error))
    if not isinstance(found, dict):
        return _left_out(f'{path} is {type(found).__name__}; it must be an object')
    return measures.renamed(json_text.numbers(found))


def _left_out(why: str) -> dict[str, Any]:
    """Returns no object; prints a line on stderr, once for each file and reason."""
    if why not in _reported:
        _reported.add(why)
        print(f'tfae: {" ".join(why.split())}; it is skipped', file=sys.stderr)
    return {}


def figures(logdir: pathlib.Path) -> list[pathlib.Path]:
    """Returns the figures of a run, in the order of SECTIONS, then the others."""
    order = list(SECTIONS)

    def place(path: pathlib.Path) -> tuple[int, str]:
        section = _section(path)
        return (order.index(section) if section else len(order)), path.name

    folder = logdir / FIGURES
    found = [path for path in folder.glob('*') if path.suffix.lower() in ('.png', '.gif')]
    return sorted((path for path in found if path.name[0] != '.'), key=place)


def _section(path: pathlib.Path) -> str:
    """Returns the key of the section of a figure, by its name; empty where it has none."""
    return next((key for key in SECTIONS if re.match(rf'{key}(_|$)', path.stem)), '')


def _explained(stem: str, found: Mapping[str, Any]) -> str:
    method, tensor = found.get('method'), found.get('tensor')
    if method is None or tensor is None:
        return stem.removeprefix('explain_').replace('_', ' ')
    return f'{_EXPLAINED.get(_today("method", method), method)} of {tensor}'


def _today(name: str, value: Any) -> str:
    """Returns the value of a flag as text, whichever version of tfae wrote it."""
    return _FORMER_VALUES.get((name, str(value)), config.text(value))
