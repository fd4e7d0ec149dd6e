"""Arrays of one's own in an `.npz` file, as numpy.savez writes it: `--data_dir=path/to/file.npz`.

The file holds `x_train` and `x_test`, or `train_images` and `test_images`, with `y_train` and
`y_test`, or `train_labels` and `test_labels`, where the images have classes. `x_validation` with
`y_validation`, or `validation_images` with `validation_labels`, are the validation split. Or the
file holds one set, `images` with `labels` or `x` with `y`, of which a fixed fifth becomes the test
split; so it does where a training split comes alone. Other arrays are left unread. See
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

# Images and labels of training, test and validation; each row is a way to name them.
_NAMINGS = (
    ('x_train', 'y_train', 'x_test', 'y_test', 'x_validation', 'y_validation'),
    (
        'train_images',
        'train_labels',
        'test_images',
        'test_labels',
        'validation_images',
        'validation_labels',
    ),
    ('images', 'labels'),
    ('x', 'y'),
)

# A set of more bytes than this does not go through memory as arrays.
_MOST_BYTES = 2**33

# Deflate cannot shrink further than this, so a larger claim is false before a byte is read.
_DEFLATE_LIMIT = 1032


def load(config: dataset.Config) -> dataset.Loaded:
    """The splits, uint8 or float32 as the file has them; names are the label numbers.

    Raises:
      UsageError: no file is named.
      InputError: the file is missing, damaged or ambiguous, or holds no images or classes.
    """
    path = _file(config.data_dir)
    try:
        with bounded_files.open_regular(path) as file, zipfile.ZipFile(file) as archive:
            train, test, validation = _read_named(path, archive)
    except errors.InputError:
        raise
    except Exception as error:
        # Damaged bytes draw nearly anything from zipfile and numpy's header parser: BadZipFile,
        # zlib.error, EOFError, struct.error, SyntaxError, TokenError, RecursionError, ...
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise errors.InputError(
            f'{path}: cannot be read ({reason}); it must be a file written by numpy.savez'
        ) from error
    assert train is not None
    return arrays.loaded(str(path), train, validation, test)


def _file(data_dir: str) -> pathlib.Path:
    if not data_dir:
        raise errors.UsageError(
            '--data_dir is empty; data set npz needs --data_dir=path/to/file.npz'
        )
    path = pathlib.Path(data_dir).expanduser()
    if not path.exists():
        raise errors.InputError(f'{path}: no such file; data set npz needs an .npz file')
    if not path.is_dir():
        return path
    found = sorted(path.glob('*.npz'))
    if len(found) != 1:
        raise errors.InputError(
            f'{path}: holds {len(found)} .npz files; it must hold one, or --data_dir must name one'
        )
    return found[0]


def _read_named(path: pathlib.Path, archive: zipfile.ZipFile) -> list[arrays.Pair | None]:
    """Training, test and validation arrays of the one naming that the file follows, or None."""
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
    if total > _MOST_BYTES:
        raise errors.InputError(
            f'{path}: declares {total} bytes of arrays; it must hold at most {_MOST_BYTES}'
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
    return pairs


def _read(path: pathlib.Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """One member, whose header has been found to agree with its size before memory is taken."""
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
            f'{who}: its header declares {dtype} {shape}, {wanted} bytes, the file holds '
            f'{info.file_size}; it must hold exactly those'
        )
    with archive.open(info) as member, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return np.lib.format.read_array(member, allow_pickle=False)


def _read_header(who: str, member) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(member)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of headers that Python 2 wrote, or that are damaged
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
        else:  # (3, 0) is for field names outside of Latin-1, and a record is no image
            raise errors.InputError(
                f'{who}: is .npy version {version}; it must be (1, 0) or (2, 0)'
            )
    return shape, dtype
