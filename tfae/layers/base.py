"""`Layer`: the base class of TF1's `tf.layers`, built on variable scopes and `get_variable`.

A layer enters its variable scope when it is first used. A name passed to a layer function becomes
the name of the scope; unnamed layers are numbered by class (`dense`, `dense_1`). Names, reuse,
default initializers and regularizers, custom getters and partitioners otherwise follow
`tf.compat.v1.get_variable` inside that scope. Variables are resource variables, which TF1
checkpoints load into by name.

Source: the documentation of TensorFlow 1.15, `tf.layers.Layer`.
"""

import collections
import contextlib
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.layers import arguments

# Default initializers; they hold no state.
ZEROS = tf.zeros_initializer()
ONES = tf.ones_initializer()

_counters: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # graph -> Counter of names


class Layer:
    """Variables in one scope, and a function of tensors that uses them.

    A subclass creates its variables in `build(input_shape)`, with `add_weight`, and computes its
    outputs in `call(inputs, ...)`. Calling the layer again shares the variables.

    Args:
      trainable: whether variables are added to `TRAINABLE_VARIABLES`, and updates to `UPDATE_OPS`.
      name: name of the scope; a number is appended if it is taken.
      dtype: type of the variables; by default the type of the first input.
      activity_regularizer: function of the output that returns a scalar; divided by the batch size
        it is added to `REGULARIZATION_LOSSES`.
      _scope: name or `VariableScope` to use as it is, without a number.
      _reuse: as `reuse` of `tf.compat.v1.variable_scope`.

    Raises: TypeError for an unknown argument.
    """

    def __init__(
        self,
        trainable: bool = True,
        name: Any = None,
        dtype: Any = None,
        activity_regularizer: Any = None,
        _scope: Any = None,
        _reuse: Any = None,
    ) -> None:
        self.trainable = trainable
        self.built = False
        self.input_spec: Any = None
        self.activity_regularizer = activity_regularizer
        self._dtype = None if dtype is None else tf.as_dtype(dtype).name
        self._base_name, self._name = _base_name_and_name(type(self).__name__, name)
        self._reuse = _reuse
        self._scope: Any = None
        if _scope:
            self._take_scope(_scope)
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._losses: list[Any] = []
        self._updates: list[Any] = []

    def build(self, input_shape: Any) -> None:
        """Creates the variables for inputs of this static shape; by default there are none."""

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns the outputs for `inputs`; a subclass must define it."""
        raise NotImplementedError(f'{type(self).__name__} has no `call`; a layer must have one.')

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer if this is its first call, and returns `call(inputs, ...)`.

        Args:
          inputs: tensor, or a value that `tf.convert_to_tensor` accepts, or a structure of them.
          scope: (keyword) scope for a layer that has none yet.

        Returns: the outputs of `call`.
        Raises: ValueError under eager execution, for inputs that do not fit the layer, and if
          `get_variable` raises: a name taken without `reuse`, or `reuse` of a missing variable.
        """
        if tf.executing_eagerly():
            raise ValueError(
                f'{self.name}: eager execution is on; a layer must be called in a graph: '
                '`with tf.Graph().as_default():`, or `tf.compat.v1.disable_v2_behavior()` first.'
            )
        inputs = tf.nest.map_structure(
            lambda x: x if tf.is_tensor(x) else tf.convert_to_tensor(x), inputs
        )
        self._take_scope(kwargs.pop('scope', None))
        with self._enter():
            self._check(inputs)
            if not self.built:
                self._build(inputs)
            outputs = self.call(inputs, *args, **kwargs)
            self._regularize_activity(outputs)
        _add_new(tf.GraphKeys.UPDATE_OPS, self.updates)
        return outputs

    apply = __call__

    def add_weight(
        self,
        name: str,
        shape: Any,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool | None = None,
        constraint: Any = None,
        use_resource: bool | None = None,
        synchronization: Any = tf.VariableSynchronization.AUTO,
        aggregation: Any = tf.VariableAggregation.NONE,
        partitioner: Any = None,
    ) -> Any:
        """Returns the variable `name` of this layer's scope, created or, with reuse, looked up.

        Args: those of `tf.compat.v1.get_variable`, with three exceptions. `trainable` applies only
          in a trainable layer. A regularizer adds one loss when the variable is created, in
          addition to the scope's own. `use_resource` is ignored: all are resource variables.
        Returns: variable of shape `shape`, or a `PartitionedVariable`.
        """
        del use_resource
        if trainable is None:
            trainable = synchronization != tf.VariableSynchronization.ON_READ
        self._take_scope()
        with self._enter():
            before = {id(v) for v in tf.global_variables()} if regularizer else set()
            variable = tf.get_variable(
                name,
                shape,
                dtype=tf.as_dtype(dtype or self.dtype or tf.float32),
                initializer=arguments.initializer(self.name, initializer),
                trainable=trainable and self.trainable,
                constraint=constraint,
                partitioner=partitioner,
                use_resource=True,
                synchronization=synchronization,
                aggregation=aggregation,
            )
            # Only a partitioned variable has `as_tensor`.
            parts = list(variable) if hasattr(variable, 'as_tensor') else [variable]
            if regularizer:
                self._regularize(name, regularizer, [v for v in parts if id(v) not in before])
        for part in parts:  # read from the variable: a custom getter may have changed it
            trained = getattr(part, 'trainable', False)
            (self._trainable_weights if trained else self._non_trainable_weights).append(part)
        return variable

    add_variable = add_weight

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds scalar losses, or functions that return them, also to `REGULARIZATION_LOSSES`."""
        del inputs
        made = [loss() if callable(loss) else loss for loss in tf.nest.flatten(losses)]
        made = [loss for loss in made if loss is not None]
        self._losses += made
        _add_new(tf.GraphKeys.REGULARIZATION_LOSSES, made)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds update ops, or functions that return them; a call adds them to `UPDATE_OPS`."""
        del inputs
        made = [update() if callable(update) else update for update in tf.nest.flatten(updates)]
        self._updates += [getattr(update, 'op', update) for update in made]

    def count_params(self) -> int:
        """Returns the number of parameters.

        Raises: ValueError before the layer is built.
        """
        if not self.built:
            raise ValueError(
                f'{self.name} is not built; it must be called before its parameters are counted.'
            )
        return sum(v.shape.num_elements() for v in self.weights)

    @property
    def name(self) -> str:
        """The layer's own name; the names of its variables start with `scope_name`."""
        return self._name

    @property
    def dtype(self) -> str | None:
        """Name of the variables' type; None until it is known."""
        return self._dtype

    @property
    def scope_name(self) -> str:
        """The name of the variable scope.

        Raises: ValueError before the layer has one.
        """
        if self._scope is None:
            raise ValueError(
                f'{self.name} has no scope yet; it must be called before `scope_name` is read.'
            )
        return self._scope.name

    @property
    def trainable_weights(self) -> list[Any]:
        """The variables that training updates: none once `trainable` is set to False."""
        return list(self._trainable_weights) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The variables that training does not move."""
        frozen = [] if self.trainable else self._trainable_weights
        return [*frozen, *self._non_trainable_weights]

    @property
    def weights(self) -> list[Any]:
        """All variables, trainable ones first."""
        return self.trainable_weights + self.non_trainable_weights

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def losses(self) -> list[Any]:
        """The scalar losses of all calls."""
        return list(self._losses)

    @property
    def updates(self) -> list[Any]:
        """The update ops of all calls: none in a layer that is not trainable."""
        return list(self._updates) if self.trainable else []

    def _take_scope(self, scope: Any = None) -> None:
        if self._scope is not None:
            return
        if scope or self._reuse:  # a reused scope keeps its name
            context = tf.variable_scope(scope or self._base_name)
        else:
            context = tf.variable_scope(None, default_name=self._base_name)
        with context as self._scope:
            pass

    @contextlib.contextmanager
    def _enter(self) -> Iterator[None]:
        """Enters the layer's variable scope and its original name scope."""
        reuse = True if self.built else self._reuse
        with tf.variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:  # noqa: SIM117
            with tf.name_scope(scope.original_name_scope):
                yield

    def _check(self, inputs: Any) -> None:
        flat = tf.nest.flatten(inputs)
        specs = tf.nest.flatten(self.input_spec) if self.input_spec else []
        for i, (spec, tensor) in enumerate(zip(specs, flat, strict=False)):
            spec.check(self.name if len(flat) == 1 else f'{self.name}, input {i}', tensor)

    def _build(self, inputs: Any) -> None:
        if self._dtype is None:
            self._dtype = tf.nest.flatten(inputs)[0].dtype.base_dtype.name
        self.build(tf.nest.map_structure(lambda x: x.shape, inputs))
        self.built = True

    def _regularize(self, name: str, regularizer: Any, variables: list[Any]) -> None:
        for variable in variables:
            with tf.name_scope(f'{name}/{names.REGULARIZER}'):
                loss = regularizer(variable)
            self.add_loss([] if loss is None else loss)

    def _regularize_activity(self, outputs: Any) -> None:
        if self.activity_regularizer is None:
            return
        with tf.name_scope(names.ACTIVITY_REGULARIZER):
            for output in tf.nest.flatten(outputs):
                loss = tf.convert_to_tensor(self.activity_regularizer(output))
                self.add_loss(loss / tf.cast(tf.shape(output)[0], loss.dtype))


class InputSpec:
    """Requirements of a layer on one input; `None` requires nothing.

    Args:
      dtype: element type.
      shape: full shape, `None` where a size is free.
      ndim: rank.
      max_ndim: maximum rank.
      min_ndim: minimum rank.
      axes: axis -> size that this axis must have (`None` allows any).
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
    ) -> None:
        self.dtype = None if dtype is None else tf.as_dtype(dtype).name
        self.shape = None if shape is None else tuple(tf.TensorShape(shape).as_list())
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}

    def check(self, who: str, tensor: Any) -> None:
        """Raises ValueError if the static type or shape of a tensor does not fit.

        Args:
          who: name of the input, for the error.
          tensor: the input.
        Raises: ValueError that names `who`, the actual shape and the required one.
        """
        if self.dtype is not None and tensor.dtype.base_dtype.name != self.dtype:
            raise ValueError(f'{who}: input is {tensor.dtype.name}; it must be {self.dtype}.')
        rank = tensor.shape.rank
        if rank is None:
            if (self.ndim, self.min_ndim, self.max_ndim) != (None, None, None) or self.axes:
                raise ValueError(f'{who}: input has unknown rank; it must have {self._ranks()}.')
            return
        if (
            (self.ndim is not None and rank != self.ndim)
            or (self.min_ndim is not None and rank < self.min_ndim)
            or (self.max_ndim is not None and rank > self.max_ndim)
        ):
            raise ValueError(
                f'{who}: input is {tensor.shape}, rank {rank}; it must have {self._ranks()}.'
            )
        for axis, size in [*self.axes.items(), *enumerate(self.shape or ())]:
            came = tensor.shape.as_list()[axis]
            if None not in (size, came) and size != came:
                raise ValueError(
                    f'{who}: input is {tensor.shape}, {came} on axis {axis}; it must be {size}.'
                )

    def _ranks(self) -> str:
        limits = [
            (f'rank {self.ndim}', self.ndim),
            (f'at least rank {self.min_ndim}', self.min_ndim),
            (f'at most rank {self.max_ndim}', self.max_ndim),
        ]
        return ' and '.join(text for text, limit in limits if limit is not None) or 'a rank'


class Configured(Layer):
    """A layer that stores the arguments of its constructor as attributes, as in TF1."""

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


def apply(layer: type[Layer], given: dict[str, Any]) -> Any:
    """Returns the result of a layer function: constructs the layer and calls it once.

    Args:
      layer: the class.
      given: `locals()` on the first line of the function. `inputs` and `training` are passed to
        the call. With a `reuse` argument, `name` is a scope that may be shared.
    Returns: the outputs of the layer.
    """
    options = dict(given)
    call = {k: options.pop(k) for k in ('inputs', 'training') if k in options}
    if 'reuse' in options:
        options |= {'_scope': options['name'], '_reuse': options.pop('reuse')}
    return layer(**options)(**call)


def require(who: str, shape: Any, axis: int) -> int:
    """Returns the static size of `axis`, which determines the shape of a variable.

    Raises: ValueError if it is not known while the graph is built.
    """
    size = shape.as_list()[axis]
    if size is None:
        raise ValueError(f'{who}: input is {shape}; axis {axis} must be known to create variables.')
    return size


def branch(choice: Any, if_true: Callable[[], Any], if_false: Callable[[], Any]) -> Any:
    """Returns the result of one of two functions; with a boolean tensor, `tf.cond` of both."""
    if isinstance(choice, bool):
        return if_true() if choice else if_false()
    return tf.cond(choice, if_true, if_false)


def _base_name_and_name(class_name: str, name: Any) -> tuple[str, str]:
    """Returns the name that scopes are numbered from, and the layer's own name."""
    if isinstance(name, str) and name:
        return name, name
    # A capital starts a word if a small letter follows it or comes before it.
    base = re.sub(r'(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])', '_', class_name).lower()
    base = f'private{base}' if base.startswith('_') else base
    counter = _counters.setdefault(tf.get_default_graph(), collections.Counter())
    counter[base] += 1
    return getattr(name, 'name', base), f'{base}_{counter[base]}'


def _add_new(collection: str, elements: list[Any]) -> None:
    kept = tf.get_collection_ref(collection)
    known = {id(element) for element in kept}
    kept.extend(element for element in elements if id(element) not in known)
