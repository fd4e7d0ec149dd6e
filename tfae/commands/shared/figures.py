"""Shows the figures of commands in TensorBoard."""

import pathlib
from collections.abc import Iterable

from tfae.runs.directory import FIGURES, Folder
from tfae.runs.event_file import EventFile
from tfae.training import summaries


def show(paths: Iterable[pathlib.Path], step: int) -> None:
    """Adds figures of a run to its TensorBoard events, tagged by their names.

    Figures written to another folder, with --output, are not added.

    Args:
      paths: PNG files of one folder.
      step: step of the run.
    """
    paths = list(paths)
    figures = paths[0].absolute().parent
    if figures.name != FIGURES or not Folder(figures.parent).exists():
        return
    file = EventFile(figures.parent)
    for path in paths:
        file.add(summaries.image(path.stem, path), step)
    file.flush()
    file.close()
