"""TF1's `tf.estimator`: `Estimator` with a `model_fn`, its inputs and exports, and four models.

Checkpoints, variable names and folders are those of TensorFlow 1.15, on one device.
"""

from tfae.compat.estimator import export, inputs
from tfae.compat.estimator.canned import (
    DNNClassifier,
    DNNRegressor,
    LinearClassifier,
    LinearRegressor,
)
from tfae.compat.estimator.estimator import Estimator, train_and_evaluate
from tfae.compat.estimator.export import BestExporter, Exporter, FinalExporter, LatestExporter
from tfae.compat.estimator.specs import (
    EstimatorSpec,
    EvalSpec,
    ModeKeys,
    RunConfig,
    TrainSpec,
    WarmStartSettings,
)

__all__ = [
    'BestExporter',
    'DNNClassifier',
    'DNNRegressor',
    'Estimator',
    'EstimatorSpec',
    'EvalSpec',
    'Exporter',
    'FinalExporter',
    'LatestExporter',
    'LinearClassifier',
    'LinearRegressor',
    'ModeKeys',
    'RunConfig',
    'TrainSpec',
    'WarmStartSettings',
    'export',
    'inputs',
    'train_and_evaluate',
]
