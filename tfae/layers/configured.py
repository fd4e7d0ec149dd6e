"""The part that the layer classes share: stored arguments, building, and TF1's functions."""

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import tensorflow.compat.v1 as tf

from tfae.layers.base import Layer, snake_case
from tfae.layers.input_spec import check

# Default initializers; they hold no state.
ZEROS = tf.zeros_initializer()
ONES = tf.ones_initializer()

_P = ParamSpec('_P')


class Configured(Layer):
    """A layer that stores the arguments of its constructor as attributes, as in TF1.

    A subclass creates its variables in `_create(shape)`.
    """

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

    def build(self, input_shape: Any) -> None:
        """Creates the variables; a call does that too, with the inputs' shape and type.

        Args:
          input_shape: static shape of the inputs, with known channels.

        Raises: ValueError for a shape that does not fit, or if `get_variable` raises.
        """
        shape = tf.TensorShape(input_shape)
        if self.input_spec is not None:
            check(self.name, self.input_spec, shape)
        self._dtype = self._dtype or tf.float32.name
        self._take_scope()
        self._create(shape)
        super().build(shape)

    def weight(self, name: str, shape: Any, **options: Any) -> Any:
        """Calls `add_weight` with the initializer, regularizer and constraint given for `name`.

        TF1 derives their names from the variable's first word: `kernel_initializer` for `kernel`,
        `depthwise_initializer` for `depthwise_kernel`.
        """
        stem = name.removesuffix('_kernel')
        given = {
            kind: getattr(self, f'{stem}_{kind}', None)
            for kind in ('initializer', 'regularizer', 'constraint')
        }
        return self.add_weight(name, shape, **(given | options))

    def _create(self, shape: Any) -> None:
        """Creates the variables for inputs of this `TensorShape`; by default there are none."""


def function(layer: Callable[_P, Layer], *last: str) -> Callable[Concatenate[Any, _P], Any]:
    """Returns TF1's function for a class of layers: it constructs a layer and calls it once.

    Its arguments are `inputs`, those of the class, those of its `call`, and, if the class has
    variables, `reuse`: with it, `name` is a scope that may be shared.

    Args:
      layer: the class.
      last: arguments that the function has last, in this order; the others keep the class's.
    """
    kind: Any = layer
    name = snake_case(kind.__name__)
    _, inputs, *of_call = inspect.signature(kind.call).parameters.values()
    parameters = {p.name: p for p in [*inspect.signature(kind).parameters.values(), *of_call]}
    del parameters['kwargs']
    shares = 'trainable' in parameters
    if shares:
        parameters['reuse'] = parameters['name'].replace(name='reuse')
    parameters |= {argument: parameters.pop(argument) for argument in last}
    signature = inspect.Signature([inputs, *parameters.values()])

    @tf.autograph.experimental.do_not_convert
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f'{name}: {error}') from None
        if shares and tf.executing_eagerly():
            raise ValueError(
                f'{name}: eager execution is on, in which each call would create new variables; it '
                'must be called in a graph: `with tf.Graph().as_default():`, or '
                f'`tf.compat.v1.disable_v2_behavior()` first. A `{kind.__name__}` runs eagerly too.'
            )
        inputs = given.pop('inputs')
        options = {p.name: given.pop(p.name) for p in of_call if p.name in given}
        if shares:
            given |= {'_scope': given.get('name'), '_reuse': given.pop('reuse', None)}
        return kind(**given)(inputs, **options)

    first = f'Returns the outputs of a new `{kind.__name__}` for `inputs`.'
    call.__name__ = call.__qualname__ = name
    call.__module__ = kind.__module__
    call.__doc__ = f'{first}\n\n{inspect.getdoc(kind)}'
    call.__signature__ = signature
    return call


def require(who: str, shape: Any, axis: int) -> int:
    """Returns the static size of `axis`, which determines the shape of a variable.

    Raises: ValueError if it is not known while the graph is built.
    """
    size = shape.as_list()[axis]
    if size is None:
        raise ValueError(
            f'{who}: input is {shape}; axis {axis % shape.rank} is undefined; it '
            'must be known to create variables.'
        )
    return size


def branch(choice: Any, if_true: Callable[[], Any], if_false: Callable[[], Any]) -> Any:
    """Returns the result of one of two functions; with a boolean tensor, `tf.cond` of both."""
    if isinstance(choice, bool):
        return if_true() if choice else if_false()
    return tf.cond(choice, if_true, if_false)
