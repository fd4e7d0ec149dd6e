"""Write the codes of a split as .npz, and for TensorBoard's projector."""

import dataclasses
import pathlib

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import names
from tfae.core.atomic_files import write_npz
from tfae.core.config import option
from tfae.runs.directory import PROJECTOR
from tfae.training import summaries


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The output file."""

    output: str = option(
        '', 'Output .npz with the arrays codes and labels (default: codes_<split>.npz in the run).'
    )


def main(argv: list[str]) -> int:
    """Runs `tfae embed`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does.
    """
    flags = command_flags.read('embed', __doc__, Config, argv)
    with flags.open(names.CODE) as run:
        loaded, part = flags.load(run)
        codes = run.encode(part.images)
    name = f'codes_{flags.split}.npz'
    path = pathlib.Path(flags.output or run.folder.place(name))
    arrays = {'codes': codes} if part.labels is None else {'codes': codes, 'labels': part.labels}
    run.folder.place(PROJECTOR)  # is not a link
    write_npz(path, arrays)
    count = min(len(codes), summaries.projector_limit(part.images.shape[1:]))
    labels = part.labels
    words = None if labels is None else data.class_words(labels[:count], loaded.class_names)
    shown = data.pixels(part.images[:count])
    summaries.write_projector(run.folder.path, codes[:count], words, shown)
    print(f'{path}: codes {codes.shape[0]:,} x {codes.shape[1]}')
    print(f'{run.folder.path}/projector: the first {count:,} for TensorBoard')
    return 0
