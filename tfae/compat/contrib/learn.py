"""TF1's `tf.contrib.learn`: the estimators of 2016, on top of `tf.estimator`.

N examples, D features. Variables have the names of `tf.estimator`: `dnn/hiddenlayer_0/kernel` where
`tf.contrib.learn` had `dnn/hiddenlayer_0/weights`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.compat import estimator
from tfae.compat.contrib.layers import ARRAY

__all__ = [
    'DNNClassifier',
    'DNNRegressor',
    'Estimator',
    'LinearClassifier',
    'LinearRegressor',
    'ModeKeys',
    'ModelFnOps',
    'RunConfig',
    'SKCompat',
    'infer_real_valued_columns_from_input',
]

RunConfig = estimator.RunConfig


class ModeKeys:
    """Names of what a model is built for."""

    TRAIN = 'train'
    EVAL = 'eval'
    INFER = 'infer'


class ModelFnOps(NamedTuple):
    """Result of a `model_fn`."""

    mode: str
    predictions: Any = None
    loss: Any = None
    train_op: Any = None
    eval_metric_ops: Any = None


def infer_real_valued_columns_from_input(features: Any) -> list:
    """Returns the numeric column of an array of features `[N, ...]`, in a list."""
    return [tf.feature_column.numeric_column(ARRAY, np.shape(features)[1:] or (1,))]


class _Fitted:
    """The methods that `tf.estimator` calls `train`, `evaluate` and `predict`, also of arrays."""

    _named = True  # whether features that are one array reach the model under a name

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        input_fn: Callable | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        monitors: Sequence | None = None,
        max_steps: int | None = None,
    ) -> Any:
        """Trains on shuffled arrays, endlessly without a number of steps, or on an input function.

        Args:
          x: features `[N, ...]`, or a dictionary of such arrays.
          y: labels `[N, ...]`.
          input_fn: instead of both.
          steps: number of steps of this call.
          batch_size: N by default.
          monitors: session hooks.
          max_steps: step at which the training has ended.
        Returns: itself.
        """
        given = input_fn or self._arrays(x, y, batch_size, shuffle=True, num_epochs=None)
        return super().train(given, monitors, steps, max_steps)  # type: ignore[misc]

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        input_fn: Callable | None = None,
        batch_size: int | None = None,
        steps: int | None = None,
        name: str | None = None,
        hooks: Sequence | None = None,
    ) -> dict[str, Any]:
        """Returns the metrics of one epoch of arrays, or of an input function; see `fit`."""
        given = input_fn or self._arrays(x, y, batch_size, shuffle=False, num_epochs=1)
        return super().evaluate(given, steps, hooks, name=name)  # type: ignore[misc]

    def predict(
        self,
        x: Any = None,
        input_fn: Callable | None = None,
        batch_size: int | None = None,
        outputs: Sequence[str] | None = None,
        as_iterable: bool = True,
    ) -> Any:
        """Returns the predictions of each example: an iterator, or an array.

        Args:
          x: features `[N, ...]`, or a dictionary of such arrays.
          input_fn: instead of it.
          batch_size: N by default.
          outputs: keys of the predictions; then an example has a dictionary of these.
          as_iterable: whether to return an iterator.
        """
        given = input_fn or self._arrays(x, None, batch_size, shuffle=False, num_epochs=1)
        found = super().predict(given, outputs)  # type: ignore[misc]
        rows = found if outputs else map(self._prediction, found)
        return rows if as_iterable else _joined(rows)

    def _prediction(self, found: Any) -> Any:
        """Returns what `predict` returned of an example."""
        return found

    def _arrays(self, x: Any, y: Any, batch_size: int | None, **options: Any) -> Callable:
        features = x if isinstance(x, Mapping) or not self._named else {ARRAY: x}
        count = len(next(iter(x.values())) if isinstance(x, Mapping) else x)
        return estimator.inputs.numpy_input_fn(
            features, y, min(batch_size or count, count), **options
        )


def _joined(rows: Any) -> Any:
    """Returns the predictions of all examples as an array, or a dictionary of arrays."""
    rows = list(rows)
    if rows and isinstance(rows[0], Mapping):
        return {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return np.array(rows)


class Estimator(_Fitted, estimator.Estimator):  # type: ignore[misc]
    """An estimator of a function that returns predictions, loss and training operation.

    `model_fn` takes the features and the labels, in this order, and `mode`, `params` and `config`
    if it has them. It returns the three, or `ModelFnOps`.
    """

    _named = False

    def __init__(
        self,
        model_fn: Callable,
        model_dir: str | None = None,
        config: Any = None,
        params: Any = None,
    ):
        optional = inspect.signature(model_fn).parameters.keys() & {'mode', 'params', 'config'}

        def with_names(features: Any, labels: Any, mode: str, params: Any, config: Any) -> Any:
            known = {'mode': mode, 'params': params, 'config': config}
            made = model_fn(features, labels, **{name: known[name] for name in optional})
            if isinstance(made, estimator.EstimatorSpec):
                return made
            if not isinstance(made, ModelFnOps):
                made = ModelFnOps(mode, *made)
            return estimator.EstimatorSpec(*made)

        super().__init__(with_names, model_dir, config, params)


class _Classifier(_Fitted):
    """A classifier that predicts the number of the class."""

    def _prediction(self, found: Mapping) -> Any:
        return found['class_ids'][0]

    def predict_classes(self, *args: Any, **kwargs: Any) -> Any:
        """Returns `predict`."""
        return self.predict(*args, **kwargs)

    def predict_proba(
        self,
        x: Any = None,
        input_fn: Callable | None = None,
        batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:
        """Returns the probabilities of the classes, as `predict`."""
        found = self.predict(x, input_fn, batch_size, ['probabilities'])
        rows: Iterator = (row['probabilities'] for row in found)
        return rows if as_iterable else _joined(rows)


class _Regressor(_Fitted):
    """A regression that predicts a number, or `[labels]` with several."""

    def _prediction(self, found: Mapping) -> Any:
        value = found['predictions']
        return value[0] if len(value) == 1 else value

    def predict_scores(self, *args: Any, **kwargs: Any) -> Any:
        """Returns `predict`."""
        return self.predict(*args, **kwargs)


class _Columns(_Fitted):
    """An estimator of feature columns, whose loss is the mean over the batch."""

    def __init__(self, *args: Any, weight_column_name: Any = None, **kwargs: Any):
        """Takes the arguments of the estimator of this name in `tf.estimator`.

        Args:
          weight_column_name: the former name of `weight_column`.
          *args: of the estimator; the default optimizers are those of `tf.contrib.learn`.
          **kwargs: likewise.
        """
        kwargs |= {
            'loss_reduction': tf.losses.Reduction.SUM_OVER_BATCH_SIZE,
            'weight_column': weight_column_name,
        }
        super().__init__(*args, **kwargs)


class _Dense(_Columns):
    def __init__(self, *args: Any, optimizer: Any = None, **kwargs: Any):
        super().__init__(*args, optimizer=optimizer or 'Adagrad', **kwargs)


class _Linear(_Columns):
    def __init__(self, *args: Any, optimizer: Any = None, **kwargs: Any):
        super().__init__(*args, optimizer=optimizer, **kwargs)


class DNNClassifier(_Classifier, _Dense, estimator.DNNClassifier):  # type: ignore[misc]
    """A classifier with dense hidden layers; see `tf.estimator.DNNClassifier`."""


class DNNRegressor(_Regressor, _Dense, estimator.DNNRegressor):  # type: ignore[misc]
    """A regression with dense hidden layers; see `tf.estimator.DNNRegressor`."""


class LinearClassifier(_Classifier, _Linear, estimator.LinearClassifier):  # type: ignore[misc]
    """A linear classifier; see `tf.estimator.LinearClassifier`."""


class LinearRegressor(_Regressor, _Linear, estimator.LinearRegressor):  # type: ignore[misc]
    """A linear regression; see `tf.estimator.LinearRegressor`."""


class SKCompat:
    """An estimator with the methods of scikit-learn, in batches of 128."""

    def __init__(self, estimator: Any):
        self._estimator = estimator

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 128,
        steps: int | None = None,
        max_steps: int | None = None,
        monitors: Sequence | None = None,
    ) -> 'SKCompat':
        """Trains on arrays; returns itself."""
        self._estimator.fit(x, y, None, steps, batch_size, monitors, max_steps)
        return self

    def score(
        self, x: Any, y: Any, batch_size: int = 128, steps: int | None = None, name: Any = None
    ) -> dict[str, Any]:
        """Returns the metrics of arrays."""
        return self._estimator.evaluate(x, y, None, batch_size, steps, name)

    def predict(self, x: Any, batch_size: int = 128, outputs: Sequence[str] | None = None) -> Any:
        """Returns the predictions `[N, ...]`, or a dictionary of them if the model has one."""
        return self._estimator.predict(x, None, batch_size, outputs, as_iterable=False)
