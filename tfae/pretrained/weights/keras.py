"""Weights of Keras in HDF5: three layouts, each with a group per layer of a kernel and a bias.

    <layer>/...                 layer names of the model, Keras 1 and 2, `.h5`
    model_weights/<layer>/...   the same in a complete saved model
    layers/<layer>/vars/0, 1    numbered layer types: conv2d, conv2d_1, ..., `.weights.h5`

In the first two kernel and bias are distinguished by rank, since their names depend on the version
(block1_conv1_W_1:0, kernel:0, kernel).
"""

import pathlib
from typing import Any

import h5py
import numpy as np

from tfae.core import errors, names
from tfae.pretrained.weights._source import Header, array, spelled, unreadable

MAGIC = b'\x89HDF\r\n\x1a\n'

_WANTED = 'HDF5 as written by model.save_weights of Keras'
_MAX_OBJECTS = 10_000


class Weights:
    """HDF5 file of Keras; names are `<layer>/kernel` and `<layer>/bias`."""

    kind = 'keras'

    def __init__(self, path: pathlib.Path):
        """Reads the headers; raises InputError for a damaged file or references to other files."""
        self.path = path
        try:
            with h5py.File(path, 'r') as file:
                self._places = _places(path, file)
                self.tensors = {
                    name: Header(tuple(file[place].shape), spelled(file[place].dtype))
                    for name, place in self._places.items()
                }
        except errors.InputError:
            raise
        except Exception as error:
            raise unreadable(path, error, _WANTED) from None

    def read(self, name: str) -> np.ndarray:
        """See `Source`."""
        header = self.tensors[name]
        try:
            with h5py.File(self.path, 'r') as file:
                content = file[self._places[name]][()].tobytes()
        except Exception as error:
            raise unreadable(self.path, error, _WANTED) from None
        return array(f'{self.path}: {name}', header, content, fortran=False)


def places(path: pathlib.Path, file: h5py.File) -> dict[str, str]:
    """Returns name of a variable -> path in the file, for all variables of any rank.

    Names are those that Keras 1 and 2 list, or else the paths.

    Raises: InputError for a damaged file or references to other files.
    """
    root = _below(file, 'model_weights')
    found: list[h5py.Dataset] = []
    for key in root:
        _collect(path, root, key, found)
    inside = {dataset.name.removeprefix(root.name).lstrip('/'): dataset.name for dataset in found}
    listed = {
        variable: f'{layer}/{variable}'
        for layer in _texts(root, 'layer_names')
        if isinstance(root.get(layer), h5py.Group)
        for variable in _texts(root[layer], 'weight_names')
    }
    if sorted(listed.values()) != sorted(inside):
        return inside
    return {name.removesuffix(':0'): inside[place] for name, place in listed.items()}


def _texts(group: h5py.Group, name: str) -> list[str]:
    """Returns the texts of an attribute, which Keras divides where it is large."""
    parts = [name] if name in group.attrs else []
    while f'{name}{len(parts)}' in group.attrs:
        parts.append(f'{name}{len(parts)}')
    texts = [text for part in parts for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else text for text in texts]


def _below(file: h5py.File, *groups: str) -> Any:
    """Returns the last of these groups that the file has, or the file."""
    root: Any = file
    for group in groups:
        root = file[group] if isinstance(file.get(group, getlink=True), h5py.HardLink) else root
    return root


def _places(path: pathlib.Path, file: h5py.File) -> dict[str, str]:
    """Returns name of a tensor -> path in the file."""
    root = _below(file, 'model_weights', 'layers')
    found_places: dict[str, str] = {}
    for layer in root:
        found: list[h5py.Dataset] = []
        _collect(path, root, layer, found)
        for dataset in found:
            part = names.KERNEL if dataset.ndim > 1 else names.BIAS
            if f'{layer}/{part}' in found_places or len(found_places) > _MAX_OBJECTS:
                raise errors.InputError(
                    f'{path}: {layer} holds {len(found)} tensors; it must hold a kernel and a bias'
                )
            found_places[f'{layer}/{part}'] = dataset.name
    return found_places


def _collect(path: pathlib.Path, group: h5py.Group, name: str, found: list[h5py.Dataset]) -> None:
    """Adds the data sets at and below `name`, each once: a group may contain itself."""
    waiting: list[tuple[h5py.Group, str]] = [(group, name)]
    known: set[Any] = set()
    while waiting:
        above, key = waiting.pop()
        if not isinstance(above.get(key, getlink=True), h5py.HardLink):
            raise errors.InputError(f'{path}: {above.name}/{key} is a link; it must be a tensor')
        item = above[key]
        if item.id in known:
            continue
        if len(known) > _MAX_OBJECTS:
            raise errors.InputError(f'{path}: holds more than {_MAX_OBJECTS:,} objects')
        known.add(item.id)
        if isinstance(item, h5py.Group):
            waiting += [(item, child) for child in item]
        elif isinstance(item, h5py.Dataset):
            found.append(_checked(path, item))


def _checked(path: pathlib.Path, dataset: h5py.Dataset) -> h5py.Dataset:
    """Returns a data set; raises InputError if it is external or its chunks exceed its shape."""
    if dataset.external or dataset.is_virtual:
        raise errors.InputError(
            f'{path}: {dataset.name} is stored in another file; it must be in this one'
        )
    chunks = dataset.chunks or ()
    if any(piece > length for piece, length in zip(chunks, dataset.shape, strict=False)):
        raise errors.InputError(
            f'{path}: {dataset.name} is {dataset.shape} in chunks of {chunks}; it is damaged'
        )
    return dataset
