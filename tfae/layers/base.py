"""`Layer`: the base class of TF1's `tf.layers`, built on variable scopes and `get_variable`.

A layer enters its variable scope when it is first used. A name passed to a layer function becomes
the name of the scope; unnamed layers are numbered by class (`dense`, `dense_1`). Names, reuse,
default initializers and regularizers, custom getters, partitioners and the kind of variable
(reference or resource) otherwise follow `tf.compat.v1.get_variable` inside that scope.

Source: the documentation of TensorFlow 1.15, `tf.layers.Layer`.
"""

import collections
import contextlib
import copy
import functools
import inspect
import re
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.layers import arguments, experimental
from tfae.layers.input_spec import check

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

    supports_masking = False

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
        self._keras_style = experimental.keras_style()
        if self._keras_style:
            experimental.refuse_sharing(self._name, _scope, _reuse)
        self._reuse = _reuse
        self._scope: Any = None
        if _scope:
            self._take_scope(_scope)
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._losses: list[Any] = []
        self._updates: list[Any] = []
        self._calls: list[tuple[Any, Any]] = []  # inputs and outputs

    def build(self, input_shape: Any) -> None:
        """Creates the variables for inputs of this static shape; by default there are none."""
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns the outputs for `inputs`; by default the inputs themselves."""
        return inputs

    # AutoGraph would rewrite the layers too in code that it converts, such as `tf.map_fn`'s.
    @tf.autograph.experimental.do_not_convert
    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer if this is its first call, and returns `call(inputs, ...)`.

        Args:
          inputs: tensor, or a value that `tf.convert_to_tensor` accepts, or a structure of them.
          scope: (keyword) scope for a layer that has none yet.

        Returns: the outputs of `call`, which is given the layer's scope if it has an argument
          `scope`.
        Raises: ValueError for inputs that do not fit the layer, for a `scope` in the Keras style,
          and if `get_variable` raises: a name taken without `reuse`, or `reuse` of a missing
          variable.
        """
        inputs = tf.nest.map_structure(
            lambda x: x if tf.is_tensor(x) else tf.convert_to_tensor(x), inputs
        )
        with self._open(kwargs.pop('scope', None)), self._enter() as scope:
            self._check(inputs)
            if not self.built:
                self._build(inputs)
            if not self._keras_style and 'scope' in inspect.signature(self.call).parameters:
                kwargs['scope'] = scope
            outputs = self.call(inputs, *args, **kwargs)
            self._regularize_activity(outputs)
        if not self._keras_style:
            _add_new(tf.GraphKeys.UPDATE_OPS, self.updates)
        if not tf.executing_eagerly():
            self._calls.append((inputs, outputs))
        return outputs

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer."""
        return self(inputs, *args, **kwargs)

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

        Args: those of `tf.compat.v1.get_variable`, with two exceptions. `trainable` applies only
          in a trainable layer. A regularizer adds one loss when the variable is created, in
          addition to the scope's own.
        Returns: variable of shape `shape`, or a `PartitionedVariable`.
        Raises: ValueError for a trainable variable with `ON_READ`, or if `get_variable` raises.
        """
        on_read = synchronization == tf.VariableSynchronization.ON_READ
        if on_read and trainable:
            raise ValueError(
                f'{self.name}, {name}: Synchronization value can be set to '
                'VariableSynchronization.ON_READ only for non-trainable variables. You have '
                'specified trainable=True and synchronization=VariableSynchronization.ON_READ.'
            )
        regularizer = arguments.regularizer(self.name, regularizer)
        self._take_scope()
        with self._enter():
            before = {id(v) for v in tf.global_variables()} if regularizer else set()
            variable = tf.get_variable(
                name,
                shape,
                dtype=tf.as_dtype(dtype or self.dtype or tf.float32),
                initializer=arguments.initializer(self.name, initializer),
                trainable=(not on_read if trainable is None else trainable) and self.trainable,
                constraint=constraint,
                partitioner=partitioner,
                use_resource=use_resource,
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
        """Adds scalar losses, or functions that return them, also to `REGULARIZATION_LOSSES`.

        Under eager execution, functions are called whenever `losses` is read, and there is no
        collection.
        """
        del inputs
        given = tf.nest.flatten(losses)
        if not tf.executing_eagerly():
            given = [loss for loss in map(_value, given) if loss is not None]
            _add_new(tf.GraphKeys.REGULARIZATION_LOSSES, given)
        self._losses += given

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds update ops, or functions that return them; a call adds them to `UPDATE_OPS`."""
        del inputs
        made = [_value(update) for update in tf.nest.flatten(updates)]
        if not tf.executing_eagerly():  # else they ran
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

    def get_weights(self) -> list[Any]:
        """Returns the values of `weights` in the default session, as arrays.

        Raises: ValueError without a default session.
        """
        if tf.executing_eagerly():
            return [variable.numpy() for variable in self.weights]
        return self._session().run(self.weights)

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Assigns arrays to `weights`, in their order, in the default session.

        Raises: ValueError without a default session, or if number or shapes differ.
        """
        values = list(weights)
        shapes = [tuple(v.shape.as_list()) for v in self.weights]
        given = [np.shape(value) for value in values]
        if given != shapes:
            raise ValueError(f'{self.name}: weights have shapes {given}; they must have {shapes}.')
        if tf.executing_eagerly():
            for variable, value in zip(self.weights, values, strict=True):
                variable.assign(value)
            return
        # An initializer's second input is the value that it assigns: no op is added. One at a time:
        # that value may be one tensor of several variables.
        session = self._session()
        for variable, value in zip(self.weights, values, strict=True):
            initializer = variable.initializer
            session.run(initializer, {initializer.inputs[1]: value})

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, by name.

        Initializers and activations of TensorFlow are represented by names and numbers; functions
        of your own are returned as they are.

        Raises: NotImplementedError if the layer does not keep an argument of its constructor as an
          attribute: it must override `get_config`.
        """
        own = inspect.signature(type(self)).parameters.values()
        named = [p.name for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        wanted = {'name', 'trainable', 'dtype', *(n for n in named if not n.startswith('_'))}
        if missing := sorted(n for n in wanted if not hasattr(self, n)):
            raise NotImplementedError(
                f'{type(self).__name__} has an argument {missing[0]}, but no attribute of that '
                'name; it must override `get_config`.'
            )
        return {n: arguments.configuration(getattr(self, n)) for n in sorted(wanted)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns a new layer with the arguments that `get_config` returned."""
        return cls(**config)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the static shape of the outputs for inputs of this static shape.

        It is read from a copy of the layer, in a graph of its own.

        Raises: ValueError for a shape that does not fit, NotImplementedError if `get_config` does.
        """
        config = self.get_config()
        with tf.Graph().as_default():
            inputs = tf.placeholder(self.dtype or tf.float32, input_shape)
            outputs = self.from_config(config)(inputs)
        return tf.nest.map_structure(lambda y: y.shape, outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns `mask`.

        Raises: TypeError for a mask that is not None in a layer that does not support masking.
        """
        if not self.supports_masking and any(m is not None for m in tf.nest.flatten(mask)):
            raise TypeError(f'{self.name} got a mask; a {type(self).__name__} supports none.')
        return mask

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """Returns the losses that depend on these tensors; with None, on no input of the layer."""
        return self._that_depend_on(inputs, self.losses)

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """Returns the updates that depend on these tensors; with None, on no input of the layer."""
        return self._that_depend_on(inputs, self.updates)

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
    def graph(self) -> Any:
        """The graph of the last call; None before the first."""
        return tf.nest.flatten(self._calls[-1][1])[0].graph if self._calls else None

    @property
    def input(self) -> Any:
        """The inputs of the only call.

        Raises: AttributeError if the layer was not called once.
        """
        return self._only_call()[0]

    @property
    def output(self) -> Any:
        """The outputs of the only call.

        Raises: AttributeError if the layer was not called once.
        """
        return self._only_call()[1]

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
        """The scalar losses of all calls; under eager execution, of the last one."""
        return [loss for loss in map(_value, self._losses) if loss is not None]

    @property
    def updates(self) -> list[Any]:
        """The update ops of all calls: none in a layer that is not trainable."""
        return list(self._updates) if self.trainable else []

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Returns a copy that shares tensors, variables and scope with this layer."""
        layer = memo[id(self)] = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict):
                setattr(layer, name, copy.copy(value))
        return layer

    def _take_scope(self, scope: Any = None) -> None:
        if self._scope is not None:
            return
        if self._keras_style:  # variables that are created before a call
            name = tf.get_default_graph().get_name_scope()
            self._scope = experimental.own_scope(f'{name}/' if name else '')
            return
        if scope or self._reuse:  # a reused scope keeps its name
            context = tf.variable_scope(scope or self._base_name)
        else:
            context = tf.variable_scope(None, default_name=self._base_name)
        with context as self._scope:
            pass

    @contextlib.contextmanager
    def _open(self, scope: Any) -> Iterator[None]:
        """Determines the variable scope of a call; in the Keras style, opens its name scope."""
        if not self._keras_style:
            self._take_scope(scope)
            yield
            return
        experimental.refuse_sharing(self._name, scope, None)
        with tf.name_scope(self._name) as name:
            self._scope = experimental.own_scope(name)
            yield

    @contextlib.contextmanager
    def _enter(self) -> Iterator[Any]:
        """Enters the layer's variable scope and its original name scope."""
        reuse = True if self.built and not self._keras_style else self._reuse
        with tf.variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:  # noqa: SIM117
            with tf.name_scope(scope.original_name_scope):
                yield scope

    def _check(self, inputs: Any) -> None:
        flat = tf.nest.flatten(inputs)
        specs = tf.nest.flatten(self.input_spec) if self.input_spec else []
        for i, (spec, tensor) in enumerate(zip(specs, flat, strict=False)):
            who = self.name if len(flat) == 1 else f'{self.name}, input {i}'
            check(who, spec, tensor.shape, tensor.dtype.base_dtype.name)

    def _build(self, inputs: Any) -> None:
        if self._dtype is None:
            self._dtype = tf.nest.flatten(inputs)[0].dtype.base_dtype.name
        self.build(tf.nest.map_structure(lambda x: x.shape, inputs))
        self.built = True  # also if a subclass does not call `super().build`

    def _regularize(self, name: str, regularizer: Any, variables: list[Any]) -> None:
        # Outside a loop or a function that the layer is built in: the rest of the graph could not
        # use the loss there.
        inside = tf.executing_eagerly_outside_functions()
        with contextlib.nullcontext() if inside else tf.init_scope():
            for variable in variables:
                with tf.name_scope(f'{name}/{names.REGULARIZER}'):
                    self.add_loss(functools.partial(regularizer, variable))

    def _regularize_activity(self, outputs: Any) -> None:
        regularizer = arguments.regularizer(self.name, self.activity_regularizer)
        if regularizer is None:
            return
        if tf.executing_eagerly():  # keep the last call's only
            self._losses = [loss for loss in self._losses if callable(loss)]
        with tf.name_scope(names.ACTIVITY_REGULARIZER):
            for output in tf.nest.flatten(outputs):
                loss = tf.convert_to_tensor(regularizer(output))
                self.add_loss(loss / tf.cast(tf.shape(output)[0], loss.dtype))

    def _only_call(self) -> tuple[Any, Any]:
        if len(self._calls) != 1:
            raise AttributeError(
                f'{self.name} was called {len(self._calls)} times; only a layer that was called '
                'once has an `input` and an `output`.'
            )
        return self._calls[0]

    def _session(self) -> Any:
        session = tf.get_default_session()
        if session is None:
            raise ValueError(
                f'{self.name}: there is no default session; values of weights must be read and set '
                'in one: `with session.as_default():`.'
            )
        return session

    def _that_depend_on(self, inputs: Any, elements: list[Any]) -> list[Any]:
        wanted = inputs is not None
        given = inputs if wanted else [called for called, _ in self._calls]
        sources = {tensor.name for tensor in tf.nest.flatten(given)}
        return [element for element in elements if _depends(element, sources) == wanted]


def _base_name_and_name(class_name: str, name: Any) -> tuple[str, str]:
    """Returns the name that scopes are numbered from, and the layer's own name."""
    if isinstance(name, str) and name:
        return name, name
    base = snake_case(class_name)
    base = f'private{base}' if base.startswith('_') else base
    counter = _counters.setdefault(tf.get_default_graph(), collections.Counter())
    counter[base] += 1
    return getattr(name, 'name', base), f'{base}_{counter[base]}'


def snake_case(class_name: str) -> str:
    """Returns TF1's default name of a class's scopes, `conv2d_transpose` for `Conv2DTranspose`."""
    # A capital starts a word if a small letter follows it or comes before it.
    return re.sub(r'(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])', '_', class_name).lower()


def _value(given: Any) -> Any:
    return given() if callable(given) else given


def _add_new(collection: str, elements: list[Any]) -> None:
    if tf.executing_eagerly():
        return
    kept = tf.get_collection_ref(collection)
    known = {id(element) for element in kept}
    kept.extend(element for element in elements if id(element) not in known)


def _depends(element: Any, sources: set[str]) -> bool:
    """Returns whether an operation or a tensor is computed from a tensor that is named."""
    if element.name in sources:
        return True
    left, seen = [getattr(element, 'op', element)], set()
    while left:
        operation = left.pop()
        seen.add(operation.name)
        if any(tensor.name in sources for tensor in operation.inputs):
            return True
        left += [tensor.op for tensor in operation.inputs if tensor.op.name not in seen]
    return False
