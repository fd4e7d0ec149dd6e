"""A table in a CSV file: `--data_dir=path/to/file.csv`; see `tfae.data.formats.csv_files`.

The column `--target` holds the labels, of any text; rows without a label are left out. A fixed
fifth of the rows is the test split.
"""

import numpy as np

from tfae.core import errors
from tfae.data import dataset, targets
from tfae.data.formats import arrays, csv_files

FIELDS = ('data_dir', 'target')


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits, rows `[N, D]` float32, with the names of the columns.

    Raises: UsageError if `data_dir` is empty or there is no column `target`; InputError as
      `csv_files.read` does.
    """
    path = dataset.file(config.data_dir, 'csv')
    missing = config.missing == 'mask'
    table = csv_files.read(path, '' if config.attributes else config.target, missing)
    rows, labels = arrays.Named(str(path), table.rows), None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if table.labels is not None:
        class_names, numbers = targets.classes(config, [table.labels])
        known = np.array([text != '' for text in table.labels])
        if not known.any():
            raise errors.InputError(f'{path}: column {config.target} is empty in every row')
        if not known.all():
            lost = errors.counted(int((~known).sum()), 'row', 'rows')
            notes = (f'skipped: {lost} without {config.target}',)
        rows = rows._replace(values=table.rows[known])
        labels = arrays.Named(f'{path}: {config.target}', numbers[0])
    loaded = arrays.loaded(str(path), arrays.Pair(rows, labels), None, None, missing=missing)
    return loaded._replace(
        class_names=class_names, notes=(*loaded.notes, *notes), columns=table.columns
    )
