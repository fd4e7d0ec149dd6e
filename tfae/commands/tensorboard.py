"""Serve TensorBoard on this machine for a run, or for a folder of runs.

tfae tensorboard --logdir=runs
"""

import dataclasses
import pathlib

from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import Part, option


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The folder, and the address to serve on."""

    logdir: str = option('runs', 'Folder of a run, or of several runs.')
    host: str = option('localhost', 'Address to listen on.')
    port: int = option(6006, 'Port to listen on; 0: any free port.', within='[0, 65535]')


def main(argv: list[str]) -> int:
    """Runs `tfae tensorboard` until it is stopped; returns TensorBoard's exit code.

    Raises: UsageError for a wrong flag; InputError if there is no such folder.
    """
    flags = command_flags.read('tensorboard', __doc__, Config, argv)
    if not pathlib.Path(flags.logdir).is_dir():
        raise errors.InputError(f'--logdir {flags.logdir} is not a folder')
    from tfae.explorer import board, server  # after the flags, since it takes a second

    server.check_host(flags.host)
    program = board.tensorboard()
    program.configure(
        ('tfae', f'--logdir={flags.logdir}', f'--host={flags.host}', f'--port={flags.port}')
    )
    return program.main()
