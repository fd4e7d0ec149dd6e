"""Build the sub-pixel op for the installed TensorFlow.

The compiler is $CXX, else c++, g++ or clang++; nvcc is $NVCC, else that on the path. The library
replaces the old one atomically; running programs keep the old one.
"""

import dataclasses
import time

from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import Part, option
from tfae.ops import op_library


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The contents of the library."""

    cuda: bool = option(True, 'Also compile the CUDA kernels, if nvcc is found.')


def main(argv: list[str]) -> int:
    """Runs `tfae build-op`; returns the exit code 0.

    Raises: InputError if there is no compiler or the sources do not compile; OSError if they are
      missing or the library cannot be written.
    """
    flags = command_flags.read('build-op', __doc__, Config, argv)
    library = op_library.library()
    started = time.monotonic()
    builder = op_library.builder()
    try:
        builder.build(library, with_cuda=flags.cuda)
    except builder.CannotBuild as reason:
        raise errors.InputError(
            f"the sub-pixel op cannot be built: {reason}; TensorFlow's slower ops are used"
        ) from None
    except RuntimeError as error:
        raise errors.InputError(f'the sub-pixel op does not compile: {error}') from None
    made = builder.stamp(library)
    print(
        f'{library}: for TensorFlow {made.tensorflow}, by {made.compiler}, CUDA: {made.cuda}, '
        f'{time.monotonic() - started:.0f} s'
    )
    return 0
