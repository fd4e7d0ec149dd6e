"""TensorFlow's collective operations, which exchange tensors between workers inside the graph.

Every worker builds the same graph, so the n-th collective of one matches the n-th of the others.
Reductions use a ring, in which each of n workers sends 2 (n - 1) / n of the values (Patarasuk and
Yuan, Journal of Parallel and Distributed Computing 69, 2009). All workers end with the same bits.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.distributed.replica import Replica

_GROUP = 1
# Elements per worker from which a tensor is reduced by itself: at 1.25 GB/s it takes as long as the
# ring's messages, of 0.1 ms each.
ALONE = 2**15


def mean(tensors: Sequence[tf.Tensor], replica: Replica) -> list[tf.Tensor]:
    """Returns the mean of each tensor over the workers.

    Large tensors are reduced one by one, the last one first: gradients are computed from a
    network's end, so reduction overlaps with the computation of others. Small ones are
    concatenated.

    Args:
      tensors: of static shapes and one type.
      replica: this worker.
    """
    if replica.workers == 1 or not tensors:
        return list(tensors)
    with tf.name_scope(names.TEAM):
        whole = [tf.convert_to_tensor(tensor) for tensor in tensors]
        large = [i for i, tensor in enumerate(whole) if _alone(tensor, replica.workers)]
        small = [i for i in range(len(whole)) if i not in large]
        found: dict[int, tf.Tensor] = {}
        before: list[tf.Tensor] = []
        for i in reversed(large):
            # One after another, in the same order on every worker.
            with tf.control_dependencies(before):
                found[i] = reduce(whole[i], 'Add', 'Div', replica)
            before = [found[i]]
        if small:
            flat = tf.concat([tf.reshape(whole[i], [-1]) for i in small], 0)
            with tf.control_dependencies(before):
                summed = reduce(flat, 'Add', 'Div', replica)
            parts = tf.split(summed, [whole[i].shape.num_elements() for i in small])
            shaped = [tf.reshape(p, whole[i].shape) for p, i in zip(parts, small, strict=True)]
            found |= dict(zip(small, shaped, strict=True))
        return [found[i] for i in range(len(whole))]


def reduce(value: tf.Tensor, merge: str, final: str, replica: Replica) -> tf.Tensor:
    """Reduces a tensor over all workers: merged by `Add` or `Max`, finalized by `Div` or `Id`."""
    with tf.device('/cpu:0'):
        reduced = tf.raw_ops.CollectiveReduceV2(
            input=value,
            **_group(replica),
            ordering_token=[],
            merge_op=merge,
            final_op=final,
        )
    reduced.set_shape(value.shape)
    return reduced


def from_chief(value: tf.Tensor, shape: Any, replica: Replica) -> tf.Tensor:
    """Broadcasts the chief's `value`, of this shape, to every worker."""
    if replica.index == 0:
        return tf.raw_ops.CollectiveBcastSendV2(input=value, **_group(replica))
    return tf.raw_ops.CollectiveBcastRecvV2(T=value.dtype, shape=shape, **_group(replica))


def _alone(tensor: tf.Tensor, workers: int) -> bool:
    return tensor.shape.num_elements() >= ALONE * workers


def _group(replica: Replica) -> dict[str, Any]:
    """Attributes of the next collective operation of the default graph, which counts them."""
    tf.add_to_collection(names.COLLECTIVES, None)
    return {
        'group_size': replica.workers,
        'group_key': _GROUP,
        'instance_key': len(tf.get_collection_ref(names.COLLECTIVES)),
        'communication_hint': 'ring',
    }
