"""Weights of published networks, from the files in which others keep them.

    .pth           state dicts of torchvision's networks
    .h5            Keras, old and new
    .npz, .npy     arrays by name; Caffe's, converted

What a file is shows in its bytes, not in its name. Nothing of a file is executed, names and shapes
are compared with what the network wants before any value is read, and no value takes more memory
than the network has for it. Each format has its file here; `layouts` says what a tensor is called
in which.
"""

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
_SHOWN = 4  # names in an error


class Weights:
    """The parameters of a network in a file whose names and shapes are those of the network."""

    def __init__(self, source: Source, found: Layout):
        self.path = source.path
        self.preprocessing = found.preprocessing  # None if the layout does not tell
        self._source = source
        self._tensors = found.tensors

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """`(name of the variable, its value)` of each parameter, read one at a time.

        Raises: InputError if the file is damaged or holds numbers that are not finite.
        """
        for tensor in self._tensors:
            values = self._source.read(tensor.name)
            wrong = values.size - np.count_nonzero(np.isfinite(values))
            if wrong:
                raise errors.InputError(
                    f'{self.path}: {tensor.name}: {wrong} of {values.size} numbers are not finite'
                )
            yield tensor.variable, tensor.ours(values)


def open_weights(path: str, network: str, layers: Sequence[Parameters]) -> Weights:
    """The weights in a file, for a network of these layers.

    Args:
      path: of the file.
      network: what errors call the network.
      layers: those that have parameters, input side first.
    Raises: InputError if there is no such file, its format is unknown, or a tensor is missing,
      superfluous, of another shape or of no floats.
    """
    # Twice eight bytes a parameter: the most that float64 and what says their names could take.
    numbers = sum(math.prod(layer.kernel) + layer.kernel[-1] for layer in layers)
    source = _open(pathlib.Path(path).expanduser(), 2**20 + 16 * numbers)
    found = layout(source.kind, source.tensors, layers)
    wanted = {tensor.name for tensor in found.tensors}
    missing = [tensor.name for tensor in found.tensors if tensor.name not in source.tensors]
    more = sorted(source.tensors.keys() - wanted)
    if missing or more:
        raise errors.InputError(
            f'{path} is no file of {network}: it {_listed("lacks", missing)}'
            f'{" and " if missing and more else ""}{_listed("has beside what is wanted", more)}'
        )
    for tensor in found.tensors:
        came = source.tensors[tensor.name]
        if came.shape != tensor.shape:
            raise errors.InputError(
                f'{path}: {tensor.name} is {came.shape}; {network} wants {tensor.shape}'
            )
        item(f'{path}: {tensor.name}', came.dtype)
    return Weights(source, found)


def _listed(verb: str, found: Iterable[str]) -> str:
    """`'lacks a, b and 3 more'`, or an empty text."""
    shown = [name[:80] for name in found]
    rest = len(shown) - _SHOWN
    more = f' and {rest} more' if rest > 0 else ''
    return f'{verb} {", ".join(shown[:_SHOWN])}{more}' if shown else ''


def _open(path: pathlib.Path, most: int) -> Source:
    """The file as what its first bytes say it is; pickled arrays take at most `most` bytes."""
    if not path.is_file():
        raise errors.InputError(f'--weights {path}: no such file; it must be {_FORMATS}')
    with path.open('rb') as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith(keras.MAGIC):
            return keras.Weights(path)
        if start.startswith(npy.MAGIC):
            return npy.Lists(path, file, most)
        if start.startswith(pytorch.MAGIC):
            return pytorch.open_legacy(path, file)
    if start.startswith(b'PK'):
        return _open_zip(path)
    if start[257:262] == b'ustar':
        raise errors.InputError(
            f'{path} is a tar archive, as PyTorch wrote before 0.1.10; load it with PyTorch and '
            f'write it again with torch.save(state_dict, path)'
        )
    raise errors.InputError(f'{path} is of no known format; it must be {_FORMATS}')


def _open_zip(path: pathlib.Path) -> Source:
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # damaged bytes draw nearly anything from zipfile
        reason = f'{type(error).__name__}: {error}'
        raise errors.InputError(f'{path}: is a damaged zip archive ({reason})') from None
    members = archive.namelist()
    if any(name.endswith('/data.pkl') for name in members):
        return pytorch.open_zip(path, archive)
    if members and all(name.endswith('.npy') for name in members):
        return npy.Arrays(path, archive)
    raise errors.InputError(f'{path}: is a zip archive of neither tensors nor arrays')
