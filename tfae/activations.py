"""Activation functions by name, for flags and configuration files."""

from collections.abc import Callable
from typing import Literal

import tensorflow.compat.v1 as tf

Name = Literal['linear', 'relu', 'leaky_relu', 'elu', 'selu', 'sigmoid', 'tanh', 'softplus']

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
