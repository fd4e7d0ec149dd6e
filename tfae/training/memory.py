"""Limits the memory of a graph's variables while the graph is built.

A static graph is known before its memory is allocated: excessive sizes raise at once, instead of
hours of allocation or a process that the system kills without a message.
"""

import contextlib
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors

_MAX_VARIABLES = 2000  # building a graph of more takes hours; 100 layers have 400, adam adds 800
# Files with the memory limit of a Linux container, for both versions of cgroups.
_LIMITS = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')


def of_machine() -> int:
    """Returns the memory that this process can use, in bytes."""
    found = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
    for path in map(pathlib.Path, _LIMITS):
        with contextlib.suppress(OSError, ValueError):  # without a limit, the file contains `max`
            found.append(int(path.read_text()))
    return min(found)


@contextlib.contextmanager
def bounded(what: str, limit: int | None = None) -> Iterator[None]:
    """Raises UsageError once variables created in the block exceed a limit.

    Variables of training, such as an optimizer's, count too.

    Args:
      what: owner of the variables, for the error.
      limit: in bytes; None is the memory of this machine.
    Raises: UsageError with the sum, the last variable and the limit; also for more than 2000
      variables.
    """
    most = of_machine() if limit is None else limit
    sizes: dict[str, int] = {}

    def counted(getter: Any, name: str, *arguments: Any, **more: Any) -> Any:
        shape = tf.TensorShape(more.get('shape'))
        if name not in sizes and shape.is_fully_defined():
            sizes[name] = _bytes(shape.as_list(), more.get('dtype'))
            if len(sizes) > _MAX_VARIABLES:
                raise errors.UsageError(
                    f'{what}: it has more than {_MAX_VARIABLES:,} variables; use fewer layers'
                )
            if sum(sizes.values()) > most:
                raise errors.UsageError(
                    f'{what}: its variables take {_gigabytes(sum(sizes.values()))} or more, '
                    f'{_gigabytes(sizes[name])} of it {name} of shape {shape.as_list()}; this '
                    f'machine has {_gigabytes(most)}'
                )
        return getter(name, *arguments, **more)

    # Reenter the current scope, so that no name changes.
    scope = tf.get_variable_scope()
    with tf.variable_scope(scope, custom_getter=counted, auxiliary_name_scope=False):
        yield


def _bytes(shape: list[int], dtype: Any) -> int:
    return math.prod(shape) * tf.as_dtype(dtype or tf.float32).size


def _gigabytes(count: int) -> str:
    return f'{count / 1e9:,.1f} GB'
