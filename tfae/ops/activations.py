"""Activation functions by name, for flags and configuration files."""

from collections.abc import Callable
from typing import Literal

import tensorflow.compat.v1 as tf

Name = Literal['linear', 'relu', 'leaky_relu', 'elu', 'selu', 'sigmoid', 'tanh', 'softplus']

_LEAKY = 0.2
_SELU_SCALE = 1.0507009873554804934
_SELU = 1.7580993408473768600  # the scale times alpha

_FUNCTIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'linear': tf.identity,
    'relu': tf.nn.relu,
    'leaky_relu': tf.nn.leaky_relu,
    'elu': tf.nn.elu,
    'selu': tf.nn.selu,
    'sigmoid': tf.nn.sigmoid,
    'tanh': tf.nn.tanh,
    'softplus': tf.nn.softplus,
}


def get(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of that name, tensor to tensor of the same shape."""
    return _FUNCTIONS[name]


def slope(name: str, output: tf.Tensor) -> tf.Tensor:
    """Derivative of the function of that name, as a function of its output."""
    one, zero = tf.ones_like(output), tf.zeros_like(output)
    below = {'relu': zero, 'leaky_relu': _LEAKY * one, 'elu': output + 1, 'selu': output + _SELU}
    if name in below:
        above = _SELU_SCALE * one if name == 'selu' else one
        return tf.where(output > 0, above, below[name])
    if name == 'sigmoid':
        return output * (1 - output)
    if name == 'tanh':
        return 1 - output * output
    return 1 - tf.exp(-output) if name == 'softplus' else one
