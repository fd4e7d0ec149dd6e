"""TF1's `tf.estimator`: `Estimator` with a `model_fn`, its inputs and exports, and four models.

Checkpoints, variable names and folders are those of TensorFlow 1.15, on one device.
"""

import tensorflow.compat.v1 as tf

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
    'CheckpointSaverHook',
    'CheckpointSaverListener',
    'DNNClassifier',
    'DNNRegressor',
    'Estimator',
    'EstimatorSpec',
    'EvalSpec',
    'Exporter',
    'FeedFnHook',
    'FinalExporter',
    'FinalOpsHook',
    'GlobalStepWaiterHook',
    'LatestExporter',
    'LinearClassifier',
    'LinearRegressor',
    'LoggingTensorHook',
    'ModeKeys',
    'NanLossDuringTrainingError',
    'NanTensorHook',
    'ProfilerHook',
    'RunConfig',
    'SecondOrStepTimer',
    'SessionRunArgs',
    'SessionRunContext',
    'SessionRunHook',
    'SessionRunValues',
    'StepCounterHook',
    'StopAtStepHook',
    'SummarySaverHook',
    'TrainSpec',
    'VocabInfo',
    'WarmStartSettings',
    'export',
    'inputs',
    'train_and_evaluate',
]

# Hooks, which TF1 exported here too.
CheckpointSaverHook = tf.train.CheckpointSaverHook
CheckpointSaverListener = tf.train.CheckpointSaverListener
FeedFnHook = tf.train.FeedFnHook
FinalOpsHook = tf.train.FinalOpsHook
GlobalStepWaiterHook = tf.train.GlobalStepWaiterHook
LoggingTensorHook = tf.train.LoggingTensorHook
NanLossDuringTrainingError = tf.train.NanLossDuringTrainingError
NanTensorHook = tf.train.NanTensorHook
ProfilerHook = tf.train.ProfilerHook
SecondOrStepTimer = tf.train.SecondOrStepTimer
SessionRunArgs = tf.train.SessionRunArgs
SessionRunContext = tf.train.SessionRunContext
SessionRunHook = tf.train.SessionRunHook
SessionRunValues = tf.train.SessionRunValues
StepCounterHook = tf.train.StepCounterHook
StopAtStepHook = tf.train.StopAtStepHook
SummarySaverHook = tf.train.SummarySaverHook
VocabInfo = tf.train.VocabInfo
