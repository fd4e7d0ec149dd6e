"""Which threads and devices of this machine run a graph."""

import contextlib
import math
import os
from collections.abc import Iterator

import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.runs.options import Config

_LARGE_PRODUCT = 32e6  # multiplications from which two cores beat one


def settings(graph: tf.Graph, watch: Config) -> tf.ConfigProto:
    """Those of a session: thread pools that suit the graph, and a device for each tower."""
    inter, intra = _threads(graph)
    return tf.ConfigProto(
        inter_op_parallelism_threads=watch.inter_op_threads or inter,
        intra_op_parallelism_threads=watch.intra_op_threads or intra,
        device_count={'CPU': max(watch.towers, 1)},  # which costs nothing where there are GPUs
        allow_soft_placement=True,  # some of what a tower runs has no kernel for GPUs
    )


def devices(towers: int) -> tuple[str, ...]:
    """Names of the devices that share a batch; a single one is left to TensorFlow's choice.

    Raises: UsageError if this machine has GPUs, but fewer.
    """
    gpus = len(tf2.config.list_physical_devices('GPU'))
    count = towers or max(gpus, 1)
    if 0 < gpus < count:
        raise errors.UsageError(f'--towers is {towers}; it must be at most {gpus}, the GPUs here')
    kind = 'gpu' if gpus else 'cpu'
    return tuple(f'/{kind}:{i}' for i in range(count)) if count > 1 else ('',)


@contextlib.contextmanager
def initialized() -> Iterator[tf.Session]:
    """Opens a session on the default graph in which every variable has its initial value."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield session


def _threads(graph: tf.Graph) -> tuple[int, int]:
    """Operations run at once and threads that each may take; 0 leaves the choice to TensorFlow.

    Measured by tools/bench/training.py: small matrix products run fastest when each keeps to its
    own cores and independent ones run side by side; large ones are worth splitting, since those of
    the forward pass wait for each other; convolutions use every core by themselves.
    """
    mine = getattr(os, 'sched_getaffinity', lambda _: range(os.cpu_count() or 1))  # not on macOS
    cores = len(mine(0))
    operations = graph.get_operations()
    if any('Conv2D' in op.type for op in operations):
        return 0, 0
    largest = max((_multiplications(op) for op in operations if op.type == 'MatMul'), default=0)
    return 2, cores if largest >= _LARGE_PRODUCT else max(1, cores // 2)


def _multiplications(product: tf.Operation) -> float:
    """mkn of the product of [m, k] and [k, n], either transposed; 0 if one of them is unknown."""
    tensors = (*product.inputs, *product.outputs)
    return math.sqrt(math.prod(tensor.shape.num_elements() or 0 for tensor in tensors))
