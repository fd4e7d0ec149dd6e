"""Configurations: frozen dataclasses, converted from and to text and JSON.

Each field declares its help and bounds. It is a bool, int, float, str, `Literal` of strings, a type
with `from_text(text, who)` and `str`, or a tuple of one of them. A tuple is a comma-separated list
on the command line and a list in JSON. On the command line, an element with a comma is quoted,
`"a,b",c`, with `""` for a quote in it. Errors name unknown fields and wrong types.
"""

import dataclasses
import functools
import os
import re
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from tfae.core import errors, plugins

T = TypeVar('T')

_MAX_INT = 2**31 - 1
_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(,|\Z)')
_BOOLS = {'true': True, 'false': False, '1': True, '0': False, 'yes': True, 'no': False}


@dataclasses.dataclass(frozen=True)
class Part:
    """A configuration that validates its fields: bounds, needed and excluded flags."""

    def __post_init__(self):
        """Raises UsageError; an override must call `super().__post_init__()` first."""
        kinds = field_types(type(self))
        for name, kind in kinds.items():
            if _has_text(_element(kind)):  # a Python caller may give the text
                object.__setattr__(self, name, _read(name, kind, getattr(self, name)))
        fields, declared = dataclasses.fields(self), declarations(type(self))
        values = {field.name: getattr(self, field.name) for field in fields}
        changed = [field.name for field in fields if values[field.name] != field.default]
        for name in values:
            _refuse_no_text(name, values[name])
            declared[name].refuse_out_of_range(name, kinds[name], values[name])
        for name in changed:
            declared[name].refuse_unread(name, values, changed)


class Option(NamedTuple):
    """The declaration of a flag, without its name, type and default; see `option`."""

    help: str
    within: str = ''
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    formerly: str = ''
    former_values: Mapping[str, str] = types.MappingProxyType({})

    def shown(self, kind: Any, required: Iterable[str] = ()) -> str:
        """Returns the help text of a flag of type `kind`; the `required` flags are always given."""
        sentences = [self.help]
        if options := choices(kind):
            sentences.append(f'One of {", ".join(options)}.')
        if is_tuple(kind) and _element(kind) is str:
            sentences.append('Quote elements that contain a comma: "a,b",c.')
        if self.within:
            sentences.append(f'Range{" of each" if is_tuple(kind) else ""}: {self.within}.')
        if needs := [need for need in self.needs if need not in required]:
            sentences.append(f'Requires {" and ".join(map(_alternatives, needs))}.')
        if self.excludes:
            sentences.append(f'Cannot be combined with {" or ".join(self.excludes)}.')
        return ' '.join(sentences)

    def refuse_out_of_range(self, name: str, kind: Any, value: Any) -> None:
        """Refuses a number, or one of a list, outside the interval.

        An integer without an upper bound is a size or a count, which TensorFlow stores in 32 bits.
        """
        if not self.within:
            return
        values = value if isinstance(value, tuple) else (value,)
        bounds = [self.within]
        if _element(kind) is int:
            bounds.append(self.within.replace('inf)', f'{_MAX_INT}]'))
        for interval in map(_interval, bounds):
            if not all(map(interval.holds, values)):
                each = 'each' if isinstance(value, tuple) else 'it'
                raise errors.UsageError(
                    f'--{name} is {text(value)}; {each} must lie in {interval.text}'
                )

    def refuse_unread(self, name: str, values: Mapping[str, Any], changed: Sequence[str]) -> None:
        """Refuses a flag that has no effect under the values of the other flags.

        Args:
          name: of the flag, which is not at its default.
          values: of all flags.
          changed: names of all flags that are not at their defaults.
        """
        for need in self.needs:
            other, _, wanted = need.removeprefix('--').partition('=')
            if other not in values or _is_met(values[other], wanted):
                continue
            came = f'; it is {text(values[other]) or "empty"}' if wanted else ''
            raise errors.UsageError(f'--{name} needs {_alternatives(need)}{came}')
        for other in self.excludes:
            if other.removeprefix('--') in changed:
                raise errors.UsageError(f'--{name} and {other} exclude each other')


def option(default: Any, help: str, **more: Any) -> Any:
    """Declares a dataclass field that is a flag.

    Args:
      default: value of the field.
      help: text of the flag.
      more: fields of `Option`,
        `within`, the interval of a number and its unit, `'[0, 1)'` or `'[1, inf) steps'`;
        `needs`, flags without which this one has no effect: `'--filters'` (not empty, 0, false or
        none) or `'--optimizer=momentum,rmsprop'` (one of these values);
        `excludes`, flags that cannot be combined with this one;
        `formerly`, the name of the flag in earlier versions;
        `former_values`, values in earlier versions -> values of today.
    Returns: the field.
    """
    return dataclasses.field(default=default, metadata=Option(help, **more)._asdict())


def declarations(cls: type) -> dict[str, Option]:
    """Returns field name -> its declaration, which has no help where the field is not a flag."""
    found = {field.name: field.metadata for field in dataclasses.fields(cls)}
    return {
        name: Option(**{'help': ''} | {k: v for k, v in metadata.items() if k in Option._fields})
        for name, metadata in found.items()
    }


def former_names(cls: type) -> dict[str, str]:
    """Returns name in earlier versions -> name of today, for renamed fields."""
    return {option.formerly: k for k, option in declarations(cls).items() if option.formerly}


def field_types(cls: type) -> dict[str, Any]:
    """Returns field name -> type, in order of definition."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def choices(kind: Any) -> tuple[str, ...]:
    """Returns the values of a `Literal`, or of a tuple of it; empty for every other type."""
    element = _element(kind)
    if built_in := getattr(element, 'BUILT_IN', ()):
        return (*built_in, plugins.FUNCTION)
    return typing.get_args(element) if _is_literal(element) else ()


def is_tuple(kind: Any) -> bool:
    """Returns whether the field takes a comma-separated list."""
    return typing.get_origin(kind) is tuple


def split(text: str) -> list[str]:
    """Splits a comma-separated list; quotes around elements are removed."""
    if not text.strip():
        return []
    elements, place, comma = [], 0, ','
    while comma:
        found = _ELEMENT.match(text, place)
        assert found  # an element may be empty
        quoted, bare, comma = found.groups()
        elements.append(bare.strip() if quoted is None else quoted.replace('""', '"'))
        place = found.end()
    return elements


def number(value: float) -> str:
    """Formats a number as short as possible without loss."""
    return repr(float(value)).removesuffix('.0')


def parse(name: str, kind: Any, text: str) -> Any:
    """Parses the value of a flag.

    Raises: UsageError that names the field, the text and what is wanted.
    """
    if is_tuple(kind):
        return tuple(parse(name, _element(kind), part) for part in split(text))
    if _is_literal(kind):
        return errors.one_of(f'--{name}', text, typing.get_args(kind))
    if _has_text(kind):
        return kind.from_text(text, f'--{name}')
    try:
        return _BOOLS[text.strip().lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise errors.UsageError(f'--{name} is {text!r}; it must be {_describe(kind)}') from None


def from_python(name: str, kind: Any, value: Any) -> Any:
    """Converts an argument of the Python interface to the value of a field.

    A text is parsed as on the command line. Sequences, arrays and single elements become tuples. In
    place of texts, integers (`3` for `'3'`) and sizes (`(64, 48)` for `'64x48'`) are accepted.

    Args:
      name: of the field.
      kind: its type.
      value: the argument.
    Raises: UsageError that names the field, the value and the type expected.
    """
    if hasattr(value, 'tolist'):  # numpy's scalars and arrays
        value = value.tolist()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return parse(name, kind, value)
    if kind is str:
        numbers = value if isinstance(value, list | tuple) else (value,)
        if numbers and all(_matches(number, int) for number in numbers):
            return 'x'.join(map(str, numbers))
    if is_tuple(kind):
        elements = value if isinstance(value, Iterable) else (value,)
        return tuple(from_python(name, _element(kind), element) for element in elements)
    if kind is str and callable(value):
        raise errors.UsageError(
            f'--{name} is of type {type(value).__name__}; it must be a string, for a function its '
            f'name {plugins.FUNCTION}; models.custom(encoder=..., decoder=...) takes functions'
        )
    if callable(value) and _has_text(kind) and not isinstance(value, kind):
        raise errors.UsageError(
            f'--{name} is the {type(value).__name__} {getattr(value, "__name__", "")}; it must be '
            f'its name as a string, {plugins.FUNCTION!r}'
        )
    if not _matches(value, kind):
        raise errors.UsageError(f'--{name} is {value!r}; it must be {_describe(kind)}')
    if kind is not float:
        return value
    try:
        return float(value)
    except OverflowError:
        raise errors.UsageError(f'--{name} is too large for a float') from None


def to_dict(config: Any) -> dict[str, Any]:
    """Returns field name -> value for JSON."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(cls: type[T], values: dict[str, Any], where: str) -> T:
    """Returns the inverse of `to_dict`; absent fields keep their defaults.

    Names and values of earlier versions are converted.

    Args:
      cls: the configuration.
      values: field name -> value of JSON.
      where: file or flag that holds them, for errors.
    Raises: InputError that names the unknown field or the wrong type.
    """
    kinds = field_types(cls)
    if not isinstance(values, dict):
        raise errors.InputError(f'{where} is {type(values).__name__}; it must be an object')
    values = of_today(cls, values, where)
    for name, value in values.items():
        if name not in kinds:
            raise errors.InputError(
                f'{where} has an unknown field {name!r}{errors.nearest(name, kinds)}'
            )
        if not _matches(value, kinds[name]):
            raise errors.InputError(
                f'{where}: {name} is {value!r}; it must be {_describe(kinds[name])}'
            )
    return cls(**{name: _read(name, kinds[name], value) for name, value in values.items()})


def of_today(cls: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """Returns the fields of JSON with names and choices of earlier versions replaced by today's.

    Raises: InputError that names `where` if a field has two values under both its names.
    """
    names = former_names(cls)
    for old, new in names.items():
        if old in values and new in values and values[old] != values[new]:
            raise errors.InputError(
                f'{where}: {old} is {values[old]!r} and {new} is {values[new]!r}; both names are '
                'of the same field'
            )
    values = {names.get(name, name): value for name, value in values.items()}
    for name in values.keys() & field_types(cls).keys():
        values[name] = _replaced(values[name], declarations(cls)[name].former_values)
    return values


def _replaced(value: Any, choices: Mapping[str, str]) -> Any:
    """Replaces a value, or each value of a list, of an earlier version."""
    if isinstance(value, list | tuple):
        return [_replaced(element, choices) for element in value]
    return choices.get(value, value) if isinstance(value, str) else value


def differences(old: Any, new: Any, ignored: Iterable[str] = ()) -> list[str]:
    """Returns `'--name was a, is b'` for each field in which two configurations differ."""
    a, b = (
        {field.name: getattr(c, field.name) for field in dataclasses.fields(c)} for c in (old, new)
    )
    return [
        f'--{k} was {text(a[k])}, is {text(b[k])}' for k in a if a[k] != b[k] and k not in ignored
    ]


def text(value: Any) -> str:
    """Formats a value as on the command line."""
    if isinstance(value, tuple | list):
        return ','.join(_quoted(text(v)) for v in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(element: str) -> str:
    """Quotes an element of a comma-separated list if `split` needs it."""
    if element and element == element.strip() and ',' not in element and element[0] != '"':
        return element
    return '"{}"'.format(element.replace('"', '""'))


def shown(value: Any) -> str:
    """Describes a wrong argument in one line: a plain value, else its type."""
    plain = value is None or isinstance(value, bool | int | float | str | bytes)
    return repr(value) if plain else f'of type {type(value).__name__}'


def broadcast(name: str, values: Sequence[T], count: int) -> tuple[T, ...]:
    """Returns one value for each of `count` layers; a single value serves all.

    Raises: UsageError unless there are 1 or `count` values.
    """
    if len(values) == 1:
        return tuple(values) * count
    if len(values) != count:
        raise errors.UsageError(
            f'--{name} has {len(values)} values ({text(tuple(values))}); it must have 1 or {count}'
        )
    return tuple(values)


def _refuse_no_text(name: str, value: Any) -> None:
    """Refuses texts that no file name can hold: with a NUL, or with half a surrogate pair."""
    for element in value if isinstance(value, tuple) else (value,):
        try:
            sound = not isinstance(element, str) or b'\0' not in os.fsencode(element)
        except UnicodeEncodeError:
            sound = False
        if not sound:
            raise errors.UsageError(f'--{name} is {element!r}; it must be valid text without NUL')


def _element(kind: Any) -> Any:
    return typing.get_args(kind)[0] if is_tuple(kind) else kind


def _is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is typing.Literal


def _has_text(kind: Any) -> bool:
    """Returns whether values of this type convert from text, by `kind.from_text(text, who)`."""
    return hasattr(kind, 'from_text')


def _read(name: str, kind: Any, value: Any) -> Any:
    """Converts lists of JSON, or of a Python caller, to tuples and texts to values.

    Raises: UsageError as `parse` does.
    """
    if isinstance(value, list | tuple):
        return tuple(_read(name, _element(kind), element) for element in value)
    return parse(name, kind, value) if _has_text(kind) and isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    return str(value) if _has_text(value) else value


def _describe(kind: Any) -> str:
    if is_tuple(kind):
        return f'a comma-separated list, each {_describe(_element(kind))}'
    if _is_literal(kind):
        return f'one of {", ".join(typing.get_args(kind))}'
    if _has_text(kind):
        return 'a string'
    names = {bool: 'true or false', int: 'an integer', float: 'a number', str: 'a string'}
    return names[kind]


def _matches(value: Any, kind: Any) -> bool:
    if is_tuple(kind):
        return isinstance(value, list | tuple) and all(_matches(v, _element(kind)) for v in value)
    if _is_literal(kind):
        return value in typing.get_args(kind)
    if _has_text(kind):
        return isinstance(value, str | kind)
    wanted: types.UnionType | type = int | float if kind is float else kind
    return isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))


class _Interval(NamedTuple):
    low: float
    high: float
    text: str

    def holds(self, number: float) -> bool:
        """Returns whether a number lies in the interval; infinities never do."""
        above = number > self.low or (number == self.low and self.text[0] == '[')
        below = number < self.high or (number == self.high and self.text[-1] == ']')
        return above and below and abs(number) <= sys.float_info.max


@functools.cache
def _interval(within: str) -> _Interval:
    """Parses `'[1, inf) steps'`."""
    found = re.fullmatch(r'([\[(]([^,]+), ([^\])]+)[\])])( \w+)?', within)
    assert found, within
    low, high = (int(end) if end.isdigit() else float(end) for end in found.group(2, 3))
    return _Interval(low, high, found[1])


def _is_set(value: Any) -> bool:
    """Returns whether a value is not empty, 0, false or none."""
    if isinstance(value, tuple):
        return any(map(_is_set, value))
    return bool(value) and value != 'none'


def _is_met(value: Any, wanted: str) -> bool:
    """Returns whether a value, or one of a list, is wanted; levels in `kind:level` are ignored."""
    if not wanted:
        return _is_set(value)
    values = value if isinstance(value, tuple) else (value,)
    return any(text(v).partition(':')[0] in wanted.split(',') for v in values)


def _alternatives(need: str) -> str:
    """Formats `'--a=b,c,d'` as `'--a=b, c or d'`."""
    *first, last = need.split(',')
    return f'{", ".join(first)} or {last}' if first else last
