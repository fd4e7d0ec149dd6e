"""What the images of a run are, and which command draws them."""

import pathlib
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfae.core import bounded_files, errors, json_text, names
from tfae.report import measures
from tfae.runs.directory import FIGURES


class Section(NamedTuple):
    """A part of the page of a run, which a command fills."""

    title: str
    command: str
    needs: str = ''  # output of a family without which the command has nothing to draw
    more: str = ''  # flags that the command needs besides --logdir


SECTIONS = {
    'reconstructions': Section('Reconstructions', 'reconstruct', names.RECONSTRUCTION),
    'latent': Section('Latent plane', 'latent', names.CODE),
    'interpolation': Section(
        'Interpolations', 'interpolate', names.RECONSTRUCTION, '--indices=0,1,2,3'
    ),
    'samples': Section('Samples', 'sample'),
    'morph': Section('Attributes', 'morph', names.RECONSTRUCTION, '--attribute=class=0'),
    'explain': Section('Explanations', 'explain', names.CODE),
    'anomaly': Section('Anomalies', 'anomaly', names.RECONSTRUCTION),
    'cluster': Section('Clusters', 'cluster', names.CODE),
    'probe': Section('Probes', 'probe', names.CODE),
}

_EXPLAINED = {
    'gradcam': 'Grad-CAM',
    'saliency': 'Saliency',
    'integrated_gradients': 'Integrated gradients',
    'activation_maximization': 'Activation maximization',
}
# Flags that the JSON of a command has.
_REMEMBERED = {
    'samples': ('kind', 'count', 'seed', 'classifier', 'split'),
    'morph': ('attributes', 'attribute', 'split'),
}
# Names of images -> what they show; the first that fits is taken.
_SHOWN = [
    (
        r'reconstructions_(\w+)',
        'images of the {} part, what the model makes of them, and PCA of the same code size',
    ),
    (r'latent_points', 'codes of images, a point each, colored by class'),
    (r'latent_grid', 'what the decoder makes of codes evenly over the plane'),
    (r'interpolation_square', 'what lies between four images, at the corners; PCA beside it'),
    (r'interpolation', 'the way from image to image through the code, and through PCA'),
    (r'samples', 'new images, which the decoder makes of drawn codes'),
    (r'morph', 'the way through images, as they are and with attributes added'),
    (r'morph_.+', 'images, and what is made of them as an attribute is taken away or added'),
    (r'anomaly', 'how the scores of images lie, and how many hits cost how many false alarms'),
    (r'anomaly_maps', 'images from the least to the largest score, and what is off in them'),
    (r'anomaly_images', 'files that were judged, and what is off in them'),
    (r'cluster_kmeans', 'images of each group that k-means finds in the codes, surest first'),
    (r'cluster_spherical_kmeans', 'images of each group by the angle of codes, surest first'),
    (r'cluster_mixture', 'images of each group of a mixture of Gaussians, surest first'),
    (r'cluster', 'which classes lie in which groups'),
    (r'probe', 'errors of probes on codes, PCA and pixels, and how they fall with labels'),
]


_told: set[str] = set()  # what this process has said of files that are left out


class Caption(NamedTuple):
    """What stands with an image."""

    section: str  # key of SECTIONS, or '' where no command is known to draw it
    text: str
    command: str  # '' where none is known


def caption(path: pathlib.Path, logdir: str) -> Caption:
    """What an image in the figures of a run is, told by its name and by the JSON beside it."""
    stem, section = path.stem, _section(path)
    beside = read(path.with_name('morph.json' if section == 'morph' else f'{stem}.json'))
    if section == 'explain':
        return Caption(section, _explained(stem, beside), _explain(logdir, beside))
    for pattern, words in _SHOWN:
        if found := re.fullmatch(pattern, stem):
            return Caption(section, words.format(*found.groups()), command(section, logdir, beside))
    words = stem.replace('_', ' ')
    return Caption(section, words, command(section, logdir) if section else '')


def command(section: str, logdir: str, found: Mapping[str, Any] | None = None) -> str:
    """The command that fills a section, with what the JSON of an earlier one remembers."""
    _, name, _, more = SECTIONS[section]
    known = found or {}
    flags = [more] if more else []
    if remembered := [name for name in _REMEMBERED.get(section, ()) if name in known]:
        flags = [
            f'--{name}={shlex.quote(str(known[name]))}' for name in remembered if known[name] != ''
        ]
    return ' '.join(['tfae', name, f'--logdir={shlex.quote(logdir)}', *flags])


def read(path: pathlib.Path) -> dict[str, Any]:
    """The object in a JSON file of a run; empty where there is none that can be read.

    What no command wrote there is left out with a line on stderr: a page is made all the same.
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
    """No object, and a line on stderr, once for each file and reason."""
    if why not in _told:
        _told.add(why)
        print(f'tfae: {" ".join(why.split())}; it is left out', file=sys.stderr)
    return {}


def figures(logdir: pathlib.Path) -> list[pathlib.Path]:
    """The images of a run, those that commands draw in the order of SECTIONS, then the others."""
    order = list(SECTIONS)

    def place(path: pathlib.Path) -> tuple[int, str]:
        section = _section(path)
        return (order.index(section) if section else len(order)), path.name

    folder = logdir / FIGURES
    found = [path for path in folder.glob('*') if path.suffix.lower() in ('.png', '.gif')]
    return sorted((path for path in found if path.name[0] != '.'), key=place)


def _section(path: pathlib.Path) -> str:
    """The key of the section that an image belongs to, by its name; empty where it has none."""
    return next((key for key in SECTIONS if re.match(rf'{key}(_|$)', path.stem)), '')


def _explained(stem: str, found: Mapping[str, Any]) -> str:
    method, tensor = found.get('method'), found.get('tensor')
    if method is None or tensor is None:
        return stem.removeprefix('explain_').replace('_', ' ')
    return f'{_EXPLAINED.get(str(method), method)} of {tensor}'


def _explain(logdir: str, found: Mapping[str, Any]) -> str:
    flags = [
        f'--{name}={shlex.quote(str(found[name]))}'
        for name in ('method', 'tensor')
        if found.get(name)
    ]
    return ' '.join(['tfae explain', f'--logdir={shlex.quote(logdir)}', *flags])
