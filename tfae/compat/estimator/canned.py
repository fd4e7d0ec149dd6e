"""The models of `tf.estimator` that need no `model_fn`: linear and dense, of feature columns.

B examples of a batch, C classes. Losses of training are sums over the batch, as in TF1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.compat.estimator import export
from tfae.compat.estimator.estimator import Estimator
from tfae.compat.estimator.specs import EstimatorSpec, ModeKeys, RunConfig

# Scopes and layers of TF1's checkpoints.
_DNN, _COLUMNS, _HIDDEN, _LOGITS = 'dnn', 'input_from_feature_columns', 'hiddenlayer_', 'logits'
_LINEAR = 'linear'
_MEAN = 'mean'  # of a metric

_OPTIMIZERS = {
    'Adagrad': tf.train.AdagradOptimizer,
    'Adam': tf.train.AdamOptimizer,
    'Ftrl': tf.train.FtrlOptimizer,
    'RMSProp': tf.train.RMSPropOptimizer,
    'SGD': tf.train.GradientDescentOptimizer,
}
_RATE = 0.05  # of an optimizer that is given by its name


class _Canned(Estimator):
    """An estimator of a function of features that returns logits `[B, width]`."""

    def __init__(self, network, width, head, optimizer, model_dir, config, warm_start_from):
        def model_fn(features, labels, mode):
            logits = network(features, width, mode == ModeKeys.TRAIN)
            predictions, loss, metrics, outputs = head(logits, labels)
            train_op = None
            if mode == ModeKeys.TRAIN:
                rule = optimizer() if callable(optimizer) else optimizer
                updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
                with tf.control_dependencies(updates):
                    train_op = rule.minimize(loss, tf.train.get_global_step())
            return EstimatorSpec(mode, predictions, loss, train_op, metrics, outputs)

        super().__init__(model_fn, model_dir, config, warm_start_from=warm_start_from)


class DNNClassifier(_Canned):
    """A classifier with dense hidden layers."""

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        n_classes: int = 2,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = 'Adagrad',
        activation_fn: Callable[[tf.Tensor], tf.Tensor] = tf.nn.relu,
        dropout: float | None = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        batch_norm: bool = False,
    ):
        """Sets the network.

        Args:
          hidden_units: units of the hidden layers.
          feature_columns: columns of `tf.feature_column`.
          model_dir: see `Estimator`.
          n_classes: number of classes.
          label_vocabulary: labels that are texts, in the order of their classes.
          optimizer: an optimizer of `tf.train`, a function that returns one, or its name, such as
            Adagrad, with learning rate 0.05.
          activation_fn: activation of the hidden layers.
          dropout: probability that a hidden unit is dropped.
          config: see `Estimator`.
          warm_start_from: see `Estimator`.
          batch_norm: whether hidden layers are normalized after their activation.
        """
        network = _dense(hidden_units, feature_columns, activation_fn, dropout, batch_norm)
        width, head = _classification(n_classes, label_vocabulary)
        rule = _optimizer(optimizer, _RATE)
        super().__init__(network, width, head, rule, model_dir, config, warm_start_from)


class DNNRegressor(_Canned):
    """A regression with dense hidden layers; see `DNNClassifier`."""

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        label_dimension: int = 1,
        optimizer: Any = 'Adagrad',
        activation_fn: Callable[[tf.Tensor], tf.Tensor] = tf.nn.relu,
        dropout: float | None = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        batch_norm: bool = False,
    ):
        network = _dense(hidden_units, feature_columns, activation_fn, dropout, batch_norm)
        rule = _optimizer(optimizer, _RATE)
        super().__init__(
            network, label_dimension, _regression, rule, model_dir, config, warm_start_from
        )


class LinearClassifier(_Canned):
    """A linear classifier; see `DNNClassifier`."""

    def __init__(
        self,
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        n_classes: int = 2,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = 'Ftrl',
        config: RunConfig | None = None,
        warm_start_from: Any = None,
    ):
        width, head = _classification(n_classes, label_vocabulary)
        rule = _optimizer(optimizer, min(0.2, len(feature_columns) ** -0.5))
        network = _linear(feature_columns)
        super().__init__(network, width, head, rule, model_dir, config, warm_start_from)


class LinearRegressor(_Canned):
    """A linear regression; see `DNNClassifier`."""

    def __init__(
        self,
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        label_dimension: int = 1,
        optimizer: Any = 'Ftrl',
        config: RunConfig | None = None,
        warm_start_from: Any = None,
    ):
        rule = _optimizer(optimizer, min(0.2, len(feature_columns) ** -0.5))
        network = _linear(feature_columns)
        super().__init__(
            network, label_dimension, _regression, rule, model_dir, config, warm_start_from
        )


def _optimizer(given: Any, rate: float) -> Any:
    if not isinstance(given, str):
        return given
    if given not in _OPTIMIZERS:
        raise ValueError(f'optimizer is {given!r}; it must be one of {", ".join(_OPTIMIZERS)}')
    return lambda: _OPTIMIZERS[given](rate)


def _dense(hidden_units, columns, activation, dropout, batch_norm):
    def network(features, width, training):
        with tf.variable_scope(_DNN):
            with tf.variable_scope(_COLUMNS):
                net = tf.feature_column.input_layer(features, columns)
            for i, units in enumerate(hidden_units):
                net = layers.dense(
                    net,
                    units,
                    activation,
                    kernel_initializer=tf.glorot_uniform_initializer(),
                    name=f'{_HIDDEN}{i}',
                )
                if dropout and training:
                    net = tf.nn.dropout(net, rate=dropout)
                if batch_norm:
                    net = layers.batch_normalization(net, momentum=0.999, training=training)
            return layers.dense(net, width, name=_LOGITS)

    return network


def _linear(columns):
    def network(features, width, training):
        with tf.variable_scope(_LINEAR):
            return tf.feature_column.linear_model(features, columns, units=width)

    return network


def _classification(n_classes, vocabulary):
    """Returns the number of logits, and the function of logits and labels."""

    def head(logits, labels):
        binary = n_classes == 2
        if binary:
            positive = tf.nn.sigmoid(logits)
            probabilities = tf.concat([1 - positive, positive], -1)
        else:
            probabilities = tf.nn.softmax(logits)
        ids = tf.argmax(probabilities, -1)[:, tf.newaxis]
        texts = tf.constant([str(word) for word in vocabulary or range(n_classes)])
        predictions = {
            'logits': logits,
            'probabilities': probabilities,
            'class_ids': ids,
            'classes': tf.gather(texts, ids),
        }
        if binary:
            predictions['logistic'] = positive
        scores = export.ClassificationOutput(
            probabilities, tf.tile(texts[tf.newaxis], [tf.shape(logits)[0], 1])
        )
        outputs = {
            tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: scores,
            'predict': export.PredictOutput(predictions),
        }
        if labels is None:
            return predictions, None, None, outputs
        labels = tf.reshape(labels, [-1, 1])
        if vocabulary:
            labels = tf.argmax(tf.cast(tf.equal(labels, texts[tf.newaxis]), tf.int32), -1)
            labels = labels[:, tf.newaxis]
        labels = tf.cast(labels, tf.int64)
        if binary:
            values = tf.cast(labels, tf.float32)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=values, logits=logits)
        else:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels[:, 0], logits=logits
            )
        metrics = {
            'accuracy': tf.metrics.accuracy(labels, ids),
            'average_loss': tf.metrics.mean(losses),
        }
        if binary:
            metrics |= {
                'auc': tf.metrics.auc(labels, positive),
                f'label/{_MEAN}': tf.metrics.mean(values),
                'precision': tf.metrics.precision(labels, ids),
                f'prediction/{_MEAN}': tf.metrics.mean(positive),
                'recall': tf.metrics.recall(labels, ids),
            }
        return predictions, tf.reduce_sum(losses), metrics, outputs

    return 1 if n_classes == 2 else n_classes, head


def _regression(logits, labels):
    predictions = {'predictions': logits}
    outputs = {
        tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: (
            export.RegressionOutput(logits)
        ),
        'predict': export.PredictOutput(predictions),
    }
    if labels is None:
        return predictions, None, None, outputs
    labels = tf.cast(tf.reshape(labels, tf.shape(logits)), tf.float32)
    losses = tf.math.squared_difference(logits, labels)
    metrics = {
        'average_loss': tf.metrics.mean(losses),
        f'label/{_MEAN}': tf.metrics.mean(labels),
        f'prediction/{_MEAN}': tf.metrics.mean(logits),
    }
    return predictions, tf.reduce_sum(losses), metrics, outputs
