"""Activation functions by name, for flags and configuration files.

A name is a built-in one or `package.module:function`: a function of a tensor to a tensor of the
same shape and type.
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar, TypeVar

import tensorflow.compat.v1 as tf

from tfae.core import plugins
from tfae.ops import own_functions

_LEAKY = 0.2
_SELU_SCALE = 1.0507009873554804934
_SELU = 1.7580993408473768600  # the scale times alpha


def _tanh(x: tf.Tensor) -> tf.Tensor:
    """Returns tanh(x), kept apart from a convolution and its batch normalization.

    TensorFlow 2.21 fuses the three on processors on which it uses oneDNN, and then fails: "Fusion
    is not implemented: [FusedBatchNorm,Tanh]". A node that it does not remove keeps them apart.
    """
    return tf.nn.tanh(tf.ensure_shape(x, x.shape))


_FUNCTIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'linear': tf.identity,
    'relu': tf.nn.relu,
    'leaky_relu': tf.nn.leaky_relu,
    'elu': tf.nn.elu,
    'selu': tf.nn.selu,
    'sigmoid': tf.nn.sigmoid,
    'tanh': _tanh,
    'softplus': tf.nn.softplus,
    'auto': tf.identity,  # of an output that a family has not chosen yet
}
T = TypeVar('T', bound='Activation')


@dataclasses.dataclass(frozen=True)
class Activation:
    """An elementwise function: from a tensor to a tensor of the same shape and type."""

    BUILT_IN: ClassVar[tuple[str, ...]] = tuple(name for name in _FUNCTIONS if name != 'auto')

    name: str
    function: Callable[[tf.Tensor], tf.Tensor] = dataclasses.field(compare=False, repr=False)

    @classmethod
    def from_text(cls: type[T], text: str, who: str = '--activation') -> T:
        """Returns the activation of a built-in name, or of `package.module:function`.

        Raises: UsageError that names `who` and the text.
        """
        own = plugins.choice(who, text, cls.BUILT_IN)
        if own is None:
            return cls(text, _FUNCTIONS[text])
        return cls(text, own_functions.checked(who, text, own, own_functions.same_shape))

    def __str__(self) -> str:
        return self.name

    def derivative(self, output: tf.Tensor) -> tf.Tensor | None:
        """Returns the derivative as a function of the output; None unless built in."""
        if self.name not in _FUNCTIONS:
            return None
        return _derivative(self.name, output)


class OfOutput(Activation):
    """The activation of the output: pixels of a reconstruction, or columns of a table."""

    BUILT_IN: ClassVar[tuple[str, ...]] = ('auto', 'sigmoid', 'linear')


LINEAR = Activation.from_text('linear')


def _derivative(name: str, output: tf.Tensor) -> tf.Tensor:
    one, zero = tf.ones_like(output), tf.zeros_like(output)
    below = {'relu': zero, 'leaky_relu': _LEAKY * one, 'elu': output + 1, 'selu': output + _SELU}
    if name in below:
        above = _SELU_SCALE * one if name == 'selu' else one
        # At 0 as TensorFlow: relus have the lower slope, elus the upper.
        lower = output < 0 if name in ('elu', 'selu') else output <= 0
        return tf.where(lower, below[name], above)
    if name == 'sigmoid':
        return output * (1 - output)
    if name == 'tanh':
        return 1 - output * output
    return 1 - tf.exp(-output) if name == 'softplus' else one
