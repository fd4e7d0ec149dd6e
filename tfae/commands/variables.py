"""List the variables of a run by collection and scope, and write them as .npz.

--collection and --scope are those of tf.get_collection: the name of a collection (see tf.GraphKeys;
`variables` has all, `trainable_variables` the trainable ones) and a prefix of the names.
"""

import dataclasses
import pathlib

import tensorflow.compat.v1 as tf

from tfae.commands.shared import command_flags, variable_table
from tfae.core import errors
from tfae.core.atomic_files import write_npz
from tfae.core.config import option


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Look):
    """The variables, and the output file."""

    collection: str = option(tf.GraphKeys.GLOBAL_VARIABLES, 'Collection of the variables.')
    scope: str = option(
        '',
        'Regular expression that matches the start of their names, as in tf.get_collection '
        '(default: all variables).',
    )
    export: str = option('', 'Output .npz of their values (default: none).')

    def __post_init__(self):
        super().__post_init__()
        variable_table.check_scope(self.scope)


def main(argv: list[str]) -> int:
    """Runs `tfae variables`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.Look` does, and for an unknown collection.
    """
    flags = command_flags.read('variables', __doc__, Config, argv)
    with flags.open() as run:
        known = run.graph.get_all_collection_keys()
        collection = errors.one_of('--collection', flags.collection, known)
        found = run.variables(collection, flags.scope)
        collections = {name: _collections(run.graph, name) for name in found}
    if not found:
        raise errors.InputError(
            f'--scope {flags.scope!r} matches no name in collection {collection}'
        )
    variable_table.show(list(found), found.__getitem__, collections)
    if flags.export:
        path = pathlib.Path(flags.export)
        write_npz(path, found)
        print(f'{path}: {len(found)} variables')
    return 0


def _collections(graph: tf.Graph, name: str) -> str:
    keys = graph.get_all_collection_keys()
    return ','.join(
        key
        for key in keys
        if any(
            getattr(getattr(v, 'op', None), 'name', '') == name for v in graph.get_collection(key)
        )
    )
