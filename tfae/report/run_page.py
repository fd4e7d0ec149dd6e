"""The HTML page of one run."""

import os
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from tfae.report import captions, curves, document, measures, settings
from tfae.runs.directory import Folder

EVALUATION = 'evaluation.json'

_MAX_TILES = 6

# Section -> JSON that its command writes, relative to the run.
MEASURED = {
    'samples': 'figures/samples.json',
    'anomaly': 'anomaly.json',
    'cluster': 'figures/cluster.json',
    'probe': 'figures/probe.json',
}


class Variable(NamedTuple):
    """A variable of a run."""

    name: str
    shape: str
    dtype: str
    size: int  # number of values; 0 if it depends on the data


class Graph(NamedTuple):
    """The graph of an open run."""

    step: int
    checkpoint: str
    has: Set[str]  # its parts: outputs of the family, decoder, labels, by their names in `names`
    collections: Mapping[str, Sequence[Variable]]


class Part(NamedTuple):
    """A section of the page."""

    key: str
    title: str
    command: str
    conditions: str
    table: measures.Table | None
    figures: list[dict[str, Any]]


def page(folder: Folder, graph: Graph | None, trouble: str = '') -> str:
    """Returns the HTML page of a run.

    Args:
      folder: of the run.
      graph: of the open run; None if it cannot be opened.
      trouble: the reason why it cannot.

    Raises: InputError if config.json cannot be read.
    """
    experiment, records = folder.read_config(), folder.metrics()
    logdir = os.fspath(folder.path)
    evaluation = captions.read(folder.path / EVALUATION)
    parts, others = _parts(folder)
    found = {part.key for part in parts}
    missing = [
        captions.command(key, logdir)
        for key, section in captions.SECTIONS.items()
        if key not in found and (not graph or graph.has >= set(section.needs))
    ]
    if not evaluation:
        missing.insert(0, f'tfae evaluate --logdir={shlex.quote(logdir)}')
    changed = settings.changed(experiment)
    plots = curves.of_run(records)
    return document.render(
        'run.html',
        plots,
        title=folder.path.resolve().name,
        logdir=logdir,
        experiment=experiment,
        command=settings.command(experiment, logdir),
        changed=changed,
        unchanged=[s for s in settings.settings(experiment) if s not in changed],
        tiles=_tiles(evaluation, records, graph),
        phases=curves.phases(records),
        evaluation=measures.table(evaluation) if evaluation else None,
        conditions=conditions(evaluation),
        confusion=_confusion(evaluation, experiment.signature.class_names),
        parts=parts,
        others=others,
        graph=graph,
        trouble=trouble,
        missing=missing,
    )


def conditions(found: Mapping[str, Any]) -> str:
    """Returns the conditions of a measurement: `test split, 10,000 examples, step 9,375`."""
    words = []
    if 'split' in found:
        words.append(f'{found["split"]} split')
    if 'examples' in found:
        words.append(f'{measures.number(found["examples"])} examples')
    if 'step' in found:
        words.append(f'step {measures.number(found["step"])}')
    return ', '.join(words)


def _tiles(
    evaluation: Mapping[str, Any], records: curves.Records, graph: Graph | None
) -> list[tuple[str, str, str]]:
    """Returns the headline numbers: `(name, value, text below)`."""
    tiles = []
    if 'mse' in evaluation:
        ours, theirs = evaluation['mse'], evaluation.get('pca_mse')
        below = f'PCA, same code size: {measures.number(theirs)}' if theirs else 'per pixel'
        tiles.append((measures.measure('mse').name, measures.number(ours), below))
    chosen = 'elbo' if 'log_likelihood' not in evaluation else 'log_likelihood'
    for name in ('error', chosen, 'knn_error'):
        if name in evaluation:
            known = measures.measure(name)
            value = measures.number(evaluation[name], known.factor)
            percent = known.unit == '%'
            tiles.append(
                (known.name, f'{value} %' if percent else value, '' if percent else known.unit)
            )
    size = evaluation.get('code_size')
    if size:
        tiles.append((measures.measure('code_size').name, measures.number(size), 'per image'))
    parameters = evaluation.get('parameters')
    if parameters:
        tiles.append(('parameters', measures.number(parameters), 'trainable'))
    phases = curves.phases(records)
    if phases:
        step = measures.number(phases[-1]['step'])
        seconds = sum(phase['seconds'] for phase in phases)
        tiles.append(('training', duration(seconds), f'{step} steps'))
    elif graph:
        tiles.append(('training', measures.number(graph.step), 'steps'))
    return tiles[:_MAX_TILES]


def duration(seconds: float) -> str:
    """Formats seconds as `12.3 s`, `5 min 20 s` or `2.1 h`."""
    if seconds < 100:
        return f'{seconds:.3g} s'
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes} min {rest} s' if minutes < 100 else f'{minutes / 60:.1f} h'


def _parts(folder: Folder) -> tuple[list[Part], list[dict[str, Any]]]:
    """Returns the sections with content, and the figures that belong to none."""
    images, embedded = defaultdict(list), document.Images()
    for path in captions.figures(folder.path):
        caption = captions.caption(path, os.fspath(folder.path))
        images[caption.section].append(
            {
                'name': path.name,
                'text': caption.text,
                'command': caption.command,
                'embedded': embedded.embed(path),
            }
        )
    parts = []
    for key, section in captions.SECTIONS.items():
        found = captions.read(folder.path / MEASURED[key]) if key in MEASURED else {}
        if found or images[key]:
            table = measures.table(found) if found else None
            parts.append(
                Part(key, section.title, section.command, conditions(found), table, images[key])
            )
    return parts, images['']


def _confusion(evaluation: Mapping[str, Any], class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Returns a row for each true class: name, counts and their fractions of the row."""
    matrix: Any = evaluation.get('confusion')
    counted = isinstance(matrix, list) and all(isinstance(counts, list) for counts in matrix)
    if not counted or not all(isinstance(count, int) for counts in matrix for count in counts):
        return []
    rows = []
    for i, counts in enumerate(matrix):
        total = max(sum(counts), 1)
        name = class_names[i] if i < len(class_names) else str(i)
        cells = [
            {'count': count, 'part': count / total, 'own': i == k} for k, count in enumerate(counts)
        ]
        rows.append({'name': name, 'cells': cells})
    return rows
