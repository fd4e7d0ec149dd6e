"""Runs side by side: where they differ, what they measure, and the page that shows it."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tfae.report import captions, curves, document, measures, run_page, settings
from tfae.runs.directory import Folder
from tfae.training.experiment import Experiment


class Side(NamedTuple):
    """A run that is compared."""

    name: str
    logdir: str
    experiment: Experiment
    records: curves.Records
    evaluation: Mapping[str, Any]
    drawn: Mapping[str, Any] = {}  # measured where images were drawn, as `tfae evaluate` would

    def measured(self) -> dict[str, Any]:
        """What its files and the comparison say of it, by name."""
        found = {**self.drawn, **self.evaluation}
        if phases := curves.phases(self.records):
            found.setdefault('step', phases[-1]['step'])
            found['seconds'] = sum(phase['seconds'] for phase in phases)
        return found


def sides(logdirs: Sequence[str]) -> list[Side]:
    """The runs in these folders, named by their folders, or by the paths where names are equal.

    Raises: InputError if one of them is no run.
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
    """A row for each flag in which runs differ, a cell for each run."""
    found = settings.differences([side.experiment for side in compared])
    return [
        measures.Row(
            flag, '', [measures.Cell(measures.NOTHING if v is None else v) for v in values]
        )
        for flag, values in found.items()
    ]


def measured(compared: Sequence[Side]) -> list[measures.Row]:
    """A row for each measure, a cell for each run.

    The best is marked where all were measured on the same part of the same data set.
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
    """Whether measures of these runs are of the same images, as far as their files tell."""
    sets = {side.experiment.data.dataset for side in compared}
    found = [side.measured().get('split') for side in compared]
    parts = {str(split) for split in found if split is not None}  # whatever their files hold
    return len(sets) == 1 and len(parts) < 2


def content(compared: Sequence[Side], why_no_image: str) -> dict[str, Any]:
    """What compare.json holds."""
    return {
        'runs': [
            {
                'name': side.name,
                'logdir': side.logdir,
                'model': side.experiment.model,
                'dataset': side.experiment.data.dataset,
                **side.measured(),
                'drawn': dict(side.drawn),
            }
            for side in compared
        ],
        'differences': settings.differences([side.experiment for side in compared]),
        'no_image': why_no_image,
    }


def page(compared: Sequence[Side], images: Mapping[pathlib.Path, str], why_no_image: str) -> str:
    """The page of a comparison.

    Args:
      compared: the runs.
      images: path -> what it shows.
      why_no_image: what stands in their place where there are none.
    """
    taking = document.Images()
    plots = curves.of_runs({side.name: side.records for side in compared})
    sets = dict.fromkeys(side.experiment.data.dataset for side in compared)
    return document.render(
        'comparison.html',
        plots,
        title=f'{len(compared)} runs on {", ".join(sets)}',
        compared=compared,
        differences=measures.Table([side.name for side in compared], differences(compared)),
        measured=measures.Table([side.name for side in compared], measured(compared)),
        comparable=comparable(compared),
        conditions=[(side.name, run_page.conditions(side.measured())) for side in compared],
        images=[
            {'name': path.name, 'text': text, 'command': '', 'taken': taking.take(path)}
            for path, text in images.items()
        ],
        why_no_image=why_no_image,
    )
