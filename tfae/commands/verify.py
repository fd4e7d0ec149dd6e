"""Check shards against their checksums: `tfae verify --input=shards`.

Reads every byte. Lists each shard that is missing, truncated or changed, and the affected image.
"""

import dataclasses
import pathlib

from tfae.commands.shared import command_flags
from tfae.core import config, errors, terminal
from tfae.data.formats import shards


@dataclasses.dataclass(frozen=True)
class Config(config.Part):
    """The shards to check."""

    input: str = config.option('', 'Folder of shards, as `tfae convert` writes them. Required.')


def main(argv: list[str]) -> int:
    """Runs `tfae verify`; returns the exit code 0 if all shards are intact.

    Raises:
      UsageError: a wrong flag.
      InputError: a folder without an index, or with damaged shards, all of which are printed.
    """
    flags = command_flags.read('verify', __doc__, Config, argv)
    if not flags.input:
        raise errors.UsageError('--input is empty; it must name a folder of shards')
    index = shards.read_index(pathlib.Path(flags.input))
    damaged = []
    with terminal.bar(len(index.shards), ' shards') as bar:
        for shard in index.shards:
            if problem := shards.problem(index, shard):
                bar.write(problem)
                damaged.append(shard.file)
            bar.update()
    count = len(index.shards)
    if damaged:
        raise errors.InputError(
            f'{index.folder}: {len(damaged)} of {count} shards are damaged: {", ".join(damaged)}'
        )
    examples = sum(shard.examples for shard in index.shards)
    print(f'{index.folder}: {count} shards with {examples:,} images are intact.')
    return 0
