"""Readers of the weights of published networks.

    .pth           state dicts of torchvision's networks
    .h5            Keras, all versions
    .npz, .npy     arrays by name; converted from Caffe

The format is determined by content, not by the file name. No code in a file is executed. Names and
shapes are checked against the network before any value is read, so that no value takes more memory
than the network needs. Each format has a module here; `layouts` maps the names of tensors.
"""

import contextlib
import math
import pathlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfae.core import errors
from tfae.pretrained.weights import keras, npy, pytorch
from tfae.pretrained.weights._source import Source, item
from tfae.pretrained.weights.layouts import Layout, Parameters, Preprocessing, layout

__all__ = ['Parameters', 'Preprocessing', 'Weights', 'open_weights']

_FORMATS = 'a .pth of PyTorch, an .h5 of Keras, an .npz or an .npy'
_MAX_SHOWN = 4  # names in an error


class Weights:
    """The weights in a file whose names and shapes match the network."""

    def __init__(self, source: Source, found: Layout):
        self.path = source.path
        self.preprocessing = found.preprocessing  # None if the layout does not determine it
        self._source = source
        self._tensors = found.tensors

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields `(name of a variable, its value)`, read one at a time.

        Raises: InputError if the file is damaged or a value is not finite.
        """
        for tensor in self._tensors:
            values = self._source.read(tensor.name)
            wrong = values.size - np.count_nonzero(np.isfinite(values))
            if wrong:
                raise errors.InputError(
                    f'{self.path}: {tensor.name}: {wrong} of {values.size} values are not finite'
                )
            yield tensor.variable, tensor.ours(values)


def open_weights(path: str, network: str, layers: Sequence[Parameters]) -> Weights:
    """Opens the weights of a network of these layers.

    Args:
      path: of the file.
      network: name of the network in errors.
      layers: the layers with parameters, input side first.

    Raises: InputError if there is no such file, its format is unknown, or a tensor is missing,
      unexpected, of another shape or not of floats.
    """
    # Twice eight bytes per parameter: the upper bound of float64 values and their names.
    count = sum(math.prod(layer.kernel) + layer.kernel[-1] for layer in layers)
    source = _open(pathlib.Path(path).expanduser(), 2**20 + 16 * count)
    found = layout(source.kind, source.tensors, layers)
    wanted = {tensor.name for tensor in found.tensors}
    missing = [tensor.name for tensor in found.tensors if tensor.name not in source.tensors]
    more = sorted(source.tensors.keys() - wanted)
    if missing or more:
        raise errors.InputError(
            f'{path} does not hold the weights of {network}: {_listed("missing", missing)}'
            f'{"; " if missing and more else ""}{_listed("unexpected", more)}'
        )
    for tensor in found.tensors:
        came = source.tensors[tensor.name]
        if came.shape != tensor.shape:
            raise errors.InputError(
                f'{path}: {tensor.name} is {came.shape}; in {network} it must be {tensor.shape}'
            )
        item(f'{path}: {tensor.name}', came.dtype)
    return Weights(source, found)


def open_state_dict(path: pathlib.Path) -> pytorch.StateDict:
    """Opens any state dict of PyTorch; raises InputError if the file holds anything else."""
    source = _open(path, 0, '', 'a state dict of PyTorch')
    if not isinstance(source, pytorch.StateDict):
        raise errors.InputError(f'{path} is not a state dict of PyTorch')
    return source


def _listed(heading: str, found: Iterable[str]) -> str:
    """Returns `'missing a, b and 3 more'`, or an empty text."""
    shown = [name[:80] for name in found]
    rest = len(shown) - _MAX_SHOWN
    more = f' and {rest} more' if rest > 0 else ''
    return f'{heading} {", ".join(shown[:_MAX_SHOWN])}{more}' if shown else ''


def _open(
    path: pathlib.Path, limit: int, flag: str = '--weights ', wanted: str = _FORMATS
) -> Source:
    """Opens a file by its first bytes; pickled arrays may take at most `limit` bytes."""
    if not path.is_file():
        raise errors.InputError(f'{flag}{path}: no such file; it must be {wanted}')
    with path.open('rb') as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith(keras.MAGIC):
            return keras.Weights(path)
        if start.startswith(npy.MAGIC):
            return npy.Lists(path, file, limit)
        if start.startswith(pytorch.MAGIC):
            return pytorch.open_legacy(path, file)
    if start.startswith(b'PK'):
        return _open_zip(path, wanted)
    if start[257:262] == b'ustar':
        raise errors.InputError(
            f'{path} is a tar archive of PyTorch before 0.1.10; load it with PyTorch and save it '
            f'with torch.save(state_dict, path)'
        )
    raise errors.InputError(f'{path} has an unknown format; it must be {wanted}')


def _open_zip(path: pathlib.Path, wanted: str) -> Source:
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # damaged bytes make zipfile raise nearly anything
        reason = f'{type(error).__name__}: {error}'
        raise errors.InputError(f'{path} is a damaged zip archive ({reason})') from None
    with contextlib.ExitStack() as refused:
        refused.push(archive)
        members = archive.namelist()
        if any(name.endswith('/data.pkl') for name in members):
            source: Source = pytorch.open_zip(path, archive)
        elif members and all(name.endswith('.npy') for name in members):
            source = npy.Arrays(path, archive)
        else:
            raise errors.InputError(
                f'{path} is a zip archive without tensors or arrays; it must be {wanted}'
            )
        refused.pop_all()  # the source reads it
    return source
