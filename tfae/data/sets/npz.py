"""Arrays in an `.npz` file, as numpy.savez writes it: `--data_dir=path/to/file.npz`.

Arrays are named `x_train`, `y_train`, `x_test`, `y_test`, `x_validation` and `y_validation`, or
`train_images`, `train_labels` and so on; labels and the validation split are optional. Without a
test split, or with a single set `images` and `labels` or `x` and `y`, a fixed fifth becomes the
test split. `sequences` or `volumes` instead of `images`, as in `train_sequences`, says what the
examples are: an array `[N, H, W]` of another name holds gray images. Other arrays are not read. See
`tfae.data.formats.arrays` for shapes and types.
"""

import math
import pathlib
import warnings
import zipfile

import numpy as np

from tfae.core import bounded_files, errors
from tfae.data import dataset
from tfae.data.formats import arrays

FIELDS = ('data_dir',)

# Images and labels of training, test and validation; each row is a naming convention.
_KINDS: tuple[arrays.Kind, ...] = ('sequences', 'volumes')
_NAMINGS = (
    ('x_train', 'y_train', 'x_test', 'y_test', 'x_validation', 'y_validation'),
    *(
        tuple(
            f'{split}_{what}'
            for split in ('train', 'test', 'validation')
            for what in (kind, 'labels')
        )
        for kind in ('images', *_KINDS)
    ),
    *((kind, 'labels') for kind in ('images', *_KINDS)),
    ('x', 'y'),
)

# Larger data sets are not loaded into memory as arrays.
_MAX_BYTES = 2**33

# The largest ratio of deflate: a header that declares more is wrong.
_DEFLATE_LIMIT = 1032


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits, uint8 or float32 as in the file; classes are named by their numbers.

    Raises:
      UsageError: `data_dir` is empty.
      InputError: the file is missing, damaged or ambiguous, or lacks images or labels.
    """
    path = dataset.file(config.data_dir, 'npz')
    try:
        with bounded_files.open_regular(path) as file, zipfile.ZipFile(file) as archive:
            kind, (train, test, validation) = _read_named(path, archive)
    except errors.InputError:
        raise
    except Exception as error:
        # zipfile and numpy's header parser raise many types for damaged bytes: BadZipFile,
        # zlib.error, EOFError, struct.error, SyntaxError, TokenError, RecursionError, ...
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise errors.InputError(
            f'{path}: cannot be read ({reason}); it must be a file written by numpy.savez'
        ) from error
    assert train is not None
    missing = config.missing == 'mask'
    return arrays.loaded(str(path), train, validation, test, kind, missing)


def _read_named(
    path: pathlib.Path, archive: zipfile.ZipFile
) -> tuple[arrays.Kind, list[arrays.Pair | None]]:
    """Reads training, test and validation arrays under the naming convention of the file."""
    members = {
        info.filename.removesuffix('.npy'): info
        for info in archive.infolist()
        if info.filename.endswith('.npy')
    }
    followed = [naming for naming in _NAMINGS if naming[0] in members]
    if len(followed) != 1:
        came = ', '.join(naming[0] for naming in followed) or ', '.join(members) or 'no array'
        raise errors.InputError(
            f'{path}: holds {came}; it must hold one of '
            f'{", ".join(naming[0] for naming in _NAMINGS)}'
        )
    total = sum(members[name].file_size for name in followed[0] if name in members)
    if total > _MAX_BYTES:
        raise errors.InputError(
            f'{path}: declares {total} bytes of arrays; it must hold at most {_MAX_BYTES}'
        )
    found = {
        name: arrays.Named(f'{path}: {name}', _read(path, archive, members[name]))
        for name in followed[0]
        if name in members
    }
    pairs: list[arrays.Pair | None] = [None, None, None]
    for i, (images, labels) in enumerate(zip(followed[0][::2], followed[0][1::2], strict=True)):
        if images in found:
            pairs[i] = arrays.Pair(found[images], found.get(labels))
        elif labels in found:
            raise errors.InputError(
                f'{found[labels].who}: has no {images} of the same length; the file must hold both'
            )
    kind: arrays.Kind = next((kind for kind in _KINDS if followed[0][0].endswith(kind)), '')
    return kind, pairs


def _read(path: pathlib.Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Reads one member, after comparing its header with its size: memory is allocated last."""
    who = f'{path}: {info.filename.removesuffix(".npy")}'
    limit = 1 if info.compress_type == zipfile.ZIP_STORED else _DEFLATE_LIMIT
    if info.file_size > limit * min(info.compress_size, path.stat().st_size):
        raise errors.InputError(
            f'{who}: declares {info.file_size} bytes, more than the file can hold; it is damaged'
        )
    with archive.open(info) as member:
        shape, dtype = _read_header(who, member)
        header = member.tell()
    if dtype.hasobject:
        raise errors.InputError(
            f'{who}: holds pickled objects; it must hold numbers, since unpickling runs code'
        )
    if not shape or min(shape) < 1:
        raise errors.InputError(f'{who}: shape is {shape}; it must hold at least one example')
    wanted = header + math.prod(shape) * dtype.itemsize
    if wanted != info.file_size:
        raise errors.InputError(
            f'{who}: its header declares {dtype} {shape}, {wanted} bytes; the file holds '
            f'{info.file_size}'
        )
    with archive.open(info) as member, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return np.lib.format.read_array(member, allow_pickle=False)


def _read_header(who: str, member) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(member)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about headers of Python 2, or damaged ones
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
        else:  # (3, 0) is for structured types, which are not images
            raise errors.InputError(
                f'{who}: is .npy version {version}; it must be (1, 0) or (2, 0)'
            )
    return shape, dtype
