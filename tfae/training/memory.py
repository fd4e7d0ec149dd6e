"""What the variables of a graph will take, refused while the graph is built.

A static graph is known before any of its memory is taken: absurd sizes need not end in hours of
allocating, or in a process that the system ends without a word.
"""

import contextlib
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors

_MOST_VARIABLES = 2000  # to build the graph of more takes hours; 100 layers have 400, adam 800 more
# Files in which Linux tells how much a container may take, of either version of its groups.
_LIMITS = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')


def of_machine() -> int:
    """Bytes of memory that a program can have here."""
    found = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
    for path in map(pathlib.Path, _LIMITS):
        with contextlib.suppress(OSError, ValueError):  # where there is none, it holds `max`
            found.append(int(path.read_text()))
    return min(found)


@contextlib.contextmanager
def bounded(what: str, limit: int | None = None) -> Iterator[None]:
    """Refuses variables made inside that take more than `limit` bytes, or are very many.

    Those that training adds, such as an optimizer's, count as well.

    Args:
      what: they belong to, for the error.
      limit: in bytes; None is the memory of this machine.
    Raises: UsageError with the sum, the last variable and the limit.
    """
    most = of_machine() if limit is None else limit
    sizes: dict[str, int] = {}

    def counted(getter: Any, name: str, *arguments: Any, **more: Any) -> Any:
        shape = tf.TensorShape(more.get('shape'))
        if name not in sizes and shape.is_fully_defined():
            sizes[name] = _bytes(shape.as_list(), more.get('dtype'))
            if len(sizes) > _MOST_VARIABLES:
                raise errors.UsageError(
                    f'{what}: it has more than {_MOST_VARIABLES:,} variables; give it fewer layers'
                )
            if sum(sizes.values()) > most:
                raise errors.UsageError(
                    f'{what}: its variables take {_gigabytes(sum(sizes.values()))} or more, '
                    f'{_gigabytes(sizes[name])} of them {name} of shape {shape.as_list()}; this '
                    f'machine has {_gigabytes(most)}'
                )
        return getter(name, *arguments, **more)

    # The scope that is open already, so that no name changes.
    scope = tf.get_variable_scope()
    with tf.variable_scope(scope, custom_getter=counted, auxiliary_name_scope=False):
        yield


def _bytes(shape: list[int], dtype: Any) -> int:
    return math.prod(shape) * tf.as_dtype(dtype or tf.float32).size


def _gigabytes(count: int) -> str:
    return f'{count / 1e9:,.1f} GB'
