"""Checks and normalizes the arguments of layers."""

import inspect
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors

_INITIALIZERS = (
    'constant',
    'glorot_normal',
    'glorot_uniform',
    'he_normal',
    'he_uniform',
    'identity',
    'lecun_normal',
    'lecun_uniform',
    'ones',
    'orthogonal',
    'random_normal',
    'random_uniform',
    'truncated_normal',
    'variance_scaling',
    'zeros',
)
# Initializer that TF1 took from Keras by its name -> arguments that `tf.initializers` lacks there.
_OF_KERAS = {
    'random_normal': {'stddev': 0.05},
    'random_uniform': {'minval': -0.05, 'maxval': 0.05},
    'truncated_normal': {'stddev': 0.05},
}
_SHORT = {'normal': 'random_normal', 'one': 'ones', 'uniform': 'random_uniform', 'zero': 'zeros'}
_ACTIVATIONS = {
    name: getattr(tf.nn, name)
    for name in (
        'crelu', 'elu', 'leaky_relu', 'relu', 'relu6', 'selu', 'sigmoid', 'softmax', 'softplus',
        'softsign', 'swish', 'tanh',
    )
} | {
    'exponential': tf.exp,
    'hard_sigmoid': lambda x: tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0),
}  # fmt: skip
# Regularizers of a variable x; 0.01 is Keras' default.
_REGULARIZERS = {
    'l1': lambda x: 0.01 * tf.reduce_sum(tf.abs(x)),
    'l2': lambda x: 0.01 * tf.reduce_sum(tf.square(x)),
    'l1_l2': lambda x: 0.01 * tf.reduce_sum(tf.abs(x) + tf.square(x)),
}
# Arguments that every layer class accepts besides its own; the underscored two are TF1's.
_COMMON = ('trainable', 'name', 'dtype', 'activity_regularizer', '_scope', '_reuse')
# Arguments that TF1 accepts and that only a Keras model of these layers reads.
_OF_MODELS = ('input_shape', 'input_dim', 'batch_input_shape', 'batch_size')


def named(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a constructor as one dictionary, `**kwargs` included.

    Args:
      arguments: `locals()` on the first line of the constructor.
    Returns: argument name -> value, without the shapes of inputs, which a call determines.
    Raises: TypeError if `kwargs` holds a name that no layer accepts.
    """
    constructor = inspect.signature(arguments['__class__'])
    options = {k: arguments[k] for k in constructor.parameters if k != 'kwargs'}
    extra = {k: value for k, value in arguments['kwargs'].items() if k not in _OF_MODELS}
    unknown = sorted(set(extra) - set(_COMMON))
    if unknown:
        who = type(arguments['self']).__name__
        close = errors.nearest(unknown[0], [*options, *_COMMON])
        raise TypeError(f'{who} got an unknown argument, {unknown[0]}{close}')
    return options | extra


def integer(who: str, value: Any) -> int:
    """Returns `value` as an int of at least 1.

    Raises: ValueError that names `who`.
    """
    try:
        number = int(value) if isinstance(value, float) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f'{who} is {value!r}; it must be a positive integer.')
    return number


def sizes(who: str, value: Any, rank: int) -> tuple[int, ...]:
    """Returns `value` as `rank` ints of at least 1; a single number stands for all of them.

    Raises: ValueError that names `who`.
    """
    try:
        numbers = tuple(
            map(operator.index, value if isinstance(value, Iterable) else [value] * rank)
        )
    except TypeError:
        numbers = ()
    if len(numbers) != rank or min(numbers) < 1:
        several = {1: '', 2: ' or two of them', 3: ' or three of them'}[rank]
        raise ValueError(f'{who} is {value!r}; it must be a positive integer{several}.')
    return numbers


def padding(who: str, value: str, *more: str) -> str:
    """Returns `'valid'`, `'same'` or one of `more`; upper and lower case are accepted.

    Raises: ValueError that names `who`.
    """
    return _lowercase(f'{who}: padding', value, ('valid', 'same', *more))


def data_format(who: str, value: str | None) -> str:
    """Returns `'channels_last'` (also for None) or `'channels_first'`, in lower case.

    Raises: ValueError that names `who`.
    """
    value = 'channels_last' if value is None else value
    return _lowercase(f'{who}: data_format', value, ('channels_last', 'channels_first'))


def activation(who: str, value: Any) -> Callable[[Any], Any] | None:
    """Returns an activation function; `value` is a function or its name.

    Returns: function of one tensor; None for linear.
    Raises: ValueError that names `who`.
    """
    if not isinstance(value, str):
        return value
    if value == 'linear':
        return None
    return _ACTIVATIONS[errors.one_of(f'{who}: activation', value, ('linear', *_ACTIVATIONS))]


def initializer(who: str, value: Any) -> Any:
    """Returns an initializer for `get_variable`.

    Args:
      who: name of the layer, for the error.
      value: initializer, its name or that of its class in Keras, or its `configuration`.
    Raises: ValueError that names `who`.
    """
    if isinstance(value, dict):
        title = errors.one_of(f'{who}: initializer', value['class_name'], _initializer_classes())
        return _initializer_classes()[title].from_config(value['config'])
    if not isinstance(value, str):
        return value
    name = re.sub('(?<=[a-z])(?=[A-Z])', '_', value).lower()
    name = errors.one_of(f'{who}: initializer', _SHORT.get(name, name), _INITIALIZERS)
    return getattr(tf.initializers, name)(**_OF_KERAS.get(name, {}))


def regularizer(who: str, value: Any) -> Any:
    """Returns a function of one tensor that returns a scalar; `value` is one, its name, or None.

    Raises: ValueError that names `who`.
    """
    if not isinstance(value, str):
        return value
    return _REGULARIZERS[errors.one_of(f'{who}: regularizer', value, _REGULARIZERS)]


def configuration(value: Any) -> Any:
    """Returns an argument of a layer as names and numbers, as far as it has any.

    Returns: for an initializer of TensorFlow, a dictionary of `class_name` and `config`; for a
      known activation, its name; any other value itself.
    """
    if type(value) in _initializer_classes().values():
        return {'class_name': type(value).__name__, 'config': value.get_config()}
    return next((name for name, known in _ACTIVATIONS.items() if known is value), value)


def training(value: Any) -> Any:
    """Returns a Python bool if `value` is known while the graph is built, else the tensor."""
    if not tf.is_tensor(value):
        return bool(value)
    known = tf.get_static_value(value)
    return value if known is None else bool(known)


def _initializer_classes() -> dict[str, Any]:
    found = (getattr(tf.initializers, name) for name in _INITIALIZERS)
    return {kind.__name__: kind for kind in found if isinstance(kind, type)}


def _lowercase(who: str, value: str, known: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{who} is {value!r}; it must be one of {", ".join(known)}')
    return errors.one_of(who, value.lower(), known)
