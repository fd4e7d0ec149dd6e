"""Tables that are part of scikit-learn: `--dataset=sklearn:wine`; they need no download.

    breast_cancer   569 rows of 30 columns, 2 classes
    diabetes        442 rows of 10 columns; the labels are quantities, for --model=regressor
    digits          1,797 rows of 64 columns, 10 classes
    iris            150 rows of 4 columns, 3 classes
    wine            178 rows of 13 columns, 3 classes

A fixed fifth of the rows is the test split.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from tfae.core import errors
from tfae.data import dataset, splits, targets

PREFIX = 'sklearn:'
NAMES = ('breast_cancer', 'diabetes', 'digits', 'iris', 'wine')


@dataclasses.dataclass(frozen=True)
class Table:
    """A data set of scikit-learn; follows `dataset.Source`."""

    name: str

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def load(self, config: dataset.Config) -> dataset.Loaded:
        """Loads the splits, rows `[N, D]` float32, with the names of the columns."""
        import sklearn.datasets  # here, because it takes a second that other data sets do not need

        more = {'scaled': False} if self.name == 'diabetes' else {}
        bunch = getattr(sklearn.datasets, f'load_{self.name}')(**more)
        if hasattr(bunch, 'target_names'):
            names, labels = tuple(map(str, bunch.target_names)), bunch.target.astype(np.int64)
        else:
            names, (labels,) = targets.classes(config, [[f'{v:g}' for v in bunch.target]])
        whole = splits.Split(bunch.data.astype(np.float32), labels)
        train, test = splits.with_test(whole, config.dataset)
        return dataset.Loaded(train, test, names, columns=tuple(map(str, bunch.feature_names)))


def table(name: str) -> Table:
    """Returns the data set of a name `sklearn:wine`.

    Raises: UsageError that lists the names if it is none.
    """
    known = [PREFIX + each for each in NAMES]
    return Table(errors.one_of('--dataset', name, known).removeprefix(PREFIX))
