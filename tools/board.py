"""Serves TensorBoard at this machine only, with any of its flags; see `tfae.explorer.board`.

python tools/board.py --logdir=runs
"""

import sys

from absl import app
from tensorboard import main_lib
from tensorboard.plugins import base_plugin

from tfae.explorer import board


def main() -> None:
    """Serves until it is terminated."""
    main_lib.global_init()
    program = board.tensorboard()
    try:
        app.run(program.main, flags_parser=program.configure)
    except base_plugin.FlagsError as error:
        sys.exit(f'board.py: {error}')


if __name__ == '__main__':
    main()
