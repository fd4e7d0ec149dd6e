"""TF1's `tf.layers.experimental`: layers that manage their variables as Keras does.

Such a layer creates resource variables of its own, named after the name scope, whatever variable
scope is open: models of one class share nothing. Each call opens a name scope, and the updates of
batch normalization are in `updates` only, not in `UPDATE_OPS`.
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


def keras_style() -> bool:
    """Returns whether a new layer manages its variables as Keras does."""
    return _on


def refuse_sharing(who: str, scope: Any, reuse: Any) -> None:
    """Checks that a layer of the Keras style was given neither a scope nor `reuse`.

    Raises: ValueError that names `who`.
    """
    if scope is not None or reuse is not None:
        raise ValueError(
            f'{who}: scope is {scope!r}, reuse is {reuse}; both must be None in the Keras style, '
            'in which a layer shares no variables.'
        )


def own_scope(name_scope: str) -> Any:
    """Returns a variable scope for resource variables whose names start with `name_scope`.

    Args:
      name_scope: full name of a name scope with its last slash, or an empty string.
    """
    return tf.VariableScope(
        reuse=False, name=name_scope.rstrip('/'), name_scope=name_scope, use_resource=True
    )
