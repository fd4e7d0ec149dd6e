"""The latent space of the page: principal components, interpolation, attribute directions.

N images, Z latent dimensions, K components, A attributes.
"""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tfae.analysis import interpolation, plane
from tfae.core import errors
from tfae.core.bounded_files import read_npz
from tfae.explorer.moves import Move

COMPONENTS = 10  # at most, each with a slider
WAYS: dict[str, interpolation.Path] = {
    'linear': interpolation.linear,
    'spherical': interpolation.spherical,
}

_SPREAD = 3.0  # standard deviations that a slider spans to either side
_KEPT = 0.998  # fraction of the points within the plane along each axis, at least
_MAX_ATTRIBUTES = 200  # of a file


class Space:
    """A latent space in the coordinates of the principal components of its codes."""

    def __init__(self, codes: np.ndarray, attributes: Mapping[str, np.ndarray]):
        """Takes codes `[N, Z]` and attribute directions `[Z]` by name."""
        self.codes = codes.astype(np.float64)
        self.names = tuple(attributes)
        self._attributes = np.array([*attributes.values()]).reshape(-1, codes.shape[1])
        self._directions = plane.through(self.codes, COMPONENTS)
        self.coordinates = self._directions.flatten(self.codes)  # [N, K]
        self.center = self.coordinates.mean(0)  # [K]
        deviations = self.coordinates.std(0)
        total = self.codes.var(0).sum()
        self.shares = deviations**2 / (total or 1.0)  # [K], of the variance of the codes
        # A constant component gets a slider of unit deviation.
        reach = _SPREAD * np.where(deviations > 0, deviations, 1.0)
        self.bounds = np.stack([self.center - reach, self.center + reach], 1)  # [K, 2]
        # The point must be able to reach everything that the plane shows.
        seen = np.quantile(self.coordinates[:, :2], [(1 - _KEPT) / 2, (1 + _KEPT) / 2], axis=0)
        self.bounds[:2, 0] = np.minimum(self.bounds[:2, 0], seen[0])
        self.bounds[:2, 1] = np.maximum(self.bounds[:2, 1], seen[1])

    def code(self, move: Move) -> np.ndarray:
        """Returns the code `[Z]` of a move, before attributes are added."""
        if move.between:
            first, second, part, way = move.between
            code = WAYS[way](self.codes[first], self.codes[second], np.array([part]))[0]
        else:
            code = self._directions.lift(self.center[None])[0]
        if move.components is None:
            return code
        # Directions without a slider keep their values.
        return code + (move.components - self.place(code)) @ self._directions.axes

    def added(self, move: Move) -> np.ndarray:
        """Returns the sum `[Z]` of the attribute directions of a move."""
        return move.strengths @ self._attributes

    def place(self, code: np.ndarray) -> np.ndarray:
        """Returns the components `[K]` of a code `[Z]`."""
        return self._directions.flatten(code[None])[0]


def of_classes(
    codes: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns `class <name>` -> mean code of its images minus that of all others `[Z]`.

    Args:
      codes: `[N, Z]`.
      labels: `[N]`.
      class_names: of the labels; if empty the labels are the names.

    Reference: Larsen et al., https://arxiv.org/abs/1512.09300, section 4.2, with classes as
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
    """Returns name -> direction `[size]` of an .npz of `tfae morph`; empty if there is no file.

    Raises: InputError if the file holds anything else.
    """
    if not path.exists():
        return {}
    found = read_npz(path, 'a file of directions from tfae morph')
    for name, vector in found.items():
        if vector.shape != (size,) or vector.dtype.kind != 'f' or not np.isfinite(vector).all():
            raise errors.InputError(
                f'{path}: {name} is {vector.dtype} {vector.shape}; it must be finite floats '
                f'({size},), a direction in the latent space of the run'
            )
    if len(found) > _MAX_ATTRIBUTES:
        raise errors.InputError(
            f'{path} holds {len(found)} directions; it must hold at most {_MAX_ATTRIBUTES}'
        )
    return found
