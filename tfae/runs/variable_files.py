"""Files of variables by name, in the formats of TensorFlow, numpy, Hugging Face, PyTorch and Keras.

    PATH                 a TensorFlow checkpoint, by its prefix; to read also a folder: its newest
    .npz                 numpy
    .safetensors         safetensors
    .pth, .pt            a state dict of PyTorch, which is needed to write it
    .h5, .hdf5, .keras   Keras; written as `model.save_weights` of Keras 2 does, read in all layouts

Values are read when they are requested, in their own type, and no code in a file is executed. The
formats hold numbers; text, such as TensorFlow 2's object graph, stays in checkpoints.
"""

import contextlib
import io
import math
import os
import pathlib
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import safetensors
import safetensors.numpy
import tensorflow.compat.v1 as tf

from tfae.core import atomic_files, bounded_files, errors
from tfae.pretrained import weights
from tfae.pretrained.weights import keras
from tfae.runs import checkpoints
from tfae.runs.checkpoints import Content

_WEIGHTS = 'model.weights.h5'  # in a .keras archive
# Values read from a file take at most the larger of these bytes and this multiple of its length.
_MAX_BYTES = 2**26
_MAX_RATIO = 16


@contextlib.contextmanager
def opened(path: str, flag: str = '') -> Iterator[Content]:
    """Opens a file of variables; a value is read when it is requested.

    Args:
      path: of the file; of a run or another folder of checkpoints: the newest one.
      flag: that names the file, for errors.
    Raises: InputError that names the file if it cannot be read.
    """
    place = pathlib.Path(path)
    suffix = '' if place.is_dir() else place.suffix
    who = f'{flag} {path}'.lstrip()
    others = ', '.join(_FORMATS)
    what = 'cannot be read' if suffix in _FORMATS else f'is not a checkpoint, a run or {others}'
    total, limit = 0, math.inf
    with contextlib.ExitStack() as stack:
        with _refusing(f'{who} {what}'):
            if suffix in _FORMATS:
                held = stack.enter_context(_FORMATS[suffix][0](path))
                limit = max(_MAX_BYTES, _MAX_RATIO * place.stat().st_size)
            else:
                held = stack.enter_context(checkpoints.opened(_place(path)))

        def read(name: str) -> np.ndarray:
            nonlocal total
            with _refusing(f'{who} cannot be read'):
                # A small file may declare values of any size: compressed, repeated or absent ones.
                total += math.prod(held.shapes[name]) * held.types[name].size
                if total > limit:
                    raise ValueError(f'{name} would take more than {limit:,} bytes of memory')
                return np.asarray(held.read(name))

        yield held._replace(read=read)


def write(path: pathlib.Path, values: Mapping[str, np.ndarray]) -> None:
    """Writes numbers by name, whole or not at all; the suffix determines the format.

    Raises: InputError if the format cannot hold a name or a type, or the file cannot be written.
    """
    writer = _write_checkpoint
    if path.suffix in _FORMATS:
        writer = _FORMATS[path.suffix][1]
        for name in values:
            if _ODD_NAME.search(name):
                raise errors.InputError(f'{path}: {path.suffix} cannot hold the name {name!r}')
    try:
        writer(path, values)
    except errors.InputError:
        raise
    except Exception as error:  # libraries raise nearly anything for a type that they lack
        raise errors.InputError(f'{path} cannot be written: {checkpoints.reason(error)}') from None


def check_suffix(flag: str, path: pathlib.Path) -> None:
    """Raises UsageError, which names the flag, for a suffix that is nearly that of a format."""
    known = (*_FORMATS, '.ckpt')  # which many checkpoints of TensorFlow have
    if path.suffix not in known and (near := errors.nearest(path.suffix.lower(), _FORMATS)):
        raise errors.UsageError(f'{flag} is {path}, whose suffix is not a known format{near}')


def scope_pairs(flag: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the old and the new scope of each `old_scope:new_scope`; an empty one is the root.

    Raises: UsageError, which names the flag, for a text without a colon.
    """
    pairs = [text.partition(':') for text in texts]
    for text, (_, colon, _) in zip(texts, pairs, strict=True):
        if not colon:
            raise errors.UsageError(f'{flag} is {text!r}; each pair must be old_scope:new_scope')
    return [(old.strip('/'), new.strip('/')) for old, _, new in pairs]


def renamed(flag: str, pairs: Sequence[tuple[str, str]], names: Iterable[str]) -> dict[str, str]:
    """Returns old -> new name: the first pair whose old scope matches replaces it by the new one.

    Raises: InputError, which names the flag, if two variables get one name, or one gets none.
    """
    found = {name: _renamed(name, pairs) for name in names}
    first: dict[str, str] = {}
    for old, new in found.items():
        if not new or new in first:
            clash = f'{first[new]} and {old} get the name {new}' if new else f'{old} loses its name'
            raise errors.InputError(f'{flag} {",".join(map(":".join, pairs))}: {clash}')
        first[new] = old
    return found


def _renamed(name: str, pairs: Sequence[tuple[str, str]]) -> str:
    if pair := matching(name, pairs):
        return f'{pair[1]}/{name[len(pair[0]) :].lstrip("/")}'.strip('/')
    return name


def matching(name: str, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Returns the first pair whose old scope holds `name`."""
    return next(
        (pair for pair in pairs if not pair[0] or f'{name}/'.startswith(f'{pair[0]}/')), None
    )


_FILE_OF_CHECKPOINT = re.compile(r'\.(index|meta|data-\d{5}-of-\d{5})$')
# Names that some format takes for others: paths, `name:0`, a reserved word, the end of a text.
_ODD_NAME = re.compile(r'(^|/)\.{0,2}(/|$)|:0$|^__metadata__$|\0')


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turns any error of reading into an InputError that begins with `what`."""
    try:
        yield
    except Exception as error:  # damaged bytes raise nearly anything in the libraries
        raise errors.InputError(f'{what}: {checkpoints.reason(error)}') from None


# TensorFlow.


def _place(path: str) -> str:
    """Returns the prefix of a checkpoint, given it, one of its files, or a folder: its newest."""
    folder = pathlib.Path(path)
    if not folder.is_dir():
        prefix = _FILE_OF_CHECKPOINT.sub('', path)
        return prefix if pathlib.Path(f'{prefix}.index').exists() else path
    found = checkpoints.newest_first(folder)
    return found[0][1] if found else _listed(folder)


def _listed(folder: pathlib.Path) -> str:
    """Returns the newest checkpoint by the file `checkpoint`: in this folder, even if moved."""
    if (folder / checkpoints.STATE).exists():  # TensorFlow would wait for a FIFO
        bounded_files.read_bytes(folder / checkpoints.STATE, bounded_files.JSON_BYTES)
    state = tf.train.get_checkpoint_state(str(folder))
    if state is None or not state.model_checkpoint_path:
        raise ValueError('its file `checkpoint` names none')
    return str(folder / pathlib.PurePath(state.model_checkpoint_path).name)


def _write_checkpoint(path: pathlib.Path, values: Mapping[str, np.ndarray]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        # Fed, since constants would make a graph of more than 2 GB.
        tensors = [tf.placeholder(value.dtype, value.shape) for value in values.values()]
        prefix = tf.placeholder(tf.string, [])
        save = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(values),
            shape_and_slices=[''] * len(values),
            tensors=tensors,
        )
        with atomic_files.temporary_folder(path) as folder:
            feeds = dict(zip(tensors, values.values(), strict=True))
            session.run(save, {prefix: os.fsencode(folder / path.name), **feeds})
            made = sorted(folder.iterdir())  # the index last: with it the checkpoint counts
            atomic_files.flush_all(made)
            for file in made:
                file.replace(path.parent / file.name)
            atomic_files.flush(path.parent)


# numpy.


@contextlib.contextmanager
def _npz(path: str) -> Iterator[Content]:
    shapes, types = {}, {}
    with bounded_files.open_regular(path) as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            with archive.open(info) as member, warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of headers that Python 2 wrote
                version = np.lib.format.read_magic(member)
                if version != (1, 0):  # (2, 0) may declare a header of 4 GB
                    raise ValueError(f'{info.filename} is .npy version {version}, not (1, 0)')
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            if dtype.kind not in 'biufc':
                raise ValueError(f'{info.filename} holds {dtype}; it must hold numbers')
            name = info.filename.removesuffix('.npy')
            shapes[name], types[name] = shape, tf.as_dtype(dtype)

        def read(name: str) -> np.ndarray:
            with archive.open(f'{name}.npy') as member:
                return np.lib.format.read_array(member, allow_pickle=False)

        yield Content(shapes, types, read)


def _write_npz(path: pathlib.Path, values: Mapping[str, np.ndarray]) -> None:
    _refuse(path, values, *_NOT_OF_NUMPY)
    atomic_files.write_npz(path, values)


# Types of TensorFlow that numpy reads back as bytes.
_NOT_OF_NUMPY = ('bfloat16', 'float8_e5m2', 'float8_e4m3fn', 'int4', 'uint4')


def _refuse(path: pathlib.Path, values: Mapping[str, np.ndarray], *types: str) -> None:
    """Raises InputError for a value of a type that the format lacks."""
    for name, value in values.items():
        if value.dtype.name in types:
            raise errors.InputError(
                f'{path}: {name} is {value.dtype.name}, which {path.suffix} cannot hold; a '
                f'TensorFlow checkpoint can'
            )


# safetensors.


@contextlib.contextmanager
def _safetensors(path: str) -> Iterator[Content]:
    bounded_files.open_regular(path).close()
    with safetensors.safe_open(path, 'numpy') as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
        types = {name: _TYPES[part.get_dtype()] for name, part in slices.items()}
        yield Content(shapes, types, file.get_tensor)


_TYPES = {
    **{f'F{bits}': tf.as_dtype(f'float{bits}') for bits in (16, 32, 64)},
    **{f'I{bits}': tf.as_dtype(f'int{bits}') for bits in (8, 16, 32, 64)},
    **{f'U{bits}': tf.as_dtype(f'uint{bits}') for bits in (8, 16, 32, 64)},
    'BF16': tf.bfloat16,
    'C64': tf.complex64,
    'BOOL': tf.bool,
}


def _write_safetensors(path: pathlib.Path, values: Mapping[str, np.ndarray]) -> None:
    _refuse(path, values, 'complex128')
    plain = {name: np.asarray(value, order='C') for name, value in values.items()}
    with atomic_files.replacing(path) as temporary:
        safetensors.numpy.save_file(plain, temporary)


# PyTorch.


@contextlib.contextmanager
def _state_dict(path: str) -> Iterator[Content]:
    held = weights.open_state_dict(pathlib.Path(path))
    shapes = {name: header.shape for name, header in held.tensors.items()}
    types = {name: tf.as_dtype(header.dtype) for name, header in held.tensors.items()}
    yield Content(shapes, types, held.exact)


def _write_state_dict(path: pathlib.Path, values: Mapping[str, np.ndarray]) -> None:
    try:
        import torch
    except ImportError:
        raise errors.InputError(
            f'{path}: {path.suffix} files are written by PyTorch, which is not installed: '
            f'pip install torch'
        ) from None

    def tensor(value: np.ndarray) -> Any:
        if value.dtype == tf.bfloat16.as_numpy_dtype:
            return torch.from_numpy(np.array(value).view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(np.array(value))  # a copy: it may be read-only

    _refuse(path, values, 'uint16', 'uint32', 'uint64', 'complex64', 'complex128')

    with atomic_files.replacing(path) as temporary:
        torch.save({name: tensor(value) for name, value in values.items()}, temporary)


# Keras.


@contextlib.contextmanager
def _hdf5(path: str) -> Iterator[Content]:
    with (
        bounded_files.open_regular(path) as file,
        _in_archive(file) as content,
        h5py.File(content, 'r') as archive,
    ):
        places = keras.places(pathlib.Path(path), archive)
        held = {name: archive[place] for name, place in places.items()}
        shapes = {name: dataset.shape for name, dataset in held.items()}
        types = {name: tf.as_dtype(dataset.dtype) for name, dataset in held.items()}
        yield Content(shapes, types, lambda name: held[name][()])


@contextlib.contextmanager
def _in_archive(file: Any) -> Iterator[Any]:
    """Yields the file, or the weights inside it if it is a .keras archive."""
    if file.read(2) != b'PK':
        yield file
        return
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(_WEIGHTS)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f'{_WEIGHTS} is compressed; it must be stored, as Keras does')
        yield io.BytesIO(archive.read(info))


def _write_hdf5(path: pathlib.Path, values: Mapping[str, np.ndarray]) -> None:
    _refuse(path, values, *_NOT_OF_NUMPY)
    if path.suffix == '.keras':
        raise errors.InputError(f'{path}: a .keras file holds a model; --output must be an .h5')
    layers: dict[str, list[str]] = {}
    for name in values:
        layers.setdefault(name.rpartition('/')[0] or name, []).append(name)
    # Attributes of more than 64 kB need the newer layout; the temporary file is locked already.
    with (
        atomic_files.replacing(path) as temporary,
        h5py.File(temporary, 'w', libver=('v110', 'latest'), locking=False) as file,
    ):
        file.attrs['layer_names'] = [layer.encode() for layer in layers]
        for layer, names in layers.items():
            group = file.require_group(layer)
            group.attrs['weight_names'] = [f'{name}:0'.encode() for name in names]
            for name in names:
                group[f'{name}:0'] = values[name]


# Suffix -> function that opens such a file, and function that writes one.
_FORMATS: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    '.npz': (_npz, _write_npz),
    '.safetensors': (_safetensors, _write_safetensors),
    **dict.fromkeys(('.pth', '.pt'), (_state_dict, _write_state_dict)),
    **dict.fromkeys(('.h5', '.hdf5', '.keras'), (_hdf5, _write_hdf5)),
}
