"""Figures that commands have drawn, for TensorBoard."""

import pathlib
from collections.abc import Iterable

from tfae.runs.event_file import EventFile
from tfae.training import summaries


def show(paths: Iterable[pathlib.Path], step: int) -> None:
    """Puts PNGs of one folder into an event file beside them, tagged by their names."""
    paths = list(paths)
    file = EventFile(paths[0].parent, None, step)
    for path in paths:
        file.add(summaries.image(path.stem, path), step)
    file.flush()
    file.close()
