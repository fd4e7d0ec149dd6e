"""Autoencoders and representation learning as static TensorFlow graphs.

    with tfae.fit('dense', images, logdir='runs/a', units=(128, 32)) as run:
        codes = run.encode(images)

    open         opens a trained run, whether of `fit` or of the command `tfae train`
    fit          trains a run on numpy arrays or on the data set of an experiment
    Experiment   the full configuration of a run
    recipe       the configuration of a published system
    load_data    loads a data set by its name
    Run          an open run: encode, decode, reconstruct, variables
    UsageError   raised for a wrong argument
    InputError   raised for an invalid array, file or run

    layers       TF1's `tf.layers`, and sub-pixel convolution
    losses       losses and regularizers as functions of tensors
    ops          activations, corruption, augmentation, sub-pixel shuffles
    models       the model families
    data         the data sets and their splits
    pretrained   published classifiers and their weights
    analysis     measures of latent codes, images and graphs
    compat       TF1 programs on today's TensorFlow
    sklearn      scikit-learn estimators for tables
    testing      contract tests for plug-in families and data sets

Members are imported on first use: `import tfae` alone does not import TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfae.core.package import VERSION as __version__  # noqa: F401

if TYPE_CHECKING:
    from tfae import analysis as analysis
    from tfae import compat as compat
    from tfae import data as data
    from tfae import layers as layers
    from tfae import losses as losses
    from tfae import models as models
    from tfae import ops as ops
    from tfae import pretrained as pretrained
    from tfae import sklearn as sklearn
    from tfae import testing as testing
    from tfae.core.errors import InputError as InputError
    from tfae.core.errors import UsageError as UsageError
    from tfae.runs.python_api import fit as fit
    from tfae.runs.python_api import load_data as load_data
    from tfae.runs.python_api import open_run as open
    from tfae.runs.python_api import recipe as recipe
    from tfae.runs.saved_run import Run as Run
    from tfae.training.experiment import Experiment as Experiment

# Name -> the module that defines it, and its name there.
_MEMBERS = {
    'Experiment': ('tfae.training.experiment', 'Experiment'),
    'InputError': ('tfae.core.errors', 'InputError'),
    'Run': ('tfae.runs.saved_run', 'Run'),
    'UsageError': ('tfae.core.errors', 'UsageError'),
    'fit': ('tfae.runs.python_api', 'fit'),
    'load_data': ('tfae.runs.python_api', 'load_data'),
    'open': ('tfae.runs.python_api', 'open_run'),
    'recipe': ('tfae.runs.python_api', 'recipe'),
}

__all__ = [
    'Experiment',
    'InputError',
    'Run',
    'UsageError',
    'analysis',
    'compat',
    'data',
    'fit',
    'layers',
    'load_data',
    'losses',
    'models',
    'open',
    'ops',
    'pretrained',
    'recipe',
    'sklearn',
    'testing',
]


def _found(name: str) -> Any:
    if name in _MEMBERS:
        module, member = _MEMBERS[name]
        found = globals()[name] = getattr(importlib.import_module(module), member)
        return found
    if name in __all__:
        return importlib.import_module(f'{__name__}.{name}')
    raise AttributeError(f'module tfae has no attribute {name!r}; it has {", ".join(__all__)}')


if not TYPE_CHECKING:  # so that type checkers report unknown names
    __getattr__ = _found


def __dir__() -> list[str]:
    return sorted([*__all__, '__doc__', '__version__'])
