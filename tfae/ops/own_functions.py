"""User-defined functions in a graph, with checks of their results."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors

Function = Callable[..., tf.Tensor]


def checked(
    who: str,
    spelling: str,
    function: Callable[..., Any],
    shapes: Callable[[tf.TensorShape], Sequence[tf.TensorShape]],
) -> Function:
    """Wraps a function in a check of its results.

    Args:
      who: the flag or argument that names it.
      spelling: `package.module:function`.
      function: of tensors.
      shapes: shape of the first tensor -> shapes of which the result must have one; its type is
        the type of the first tensor.
    Returns: a function that raises UsageError, in one line, where `function` raises an exception or
      returns a wrong shape or type.
    """

    def called(*tensors: tf.Tensor) -> tf.Tensor:
        first = tensors[0]
        try:
            result = tf.convert_to_tensor(function(*tensors))
        except (Exception, SystemExit) as error:
            text = ' '.join(str(error).split())
            raise errors.UsageError(
                f'{who} is {spelling!r}; it raised {type(error).__name__}: {text}'
            ) from error
        wanted = shapes(first.shape)
        fitting = [shape for shape in wanted if result.shape.is_compatible_with(shape)]
        if result.dtype != first.dtype or not fitting:
            raise errors.UsageError(
                f'{who} is {spelling!r}; it returned {result.dtype.name} {result.shape}, it must '
                f'return {first.dtype.name} {" or ".join(map(str, wanted))}'
            )
        # No operation where none is needed: initial values depend on the number of operations.
        known = result.shape.rank is not None and result.shape.as_list() in (
            shape.as_list() for shape in fitting
        )
        return result if known or len(fitting) > 1 else tf.ensure_shape(result, fitting[0])

    return called


def same_shape(shape: tf.TensorShape) -> list[tf.TensorShape]:
    """Returns the result shape of an activation or a corruption."""
    return [shape]


def by_example(shape: tf.TensorShape) -> list[tf.TensorShape]:
    """Returns the result shape of a loss, `[B]`."""
    return [shape[:1]]


def by_example_or_scalar(shape: tf.TensorShape) -> list[tf.TensorShape]:
    """Returns the result shapes of a regularizer, `[B]` or a scalar."""
    return [shape[:1], tf.TensorShape([])]
