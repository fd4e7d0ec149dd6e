"""Build the sub-pixel op again, for the TensorFlow that is installed now.

The library is written under a temporary name and then put in the place of the old one, which
programs that have it open keep.
"""

import dataclasses
import time

from tfae import checks, op_library
from tfae.commands import _flags


@dataclasses.dataclass(frozen=True)
class Config:
    """Takes no flags."""


def main(argv: list[str]) -> int:
    """Runs `tfae build-op`; returns the exit code 0.

    Raises: InputError if there is no compiler, or the sources are not there or do not compile.
    """
    _flags.read('build-op', __doc__, Config, argv)
    builder, library = op_library.builder(), op_library.library()
    started = time.monotonic()
    try:
        builder.build(library)
    except builder.CannotBuild as reason:
        raise checks.InputError(
            f'the sub-pixel op cannot be built: {reason}; stock TensorFlow ops serve, slower'
        ) from None
    except RuntimeError as error:
        raise checks.InputError(f'the sub-pixel op does not compile: {error}') from None
    made = builder.stamp(library)
    print(
        f'{library}: for TensorFlow {made.tensorflow}, by {made.compiler}, CUDA: {made.cuda}, '
        f'{time.monotonic() - started:.0f} s'
    )
    return 0
