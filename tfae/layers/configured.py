"""What the layers share: arguments as attributes, weights by name, and the function forms."""

from typing import Any

import tensorflow.compat.v1 as tf

from tfae.layers import base

# Default initializers; they hold no state.
ZEROS = tf.zeros_initializer()
ONES = tf.ones_initializer()


class Configured(base.Layer):
    """A layer whose constructor's arguments become attributes of the same names, as TF1's do."""

    def __init__(
        self,
        *,
        trainable: bool = True,
        name: Any = None,
        dtype: Any = None,
        activity_regularizer: Any = None,
        _scope: Any = None,
        _reuse: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(trainable, name, dtype, activity_regularizer, _scope, _reuse)
        vars(self).update(options)

    def weight(self, name: str, shape: Any, **options: Any) -> Any:
        """`add_weight` with the initializer, regularizer and constraint given for `name`.

        TF1 names them after the variable, without a second word: the initializer of `kernel` is
        `kernel_initializer`, that of `depthwise_kernel` is `depthwise_initializer`.
        """
        stem = name.removesuffix('_kernel')
        given = {
            kind: getattr(self, f'{stem}_{kind}', None)
            for kind in ('initializer', 'regularizer', 'constraint')
        }
        return self.add_weight(name, shape, **(given | options))


def apply(layer: type[base.Layer], given: dict[str, Any]) -> Any:
    """A layer function's result: a new `layer` made of the function's arguments, called once.

    Args:
      layer: the class.
      given: `locals()` of the function on its first line. `inputs` and `training` go to the call;
        where there is a `reuse`, the name is a scope that is shared by it, else it gets a number.
    """
    options = dict(given)
    call = {k: options.pop(k) for k in ('inputs', 'training') if k in options}
    if 'reuse' in options:
        options |= {'_scope': options['name'], '_reuse': options.pop('reuse')}
    return layer(**options)(**call)


def require(who: str, shape: Any, axis: int) -> int:
    """The size of `axis`, which a variable's shape is made of.

    Raises: ValueError if it is not known while the graph is built.
    """
    size = shape.as_list()[axis]
    if size is None:
        raise ValueError(f'{who}: input is {shape}; axis {axis} must be known to make variables.')
    return size
