"""The models of `tf.estimator` that need no `model_fn`: linear and dense, of feature columns.

B examples of a batch. Losses of training are sums over the batch, as in TF1.
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
_LINEAR, _HEAD = 'linear', 'head'
_MEAN = 'mean'  # of a metric
_SERVING = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY

_OPTIMIZERS = {
    'Adagrad': tf.train.AdagradOptimizer,
    'Adam': tf.train.AdamOptimizer,
    'Ftrl': tf.train.FtrlOptimizer,
    'RMSProp': tf.train.RMSPropOptimizer,
    'SGD': tf.train.GradientDescentOptimizer,
}
_RATES = {_DNN: 0.05, _LINEAR: 0.2}  # of an optimizer that is given by its name


class _Canned(Estimator):
    """An estimator of a function of features that returns logits `[B, width]`."""

    def __init__(
        self,
        scope,
        network,
        classes_or_width,
        optimizer,
        *,
        weight_column,
        loss_reduction,
        partitioner=None,
        **options,
    ):
        width, head = classes_or_width
        make = _optimizer(optimizer, _RATES[scope])
        # TF1's: one part on one device, but the slots of a part have names of their own.
        partitioner = partitioner or tf.min_max_variable_partitioner()

        def model_fn(features, labels, mode):
            with tf.variable_scope(scope, partitioner=partitioner):
                logits = network(features, width, mode == ModeKeys.TRAIN)
                with tf.name_scope(_HEAD):
                    weights = None if labels is None else _weights(features, weight_column)
                    predictions, losses, metrics, outputs = head(logits, labels, weights)
                    loss = train_op = None
                    if losses is not None:
                        loss = tf.losses.compute_weighted_loss(
                            losses, weights, reduction=loss_reduction
                        )
                    if mode == ModeKeys.TRAIN:
                        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
                            train_op = make().minimize(loss, tf.train.get_global_step())
            return EstimatorSpec(mode, predictions, loss, train_op, metrics, outputs)

        super().__init__(model_fn, **options)


class DNNClassifier(_Canned):
    """A classifier with dense hidden layers."""

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = 'Adagrad',
        activation_fn: Callable[[tf.Tensor], tf.Tensor] = tf.nn.relu,
        dropout: float | None = None,
        input_layer_partitioner: Any = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: str = tf.losses.Reduction.SUM,
        batch_norm: bool = False,
    ):
        """Sets the network.

        Args:
          hidden_units: units of the hidden layers.
          feature_columns: columns of `tf.feature_column`.
          model_dir: see `Estimator`.
          n_classes: number of classes.
          weight_column: feature, or its numeric column, by which losses and metrics are weighted.
          label_vocabulary: labels that are strings, in the order of their classes.
          optimizer: an optimizer of `tf.train`, a function that returns one, or its name, such as
            Adagrad, with learning rate 0.05.
          activation_fn: activation of the hidden layers.
          dropout: probability that a hidden unit is dropped.
          input_layer_partitioner: partitioner of the variables of the columns.
          config: see `Estimator`.
          warm_start_from: see `Estimator`.
          loss_reduction: one of `tf.losses.Reduction`, over the batch.
          batch_norm: whether hidden layers are normalized after their activation.
        """
        super().__init__(
            _DNN,
            _dense(
                hidden_units,
                feature_columns,
                activation_fn,
                dropout,
                input_layer_partitioner,
                batch_norm,
            ),
            _classification(n_classes, label_vocabulary),
            optimizer,
            weight_column=weight_column,
            loss_reduction=loss_reduction,
            model_dir=model_dir,
            config=config,
            warm_start_from=warm_start_from,
        )


class DNNRegressor(_Canned):
    """A regression with dense hidden layers; see `DNNClassifier`."""

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = 'Adagrad',
        activation_fn: Callable[[tf.Tensor], tf.Tensor] = tf.nn.relu,
        dropout: float | None = None,
        input_layer_partitioner: Any = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: str = tf.losses.Reduction.SUM,
        batch_norm: bool = False,
    ):
        super().__init__(
            _DNN,
            _dense(
                hidden_units,
                feature_columns,
                activation_fn,
                dropout,
                input_layer_partitioner,
                batch_norm,
            ),
            (label_dimension, _regression),
            optimizer,
            weight_column=weight_column,
            loss_reduction=loss_reduction,
            model_dir=model_dir,
            config=config,
            warm_start_from=warm_start_from,
        )


class LinearClassifier(_Canned):
    """A linear classifier; see `DNNClassifier`.

    The learning rate of an optimizer that is given by its name is 0.2. An `optimizer` of None is
    Ftrl with the smaller of 0.2 and 1 / sqrt(number of columns). Values of one categorical column
    are combined by `sparse_combiner`: `sum`, `mean` or `sqrtn`.
    """

    def __init__(
        self,
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = 'Ftrl',
        config: RunConfig | None = None,
        partitioner: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = tf.losses.Reduction.SUM,
        sparse_combiner: str = 'sum',
    ):
        super().__init__(
            _LINEAR,
            _linear(feature_columns, sparse_combiner),
            _classification(n_classes, label_vocabulary),
            optimizer or _ftrl(feature_columns),
            weight_column=weight_column,
            loss_reduction=loss_reduction,
            partitioner=partitioner,
            model_dir=model_dir,
            config=config,
            warm_start_from=warm_start_from,
        )


class LinearRegressor(_Canned):
    """A linear regression; see `LinearClassifier`."""

    def __init__(
        self,
        feature_columns: Sequence[Any],
        model_dir: str | None = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = 'Ftrl',
        config: RunConfig | None = None,
        partitioner: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = tf.losses.Reduction.SUM,
        sparse_combiner: str = 'sum',
    ):
        super().__init__(
            _LINEAR,
            _linear(feature_columns, sparse_combiner),
            (label_dimension, _regression),
            optimizer or _ftrl(feature_columns),
            weight_column=weight_column,
            loss_reduction=loss_reduction,
            partitioner=partitioner,
            model_dir=model_dir,
            config=config,
            warm_start_from=warm_start_from,
        )


def _ftrl(columns):
    return lambda: tf.train.FtrlOptimizer(min(_RATES[_LINEAR], len(columns) ** -0.5))


def _weights(features, column):
    """Returns the weights of the examples, [B, 1], or 1."""
    if column is None:
        return 1.0
    if isinstance(column, str):
        column = tf.feature_column.numeric_column(column)
    return tf.feature_column.input_layer(features, [column])


def _optimizer(given: Any, rate: float) -> Callable[[], Any]:
    """Returns a function that returns the optimizer."""
    if isinstance(given, str):
        if given not in _OPTIMIZERS:
            raise ValueError(f'optimizer is {given!r}; it must be one of {", ".join(_OPTIMIZERS)}')
        return lambda: _OPTIMIZERS[given](rate)

    def make():
        made = given() if callable(given) else given
        if not isinstance(made, tf.train.Optimizer):
            raise ValueError(f'optimizer is {made!r}; it must be an optimizer of tf.train')
        return made

    return make


def _dense(hidden_units, columns, activation, dropout, partitioner, batch_norm):
    def network(features, width, training):
        with tf.variable_scope(_COLUMNS, partitioner=partitioner):
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
                net = layers.batch_normalization(
                    net, momentum=0.999, training=training, name=f'{_HIDDEN}{i}/batchnorm_{i}'
                )
        return layers.dense(net, width, name=_LOGITS)

    return network


def _linear(columns, combiner):
    def network(features, width, training):
        return tf.feature_column.linear_model(features, columns, width, combiner)

    return network


def _classification(n_classes, vocabulary):
    """Returns the number of logits, and the function of logits, labels and weights.

    That function returns predictions, losses [B, 1], metrics and outputs.
    """

    def head(logits, labels, weights):
        binary = n_classes == 2
        if binary:
            positive = tf.nn.sigmoid(logits)
            probabilities = tf.concat([1 - positive, positive], -1)
        else:
            probabilities = tf.nn.softmax(logits)
        ids = tf.argmax(probabilities, -1)[:, tf.newaxis]
        texts = tf.constant([str(word) for word in vocabulary or range(n_classes)])
        every = [tf.shape(logits)[0], 1]
        predictions = {
            'logits': logits,
            'probabilities': probabilities,
            'class_ids': ids,
            'classes': tf.gather(texts, ids),
            'all_class_ids': tf.tile(tf.range(n_classes)[tf.newaxis], every),
            'all_classes': tf.tile(texts[tf.newaxis], every),
        }
        scores = export.ClassificationOutput(probabilities, predictions['all_classes'])
        outputs = {_SERVING: scores, 'classification': scores}
        if binary:
            predictions['logistic'] = positive
            outputs['regression'] = export.RegressionOutput(positive)
        outputs['predict'] = export.PredictOutput(predictions)
        if labels is None:
            return predictions, None, None, outputs
        labels = tf.reshape(labels, [-1, 1])
        if vocabulary:
            same = tf.equal(labels, texts[tf.newaxis])
            ids_of_texts = tf.argmax(tf.cast(same, tf.int32), -1)
            unknown = -tf.ones_like(ids_of_texts)
            labels = tf.where(tf.reduce_any(same, -1), ids_of_texts, unknown)[:, tf.newaxis]
        labels = tf.cast(labels, tf.int64)
        least = 'label_vocabulary lacks a label' if vocabulary else 'Labels must be >= 0'
        most = 'Labels must be <= n_classes - 1'
        checks = [
            tf.debugging.assert_non_negative(labels, message=least),
            tf.debugging.assert_less(labels, tf.constant(n_classes, tf.int64), message=most),
        ]
        with tf.control_dependencies(checks):
            labels = tf.identity(labels)
        if binary:
            values = tf.cast(labels, tf.float32)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=values, logits=logits)
        else:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels[:, 0], logits=logits
            )[:, tf.newaxis]
        metrics = {
            'accuracy': tf.metrics.accuracy(labels, ids, weights),
            'average_loss': tf.metrics.mean(losses, weights),
        }
        if binary:
            mean = tf.metrics.mean(values, weights)
            metrics |= {
                'accuracy_baseline': tuple(tf.maximum(share, 1 - share) for share in mean),
                'auc': tf.metrics.auc(labels, positive, weights),
                'auc_precision_recall': tf.metrics.auc(labels, positive, weights, curve='PR'),
                f'label/{_MEAN}': mean,
                'precision': tf.metrics.precision(labels, ids, weights),
                f'prediction/{_MEAN}': tf.metrics.mean(positive, weights),
                'recall': tf.metrics.recall(labels, ids, weights),
            }
        return predictions, losses, metrics, outputs

    return 1 if n_classes == 2 else n_classes, head


def _regression(logits, labels, weights):
    predictions = {'predictions': logits}
    output = export.RegressionOutput(logits)
    outputs = {
        _SERVING: output,
        'regression': output,
        'predict': export.PredictOutput(predictions),
    }
    if labels is None:
        return predictions, None, None, outputs
    labels = tf.cast(tf.reshape(labels, tf.shape(logits)), tf.float32)
    losses = tf.math.squared_difference(logits, labels)
    metrics = {
        'average_loss': tf.metrics.mean(losses, weights),
        f'label/{_MEAN}': tf.metrics.mean(labels, weights),
        f'prediction/{_MEAN}': tf.metrics.mean(logits, weights),
    }
    return predictions, losses, metrics, outputs
