"""Whether a module is a family: the parts of the contract of `tfae.models` that it must have."""

import dataclasses
import inspect
import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tfae.core import config, errors
from tfae.models.base.family import Family, Model

_NEEDS = {'code': 'encode', 'reconstruction': 'decode'}  # field of Outputs -> method of Model


def problem(family: Family | ModuleType) -> str:
    """Returns the first part of the contract that a module lacks, in words; '' if it has all."""
    kind = getattr(family, 'Config', None)
    return _config_problem(kind) or _outputs_problem(family) or _model_problem(family)


def model(
    who: str, family: Family, settings: Any, image_shape: Sequence[int], classes: int
) -> Model:
    """Returns the model of a family for images `[B, *image_shape]`.

    Args:
      who: how errors call the family.
      family: its module.
      settings: its `Config`.
      image_shape: `(H, W, C)`.
      classes: K, 0 without labels.
    Raises: UsageError if the model has no objectives or no size of its code; whatever the family
      raises for settings that it cannot build.
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
            f'{who}: code_size of Model is {size!r}; it must be a whole number of 1 or more'
        )
    return made


def _config_problem(kind: Any) -> str:
    if kind is None:
        return 'it has no Config; a frozen dataclass is wanted, its fields become flags'
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return 'Config is no dataclass; a frozen one is wanted, its fields become flags'
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
                f'flag is a bool, int, float, str, Literal of texts or a tuple[..., ...] of those'
            )
    try:
        settings = kind()
        written = json.loads(json.dumps(config.to_dict(settings)))
        same = config.from_dict(kind, written, 'Config') == settings
    except Exception as error:
        return f'Config() with its defaults raises {type(error).__name__}: {error}'
    return '' if same else 'Config() with its defaults is not what JSON gives back'


def _is_flag(name: str, kind: Any, default: Any) -> bool:
    """Whether a field's default survives the way to the text of a flag and back."""
    try:
        return config.parse(name, kind, config.text(default)) == default
    except Exception:
        return False


def _outputs_problem(family: Family | ModuleType) -> str:
    outputs = getattr(family, 'Outputs', None)
    if outputs is None:
        return 'it has no Outputs; a NamedTuple of tensors [B, ...] is wanted'
    if not (isinstance(outputs, type) and issubclass(outputs, tuple)):
        return 'Outputs is no NamedTuple'
    fields = getattr(outputs, '_fields', ())
    if not fields:
        return 'Outputs has no fields'
    if 'code' in fields[1:]:
        return f'code must be the first field of Outputs, which are {", ".join(fields)}'
    return ''


def _model_problem(family: Family | ModuleType) -> str:
    kind = getattr(family, 'Model', None)
    if kind is None:
        return 'it has no Model; a class is wanted'
    if not isinstance(kind, type):
        return 'Model is no class'
    if not any('__call__' in vars(base) for base in kind.__mro__):
        return 'Model lacks __call__(images, seed=None), which returns the Outputs'
    try:
        inspect.signature(kind).bind(None, None, 0)
    except TypeError as error:
        return f'Model(config, image_shape, classes) cannot be called: {error}'
    except ValueError:
        pass  # written in C: it shows when it is called
    fields = family.Outputs._fields
    for field, method in _NEEDS.items():
        if field in fields and not hasattr(kind, method):
            return f'Model lacks {method}, but its Outputs have a {field}'
    if 'code' not in fields and hasattr(kind, 'encode'):
        return 'Model has encode, but its Outputs have no code'
    if hasattr(kind, 'prior') and not hasattr(kind, 'decode'):
        return 'Model has prior, but lacks decode'
    return ''
