"""TF1's `tf.layers.experimental`: layers that manage their variables as Keras does.

Such a layer creates variables of its own, named after the name scope, whatever variable scope is
open: models of one class share nothing.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow.compat.v1 as tf

__all__ = ['keras_style_scope', 'set_keras_style']

_on = False


@contextlib.contextmanager
def keras_style_scope() -> Iterator[None]:
    """Makes layers that are constructed in the block manage their variables as Keras does."""
    global _on
    before, _on = _on, True
    try:
        yield
    finally:
        _on = before


def set_keras_style() -> None:
    """Makes all layers that are constructed from now on manage their variables as Keras does."""
    global _on
    _on = True


def keras_style(who: str, scope: Any, reuse: Any) -> bool:
    """Returns whether a new layer manages its variables as Keras does.

    Raises: ValueError if it does and was given a scope or `reuse`.
    """
    if _on and (scope or reuse is not None):
        raise ValueError(
            f'{who}: scope is {scope!r}, reuse is {reuse}; both must be None in the Keras style, '
            'in which a layer shares no variables.'
        )
    return _on


def own_scope(name: str) -> Any:
    """Returns a new variable scope in the current name scope; `name` is numbered if it is taken."""
    name = tf.get_default_graph().unique_name(name)
    return tf.VariableScope(reuse=False, name=name, name_scope=f'{name}/')
