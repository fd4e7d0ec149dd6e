"""Experiment: the complete configuration of a run, as stored in config.json."""

import dataclasses
import math
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data, models
from tfae.core import config, errors, package
from tfae.data import Config as DataConfig
from tfae.data import Form
from tfae.models import regressor
from tfae.models.base import autoencoder, network_flags
from tfae.training.config import TrainingConfig
from tfae.training.phases import Config as ScheduleConfig

# Section of config.json -> its configuration class; the family's depends on the model.
_CONFIGS: dict[str, Any] = {
    'data': DataConfig,
    'training': TrainingConfig,
    'schedule': ScheduleConfig,
}
_MAX_EXAMPLES, _MAX_VALUES = 2**31 - 1, 2**28  # values per image; their bytes fit in 63 bits
_PLACES = ('data_dir', 'attributes')  # the signature tells whether their content is the same
_MAY_CHANGE = (*_PLACES, 'epochs')  # fields that may change when a run is resumed


@dataclasses.dataclass(frozen=True)
class Signature:
    """Properties of a data set that determine the graph, so that building needs no data files."""

    fingerprint: str = ''
    image_shape: tuple[int, ...] = ()
    dtype: str = 'uint8'
    train: int = 0  # examples
    validation: int = 0
    labeled: bool = config.option(False, 'Whether there are labels.', formerly='labelled')
    classes: int = 0  # 0 without labels
    class_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # names of those of a table, or of channels; or empty
    crop: tuple[int, ...] = ()  # height and width of the center crop of image files

    def __post_init__(self):
        errors.one_of('dtype', self.dtype, ('uint8', 'float32'))
        for name in ('train', 'validation', 'classes'):
            errors.in_range(name, getattr(self, name), 0, _MAX_EXAMPLES)
        if len(self.image_shape) > 4 or min(self.image_shape, default=1) < 1:
            raise errors.UsageError(
                f'image_shape is {self.image_shape}; it must be one to four lengths of at least 1'
            )
        if math.prod(self.image_shape) > _MAX_VALUES:
            raise errors.UsageError(
                f'image_shape is {self.image_shape}; it must have at most {_MAX_VALUES} values'
            )
        if self.columns and (len(self.columns),) != self.image_shape[-1:]:
            raise errors.UsageError(
                f'columns are {len(self.columns)} names; image_shape is {self.image_shape}'
            )
        if len(self.crop) not in (0, 2) or min(self.crop, default=1) < 1:
            raise errors.UsageError(f'crop is {self.crop}; it must be two lengths of at least 1')

    @classmethod
    def of(cls, loaded: data.DataSet) -> 'Signature':
        """Returns the signature of a loaded data set."""
        images, labels = loaded.train
        return cls(
            loaded.fingerprint(),
            loaded.image_shape,
            images.dtype.name,
            len(images),
            len(loaded.validation.images),
            labels is not None,
            loaded.classes,
            tuple(loaded.class_names),
            tuple(loaded.columns),
            tuple(images.form.crop or ()) if isinstance(images, data.LazyImages) else (),
        )

    def stand_ins(self) -> tuple[data.Split, data.Split]:
        """Returns zero-filled training and validation splits of these shapes, without memory."""
        return self._stand_in(self.train), self._stand_in(self.validation)

    def _stand_in(self, count: int) -> data.Split:
        images = np.broadcast_to(np.zeros([], self.dtype), [count, *self.image_shape])
        labels = np.broadcast_to(np.zeros([], np.int64), [count]) if self.labeled else None
        return data.Split(images, labels)


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Experiment:
    """The configuration of a run: equal experiments give bit-identical variables.

    Experiment('dense', dataset='mnist', units=(128, 32), epochs=5)
    """

    model: str
    family: Any  # the family's Config
    data: DataConfig
    training: TrainingConfig
    schedule: ScheduleConfig
    signature: Signature  # empty until the data set is loaded

    def __init__(
        self,
        model: str = 'dense',
        family: Any = None,
        data: DataConfig | None = None,
        training: TrainingConfig | None = None,
        schedule: ScheduleConfig | None = None,
        signature: Signature | None = None,
        **arguments: Any,
    ):
        """Sets whole configurations, or single fields by name.

        Args:
          model: name of the family.
          family, data, training, schedule: configurations; None takes the defaults.
          signature: signature of the data set, if it is known.
          **arguments: flags of `tfae train` with their values; strings are parsed as by it.
        Raises: UsageError that names an unknown argument or an invalid value.
        """
        with errors.naming_arguments():
            if not isinstance(model, str):
                raise errors.UsageError(
                    f'model is {config.shown(model)}; it must be the name of a family'
                )
            kinds = {**_CONFIGS, 'family': models.load(model).Config, 'signature': Signature}
            given = (family, data, training, schedule, signature)
            for name, value in zip(('family', *_CONFIGS, 'signature'), given, strict=True):
                if value is not None and not isinstance(value, kinds[name]):
                    raise errors.UsageError(
                        f'{name} is {config.shown(value)}; it must be a configuration, '
                        f'{kinds[name].__module__}.{kinds[name].__name__}'
                    )
            parts = {
                'family': kinds['family']() if family is None else family,
                'data': DataConfig() if data is None else data,
                'training': TrainingConfig() if training is None else training,
                'schedule': ScheduleConfig() if schedule is None else schedule,
            }
            parts = _assigned(model, parts, arguments) if arguments else parts
        values = {'model': model, **parts, 'signature': signature or Signature()}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Returns a call that constructs this experiment: all arguments except defaults."""
        changed = {
            field.name: _as_argument(getattr(part, field.name))
            for part in self.parts().values()
            for field in dataclasses.fields(part)
            if getattr(part, field.name) != field.default
        }
        words = [repr(self.model), *(f'{name}={value!r}' for name, value in changed.items())]
        return f'Experiment({", ".join(words)})'

    def replace(self, model: str = '', **arguments: Any) -> 'Experiment':
        """Returns this experiment with other values of some flags.

        Args:
          model: name of another family, which starts from its defaults; '' keeps the family.
          **arguments: as of the constructor.
        Raises: UsageError as the constructor does.
        """
        kept = self.parts()
        if model not in ('', self.model):
            del kept['family']
        return Experiment(model or self.model, **kept, signature=self.signature, **arguments)

    def of_family(self, family: object) -> 'Experiment':
        """Returns this experiment with another family, given by its `Config`.

        Raises: UsageError if `family` is not the `Config` of a family.
        """
        return dataclasses.replace(self, model=models.name_of(family), family=family)

    def resolved(self) -> 'Experiment':
        """Returns this experiment with the defaults of its family that depend on the data set.

        Without the signature of a data set it stays as it is.
        """
        family = self.family
        if not self.signature.image_shape:
            return self
        if isinstance(family, autoencoder.Config | network_flags.ConfigWithDefault):
            family = family.resolved(self.signature.image_shape)
        if isinstance(family, regressor.Config):
            family = family.of_classes(self.signature.class_names)
        return dataclasses.replace(self, family=family)

    def form(self) -> Form:
        """Returns how image files are converted to examples, as for the training set.

        Raises: InputError if the examples are not images.
        """
        shape = self.signature.image_shape
        if data.tabular(shape):
            raise errors.InputError(
                f'the run was trained on a table of {shape[0]} columns, which image files do not '
                f'have'
            )
        if not data.is_image(shape):
            raise errors.InputError(
                f'the run was trained on {data.noun(shape)}s, which image files are not'
            )
        height, width, channels = self.signature.image_shape
        return Form(height, width, channels, self.crop())

    def crop(self) -> tuple[int, int] | None:
        """Returns height and width to which image files are cropped; None if they are not."""
        # Early runs store the crop only as a flag.
        recorded = self.signature.crop or data.sides('--crop', self.data.crop)
        return (recorded[0], recorded[1]) if recorded else None

    def parts(self) -> dict[str, Any]:
        """Returns section of config.json -> configuration, for those set by flags."""
        names = ('family', 'data', 'training', 'schedule')
        return {name: getattr(self, name) for name in names}

    def hparams(self) -> dict[str, Any]:
        """Returns flag -> value for every flag that affects the result."""
        return {'model': self.model} | {
            name: config.text(value) if isinstance(value, list) else value
            for part in self.parts().values()
            for name, value in config.to_dict(part).items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the content of config.json."""
        return {
            **self._sections(),
            'versions': {
                'python': platform.python_version(),
                'tensorflow': tf.__version__,
                'numpy': np.__version__,
                'tfae': package.VERSION,
            },
        }

    def flags(self) -> list[str]:
        """Returns the lines of a flag file with every flag that affects the result."""
        return [f'--{name}={config.text(value)}' for name, value in self.hparams().items()]

    @classmethod
    def from_dict(cls, content: Any, where: str) -> 'Experiment':
        """Parses the content of config.json, as `to_dict` returns it.

        Args:
          content: the parsed JSON.
          where: path of the file, for errors.
        Raises: InputError that names `where` and the invalid section or field.
        """
        kinds: dict[str, Any] = {**_CONFIGS, 'signature': Signature}
        if not isinstance(content, dict):
            raise errors.InputError(f'{where} is {type(content).__name__}; it must be an object')
        missing = [name for name in ('model', 'family', *kinds) if name not in content]
        if missing:
            raise errors.InputError(f'{where} lacks {", ".join(missing)}, which every run has')
        try:
            kinds['family'] = models.load(str(content['model'])).Config
            parts: dict[str, Any] = {
                name: config.from_dict(kind, content[name], f'{where}: {name}')
                for name, kind in kinds.items()
            }
            return cls(content['model'], **parts)
        except errors.UsageError as error:
            raise errors.InputError(f'{where}: {error}') from None

    def renamed(self, content: Mapping[str, Any]) -> list[str]:
        """Returns `'old is now new'` for each field stored in config.json under a former name."""
        parts = {**self.parts(), 'signature': self.signature}
        return [
            f'{old} is now {new}'
            for section, part in parts.items()
            for old, new in config.former_names(type(part)).items()
            if old in content[section]
        ]

    def differences(self, other: 'Experiment', resumed: bool = False) -> list[str]:
        """Returns `'--flag was a, is b'` for each flag in which `other` differs from this.

        --data_dir is ignored: the signature identifies the data. So is --epochs if `resumed`.
        """
        if self.model != other.model:
            return [f'--model was {self.model}, is {other.model}']
        ignored = _MAY_CHANGE if resumed else _PLACES
        mine, others = self.parts(), other.parts()
        return [
            line for name in mine for line in config.differences(mine[name], others[name], ignored)
        ]

    def fixed(self) -> dict[str, Any]:
        """Returns the content of config.json that determines what the variables of a run mean.

        It never changes, so each checkpoint holds it.
        """
        found = self._sections()
        for section, content in found.items():
            if section != 'model':
                found[section] = {k: v for k, v in content.items() if k not in _MAY_CHANGE}
        return found

    def _sections(self) -> dict[str, Any]:
        """Returns the content of config.json: the configurations by section."""
        parts = {**self.parts(), 'signature': self.signature}
        return {'model': self.model} | {name: config.to_dict(part) for name, part in parts.items()}

    def departures(self, recorded: Any, where: str) -> list[tuple[str, Any, Any]]:
        """Returns `(field, value there, value here)` for each difference from what was recorded.

        Args:
          recorded: `fixed` of an experiment, as JSON; absent fields have their defaults.
          where: it is recorded, for errors.
        Raises: ValueError if it is something else; InputError if a field has two values under both
          its names.
        """
        sections = {'family': type(self.family), **_CONFIGS, 'signature': Signature}
        if not isinstance(recorded, dict) or not all(
            isinstance(recorded.get(name), dict) for name in sections
        ):
            raise ValueError('its configuration is damaged')
        if recorded.get('model') != self.model:
            return [('model', recorded.get('model'), self.model)]
        found, fixed = [], self.fixed()
        for section, kind in sections.items():
            here = fixed[section]
            given = config.of_today(kind, recorded[section], f'{where}: {section}')
            defaults = config.to_dict(kind())
            there = {**{name: defaults[name] for name in here}, **given}
            found += [
                (f'{section}.{name}', value, here.get(name))
                for name, value in there.items()
                # Earlier versions recorded fields that may change today.
                if name not in _MAY_CHANGE and (name not in here or value != here[name])
            ]
        return found


def _assigned(model: str, parts: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configurations with fields replaced by the arguments of the same names.

    Raises: UsageError that names an unknown argument or an invalid value.
    """
    _refuse_unknown_data_set(arguments.get('dataset'))
    kinds = {name: config.field_types(type(part)) for name, part in parts.items()}
    former = {k: v for part in parts.values() for k, v in config.former_names(type(part)).items()}
    for name in arguments:
        if any(name in fields for fields in kinds.values()):
            continue
        if name in former:
            raise errors.UsageError(f'{name} is now {former[name]}')
        raise errors.UsageError(_unknown(model, name, kinds))
    return {
        section: dataclasses.replace(
            part,
            **{
                name: config.from_python(name, kinds[section][name], value)
                for name, value in arguments.items()
                if name in kinds[section]
            },
        )
        for section, part in parts.items()
    }


def _refuse_unknown_data_set(name: Any) -> None:
    """Raises UsageError for an unknown data set; module paths are checked on loading."""
    if isinstance(name, str) and '.' not in name:
        data.module(name)


def _as_argument(value: Any) -> Any:
    """Returns a field's value as plain Python; values with `from_text` as their text."""
    if isinstance(value, tuple):
        return tuple(map(_as_argument, value))
    return str(value) if hasattr(value, 'from_text') else value


def _unknown(model: str, name: str, kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the error text for an argument that no configuration has."""
    families = models.FAMILIES.items()
    having = [f for f, module in families if name in config.field_types(module.Config)]
    if having:
        return f'{name} is an argument of the family {", ".join(having)}; the model is {model}'
    for _, module in families:
        if today := config.former_names(module.Config).get(name):
            return f'{name} is now {today}; {_unknown(model, today, kinds)}'
    near = errors.nearest(name, [known for fields in kinds.values() for known in fields])
    return f'{name} is not an argument of an experiment of the family {model}{near}'
