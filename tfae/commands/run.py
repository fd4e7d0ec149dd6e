"""Run a TF1 program unchanged: `tfae run script.py [arguments]`, or a notebook.

It runs as `python script.py [arguments]` does, in a process where `import tensorflow` is TF1, with
tf.layers, tf.contrib, tf.estimator and input_data. Flags of tfae come before the script; everything
after it is passed to the program. Output, tracebacks and exit code are those of the program. A line
on stderr at the end lists the removed names of numpy and others that were supplied. In a notebook,
magics and shell commands (% and !) are skipped, except for the statement after %time. Operations
that are placed on a GPU run on the CPU if there is no GPU, unless the session has its own
configuration.
"""

import dataclasses
import inspect
import logging
import pathlib
import warnings
from typing import Any

import tensorflow as tf

from tfae import compat
from tfae.commands.shared import command_flags
from tfae.compat import program
from tfae.core import config, errors, terminal


@dataclasses.dataclass(frozen=True)
class Config(config.Part):
    """The process of the program."""

    removed: bool = config.option(
        True,
        'Supply what newer versions of Python, numpy, scipy, matplotlib and Pillow removed, such '
        'as np.int, scipy.misc.imread and xrange, and translate Python 2. np.load then also '
        'loads pickled objects, in all packages, which can execute code contained in a file.',
    )


def main(argv: list[str]) -> Any:
    """Runs `tfae run`; returns the exit code of the program.

    Raises:
      UsageError: a wrong flag, or no script.
      InputError: a script that does not exist or is not Python.
    """
    at = next((i for i, word in enumerate(argv) if not word.startswith('-')), len(argv) - 1)
    takes = 'script.py [arguments]'
    flags, words = command_flags.read_words('run', __doc__, Config, argv[: at + 1], takes)
    path = pathlib.Path(words[0])
    if not path.is_file():
        raise errors.InputError(f'{path}: no such file')
    terminal.release_streams()
    warnings.formatwarning = inspect.unwrap(warnings.formatwarning)  # Python's
    compat.install(as_tensorflow=True, removed=flags.removed)
    tf.config.set_soft_device_placement(True)
    logging.getLogger('tensorflow').setLevel(logging.WARNING)
    return program.run(path, argv[at + 1 :])
