"""Collective operations of TensorFlow, by which workers exchange tensors inside the graph.

Every worker builds the same graph, so the n-th collective of one is the n-th of all. Sums go round
a ring, in which each of n workers sends 2 (n - 1) / n of the numbers (Patarasuk and Yuan, Journal
of Parallel and Distributed Computing 69, 2009): all end with the same bits.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.distributed.replica import Replica

_GROUP = 1
# Numbers of a tensor, for each worker, from which on it goes alone: at 1.25 GB/s it takes as long
# as the ring's messages, of 0.1 ms each.
ALONE = 2**15


def mean(tensors: Sequence[tf.Tensor], replica: Replica) -> list[tf.Tensor]:
    """Returns the mean over the workers of each tensor, all of one type.

    The large ones go by themselves, the last one first: gradients come from a network's end, so
    these are on their way while others are still computed. The small ones go together.
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
            # One after another, in an order that is the same for all.
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
    """Returns a tensor over all workers: merged by `Add` or `Max`, finished by `Div` or `Id`."""
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
    """Returns the chief's `value`, of this shape, on every worker."""
    if replica.index == 0:
        return tf.raw_ops.CollectiveBcastSendV2(input=value, **_group(replica))
    return tf.raw_ops.CollectiveBcastRecvV2(T=value.dtype, shape=shape, **_group(replica))


def _alone(tensor: tf.Tensor, workers: int) -> bool:
    return tensor.shape.num_elements() >= ALONE * workers


def _group(replica: Replica) -> dict[str, Any]:
    """Attributes of the next collective of the default graph, which counts them."""
    tf.add_to_collection(names.COLLECTIVES, None)
    return {
        'group_size': replica.workers,
        'group_key': _GROUP,
        'instance_key': len(tf.get_collection_ref(names.COLLECTIVES)),
        'communication_hint': 'ring',
    }
