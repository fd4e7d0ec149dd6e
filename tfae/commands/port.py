"""List what a TF1 program needs to run today, and add it: `tfae port script.py [--write]`.

A line for each name that was removed since TF1: its replacement, or why there is none.
--write adds the line that installs tfae.compat, translates Python 2, and renames functions that
exist under another name with the same arguments. Python 2 divisions that may be integer divisions
are listed, and become true divisions. Takes scripts and notebooks; in a notebook, --write only adds
a cell.

exit codes: 0 nothing to change, or changed by --write; 1 there is something to change; 2 no such
file, or it is not Python; 3 something cannot be ported, and is not changed.
"""

import dataclasses
import pathlib

from tfae import compat
from tfae.commands.shared import command_flags
from tfae.compat import importer, porting
from tfae.core import atomic_files, config, errors


@dataclasses.dataclass(frozen=True)
class Config(config.Part):
    """The result."""

    write: bool = config.option(False, 'Overwrite the programs with the changed versions.')


def main(argv: list[str]) -> int:
    """Runs `tfae port`; returns the largest exit code of the programs, as its help lists them.

    Raises: UsageError for a wrong flag, or a file that is missing or not Python.
    """
    flags, words = command_flags.read_words('port', __doc__, Config, argv, 'script.py ...')
    compat.install(v1_behavior=False)
    importer.install_keras()
    return max(_port(pathlib.Path(word), flags.write) for word in words)


def _port(path: pathlib.Path, write: bool) -> int:
    if not path.is_file():
        raise errors.UsageError(f'{path}: no such file')
    try:
        found = porting.port(path)
    except errors.InputError as error:
        raise errors.UsageError(str(error)) from error
    for finding in found.findings:
        print(f'{path}:{finding.line}: {finding.name}: {finding.remark}')
    kinds = [finding.kind for finding in found.findings]
    impossible = kinds.count(porting.Kind.IMPOSSIBLE)
    changes = bool(found.line) or porting.Kind.CHANGED in kinds
    if found.line:
        print(f'{path}: {"added" if write else "to add"}: {found.line}')
    if impossible:
        print(f'{path}: {impossible} names cannot be ported')
    if not changes:
        print(f'{path}: nothing to change')
    elif write and not found.content:
        raise errors.UsageError(
            f'{path}: --write does not change the code of a notebook; `tfae run {path}` runs it '
            'unchanged'
        )
    elif write:
        mode = path.stat().st_mode
        with atomic_files.replacing(path) as temporary:
            temporary.write_bytes(found.content)
        path.chmod(mode)
    if impossible:
        return 3
    return int(changes and not write)
