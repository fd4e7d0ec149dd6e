"""TF1's `tf.contrib.training`: the part that tf-slim does not provide."""

import json
import re
from typing import Any

__all__ = ['HParams', 'parse_values']

_ASSIGNMENT = re.compile(
    r'(?P<name>[a-zA-Z][\w.]*)(\[\s*(?P<index>\d+)\s*\])?\s*=\s*'
    r'((?P<value>[^,\[]*)|\[(?P<values>[^\]]*)\])($|,\s*)'
)
_BOOLEANS = {'true': True, 'True': True, '1': True, 'false': False, 'False': False, '0': False}


def _read(name: str, kind: type, text: str) -> Any:
    text = text.strip()
    try:
        return _BOOLEANS[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise ValueError(f'{name}={text}: it must be a value of type {kind.__name__}.') from None


def parse_values(values: str, type_map: dict[str, type]) -> dict[str, Any]:
    """Returns the hyperparameters of a text such as `a=1,b=[x,y],c[2]=0.5`.

    Args:
      values: assignments, separated by commas.
      type_map: the type of each name, or of its elements.

    Returns:
      A dictionary of values, lists of values, and dictionaries from index to value.

    Raises:
      ValueError: for anything else, for unknown names, and for a name given twice.
    """
    found: dict[str, Any] = {}
    position = 0
    while position < len(values):
        match = _ASSIGNMENT.match(values, position)
        if not match:
            raise ValueError(
                f'{values[position:]!r} is not a hyperparameter; it must be name=value.'
            )
        position = match.end()
        name, index = match['name'], match['index']
        if name not in type_map:
            raise ValueError(f'{name} is not a hyperparameter; there are {", ".join(type_map)}.')
        if match['values'] is not None:
            texts = match['values'].split(',') if match['values'].strip() else []
            value = [_read(name, type_map[name], text) for text in texts]
        else:
            value = _read(name, type_map[name], match['value'])
        taken = found.get(name) if index is not None else None
        if (name in found and not isinstance(taken, dict)) or (
            index is not None and (isinstance(value, list) or int(index) in (taken or {}))
        ):
            raise ValueError(f'{name} is given twice, or a list as one of its elements.')
        if index is None:
            found[name] = value
        else:
            found.setdefault(name, {})[int(index)] = value
    return found


class HParams:
    """Hyperparameters with the names, values and types of the keyword arguments."""

    def __init__(self, hparam_def: None = None, model_structure: Any = None, **kwargs: Any):
        if hparam_def is not None:
            raise ValueError('HParams: hparam_def is not supported; pass names and values.')
        self._hparam_types: dict[str, tuple[type, bool]] = {}
        self._model_structure = model_structure
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name: str, value: Any) -> None:
        """Adds a hyperparameter of the value's type; a list has the type of its first element."""
        if getattr(self, name, None) is not None:
            raise ValueError(f'{name} is taken: no hyperparameter can have this name.')
        several = isinstance(value, list | tuple)
        if several and not value:
            raise ValueError(f'{name} is an empty list, whose type is unknown.')
        self._hparam_types[name] = (type(value[0] if several else value), several)
        setattr(self, name, value)

    def _cast(self, name: str, value: Any) -> Any:
        """Returns a value as the type of a hyperparameter, if nothing is lost."""
        kind, _ = self._hparam_types[name]
        wrong = ValueError(f'{name}={value!r}: it must be a value of type {kind.__name__}.')
        if kind is type(None) or value is None:
            return value
        if isinstance(value, str) != issubclass(kind, str) or isinstance(value, bool) != (
            kind is bool
        ):
            raise wrong
        if issubclass(kind, int) and not isinstance(value, bool) and int(value) != value:
            raise wrong
        return kind(value)

    def set_hparam(self, name: str, value: Any) -> None:
        """Sets a hyperparameter to a value, or list, of its type."""
        several = self._hparam_types[name][1]
        if several != isinstance(value, list | tuple) and not isinstance(value, dict):
            raise ValueError(f'{name}={value!r}: it must be {"a list" if several else "no list"}.')
        if isinstance(value, dict):
            items = list(getattr(self, name))
            for index, item in value.items():
                items[index] = self._cast(name, item)
            value = items
        elif several:
            value = [self._cast(name, item) for item in value]
        else:
            value = self._cast(name, value)
        setattr(self, name, value)

    def del_hparam(self, name: str) -> None:
        """Deletes a hyperparameter, if it is there."""
        if self._hparam_types.pop(name, None):
            delattr(self, name)

    def parse(self, values: str) -> 'HParams':
        """Sets the hyperparameters of a text; `parse_values` describes it."""
        kinds = {name: kind for name, (kind, _) in self._hparam_types.items()}
        return self.override_from_dict(parse_values(values, kinds))

    def override_from_dict(self, values_dict: dict[str, Any]) -> 'HParams':
        """Sets the hyperparameters of a dictionary."""
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    set_from_map = override_from_dict

    def parse_json(self, values_json: str) -> 'HParams':
        """Sets the hyperparameters of a JSON object."""
        return self.override_from_dict(json.loads(values_json))

    def to_json(
        self, indent: int | None = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        """Returns the hyperparameters as a JSON object."""
        return json.dumps(self.values(), indent=indent, separators=separators, sort_keys=sort_keys)

    def values(self) -> dict[str, Any]:
        """Returns the hyperparameters as a dictionary."""
        return {name: getattr(self, name) for name in self._hparam_types}

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the value of a hyperparameter, or the default if there is none."""
        return getattr(self, key) if key in self else default

    def set_model_structure(self, model_structure: Any) -> None:
        """Stores an object with the hyperparameters."""
        self._model_structure = model_structure

    def get_model_structure(self) -> Any:
        """Returns that object."""
        return self._model_structure

    def __contains__(self, key: str) -> bool:
        return key in self._hparam_types

    def __str__(self) -> str:
        return str(sorted(self.values().items()))

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self})'
