"""Reconstruction losses: pure, per example `[B]`; the caller averages and weights.

Shapes: B batch; losses sum over all other axes, the pixels of an example.
"""

import dataclasses
import math
from typing import ClassVar, TypeVar

import tensorflow.compat.v1 as tf

from tfae.core import errors, plugins
from tfae.ops import own_functions

T = TypeVar('T', bound='Likelihood')

_FACTORS = 16


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """The loss of a reconstruction: a built-in name, or a user-defined function.

    A function takes targets and outputs `[B, ...]`, the latter after the output activation, and
    returns `[B]`.
    """

    BUILT_IN: ClassVar[tuple[str, ...]] = ('squared_error', 'bernoulli')

    name: str
    own: own_functions.Function | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def from_text(cls: type[T], text: str, who: str = '--likelihood') -> T:
        """Parses a built-in name or `package.module:function`.

        Args:
          text: as on the command line.
          who: flag to name in errors.
        Returns: the likelihood.
        Raises: UsageError that names `who` and the text.
        """
        own = plugins.choice(who, text, cls.BUILT_IN)
        if own is None:
            return cls(text)
        return cls(text, own_functions.checked(who, text, own, own_functions.by_example))

    def __str__(self) -> str:
        return self.name


def squared_error(
    targets: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
    name: str = 'squared_error',
) -> tf.Tensor:
    """Returns the squared error of each example, summed over pixels.

    Args:
      targets: float tensor `[B, ...]`.
      predictions: float tensor of the same shape.
      weights: weight of each pixel, a tensor of that shape; None is 1 for all.
      name: name scope of the operations.
    Returns: float tensor `[B]`.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, targets=targets, predictions=predictions)
    with tf.name_scope(name):
        squares = tf.math.squared_difference(targets, predictions)
        return _sum_pixels(squares if weights is None else weights * squares)


def bernoulli(
    targets: tf.Tensor,
    logits: tf.Tensor,
    weights: tf.Tensor | None = None,
    name: str = 'bernoulli',
) -> tf.Tensor:
    """Returns -log p(target) in nats for independent Bernoulli pixels, summed over pixels.

    Gray targets are probabilities; the sum is then a cross-entropy, whose minimum is the entropy
    of the targets instead of zero.

    Args:
      targets: float tensor `[B, ...]` in [0, 1].
      logits: float tensor of the same shape; sigmoid(logits) are the probabilities.
      weights: weight of each pixel, a tensor of that shape; None is 1 for all.
      name: name scope of the operations.
    Returns: float tensor `[B]`, nats per example.
    Raises: ValueError if the static shapes differ.
    """
    errors.same_shape(name, targets=targets, logits=logits)
    with tf.name_scope(name):
        if weights is None:
            return _bernoulli(targets, logits)
        nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
        return _sum_pixels(weights * nats)


@tf.custom_gradient
def _bernoulli(targets: tf.Tensor, logits: tf.Tensor):
    """Returns max(x, 0) - x t + log(1 + exp(-|x|)), summed over pixels.

    The gradient is given in closed form, sigmoid(x) - t: automatic differentiation of the stable
    formula gives the same values in a dozen passes over the pixels.
    """
    probabilities = tf.nn.sigmoid(logits)
    nats = _sum_pixels(tf.nn.relu(logits) - logits * targets)
    # 1 / (1 + exp(-|x|)) is the probability of the more likely value.
    nats -= _sum_logs(tf.maximum(probabilities, 1 - probabilities))

    def gradient(upstream):
        upstream = tf.reshape(upstream, [-1] + [1] * (logits.shape.rank - 1))
        return -upstream * logits, upstream * (probabilities - targets)

    return nats, gradient


def over_present(present: tf.Tensor, name: str = 'over_present') -> tf.Tensor:
    """Returns weights that restrict a sum over the values of an example to those it has.

    The sum is scaled by the number of values over the number that there are: it is the mean of
    those, times their number in an example without gaps, whose weights are 1. An example without
    any value has the weights 0.

    Args:
      present: float tensor `[B, ...]`, 1 where there is a value, 0 where it is missing.
      name: name scope of the operations.
    Returns: float tensor of that shape.
    """
    with tf.name_scope(name):
        axes = list(range(1, present.shape.rank))
        there = tf.reduce_sum(present, axes, keepdims=True)
        return present * (math.prod(present.shape.as_list()[1:]) / tf.maximum(there, 1))


def _sum_logs(values: tf.Tensor) -> tf.Tensor:
    """Returns the sum over pixels of the logarithms of values in [1/2, 1].

    The logarithm is the most expensive operation of the loss. It is taken of products of 16
    values, which cannot underflow.
    """
    size = math.prod(values.shape.as_list()[1:])
    values = tf.reshape(values, [-1, size])
    values = tf.pad(values, [[0, 0], [0, -size % _FACTORS]], constant_values=1)
    values = tf.reshape(values, [-1, _FACTORS, -(-size // _FACTORS)])
    return _sum_pixels(tf.math.log(tf.reduce_prod(values, 1)))


def _sum_pixels(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))
