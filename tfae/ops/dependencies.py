"""Dependencies between the operations of a static graph."""

from collections.abc import Iterable

import tensorflow.compat.v1 as tf


def ancestors(ops: Iterable[tf.Operation]) -> set[tf.Operation]:
    """Returns operations and every operation that they depend on through inputs."""
    found: set[tf.Operation] = set()
    waiting = list(ops)
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return found
