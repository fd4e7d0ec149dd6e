"""Contract checks for plug-in families and data sets: the laws that the built-in ones satisfy.

    from tfae import testing

    testing.check_family('package.module')
    testing.check_dataset('package.module')

A check runs every law and raises AssertionError at the first violation. The text names the module,
the law and the actual values. No test framework is required.

B batch, H W C image, Z code, K classes.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, models
from tfae.core import errors
from tfae.distributed import cluster
from tfae.models import Batch, Family, Layer, Objective
from tfae.models.base import baseline, contract
from tfae.runs import options, sessions
from tfae.training import phases
from tfae.training.config import TrainingConfig
from tfae.training.step import training_step, watched

SHAPES = ((8, 8, 1), (28, 28, 1), (33, 47, 3))

_COUNT = 4  # images per batch


class Case(NamedTuple):
    """A family and a configuration, on which laws are checked."""

    family: Family | ModuleType
    config: Any
    shapes: Sequence[Sequence[int]] = SHAPES  # of images; most laws use the first only
    classes: int = 10

    def model(self, shape: Sequence[int] | None = None) -> Any:
        """Returns a new model for images `[B, *shape]`."""
        return self.family.Model(self.config, tuple(shape or self.shapes[0]), self.classes)

    def batch(self, step: int = 2, shape: Sequence[int] | None = None) -> Batch:
        """Returns a batch of random images, at least two per class, with the seed of a step."""
        labels = self.labels()
        images = tf.constant(_images(_COUNT, shape or self.shapes[0]))
        return Batch(images, None if labels is None else tf.constant(labels), _seed(step))

    def labels(self) -> np.ndarray | None:
        """Returns the labels of a batch; None without classes."""
        return np.arange(_COUNT, dtype=np.int64) // 2 % self.classes if self.classes else None

    def codes(self, model: Any) -> Batch:
        """Returns a batch for a head: random codes `[B, Z]` instead of images."""
        codes = np.random.RandomState(0).normal(size=[_COUNT, model.code_size])
        return self.batch()._replace(images=tf.constant(codes.astype(np.float32)))


Law = Callable[[Case], None]
_laws: list[Law] = []


@errors.naming_arguments()
def check_family(
    family: Family | ModuleType | str,
    config: Any = None,
    *,
    shapes: Sequence[Sequence[int]] = SHAPES,
    classes: int = 10,
) -> None:
    """Checks a family against the laws of `tfae.models`.

    Args:
      family: the module, or its name as for `--model`.
      config: a `Config` of the family; None takes its defaults.
      shapes: image shapes `(H, W, C)`; most laws use the first only.
      classes: K, number of classes; 0 for batches without labels.
    Raises:
      AssertionError: a law is violated; the text names it.
      UsageError: there is no such module.
    """
    module = models.load(family) if isinstance(family, str) else family
    if problem := models.problem(module, _flags()):
        raise AssertionError(f'{_name(module)}: {problem}')
    case = Case(module, module.Config() if config is None else config, shapes, classes)
    try:
        contract.model_from_outside(
            _name(module), cast(Family, module), case.config, tuple(shapes[0]), classes
        )
    except (errors.UsageError, errors.InputError) as error:
        raise AssertionError(_named(module, errors.of_arguments(str(error)))) from error
    for law in FAMILY_LAWS:
        check(law, case)


def check(law: Law, case: Case) -> None:
    """Runs one law in a separate graph.

    Raises: AssertionError that names the law, if it is violated or raises.
    """
    try:
        with tf.Graph().as_default():
            tf.set_random_seed(0)
            law(case)
    except Exception as error:
        kind = '' if isinstance(error, AssertionError) else f'{type(error).__name__}: '
        text = f'{_name(case.family)} breaks the law "{_sentence(law)}"; {kind}{error}'
        raise AssertionError(errors.of_arguments(text)) from error


@errors.naming_arguments()
def check_dataset(source: ModuleType | str, config: data.Config | None = None) -> None:
    """Checks a data set against the contract of `tfae.data.Source`.

    Args:
      source: the module, or its name as for `--dataset`.
      config: data flags; None takes their defaults.
    Raises:
      AssertionError: a law is violated; the text names it.
      UsageError: there is no such module.
    """
    name = source if isinstance(source, str) else source.__name__
    module = data.module(source) if isinstance(source, str) else source
    if problem := data.problem(module):
        raise AssertionError(f'{name}: {problem}')
    wanted = dataclasses.replace(config or data.Config(), dataset=name)
    try:
        first, again = (data.load(wanted, cast(data.Source, module)) for _ in range(2))
    except errors.InputError as error:
        raise AssertionError(errors.of_arguments(str(error))) from error
    if first.fingerprint() != again.fingerprint():
        raise AssertionError(
            f'{name} breaks the law "Loading twice gives the same examples"; the fingerprints are '
            f'{first.fingerprint()} and {again.fingerprint()}'
        )


def _flags() -> list[str]:
    """Returns the flags that training has for every family."""
    parts = (data.Config, TrainingConfig, phases.Config, options.Config, cluster.Config)
    return [field.name for part in parts for field in dataclasses.fields(part)]


def _named(module: Any, text: str) -> str:
    """Prepends the name of a module to a text, unless it is there."""
    name = _name(module)
    return text if text.startswith(f'{name}: ') else f'{name}: {text}'


def _law(function: Law) -> Law:
    _laws.append(function)
    return function


def _sentence(law: Law) -> str:
    """Returns the law in words: the first line of its docstring."""
    return (law.__doc__ or law.__name__).splitlines()[0].rstrip('.')


def _require(condition: Any, text: str) -> None:
    if not condition:
        raise AssertionError(text)


@_law
def later_calls_add_no_variables(case: Case) -> None:
    """Calls after the first add no variables."""
    model = case.model()
    batch = case.batch()
    model(batch.images)
    known = _variables()
    _require(known, 'the first call creates none')
    calls: dict[str, Callable[[], Any]] = {
        'model(images, seed)': lambda: model(batch.images, _seed()),
        **_sides(model, lambda: batch.images),
    }
    if hasattr(model, 'measures'):
        calls['measures'] = lambda: model.measures(case.batch())
    if hasattr(model, 'head'):
        calls['head'] = lambda: model.head(case.codes(model))
    for build in model.objectives:
        calls[_name(build)] = functools.partial(build, case.batch())
    for i, (layer, given) in enumerate(_layer_batches(case, model), 1):
        calls[f'layer {i}'] = functools.partial(layer.objective, given)
    for name, call in calls.items():
        call()
        added = sorted(set(_variables()) - set(known))
        _require(not added, f'{name} adds {", ".join(added)}')


@_law
def the_constructor_touches_no_graph(case: Case) -> None:
    """The constructor adds nothing to the graph, and sets the objectives and code_size."""
    model = case.model()
    if hasattr(model, 'encode') or hasattr(model, 'decode'):
        size = getattr(model, 'code_size', None)
        _require(isinstance(size, int) and size >= 1, f'code_size is {size!r}')
    _require(all(map(callable, model.objectives)), f'objectives are {model.objectives!r}')
    _layers(model)
    found = [operation.name for operation in tf.get_default_graph().get_operations()]
    _require(not found, f'it adds {", ".join(found[:5])}')


@_law
def any_call_may_be_the_first(case: Case) -> None:
    """The variables are the same whichever call is the first."""
    model = case.model()
    found: dict[str, list[str]] = {}
    for name in _first_calls(case, model):
        with tf.Graph().as_default():
            _first_calls(case, model)[name]()
            model(case.batch().images)
            found[name] = sorted(_variables())
    first = found['model(images)']
    for name, variables in found.items():
        _require(variables == first, f'after {name} they are {variables}, else {first}')


@_law
def objectives_share_out_the_trainable_variables(case: Case) -> None:
    """Each trainable variable is listed by one objective and has a gradient of its loss."""
    model = case.model()
    objectives = [build(case.batch()) for build in model.objectives]
    for objective in objectives:
        _require_gradients(objective)
    moved = [v.op.name for objective in objectives for v in objective.variables]
    wanted = [v.op.name for v in tf.trainable_variables()]
    _require(
        sorted(moved) == sorted(wanted),
        f'the objectives list {sorted(moved)}, the trainable variables are {sorted(wanted)}',
    )
    labels = [objective.name for objective in objectives]
    _require(len(set(labels)) == len(labels), f'two objectives have one name: {labels}')


@_law
def a_step_moves_the_listed_variables_alone(case: Case) -> None:
    """A training step of an objective changes only variables that it lists."""
    model = case.model()
    model(case.batch().images)
    settings = TrainingConfig(optimizer='sgd', batch_size=_COUNT)
    for build in model.objectives:
        step = training_step([build], case.batch(), tf.constant(0.1), settings)
        listed = {v.op.name for v in build(case.batch()).variables}
        with sessions.initialized() as session:
            before = {v.op.name: session.run(v).tobytes() for v in tf.trainable_variables()}
            session.run(step.op)
            after = {v.op.name: session.run(v).tobytes() for v in tf.trainable_variables()}
        changed = {name for name in after if after[name] != before[name]}
        _require(changed, f'{_name(build)} changes none')
        others = sorted(changed - listed)
        _require(not others, f'{_name(build)} changes {", ".join(others)}')


@_law
def layers_share_out_the_variables(case: Case) -> None:
    """The layers of a stack train disjoint sets of variables, which together are all."""
    model = case.model()
    model(case.batch().images)
    objectives = [layer.objective(given) for layer, given in _layer_batches(case, model)]
    for objective in objectives:
        _require_gradients(objective)
    moved = [v.op.name for objective in objectives for v in objective.variables]
    _require(len(set(moved)) == len(moved), f'two layers share a variable: {sorted(moved)}')
    wanted = {v.op.name for v in tf.trainable_variables()}
    left_out = sorted(wanted - set(moved)) if objectives else []
    _require(not left_out, f'no layer trains {", ".join(left_out)}')


@_law
def layers_in_order_are_the_encoder(case: Case) -> None:
    """The layers of a stack, applied in order, give the code of the encoder."""
    model = case.model()
    code = images = case.batch().images
    for i, layer in enumerate(_layers(model), 1):
        code = layer.encode(code)
        _require_shape(f'the code of layer {i}', code, [_COUNT, layer.size])
    if _layers(model):
        _require_close([('the last layer', code, 'encode', model.encode(images))], 1e-5, 1e-6)


@_law
def outputs_have_their_shapes_and_ranges(case: Case) -> None:
    """Outputs have the required shapes and ranges, and losses are finite scalars."""
    for shape in case.shapes:
        with tf.Graph().as_default():
            _check_outputs(case, list(shape))


@_law
def encode_decode_and_outputs_agree(case: Case) -> None:
    """encode returns the code of the outputs, and decode the reconstruction of that code."""
    model = case.model()
    images = case.batch().images
    outputs = model(images)
    pairs = []
    if hasattr(outputs, 'code'):
        pairs.append(('outputs.code', outputs.code, 'encode', model.encode(images)))
    if hasattr(outputs, 'reconstruction'):
        made = model.decode(outputs.code)
        pairs.append(('outputs.reconstruction', outputs.reconstruction, 'decode', made))
    _require_close(pairs, 1e-5, 1e-6)


@_law
def inference_is_free_of_noise(case: Case) -> None:
    """Without a seed, outputs and losses are deterministic."""
    model = case.model()
    outputs = model(case.batch().images)
    losses = [build(case.batch()._replace(seed=None)).loss for build in model.objectives]
    with sessions.initialized() as session:
        first, again = (session.run([outputs, losses]) for _ in range(2))
    for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(again), strict=True):
        _require(np.array_equal(a, b), f'they differ by up to {_distance(a, b):.3g}')


@_law
def an_example_is_encoded_alone_as_among_others(case: Case) -> None:
    """Without a seed, the outputs of an image do not depend on the rest of its batch."""
    model = case.model()
    images = case.batch().images
    whole_and_one = [model(images), model(images[1:2])]
    with sessions.initialized() as session:
        whole, one = session.run(whole_and_one)
    for field, a, b in zip(whole._fields, whole, one, strict=True):
        near = np.allclose(a[1:2], b, rtol=1e-4, atol=1e-5)
        _require(near, f'{field} differs by up to {_distance(a[1:2], b):.3g}')


@_law
def noise_is_a_function_of_the_seed(case: Case) -> None:
    """Outputs and losses in training are a function of the seed."""
    model = case.model()
    images = case.batch().images
    fetched = [model(images, _seed(step)) for step in (1, 1, 2)]
    losses = [[build(case.batch(1)).loss for build in model.objectives] for _ in range(2)]
    noise = [model.corrupt(images, _seed(1)), images] if hasattr(model, 'corrupt') else [images] * 2
    with sessions.initialized() as session:
        (first, again, other), (loss, same), (noisy, clean) = session.run([fetched, losses, noise])
    for field, a, b in zip(first._fields, first, again, strict=True):
        _require(np.array_equal(a, b), f'{field} differs by up to {_distance(a, b):.3g}')
    _require(loss == same, f'the losses of one seed are {loss} and {same}')
    if not np.array_equal(noisy, clean):
        equal = all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
        _require(not equal, 'two seeds give the same corruption')


@_law
def two_models_live_under_two_scopes(case: Case) -> None:
    """Two models under two variable scopes share no variable, and use the same names."""
    scopes = ('left', 'right')
    for scope in scopes:
        with tf.variable_scope(scope):
            model = case.model()
            model(case.batch().images)
            for build in model.objectives:
                listed = [v.op.name for v in build(case.batch()).variables]
                others = [name for name in listed if not name.startswith(f'{scope}/')]
                _require(not others, f'under {scope}, {_name(build)} lists {", ".join(others)}')
    found = {scope: set(_variables_under(scope)) for scope in scopes}
    _require(found['left'] == found['right'], f'the names are {found}')
    outside = [name for name in _variables() if not name.startswith(tuple(f'{s}/' for s in scopes))]
    _require(not outside, f'outside of both scopes there is {", ".join(outside)}')
    with tf.Graph().as_default():
        case.model()(case.batch().images)
        _require(set(_variables()) == found['left'], f'without a scope they are {_variables()}')


@_law
def activations_are_collected_once_a_call(case: Case) -> None:
    """Every call adds the same number of tensors to the collection ACTIVATIONS."""
    model = case.model()
    counts = [0]
    for _ in range(2):
        model(case.batch().images)
        counts.append(len(tf.get_collection(tf.GraphKeys.ACTIVATIONS)))
    _require(counts[2] == 2 * counts[1], f'the first adds {counts[1]}, then there are {counts[2]}')


@_law
def a_head_trains_variables_of_its_own(case: Case) -> None:
    """A head's loss has gradients for the variables that it lists, and for no others."""
    model = case.model()
    if not hasattr(model, 'head'):
        return
    model(case.batch().images)
    objective = model.head(case.codes(model))
    _require_gradients(objective)
    listed = {v.op.name for v in objective.variables}
    others = [v for v in tf.trainable_variables() if v.op.name not in listed]
    gradients = tf.gradients(objective.loss, others) if others else []
    reached = [v.op.name for v, g in zip(others, gradients, strict=True) if g is not None]
    _require(not reached, f'the loss depends on {", ".join(reached)}')


@_law
def the_prior_is_a_function_of_the_seed(case: Case) -> None:
    """The prior returns codes [count, Z] that are a function of the seed."""
    model = case.model()
    if not hasattr(model, 'prior'):
        return
    count = tf.placeholder(tf.int32, [])
    codes = [model.prior(count, _seed(step)) for step in (1, 1, 2)]
    decoded = model.decode(codes[0])
    with sessions.initialized() as session:
        (first, again, other), images = session.run([codes, decoded], {count: 5})
    _require(first.shape == (5, model.code_size), f'five codes are {first.shape}')
    _require(np.array_equal(first, again), 'one seed gives two samples')
    _require(not np.array_equal(first, other), 'two seeds give one sample')
    _require(images.shape == (5, *case.shapes[0]), f'decoded they are {images.shape}')


@_law
def measures_are_finite_and_per_example(case: Case) -> None:
    """Measures are finite, [B] or [B, K]."""
    model = case.model()
    if not hasattr(model, 'measures'):
        return
    found = model.measures(case.batch())
    with sessions.initialized() as session:
        for key, value in session.run(found).items():
            right = value.ndim in (1, 2) and value.shape[0] == _COUNT
            _require(right, f'{key} is {value.shape} for {_COUNT} images')
            _require(np.isfinite(value).all(), f'{key} is {value}')


@_law
def an_epoch_is_judged_by_a_text(case: Case) -> None:
    """trouble and learned_nothing return a text for the means of an epoch."""
    model = case.model()
    objectives = [build(case.batch()) for build in model.objectives]
    scalars = [watched(objective, len(objectives)) for objective in objectives]
    with sessions.initialized() as session:
        means = {k: v for found in session.run(scalars) for k, v in found.items()}
    split = data.Split(_images(_COUNT, case.shapes[0]), case.labels())
    constants = baseline.constants(split, split, case.classes)
    found = {}
    if hasattr(model, 'trouble'):
        found['trouble'] = model.trouble(means)
    if hasattr(model, 'learned_nothing'):
        found['learned_nothing'] = model.learned_nothing(means, constants)
    for name, text in found.items():
        _require(isinstance(text, str), f'{name} returns {text!r}')


FAMILY_LAWS: tuple[Law, ...] = tuple(_laws)


def _check_outputs(case: Case, shape: list[int]) -> None:
    model = case.model(shape)
    images = tf.placeholder(tf.float32, [None, *shape])
    outputs = model(images)
    wanted = {'code': [getattr(model, 'code_size', 0)], 'reconstruction': shape}
    wanted |= {'logits': shape, 'probabilities': [case.classes]}
    wanted = {field: wanted[field] for field in outputs._fields if field in wanted}
    for field, rest in wanted.items():
        _require_shape(field, getattr(outputs, field), [None, *rest])
    if hasattr(model, 'corrupt'):
        _require_shape('corrupt', model.corrupt(images, _seed()), [None, *shape])
    losses = [build(case.batch(shape=shape)).loss for build in model.objectives]
    for build, loss in zip(model.objectives, losses, strict=True):
        _require(loss.shape.rank == 0, f'the loss of {_name(build)} is {loss.shape}')
    with sessions.initialized() as session:
        for count in (1, 3):
            found = session.run(outputs, {images: _images(count, shape)})
            for field, value in zip(outputs._fields, found, strict=True):
                _require(np.isfinite(value).all(), f'{field} is not finite')
                _require(value.shape[0] == count, f'{field} of {count} images is {value.shape}')
                image = field == 'reconstruction' and data.is_image(shape)
                if image or field == 'probabilities':
                    low, high = value.min(), value.max()
                    _require(0 <= low <= high <= 1, f'{field} lies in [{low}, {high}]')
        _require(np.isfinite(session.run(losses)).all(), 'a loss is not finite')


def _require_shape(who: str, tensor: tf.Tensor, wanted: list[int | None]) -> None:
    came = tensor.shape.as_list() if tensor.shape.rank is not None else None
    _require(came == wanted, f'{who} is {came}, expected {wanted}')


def _require_gradients(objective: Objective) -> None:
    _require(objective.variables, f'{objective.name} lists no variable')
    gradients = tf.gradients(objective.loss, objective.variables)
    without = [v.op.name for v, g in zip(objective.variables, gradients, strict=True) if g is None]
    _require(not without, f'{objective.name} gives no gradient to {", ".join(without)}')


def _require_close(
    pairs: Sequence[tuple[str, tf.Tensor, str, tf.Tensor]], rtol: float, atol: float
) -> None:
    if not pairs:
        return
    with sessions.initialized() as session:
        found = session.run([(a, b) for _, a, _, b in pairs])
    for (one, _, other, _), (a, b) in zip(pairs, found, strict=True):
        near = a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=atol)
        _require(near, f'{one} and {other} differ by up to {_distance(a, b):.3g}')


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max(initial=0)) if a.shape == b.shape else float('inf')


def _sides(model: Any, images: Callable[[], tf.Tensor]) -> dict[str, Callable[[], Any]]:
    """Returns the calls of encoder and decoder that the model has."""
    calls: dict[str, Callable[[], Any]] = {}
    if hasattr(model, 'encode'):
        calls['encode'] = lambda: model.encode(images())
    if hasattr(model, 'decode'):
        calls['decode'] = lambda: model.decode(tf.zeros([2, model.code_size]))
    return calls


def _first_calls(case: Case, model: Any) -> dict[str, Callable[[], Any]]:
    """Returns the calls that may be the first in a graph."""

    def every_objective() -> None:
        for build in model.objectives:
            build(case.batch())

    return {
        'model(images)': lambda: model(case.batch().images),
        'model(images, seed)': lambda: model(case.batch().images, _seed()),
        **_sides(model, lambda: case.batch().images),
        'objectives': every_objective,
    }


def _layers(model: Any) -> list[Layer]:
    return model.layerwise() if hasattr(model, 'layerwise') else []


def _layer_batches(case: Case, model: Any) -> Iterator[tuple[Layer, Batch]]:
    """Yields each layer with a batch of codes of the layers below."""
    below = case.batch().images
    for layer in _layers(model):
        yield layer, Batch(below, None, _seed())
        below = tf.stop_gradient(layer.encode(below))


def _name(named: Any) -> str:
    return getattr(named, '__name__', repr(named))


def _images(count: int, shape: Sequence[int]) -> np.ndarray:
    return np.random.RandomState(0).uniform(size=[count, *shape]).astype(np.float32)


def _seed(step: int = 2) -> tf.Tensor:
    return tf.constant([1, step], tf.int64)


def _variables() -> list[str]:
    return [v.op.name for v in tf.global_variables()]


def _variables_under(scope: str) -> list[str]:
    return [name.partition('/')[2] for name in _variables() if name.startswith(f'{scope}/')]
