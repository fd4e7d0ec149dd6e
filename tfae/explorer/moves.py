"""Parses and validates the JSON of a request: a point of the latent space.

    {"between": {"images": [3, 17], "part": 0.4, "way": "linear"}, "components": [...],
     "strengths": [...]}

The code starts as the interpolation between two images, or as the mean code if `between` is null.
Its components are then replaced, unless `components` is null. Attributes are added last.

K components, A attributes.
"""

import json
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

STRENGTH = 3.0  # largest multiple of an attribute direction
SCALE = 32  # largest magnification of a saved image

_MAX_COMPONENT = 1e6  # absolute value
_MAX_SHOWN = 60  # characters of an invalid value in an error


class Between(NamedTuple):
    """A point on the path between two images."""

    first: int
    second: int
    part: float  # in [0, 1]
    way: str


class Move(NamedTuple):
    """A point of the latent space, and the magnification of its image."""

    between: Between | None
    components: np.ndarray | None  # [K]
    strengths: np.ndarray  # [A]
    scale: int


class Limits(NamedTuple):
    """Bounds of a valid move."""

    components: int
    images: int
    attributes: int
    ways: Collection[str]


def read(body: bytes, limits: Limits, scaled: bool = False) -> Move:
    """Returns the move in the body of a request.

    Args:
      body: JSON.
      limits: of the run.
      scaled: whether the body also holds the `scale` of a file.

    Raises: ValueError with one line that names the invalid value and the valid ones.
    """
    try:
        found = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError('the body is not JSON of finite numbers') from None
    _has('the body', found, ('between', 'components', 'strengths', *(['scale'] if scaled else [])))
    between, components = found['between'], found['components']
    return Move(
        None if between is None else _between(between, limits),
        None
        if components is None
        else _numbers('components', components, limits.components, _MAX_COMPONENT),
        _numbers('strengths', found['strengths'], limits.attributes, STRENGTH),
        _whole('scale', found['scale'], 1, SCALE) if scaled else 1,
    )


def _between(value: Any, limits: Limits) -> Between:
    _has('between', value, ('images', 'part', 'way'))
    last = limits.images - 1
    first, second = (_whole('images', x, 0, last) for x in _list('images', value['images'], 2))
    way = value['way']
    if not isinstance(way, str) or way not in limits.ways:
        raise _wrong('way', way, f'one of {", ".join(limits.ways)}')
    return Between(first, second, _number('part', value['part'], 0, 1), way)


def _refuse(text: str) -> float:
    raise ValueError(text)


def _wrong(who: str, came: Any, wanted: str) -> ValueError:
    text = repr(came)
    if len(text) > _MAX_SHOWN:
        text = f'{text[:_MAX_SHOWN]} ...'
    return ValueError(f'{who} is {text}; it must be {wanted}')


def _has(who: str, value: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(value, dict) or value.keys() != set(keys):
        raise _wrong(who, value, f'an object of {", ".join(keys)}')


def _list(who: str, value: Any, count: int) -> list:
    if not isinstance(value, list) or len(value) != count:
        raise _wrong(who, value, f'a list of {count}')
    return value


def _number(who: str, value: Any, low: float, high: float) -> float:
    # An int too large for a float can still be compared with one.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(who, value, f'a number in [{low:g}, {high:g}]')
    return float(value)


def _whole(who: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(who, value, f'an integer in [{low}, {high}]')
    return value


def _numbers(who: str, value: Any, count: int, bound: float) -> np.ndarray:
    values = [_number(who, number, -bound, bound) for number in _list(who, value, count)]
    return np.array(values, np.float64)
