"""Figures of commands for TensorBoard."""

import pathlib
from collections.abc import Iterable

from tfae.runs.event_file import EventFile
from tfae.training import summaries


def show(paths: Iterable[pathlib.Path], step: int) -> None:
    """Writes the PNGs of a folder to an event file in it, tagged by their names."""
    paths = list(paths)
    file = EventFile(paths[0].parent, None, step)
    for path in paths:
        file.add(summaries.image(path.stem, path), step)
    file.flush()
    file.close()
