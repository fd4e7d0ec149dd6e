"""State dicts of PyTorch, `.pth`, without PyTorch and without unpickling.

Since 1.6 a file is a zip archive of `<root>/data.pkl`, which holds shape, strides and storage of
each tensor, and of `<root>/data/<key>`, the bytes of each storage. Before, and in the files of
torchvision's VGG to this day, it is a sequence of five pickles: the fourth holds the tensors, the
fifth the order of the storages, whose lengths and bytes follow.
"""

import io
import math
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from tfae.core import errors
from tfae.pretrained.weights import _pickle
from tfae.pretrained.weights._source import Header, floats, numbers, shape_of, unreadable

# First pickle of a file before 1.6: protocol 2, a long of ten bytes, stop.
MAGIC = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'

_WANTED = 'a state dict written by torch.save(model.state_dict(), path)'
_MAX_PICKLE = 2**24  # bytes of the pickle of headers
_DTYPES = {
    'FloatStorage': 'float32',
    'DoubleStorage': 'float64',
    'HalfStorage': 'float16',
    'BFloat16Storage': 'bfloat16',
    'LongStorage': 'int64',
    'IntStorage': 'int32',
    'ShortStorage': 'int16',
    'CharStorage': 'int8',
    'ByteStorage': 'uint8',
    'BoolStorage': 'bool',
}
_SIZES = {'bfloat16': 2, **{d: np.dtype(d).itemsize for d in _DTYPES.values() if d != 'bfloat16'}}


class _Storage(NamedTuple):
    key: str
    dtype: str
    length: int  # in elements


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements, as `offset`


class StateDict:
    """A state dict of PyTorch; see `Source`."""

    kind = 'torchvision'

    def __init__(
        self, path: pathlib.Path, stated: Any, content: Callable[[_Storage], bytes], order: str
    ):
        """Validates the headers.

        Args:
          path: of the file.
          stated: content of the pickle.
          content: returns the bytes of a storage.
          order: byte order of the storages, 'little' or 'big'.
        """
        items = stated.items if isinstance(stated, _pickle.Call) else stated
        if not isinstance(items, dict) or not items or not all(isinstance(k, str) for k in items):
            raise errors.InputError(f'{path}: does not hold tensors by name; it must be {_WANTED}')
        self.path = path
        self._tensors = {name: _tensor(f'{path}: {name}', v) for name, v in items.items()}
        self.tensors = {name: Header(t.shape, t.storage.dtype) for name, t in self._tensors.items()}
        self._content = content
        self._order = order

    def read(self, name: str) -> np.ndarray:
        """See `Source`."""
        return self._read(name, floats)

    def exact(self, name: str) -> np.ndarray:
        """Returns the values in their own type; raises InputError as `read`, for numbers too."""
        return self._read(name, numbers)

    def _read(self, name: str, convert: Callable[..., np.ndarray]) -> np.ndarray:
        storage, offset, shape, strides = self._tensors[name]
        who = f'{self.path}: {name}'
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        if math.prod(shape) and last >= storage.length:
            raise errors.InputError(
                f'{who}: reaches element {last} of a storage of {storage.length}; it is damaged'
            )
        if math.prod(shape) > storage.length:
            raise errors.InputError(
                f'{who}: has more values than its storage, {storage.length}; it is damaged'
            )
        values = convert(who, storage.dtype, self._bytes(storage), storage.length)
        size = values.itemsize
        steps = [size * s for s in strides]
        return np.ndarray(shape, values.dtype, values, size * offset, steps)  # type: ignore

    def _bytes(self, storage: _Storage) -> bytes:
        content = self._content(storage)
        size = _SIZES[storage.dtype]
        if self._order == 'little' or len(content) % size:
            return content
        return np.frombuffer(content, f'u{size}').byteswap().tobytes()


def open_zip(path: pathlib.Path, archive: zipfile.ZipFile) -> StateDict:
    """Opens the state dict in an archive with uncompressed storages.

    Raises: InputError if the archive is anything else.
    """
    members = {info.filename: info for info in archive.infolist()}
    root = next(name for name in members if name.endswith('data.pkl')).removesuffix('data.pkl')

    def content(name: str, limit: int) -> bytes:
        info = members.get(f'{root}{name}')
        if info is None:
            raise errors.InputError(f'{path}: has no member {root}{name}; it must be {_WANTED}')
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
            raise errors.InputError(
                f'{path}: {info.filename} is compressed or holds {info.file_size} bytes; it must '
                f'hold at most {limit}, uncompressed, as torch.save writes it'
            )
        try:
            return archive.read(info)
        except Exception as error:
            raise unreadable(path, error, _WANTED) from None

    order = 'little'
    if f'{root}byteorder' in members:
        order = content('byteorder', 16).decode('latin-1')
    stated = _state(path, io.BytesIO(content('data.pkl', _MAX_PICKLE)))
    return StateDict(
        path, stated, lambda s: content(f'data/{s.key}', s.length * _SIZES[s.dtype]), order
    )


def open_legacy(path: pathlib.Path, file: BinaryIO) -> StateDict:
    """Opens the state dict in a file that begins with `MAGIC`.

    Raises: InputError if the file is anything else.
    """
    _, _, about, stated, keys = (_state(path, file) for _ in range(5))
    found = StateDict(
        path, stated, lambda storage: _legacy_content(path, places, storage), 'little'
    )
    order = about.get('little_endian', True) if isinstance(about, dict) else True
    sizes = {t.storage.key: _SIZES[t.storage.dtype] for t in found._tensors.values()}
    places: dict[str, tuple[int, int]] = {}  # key -> offset and number of bytes
    for key in keys if isinstance(keys, list) else []:
        count = int.from_bytes(file.read(8), 'little', signed=True)
        held = isinstance(key, str) and key in sizes
        if order is not True or not held or not 0 <= count <= path.stat().st_size:
            raise errors.InputError(f'{path}: its list of storages is invalid; it is damaged')
        places[key] = file.tell(), count * sizes[key]
        file.seek(count * sizes[key], 1)
    return found


def _legacy_content(
    path: pathlib.Path, places: dict[str, tuple[int, int]], storage: _Storage
) -> bytes:
    if storage.key not in places:
        raise errors.InputError(f'{path}: has no storage {storage.key}; it is damaged')
    place, size = places[storage.key]
    if size > path.stat().st_size:
        raise errors.InputError(
            f'{path}: storage {storage.key} ends beyond the file; it is truncated'
        )
    with path.open('rb') as file:
        file.seek(place)
        return file.read(size)


def _state(path: pathlib.Path, file: BinaryIO) -> Any:
    try:
        return _pickle.load(file)
    except _pickle.NotData as error:
        raise errors.InputError(f'{path}: its pickle {error}; it must be {_WANTED}') from None


def _tensor(who: str, value: Any) -> _Tensor:
    """Returns the header of one tensor of a state dict."""
    name, arguments = _call(value)
    if name == ('torch._utils', '_rebuild_parameter') and arguments:
        name, arguments = _call(arguments[0])
    if name != ('torch._utils', '_rebuild_tensor_v2') or len(arguments) < 4:
        came = '.'.join(name) if any(name) else type(value).__name__
        raise errors.InputError(f'{who}: is {came}, not a tensor; the file must be {_WANTED}')
    stored, offset, shape, strides = arguments[:4]
    shape, strides = shape_of(who, shape), shape_of(who, strides)
    if len(shape) != len(strides) or type(offset) is not int or offset < 0:
        raise errors.InputError(f'{who}: its position in its storage is invalid; it is damaged')
    return _Tensor(_storage(who, stored), offset, shape, strides)


def _storage(who: str, value: Any) -> _Storage:
    name, arguments = _call(value)
    kind, key, _, length = arguments[1:5] if len(arguments) >= 5 else (None,) * 4
    if name != _pickle.PERSISTENT or arguments[:1] != ('storage',):
        kind = None
    known = isinstance(kind, _pickle.Global) and kind.module == 'torch' and kind.name in _DTYPES
    if known and isinstance(key, str) and type(length) is int and 0 <= length < 2**40:
        return _Storage(key, _DTYPES[kind.name], length)
    raise errors.InputError(
        f'{who}: its storage must be one of {", ".join(_DTYPES)}; the file must be {_WANTED}'
    )


def _call(value: Any) -> tuple[tuple[str, str], tuple]:
    """Returns name and arguments of a call; both empty for anything else."""
    if not isinstance(value, _pickle.Call) or not isinstance(value.arguments, tuple):
        return ('', ''), ()
    found = value.function
    return (found, value.arguments) if isinstance(found, _pickle.Global) else (('', ''), ())
