"""Comparison of runs: differing flags, measures, and the page that shows them."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tfae.core import config
from tfae.report import captions, curves, document, measures, run_page, settings
from tfae.runs.directory import Folder
from tfae.training.experiment import Experiment

# Settings of a data set that say where it is, and those that select training examples alone.
_PLACES = ('data_dir', 'attributes')
_OF_TRAINING = (
    *('validation_fraction', 'only_classes', 'without_classes'),
    *('labeled_examples', 'labeled_seed'),
)


class Side(NamedTuple):
    """One of the compared runs."""

    name: str
    logdir: str
    experiment: Experiment
    records: curves.Records
    evaluation: Mapping[str, Any]
    reconstructed: Mapping[str, Any] = {}  # measured by `compare` on its reconstructions

    def outdated(self) -> str:
        """Returns why the measures of `tfae evaluate` are ignored; empty if they are not."""
        for name in ('split', 'step') if self.reconstructed else ():
            ours = self.reconstructed[name]
            if (theirs := self.evaluation.get(name, ours)) != ours:
                return f'its {run_page.EVALUATION} was measured for {name} {theirs}, not {ours}'
        return ''

    def measured(self) -> dict[str, Any]:
        """Returns all its measures, by name."""
        found = {**self.reconstructed, **({} if self.outdated() else self.evaluation)}
        if phases := curves.phases(self.records):
            found.setdefault('step', phases[-1]['step'])
            found['seconds'] = sum(phase['seconds'] for phase in phases)
        return found


def sides(logdirs: Sequence[str]) -> list[Side]:
    """Returns the runs in these folders, named by the folder, or by its path if names repeat.

    Raises: InputError if a folder is not a run.
    """
    names = [pathlib.Path(logdir).resolve().name for logdir in logdirs]
    found = []
    for name, logdir in zip(names, logdirs, strict=True):
        folder = Folder(logdir)
        evaluation = captions.read(folder.path / run_page.EVALUATION)
        shown = name if names.count(name) == 1 else logdir
        found.append(Side(shown, logdir, folder.read_config(), folder.metrics(), evaluation))
    return found


def differences(compared: Sequence[Side]) -> list[measures.Row]:
    """Returns a row for each flag in which the runs differ, a cell for each run."""
    found = settings.differences([side.experiment for side in compared])
    return [
        measures.Row(
            flag, '', [measures.Cell(measures.MISSING if v is None else v) for v in values]
        )
        for flag, values in found.items()
    ]


def measured(compared: Sequence[Side]) -> list[measures.Row]:
    """Returns a row for each measure, a cell for each run.

    The best value is marked only if all runs were measured on the same split of one data set.
    """
    tables = [side.measured() for side in compared]
    flat = [measures.flattened(table) for table in tables]
    rows = [
        measures.row(name, [table.get(name) for table in flat])
        for name in dict.fromkeys(name for table in flat for name in table)
    ]
    steps = [table.get('step') for table in tables]
    rows.append(measures.row('step', steps))
    if comparable(compared):
        return rows
    return [row._replace(cells=[cell._replace(best=False) for cell in row.cells]) for row in rows]


def comparable(compared: Sequence[Side]) -> bool:
    """Returns whether the runs were measured on the same images, as far as is recorded."""
    runs = [side.experiment for side in compared]
    sets = {
        (_without(run, *_PLACES, *_OF_TRAINING), run.signature.image_shape, run.crop())
        for run in runs
    }
    # With the same flags, other examples are other files.
    flags = {_without(run, *_PLACES) for run in runs}
    examples = {run.signature.fingerprint for run in runs}
    found = [side.measured().get('split') for side in compared]
    splits = {str(split) for split in found if split is not None}  # a file may hold any JSON
    return len(sets) == 1 and len(splits) < 2 and (len(flags) > 1 or len(examples) == 1)


def _without(run: Experiment, *left_out: str) -> tuple[Any, ...]:
    """Returns the values of the other settings of the data set."""
    return tuple(value for name, value in vars(run.data).items() if name not in left_out)


def _loss(experiment: Experiment) -> str:
    """Returns the kind of the loss: family, and likelihood or loss if it can be chosen."""
    family = experiment.family
    chosen = [getattr(family, name) for name in ('likelihood', 'loss') if hasattr(family, name)]
    return ', '.join([experiment.model, *map(config.text, chosen)])


def content(compared: Sequence[Side], why_no_image: str) -> dict[str, Any]:
    """Returns the content of compare.json."""
    return {
        'runs': [
            {
                'name': side.name,
                'logdir': side.logdir,
                'model': side.experiment.model,
                'dataset': side.experiment.data.dataset,
                **side.measured(),
                'reconstructed': dict(side.reconstructed),
            }
            for side in compared
        ],
        'differences': settings.differences([side.experiment for side in compared]),
        'no_image': why_no_image,
    }


def page(compared: Sequence[Side], images: Mapping[pathlib.Path, str], why_no_image: str) -> str:
    """Returns the HTML page of a comparison.

    Args:
      compared: the runs.
      images: path of a figure -> its caption.
      why_no_image: text for the runs without reconstructions; may be empty.
    """
    embedded = document.Images()
    plots = curves.of_runs(
        {side.name: side.records for side in compared},
        {side.name: _loss(side.experiment) for side in compared},
    )
    sets = dict.fromkeys(side.experiment.data.dataset for side in compared)
    return document.render(
        'comparison.html',
        plots,
        title=f'{len(compared)} runs on {", ".join(sets)}',
        compared=compared,
        differences=measures.Table([side.name for side in compared], differences(compared)),
        measured=measures.Table([side.name for side in compared], measured(compared)),
        comparable=comparable(compared),
        conditions=[
            (side.name, run_page.conditions(side.measured()), side.outdated()) for side in compared
        ],
        images=[
            {'name': path.name, 'text': text, 'command': '', 'embedded': embedded.embed(path)}
            for path, text in images.items()
        ],
        why_no_image=why_no_image,
    )
