"""Checks a module against the contract of `tfae.models`."""

import contextlib
import dataclasses
import inspect
import json
import traceback
from collections.abc import Collection, Iterator, Sequence
from types import ModuleType
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import config, errors
from tfae.models.base.family import Family, Model
from tfae.models.base.objective import Batch, Objective

_NEEDS = {'code': 'encode', 'reconstruction': 'decode'}  # field of Outputs -> method of Model
# Flags of tfae train alone, and of every command.
_TAKEN = (
    'logdir',
    'model',
    'recipe',
    'dry_run',
    'print_config',
    'flagfile',
    'h',
    'help',
    'undefok',
)


def problem(family: Family | ModuleType, taken: Collection[str] = ()) -> str:
    """Returns the first violation of the contract by a module, or '' if there is none.

    Args:
      family: the module.
      taken: flag names that no field of its Config may have.
    """
    kind = getattr(family, 'Config', None)
    found = _config_problem(kind) or _outputs_problem(family) or _model_problem(family)
    return found or _name_problem(family, taken)


def model(
    who: str, family: Family, settings: Any, image_shape: Sequence[int], classes: int
) -> Model:
    """Returns the model of a family for images `[B, *image_shape]`.

    Args:
      who: name of the family in errors.
      family: its module.
      settings: its `Config`.
      image_shape: `(H, W, C)`, or `(D,)` of a table.
      classes: K, number of classes; 0 without labels.
    Raises: UsageError if the model has no objectives or no code size; any exception that the
      family raises for settings that it cannot build.
    """
    made = family.Model(settings, image_shape, classes)
    objectives = getattr(made, 'objectives', None)
    if not isinstance(objectives, Sequence) or not objectives or not all(map(callable, objectives)):
        raise errors.UsageError(
            f'{who}: objectives of Model are {objectives!r}; they must be one function or more, '
            f'each Batch -> Objective'
        )
    size = getattr(made, 'code_size', None)
    coded = hasattr(made, 'encode') or hasattr(made, 'decode')
    if coded and not (isinstance(size, int) and size >= 1):
        raise errors.UsageError(
            f'{who}: code_size of Model is {size!r}; it must be an integer of at least 1'
        )
    return made


def model_from_outside(
    who: str, family: Family, settings: Any, image_shape: Sequence[int], classes: int
) -> Model:
    """Returns the model of a plug-in family, after a trial in a separate graph.

    Args: those of `model`.
    Raises: UsageError as `model` does, if the family raises any exception, or if a result of its
      model has another type or shape than the contract requires.
    """
    arguments = (who, family, settings, image_shape, classes)
    with building(who, family):
        with tf.Graph().as_default():
            tf.set_random_seed(0)  # op determinism requires a seed, though nothing is run here
            _try_out(who, model(*arguments), image_shape, classes)
        return model(*arguments)


@contextlib.contextmanager
def building(who: str, family: Any) -> Iterator[None]:
    """Turns any exception of a family's code while its graph is built into a UsageError.

    The text names the exception, and the last line of the family's file in the traceback.
    """
    try:
        yield
    except (errors.UsageError, errors.InputError):
        raise
    except (Exception, SystemExit) as error:
        path = getattr(family, '__file__', None)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        place = f' ({path}, line {frames[-1].lineno})' if frames else ''
        text = next((line for line in map(str.strip, str(error).splitlines()) if line), '')
        raise errors.UsageError(
            f'{who}: building its graph raised {type(error).__name__}: {text}{place}'
        ) from error


def _try_out(who: str, made: Model, image_shape: Sequence[int], classes: int) -> None:
    """Calls a model as validation does, without noise.

    Raises: UsageError if a result has another type or shape than the contract requires.
    """
    images = tf.placeholder(tf.float32, [None, *image_shape])
    labels = tf.placeholder(tf.int64, [None]) if classes else None
    size = getattr(made, 'code_size', None)
    shapes = {'code': [size], 'reconstruction': image_shape, 'logits': image_shape}
    shapes['probabilities'] = [classes]
    try:
        outputs = made(images)
    except Exception:
        _try_encode(who, made, image_shape)  # report a wrong encoder first: the simpler cause
        raise
    if not hasattr(outputs, '_fields'):
        raise errors.UsageError(
            f'{who}: Model returns {type(outputs).__name__} for images; it must return Outputs, a '
            f'NamedTuple of tensors'
        )
    for name, value in outputs._asdict().items():
        _refuse_other(f'{who}: {name} of Outputs', value, shapes.get(name))
    if hasattr(made, 'encode'):
        _refuse_other(f'{who}: the result of encode', made.encode(images), [size])
    if hasattr(made, 'decode'):
        images_made = made.decode(tf.placeholder(tf.float32, [None, made.code_size]))
        _refuse_other(f'{who}: the result of decode', images_made, image_shape)
    for build in made.objectives:
        objective = build(Batch(images, labels, None))
        name = getattr(build, '__name__', repr(build))
        if not isinstance(objective, Objective):
            raise errors.UsageError(
                f'{who}: objective {name} returns '
                f'{"a tensor" if tf.is_tensor(objective) else type(objective).__name__}; it must '
                f'return an Objective'
            )
        if not tf.is_tensor(objective.loss) or objective.loss.shape.rank not in (0, None):
            raise errors.UsageError(
                f'{who}: the loss of {name} is {_kind(objective.loss)}; it must be a scalar tensor'
            )
        if not objective.variables:
            raise errors.UsageError(f'{who}: objective {name} lists no variables to train')


def _try_encode(who: str, made: Model, image_shape: Sequence[int]) -> None:
    """Raises UsageError if the encoder does not return a code `[B, Z]`."""
    if hasattr(made, 'encode'):
        with tf.Graph().as_default():
            code = made.encode(tf.placeholder(tf.float32, [None, *image_shape]))
            _refuse_other(f'{who}: the result of encode', code, [made.code_size])


def _refuse_other(who: str, value: Any, shape: Sequence[int | None] | None) -> None:
    """Raises UsageError unless `value` is a tensor `[B, *shape]`."""
    wanted = None if shape is None else tf.TensorShape([None, *shape])
    if not tf.is_tensor(value) or (wanted and not value.shape.is_compatible_with(wanted)):
        of_shape = '' if wanted is None else f' {wanted}'
        raise errors.UsageError(f'{who} is {_kind(value)}; it must be a tensor{of_shape}')


def _kind(value: Any) -> str:
    return str(value.shape) if tf.is_tensor(value) else f'of type {type(value).__name__}'


def _name_problem(family: Family | ModuleType, taken: Collection[str]) -> str:
    for field in dataclasses.fields(family.Config):
        if field.name in (*_TAKEN, *taken):
            return f'Config.{field.name} has the name of a flag of tfae train; rename it'
    return ''


def _config_problem(kind: Any) -> str:
    if kind is None:
        return 'it has no Config; it must be a frozen dataclass, whose fields become flags'
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return 'Config is not a dataclass; it must be a frozen one, whose fields become flags'
    if '__dataclass_params__' not in vars(kind) and inspect.get_annotations(kind):
        return 'Config is not a dataclass itself; write @dataclasses.dataclass(frozen=True)'
    if not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return 'Config is not frozen; write @dataclasses.dataclass(frozen=True)'
    for field in dataclasses.fields(kind):
        if not isinstance(field.metadata.get('help'), str) or not field.metadata['help']:
            return (
                f'Config.{field.name} has no help text; write '
                f"{field.name}: ... = tfae.core.config.option(default, 'Help.')"
            )
        if field.default is dataclasses.MISSING:
            return f'Config.{field.name} has no default value'
    try:
        types = config.field_types(kind)
    except Exception as error:
        return f'the types of Config cannot be read ({type(error).__name__}: {error})'
    for field in dataclasses.fields(kind):
        if not _is_flag(field.name, types[field.name], field.default):
            return (
                f'Config.{field.name} is {types[field.name]} with default {field.default!r}; a '
                f'flag is a bool, int, float, str, Literal of strings or a tuple[..., ...] of those'
            )
    try:
        settings = kind()
        written = json.loads(json.dumps(config.to_dict(settings)))
        same = config.from_dict(kind, written, 'Config') == settings
    except Exception as error:
        return f'Config() with its defaults raises {type(error).__name__}: {error}'
    return '' if same else 'Config() with its defaults does not survive conversion to JSON and back'


def _is_flag(name: str, kind: Any, default: Any) -> bool:
    """Returns whether a field's default survives conversion to the text of a flag and back."""
    try:
        return config.parse(name, kind, config.text(default)) == default
    except Exception:
        return False


def _outputs_problem(family: Family | ModuleType) -> str:
    outputs = getattr(family, 'Outputs', None)
    if outputs is None:
        return 'it has no Outputs; it must be a NamedTuple of tensors [B, ...]'
    if not (isinstance(outputs, type) and issubclass(outputs, tuple)):
        return 'Outputs is not a NamedTuple'
    fields = getattr(outputs, '_fields', ())
    if not fields:
        return 'Outputs has no fields'
    if 'code' in fields[1:]:
        return f'code must be the first field of Outputs, which are {", ".join(fields)}'
    return ''


def _model_problem(family: Family | ModuleType) -> str:
    kind = getattr(family, 'Model', None)
    if kind is None:
        return 'it has no Model; it must be a class'
    if not isinstance(kind, type):
        return 'Model is not a class'
    if not any('__call__' in vars(base) for base in kind.__mro__):
        return 'Model lacks __call__(images, seed=None), which returns the Outputs'
    try:
        inspect.signature(kind).bind(None, None, 0)
    except TypeError as error:
        return f'Model(config, image_shape, classes) cannot be called: {error}'
    except ValueError:
        pass  # written in C, without a signature
    fields = family.Outputs._fields
    for field, method in _NEEDS.items():
        if field in fields and not hasattr(kind, method):
            return f'Model lacks {method}, but its Outputs have a {field}'
    if 'code' not in fields and hasattr(kind, 'encode'):
        return 'Model has encode, but its Outputs have no code'
    if hasattr(kind, 'prior') and not hasattr(kind, 'decode'):
        return 'Model has prior, but lacks decode'
    return ''
