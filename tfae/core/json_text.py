"""Strict JSON (RFC 8259), read within bounds.

JSON cannot represent non-finite floats. They are written as the texts "NaN", "Infinity" and
"-Infinity", as in protobuf's mapping (https://protobuf.dev/programming-guides/json): `float` in
Python and `Number` in JavaScript read them, and `numbers` converts them back.
"""

import json
import math
from typing import Any

MAX_DEPTH = 8  # levels of nesting
MAX_KEY = 1000  # characters
MAX_DIGITS = 300  # of an integer; a float holds 308

_TEXTS = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf}


def dumps(value: Any, indent: int | None = None) -> str:
    """Returns a value as JSON; floats may be non-finite."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def loads(content: str | bytes) -> Any:
    """Parses JSON; bare NaN and Infinity, which older versions wrote, are accepted.

    Integers beyond the range of a float become infinite floats, so that every number can be
    compared and formatted.

    Raises: ValueError if it is not JSON, nests deeper or has longer keys than commands write.
    """
    try:
        value = json.loads(content, parse_int=_whole)
    except RecursionError:
        raise ValueError('it nests too deeply') from None
    _refuse_unbounded(value)
    return value


def numbers(value: Any) -> Any:
    """Converts the texts of non-finite floats in a value back to floats."""
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner) for inner in value]
    return _TEXTS.get(value, value) if isinstance(value, str) else value


def _finite(value: Any) -> Any:
    """Converts non-finite floats in a value to texts."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < MAX_DIGITS else float(digits)


def _refuse_unbounded(value: Any) -> None:
    """Refuses deeper nesting and longer keys than any command writes."""
    level = [value]
    for _ in range(MAX_DEPTH):
        keys = [key for inner in level if isinstance(inner, dict) for key in inner]
        if any(len(key) > MAX_KEY for key in keys):
            raise ValueError(f'it has a key of more than {MAX_KEY} characters')
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise ValueError(f'it nests deeper than {MAX_DEPTH} levels')
