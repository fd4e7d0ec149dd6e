"""Spectral normalization: kernels are divided by their largest singular value.

    v = W u / |W u|,  u' = W^T v / |W^T v|,  sigma = v^T W u'

is one step of the power iteration (Miyato et al., ICLR 2018, https://arxiv.org/abs/1802.05957,
algorithm 1). u is a variable next to the kernel, and the update u <- u' is in `UPDATE_OPS`. W is
the kernel as a matrix with one column per filter or unit, so that a convolution is normalized by
the matrix of its kernel and not by that of the whole map.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import names


def custom_getter(update: bool, after: Sequence[tf.Tensor] = ()) -> Callable[..., tf.Tensor]:
    """Returns a custom getter of variable scopes that normalizes the variables named `kernel`.

    The gradient reaches the kernel; u and v are constants to it (equation 12 of the paper).

    Args:
      update: whether each kernel that is read adds the update of its u to `UPDATE_OPS`.
      after: what else is computed from u in a step; the update waits for it.
    Returns: the getter; a kernel becomes a tensor of the same shape.
    """

    def get(getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        kernel = getter(name, *args, **kwargs)
        scope, _, last = name.rpartition('/')
        if last != names.KERNEL:
            return kernel
        vector = getter(
            f'{scope}/{names.SINGULAR_VECTOR}' if scope else names.SINGULAR_VECTOR,
            shape=kernel.shape[-1:],
            dtype=kernel.dtype,
            initializer=tf.random_normal_initializer(),
            trainable=False,
            use_resource=True,
            reuse=kwargs.get('reuse'),
        )
        with tf.name_scope(names.SPECTRAL_NORMALIZATION):
            matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
            left, right = _iterated(matrix, vector)
            if update:
                with tf.control_dependencies(after):
                    made = vector.assign(right, read_value=False)
                tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, made)
            sigma = tf.reduce_sum(left * tf.linalg.matvec(matrix, right))
            return tf.math.divide_no_nan(kernel, sigma)  # a kernel of zeros stays one

    return get


def _iterated(matrix: tf.Tensor, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns v and u' of a step of the power iteration, without gradients."""
    left = _unit(tf.linalg.matvec(matrix, u))
    right = _unit(tf.linalg.matvec(matrix, left, transpose_a=True))
    return tf.stop_gradient(left), tf.stop_gradient(right)


def _unit(vector: tf.Tensor) -> tf.Tensor:
    """Returns a vector divided by its norm; zeros stay zeros."""
    return tf.math.divide_no_nan(vector, tf.norm(vector))
