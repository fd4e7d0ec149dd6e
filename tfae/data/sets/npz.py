"""Arrays of one's own in an `.npz` file, as numpy.savez writes it: `--data_dir=path/to/file.npz`.

The file holds `x_train` and `x_test`, or `train_images` and `test_images`, with `y_train` and
`y_test`, or `train_labels` and `test_labels`, where the pictures have classes. Or it holds one
set, `images` with `labels` or `x` with `y`, of which a fixed fifth becomes the test part; so it
does where a training part comes alone. Other arrays are left unread.

Pictures are [N, H, W, C], [N, H, W] (then C is 1) or vectors [N, D], which become [N, 1, D, 1].
uint8 counts 1/255, and so do wider integers, which must fit into uint8; floats and bools lie in
[0, 1]. Labels are integers from 0 up, [N] or [N, 1].
"""

import math
import pathlib
import warnings
import zipfile

import numpy as np

from tfae.core import errors
from tfae.data import dataset, splits

FIELDS = ('data_dir',)

# Training pictures and labels, test pictures and labels; each row is a way to name them.
_NAMINGS = (
    ('x_train', 'y_train', 'x_test', 'y_test'),
    ('train_images', 'train_labels', 'test_images', 'test_labels'),
    ('images', 'labels'),
    ('x', 'y'),
)

# A set of more bytes than this does not go through memory as arrays.
_MOST_BYTES = 2**33

# Deflate cannot shrink further than this, so a larger claim is false before a byte is read.
_DEFLATE_LIMIT = 1032

# A larger number is an identifier or a measurement, not a class.
_MOST_CLASSES = 2**16


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Train and test parts, uint8 or float32 as the file has them; names are the label numbers.

    Raises:
      UsageError: no file is named.
      InputError: the file is missing, damaged or ambiguous, or holds what is no picture or class.
    """
    path = _file(config.data_dir)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _read_named(path, archive)
    except errors.InputError:
        raise
    except Exception as error:
        # Damaged bytes draw nearly anything from zipfile and numpy's header parser: BadZipFile,
        # zlib.error, EOFError, struct.error, SyntaxError, TokenError, RecursionError, ...
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise errors.InputError(
            f'{path}: cannot be read ({reason}); it must be a file written by numpy.savez'
        ) from error
    x_train, y_train, x_test, y_test = arrays
    train = _split(path, x_train, y_train)
    if x_test is None:
        if y_test is not None:
            raise errors.InputError(f'{y_test.who}: has no pictures beside it; it must have some')
        train, test = splits.with_test(train, str(path))
    else:
        test = _split(path, x_test, y_test)
        _check_agreement(path, train, test)
    if train.labels is None or test.labels is None:
        return train, test, ()
    classes = int(max(train.labels.max(), test.labels.max())) + 1
    return train, test, tuple(map(str, range(classes)))


class _Named:
    """An array and how errors call it: `path/to/file.npz: x_train`."""

    def __init__(self, path: pathlib.Path, name: str, values: np.ndarray):
        self.who = f'{path}: {name}'
        self.values = values


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


def _read_named(path: pathlib.Path, archive: zipfile.ZipFile) -> list[_Named | None]:
    """The arrays of the one naming that the file follows, None where it has none."""
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
    return [
        _Named(path, name, _read(path, archive, members[name])) if name in members else None
        for name in (*followed[0], None, None)[:4]
    ]


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
        else:  # (3, 0) is for field names outside of Latin-1, and a record is no picture
            raise errors.InputError(
                f'{who}: is .npy version {version}; it must be (1, 0) or (2, 0)'
            )
    return shape, dtype


def _split(path: pathlib.Path, images: _Named | None, labels: _Named | None) -> splits.Split:
    assert images is not None
    pictures = _pictures(images)
    if labels is None:
        return splits.Split(pictures, None)
    classes = _classes(labels)
    if len(pictures) != len(classes):
        raise errors.InputError(
            f'{labels.who}: holds {len(classes)} labels for {len(pictures)} pictures; the counts '
            'must agree'
        )
    return splits.Split(pictures, classes)


def _pictures(array: _Named) -> np.ndarray:
    """[N, H, W, C], uint8 or float32 within [0, 1]."""
    values = array.values
    if values.ndim == 2:
        values = values[:, None, :, None]
    elif values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4:
        raise errors.InputError(
            f'{array.who}: shape is {array.values.shape}; it must be [N, H, W, C], [N, H, W] or '
            '[N, D]'
        )
    if values.dtype.kind not in 'buif':
        raise errors.InputError(
            f'{array.who}: holds {values.dtype}; pictures must be uint8, or floats in [0, 1]'
        )
    integers = values.dtype.kind in 'ui'
    _check_range(array.who, values, 255 if integers else 1)
    return values.astype(np.uint8 if integers else np.float32, copy=False)


def _check_range(who: str, values: np.ndarray, high: int) -> None:
    if values.min() >= 0 and values.max() <= high:  # false if any is NaN
        return
    missing = int(np.isnan(values).sum()) if values.dtype.kind == 'f' else 0
    if missing:
        raise errors.InputError(
            f'{who}: {missing} of {values.size} pixels are NaN; they must lie in [0, {high}]'
        )
    outside = int(((values < 0) | (values > high)).sum())
    raise errors.InputError(
        f'{who}: {outside} of {values.size} pixels lie outside [0, {high}], the range is '
        f'[{values.min()}, {values.max()}]; {values.dtype} pixels must lie in [0, {high}]'
    )


def _classes(array: _Named) -> np.ndarray:
    """[N] int64, from 0 up."""
    values = array.values
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in 'bui':
        raise errors.InputError(
            f'{array.who}: is {values.dtype} {values.shape}; labels must be integers [N] or [N, 1]'
        )
    if values.min() < 0 or values.max() >= _MOST_CLASSES:
        raise errors.InputError(
            f'{array.who}: labels span {values.min()} to {values.max()}; they must number classes '
            f'from 0 and stay below {_MOST_CLASSES}'
        )
    return values.astype(np.int64)


def _check_agreement(path: pathlib.Path, train: splits.Split, test: splits.Split) -> None:
    for of_train, of_test in (
        (train.images.shape[1:], test.images.shape[1:]),
        (train.images.dtype, test.images.dtype),
        (
            'unlabelled' if train.labels is None else 'labelled',
            'unlabelled' if test.labels is None else 'labelled',
        ),
    ):
        if of_train != of_test:
            raise errors.InputError(
                f'{path}: training pictures are {of_train}, test pictures are {of_test}; they '
                'must agree'
            )
