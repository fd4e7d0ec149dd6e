"""Codes as the page moves through them: components, images to go between, attributes to add.

N codes of images, Z numbers of a code, K components, A attributes.
"""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tfae.analysis import interpolation, plane
from tfae.core import errors
from tfae.core.bounded_files import read_npz
from tfae.explorer.moves import Move

COMPONENTS = 10  # most that have a slider
WAYS: dict[str, interpolation.Path] = {
    'linear': interpolation.linear,
    'spherical': interpolation.spherical,
}

_SPREAD = 3.0  # standard deviations that a slider spans to either side
_KEPT = 0.998  # part of the points that the plane shows in each direction at least
_MOST = 200  # attributes of a file


class Space:
    """The space of codes, seen along the directions in which codes of images are spread most."""

    def __init__(self, codes: np.ndarray, attributes: Mapping[str, np.ndarray]):
        """Takes codes `[N, Z]` and directions `[Z]` by name."""
        self.codes = codes.astype(np.float64)
        self.names = tuple(attributes)
        self._attributes = np.array([*attributes.values()]).reshape(-1, codes.shape[1])
        self._directions = plane.through(self.codes, COMPONENTS)
        self.coordinates = self._directions.flatten(self.codes)  # [N, K]
        self.center = self.coordinates.mean(0)  # [K]
        deviations = self.coordinates.std(0)
        total = self.codes.var(0).sum()
        self.shares = deviations**2 / (total or 1.0)  # [K], of the variance of the codes
        # A number that is the same in all codes can be moved too.
        reach = _SPREAD * np.where(deviations > 0, deviations, 1.0)
        self.bounds = np.stack([self.center - reach, self.center + reach], 1)  # [K, 2]
        # What lies in the plane is seen, so the point may go there.
        seen = np.quantile(self.coordinates[:, :2], [(1 - _KEPT) / 2, (1 + _KEPT) / 2], axis=0)
        self.bounds[:2, 0] = np.minimum(self.bounds[:2, 0], seen[0])
        self.bounds[:2, 1] = np.maximum(self.bounds[:2, 1], seen[1])

    def code(self, move: Move) -> np.ndarray:
        """The code `[Z]` that a move leads to, before attributes are added to it."""
        if move.between:
            first, second, part, way = move.between
            code = WAYS[way](self.codes[first], self.codes[second], np.array([part]))[0]
        else:
            code = self._directions.lift(self.center[None])[0]
        if move.components is None:
            return code
        # What no slider shows of a code stays as it is.
        return code + (move.components - self.place(code)) @ self._directions.axes

    def added(self, move: Move) -> np.ndarray:
        """What the attributes of a move add to a code `[Z]`."""
        return move.strengths @ self._attributes

    def place(self, code: np.ndarray) -> np.ndarray:
        """The components `[K]` of a code `[Z]`."""
        return self._directions.flatten(code[None])[0]


def of_classes(
    codes: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """`class <name>` -> mean code of its images minus that of all others; {} if there are none.

    Args:
      codes: `[N, Z]`.
      labels: `[N]`.
      class_names: of the labels; where there are none their numbers stand.
    Source: Larsen et al., https://arxiv.org/abs/1512.09300, section 4.2, with classes for
      attributes.
    """
    found = {}
    for number in np.unique(labels):
        name = class_names[number] if len(class_names) else str(number)
        inside = labels == number
        if not inside.all():
            found[f'class {name}'] = codes[inside].mean(0) - codes[~inside].mean(0)
    return found


def of_file(path: pathlib.Path, size: int) -> dict[str, np.ndarray]:
    """Name -> direction `[size]` of an .npz that `tfae morph` wrote; none if it is not there.

    Raises: InputError that names the file if it holds anything else.
    """
    if not path.exists():
        return {}
    found = read_npz(path, 'file of directions that tfae morph wrote')
    for name, vector in found.items():
        if vector.shape != (size,) or vector.dtype.kind != 'f' or not np.isfinite(vector).all():
            raise errors.InputError(
                f'{path}: {name} is {vector.dtype} {vector.shape}; it must be finite numbers '
                f'({size},), a direction in the codes of the run'
            )
    if len(found) > _MOST:
        raise errors.InputError(f'{path} holds {len(found)} directions; {_MOST} is the most')
    return found
