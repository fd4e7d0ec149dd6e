"""Checks and normalizes the arguments of layers."""

import operator
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
_ACTIVATIONS = (
    'crelu',
    'elu',
    'leaky_relu',
    'relu',
    'relu6',
    'selu',
    'sigmoid',
    'softmax',
    'softplus',
    'softsign',
    'swish',
    'tanh',
)
# Arguments that every layer class accepts besides its own; the underscored two are TF1's.
_COMMON = ('trainable', 'name', 'dtype', 'activity_regularizer', '_scope', '_reuse')


def named(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a constructor as one dictionary, `**kwargs` included.

    Args:
      arguments: `locals()` on the first line of the constructor.
    Returns: argument name -> value.
    Raises: TypeError if `kwargs` holds a name that no layer accepts.
    """
    options = {k: v for k, v in arguments.items() if k not in ('self', '__class__', 'kwargs')}
    extra = arguments.get('kwargs', {})
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


def pair(who: str, value: Any) -> tuple[int, int]:
    """Returns `value` as two ints of at least 1; a single number is used twice.

    Raises: ValueError that names `who`.
    """
    try:
        first, second = value if isinstance(value, Iterable) else (value, value)
        sizes = operator.index(first), operator.index(second)
    except (TypeError, ValueError):
        sizes = (0, 0)
    if min(sizes) < 1:
        raise ValueError(f'{who} is {value!r}; it must be a positive integer or two of them.')
    return sizes


def padding(who: str, value: str) -> str:
    """Returns `'valid'` or `'same'`; upper and lower case are accepted.

    Raises: ValueError that names `who`.
    """
    return _lowercase(f'{who}: padding', value, ('valid', 'same'))


def data_format(who: str, value: str | None) -> str:
    """Returns `'channels_last'` (also for None) or `'channels_first'`, in lower case.

    Raises: ValueError that names `who`.
    """
    value = 'channels_last' if value is None else value
    return _lowercase(f'{who}: data_format', value, ('channels_last', 'channels_first'))


def activation(who: str, value: Any) -> Callable[[Any], Any] | None:
    """Returns an activation function; `value` is a function or the name of one in `tf.nn`.

    Returns: function of one tensor; None for linear.
    Raises: ValueError that names `who`.
    """
    if not isinstance(value, str):
        return value
    if value == 'linear':
        return None
    return getattr(tf.nn, errors.one_of(f'{who}: activation', value, ('linear', *_ACTIVATIONS)))


def initializer(who: str, value: Any) -> Any:
    """Returns an initializer for `get_variable`; `value` may be a name in `tf.initializers`.

    Raises: ValueError that names `who`.
    """
    if not isinstance(value, str):
        return value
    return getattr(tf.initializers, errors.one_of(f'{who}: initializer', value, _INITIALIZERS))()


def training(value: Any) -> Any:
    """Returns a Python bool if `value` is known while the graph is built, else the tensor."""
    if not tf.is_tensor(value):
        return bool(value)
    known = tf.get_static_value(value)
    return value if known is None else bool(known)


def _lowercase(who: str, value: str, known: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{who} is {value!r}; it must be one of {", ".join(known)}')
    return errors.one_of(who, value.lower(), known)
