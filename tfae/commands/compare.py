"""Compare runs in one table and plot, with PCA of the same code sizes as baseline.

    tfae compare runs/a runs/b ...

Prints a table of the flags that differ, the measures of `tfae evaluate`, parameters, steps and
seconds. Writes it as compare.json and compare.html, with the loss curves of all runs. For runs that
reconstruct images of one data set, compare.png shows the reconstructions of the same images by each
run and by PCA, and compare_curve.png plots the error over the code size.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from tfae.commands.shared import command_flags, reconstructions
from tfae.core import errors
from tfae.core.atomic_files import write_json, write_text
from tfae.core.config import option
from tfae.report import comparison, measures


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Checkpoint, command_flags.Examples):
    """The images to reconstruct, and the output folder."""

    count: int = option(
        12, 'Number of images to reconstruct, starting with the first.', within='[1, 100] images'
    )
    images: bool = option(
        True,
        'Open the runs and reconstruct images; --noimages reads files only.',
        excludes=('--count', '--split', '--checkpoint', '--data_dir'),
        formerly='pictures',
    )
    output: str = option('comparison', 'Output folder.')


def main(argv: list[str]) -> int:
    """Runs `tfae compare`; returns the exit code 0.

    Raises: UsageError for fewer than two runs, InputError for a folder that is not a run.
    """
    flags, logdirs = command_flags.read_words('compare', __doc__, Config, argv, 'RUN RUN ...')
    if len(set(logdirs)) < 2:
        raise errors.UsageError(f'tfae compare needs two or more runs; only {logdirs[0]} was given')
    compared, folder = comparison.sides(logdirs), pathlib.Path(flags.output)
    images: Mapping[pathlib.Path, str] = {}
    notes: list[str] = []
    if flags.images:
        look = command_flags.LookAtData(
            logdir=logdirs[0],
            checkpoint=flags.checkpoint,
            split=flags.split,
            data_dir=flags.data_dir,
        )
        try:
            rebuilt, notes = reconstructions.rebuild(compared, look, flags.count)
        except reconstructions.NoImage as reason:
            notes = [str(reason)]
        else:
            compared = [
                side._replace(reconstructed=rebuilt.measured.get(side.name, {}))
                for side in compared
            ]
            images = reconstructions.plot(rebuilt, compared, flags.split, folder)
    outdated = [
        f'{side.name}: {side.outdated()}; it is ignored' for side in compared if side.outdated()
    ]
    _print(compared, [*outdated, *notes])
    why = '; '.join(notes)
    found, page = folder / 'compare.json', folder / 'compare.html'
    write_json(found, comparison.content(compared, why))
    write_text(page, comparison.page(compared, images, why))
    for path in (found, page, *images):
        print(path)
    return 0


def _print(compared: Sequence[comparison.Side], notes: Sequence[str]) -> None:
    """Prints the table: a column for each run, flags that differ first."""
    head = measures.Row('', '', [measures.Cell(side.name) for side in compared])
    rows = [head, *comparison.differences(compared), *comparison.measured(compared)]
    names = [f'{row.name}, {row.unit}' if row.unit else row.name for row in rows]
    width = max(map(len, names))
    widths = [max(len(row.cells[i].text) for row in rows) for i in range(len(compared))]
    for name, row in zip(names, rows, strict=True):
        cells = [f'{cell.text:>{w}}' for cell, w in zip(row.cells, widths, strict=True)]
        print('  '.join([f'{name:{width}}', *cells]).rstrip())
    for note in notes:
        print(note)
