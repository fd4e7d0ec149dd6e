"""What the pictures of a run are, and which command draws them."""

import json
import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfae.core import names
from tfae.runs.directory import FIGURES


class Section(NamedTuple):
    """A part of the page of a run, which a verb fills."""

    title: str
    verb: str
    needs: str = ''  # output of a family without which the verb has nothing to draw
    more: str = ''  # flags that the verb needs besides --logdir


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
    'activation_maximisation': 'Activation maximisation',
}
# Flags that the JSON of a verb has.
_REMEMBERED = {
    'samples': ('kind', 'count', 'seed', 'classifier', 'split'),
    'morph': ('attributes', 'attribute', 'split'),
}
# Names of pictures -> what they show; the first that fits is taken.
_SHOWN = [
    (
        r'reconstructions_(\w+)',
        'pictures of the {} part, what the model makes of them, and PCA of the same code size',
    ),
    (r'latent_points', 'codes of pictures, a point each, coloured by class'),
    (r'latent_grid', 'what the decoder makes of codes evenly over the plane'),
    (r'interpolation_square', 'what lies between four pictures, at the corners; PCA beside it'),
    (r'interpolation', 'the way from picture to picture through the code, and through PCA'),
    (r'samples', 'new pictures, which the decoder makes of drawn codes'),
    (r'morph', 'the way through pictures, as they are and with attributes added'),
    (r'morph_.+', 'pictures, and what is made of them as an attribute is taken away or added'),
    (r'anomaly', 'how the scores of pictures lie, and how many hits cost how many false alarms'),
    (r'anomaly_maps', 'pictures from the least to the largest score, and what is off in them'),
    (r'anomaly_pictures', 'files that were judged, and what is off in them'),
    (r'cluster_kmeans', 'pictures of each group that k-means finds in the codes, surest first'),
    (r'cluster_spherical_kmeans', 'pictures of each group by the angle of codes, surest first'),
    (r'cluster_mixture', 'pictures of each group of a mixture of Gaussians, surest first'),
    (r'cluster', 'which classes lie in which groups'),
    (r'probe', 'errors of probes on codes, PCA and pixels, and how they fall with labels'),
]


class Caption(NamedTuple):
    """What stands with a picture."""

    section: str  # key of SECTIONS, or '' where no verb is known to draw it
    text: str
    command: str  # '' where none is known


_MAX_BYTES = 2**24  # of a JSON file
_MAX_DEPTH = 8
_MAX_KEY = 1000  # characters
_MAX_DIGITS = 300


def caption(path: pathlib.Path, logdir: str) -> Caption:
    """What a picture in the figures of a run is, told by its name and by the JSON beside it."""
    stem = path.stem
    section = next((key for key in SECTIONS if re.match(rf'{key}(_|$)', stem)), '')
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
    _, verb, _, more = SECTIONS[section]
    known = found or {}
    flags = [more] if more else []
    if remembered := [name for name in _REMEMBERED.get(section, ()) if name in known]:
        flags = [
            f'--{name}={shlex.quote(str(known[name]))}' for name in remembered if known[name] != ''
        ]
    return ' '.join(['tfae', verb, f'--logdir={shlex.quote(logdir)}', *flags])


def read(path: pathlib.Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none that can be read.

    Files of more than 16 MiB, of deep nesting or of long keys are not those of a command.
    """
    if not path.is_file():
        return {}
    try:
        with path.open('rb') as file:
            content = file.read(_MAX_BYTES + 1)
        found = json.loads(content, parse_int=_whole) if len(content) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and _plain(found) else {}


def _whole(digits: str) -> int | float:
    """A number that a float holds too, so that it can be compared and formatted."""
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


def _plain(found: Any) -> bool:
    """Whether no value lies deeper and no key is longer than commands write."""
    level = [found]
    for _ in range(_MAX_DEPTH):
        keys = [key for value in level if isinstance(value, dict) for key in value]
        if any(len(key) > _MAX_KEY for key in keys):
            return False
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return not level


def figures(logdir: pathlib.Path) -> list[pathlib.Path]:
    """The pictures of a run, those that verbs draw in the order of SECTIONS, then the others."""
    order = list(SECTIONS)

    def place(path: pathlib.Path) -> tuple[int, str]:
        section = caption(path, '').section
        return (order.index(section) if section else len(order)), path.name

    folder = logdir / FIGURES
    found = [path for path in folder.glob('*') if path.suffix.lower() in ('.png', '.gif')]
    return sorted((path for path in found if path.name[0] != '.'), key=place)


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
