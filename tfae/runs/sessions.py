"""Sessions of a run: the threads and devices that execute its graph."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.distributed import cluster
from tfae.runs.options import Config

_LARGE_PRODUCT = 32e6  # multiplications from which two cores beat one


@contextlib.contextmanager
def open_session(
    graph: tf.Graph, options: Config, members: cluster.Members | None = None
) -> Iterator[tf.Session]:
    """Opens a session whose thread pools suit the graph.

    Args:
      graph: to execute.
      options: threads and towers.
      members: the workers that train together, for all of which it waits; None for this process.
    """
    settings = _settings(graph, options)
    server = _server(settings, members) if members else None
    session = tf.Session(server.target if server else '', graph=graph, config=settings)
    lost = False
    try:
        with session.as_default(), graph.as_default():
            yield session
    except cluster.Lost:
        lost = True  # closing it might block forever
        raise
    finally:
        if not lost:
            session.close()


@contextlib.contextmanager
def holding(graph: tf.Graph, values: Mapping[str, np.ndarray]) -> Iterator[tf.Session]:
    """Opens a session on a graph whose variables have these values, by name."""
    with graph.as_default(), tf.Session(graph=graph) as session:
        for variable in tf.global_variables():
            variable.load(values[variable.op.name], session)
        yield session


@contextlib.contextmanager
def initialized() -> Iterator[tf.Session]:
    """Opens a session on the default graph in which every variable has its initial value."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield session


def open_first() -> None:
    """Opens the first session of the process; to be called while stderr is discarded.

    TensorFlow 2.18 to 2.20 write a line to it at the first session, at any log level.
    """
    if tf2.__version__.startswith(('2.18.', '2.19.', '2.20.')):
        with tf.Graph().as_default(), tf.Session() as session:
            session.run(tf.constant(0))


def devices(towers: int) -> tuple[str, ...]:
    """Returns the devices among which a batch is split; TensorFlow chooses a single one.

    Args:
      towers: number of devices; 0 takes every GPU.
    Raises: UsageError if this machine has GPUs, but fewer.
    """
    gpus = len(tf2.config.list_physical_devices('GPU'))
    count = towers or max(gpus, 1)
    if 0 < gpus < count:
        raise errors.UsageError(f'--towers is {towers}; it must be at most {gpus}, the GPUs here')
    kind = 'gpu' if gpus else 'cpu'
    return tuple(f'/{kind}:{i}' for i in range(count)) if count > 1 else ('',)


def _settings(graph: tf.Graph, options: Config) -> tf.ConfigProto:
    """Returns the settings of a session: thread pools, and a device for each tower."""
    inter, intra = _threads(graph)
    return tf.ConfigProto(
        inter_op_parallelism_threads=options.inter_op_threads or inter,
        intra_op_parallelism_threads=options.intra_op_threads or intra,
        device_count={'CPU': max(options.towers, 1)},  # unused where there are GPUs
        allow_soft_placement=True,  # some operations of a tower have no kernel for GPUs
    )


def _server(settings: tf.ConfigProto, members: cluster.Members) -> tf.train.Server:
    """Starts TensorFlow's server, which listens until the process ends; waits for all members."""
    members.refuse_taken_port()
    settings.experimental.collective_group_leader = '/job:worker/replica:0/task:0'
    settings.device_filters.append(f'/job:worker/task:{members.index}')
    # Half of the timeout, so that a worker that notices a restarted one late still reaches it in
    # time.
    settings.operation_timeout_in_ms = round(members.timeout / 2 * 1000)
    jobs = {'worker': list(members.addresses)}
    server = tf.train.Server(jobs, job_name='worker', task_index=members.index, config=settings)
    members.wait()
    return server


def _threads(graph: tf.Graph) -> tuple[int, int]:
    """Returns the numbers of parallel operations and of threads for each; 0 is TensorFlow's choice.

    Measured by tools/bench/training.py: small matrix products are fastest on few cores each, with
    independent ones in parallel. Large ones are worth splitting, since those of the forward pass
    depend on each other. Convolutions use every core.
    """
    mine = getattr(os, 'sched_getaffinity', lambda _: range(os.cpu_count() or 1))  # not on macOS
    cores = len(mine(0))
    operations = graph.get_operations()
    if any('Conv2D' in op.type for op in operations):
        return 0, 0
    largest = max((_multiplications(op) for op in operations if op.type == 'MatMul'), default=0)
    return 2, cores if largest >= _LARGE_PRODUCT else max(1, cores // 2)


def _multiplications(product: tf.Operation) -> float:
    """Returns mkn for a product of [m, k] and [k, n], transposed or not; 0 if a size is unknown."""
    tensors = (*product.inputs, *product.outputs)
    return math.sqrt(math.prod(tensor.shape.num_elements() or 0 for tensor in tensors))
