"""Windows of series in CSV files: `--data_dir=FOLDER --window=LENGTH:STEP`.

Each file `*.csv` of the folder is a series: a line with the names of the channels, the same in all
files, then a step per line. See `tfae.data.formats.csv_files`. Windows are sequences of LENGTH
consecutive steps of one file, which begin STEP steps apart.

Each series is cut into three contiguous blocks of steps, training, validation and test, in this
order, and each window lies in one of them: windows that overlap are always in the same split. The
test block is the fraction `test_fraction` of the steps, the validation block the fraction
`validation_fraction` of the others.

T steps of a series, L steps of a window, C channels.
"""

import pathlib

import numpy as np

from tfae.core import errors
from tfae.data import dataset
from tfae.data.formats import csv_files
from tfae.data.splits import Split

FIELDS = ('data_dir', 'window', 'test_fraction', 'validation_fraction')

_MAX_VALUES = 2**31  # of all windows


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits, sequences `[N, L, C]` float32, with the names of the channels.

    Raises:
      UsageError: `data_dir` or `window` is empty.
      InputError: there are no files, a file is not a table of numbers or has other channels than
        the first, or a series is too short.
    """
    if not config.window:
        raise errors.UsageError('--window is empty; data set windows needs --window=LENGTH:STEP')
    length, step = dataset.window(config.window)
    found: tuple[list[np.ndarray], ...] = ([], [], [])
    first: csv_files.Table | None = None
    paths = _paths(config.data_dir)
    for path in paths:
        table = csv_files.read(path, missing=config.missing == 'mask')
        first = first or table
        if table.columns != first.columns:
            raise errors.InputError(
                f'{path} line 1 names {_shown(table.columns)}; it must name '
                f'{_shown(first.columns)}, as {paths[0]} does'
            )
        blocks = _blocks(table.rows, config)
        if len(blocks[0]) < length:
            raise errors.InputError(
                f'{path} has {len(table.rows)} steps, of which {len(blocks[0])} are for training; '
                f'--window={config.window} needs {length} there'
            )
        for windows, block in zip(found, blocks, strict=True):
            windows.append(_windows(block, length, step))
    count = sum(len(windows) for split in found for windows in split)
    assert first is not None
    if count * length * len(first.columns) > _MAX_VALUES:
        raise errors.InputError(
            f'{config.data_dir}: {count:,} windows of {length} steps of {len(first.columns)} '
            f'channels hold more than {_MAX_VALUES:,} values; --window must have a larger step'
        )
    train, validation, test = (Split(np.concatenate(windows), None) for windows in found)
    if not len(test.images):
        raise errors.InputError(
            f'{config.data_dir}: no series has {length} steps in its test block; '
            f'--test_fraction={config.test_fraction:g} must be larger, or --window shorter'
        )
    notes = [
        f'windows of {length} steps, {step} apart, of {errors.counted(len(paths), "file", "files")}'
    ]
    for name, split, fraction in (
        ('validation', found[1], config.validation_fraction),
        ('test', found[2], config.test_fraction),
    ):
        short = sum(1 for windows in split if not len(windows))
        if fraction and short:
            notes.append(
                f'no {name} windows of {errors.counted(short, "file", "files")}, whose {name} '
                f'blocks are shorter than {length} steps'
            )
    return dataset.Loaded(train, test, (), validation, tuple(notes), first.columns)


def _paths(data_dir: str) -> list[pathlib.Path]:
    if not data_dir:
        raise errors.UsageError(
            '--data_dir is empty; data set windows needs --data_dir=path/to/folder'
        )
    folder = pathlib.Path(data_dir).expanduser()
    if not folder.is_dir():
        raise errors.InputError(
            f'{folder}: no such folder; data set windows needs one of .csv files'
        )
    paths = sorted(folder.glob('[!.]*.csv'))
    if not paths:
        raise errors.InputError(f'{folder}: holds no .csv files; each must be a series')
    return paths


def _blocks(rows: np.ndarray, config: dataset.Config) -> tuple[np.ndarray, ...]:
    """Returns the blocks of training, validation and test of a series `[T, C]`."""
    stop = len(rows) - round(config.test_fraction * len(rows))
    middle = stop - round(config.validation_fraction * stop)
    return rows[:middle], rows[middle:stop], rows[stop:]


def _windows(rows: np.ndarray, length: int, step: int) -> np.ndarray:
    """Returns the windows `[N, L, C]` of a block `[T, C]`, possibly none, without a copy."""
    if len(rows) < length:
        return np.zeros([0, length, rows.shape[1]], rows.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)
    return windows[::step].transpose(0, 2, 1)


def _shown(names: tuple[str, ...]) -> str:
    return repr(','.join(names)[:200])
