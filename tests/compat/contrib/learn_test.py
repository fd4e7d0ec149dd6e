"""`tf.contrib.learn`: estimators of arrays, against closed forms."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae.compat

tfae.compat.install(v1_behavior=False)
learn = tf.contrib.learn
RATE = 0.1


def arrays(count=12):
    """Returns features `[N, 2]` and their labels `[N]`."""
    x = np.random.default_rng(0).normal(size=[count, 2]).astype(np.float32)
    return x, (x @ [1.0, -2.0]).astype(np.float32)


def linear(features, labels, mode, params):
    """A regression whose weights are zeros before the first step."""
    weights = tf.get_variable('weights', [2, 1], initializer=tf.zeros_initializer())
    predictions = tf.matmul(features, weights)[:, 0]
    if mode == learn.ModeKeys.INFER:
        return learn.ModelFnOps(mode, predictions)
    loss = tf.reduce_mean((predictions - labels) ** 2)
    optimizer = tf.train.GradientDescentOptimizer(params['rate'])
    train = optimizer.minimize(loss, tf.train.get_global_step())
    metrics = {'largest': tf.metrics.mean(tf.reduce_max(predictions))}
    return learn.ModelFnOps(mode, {'score': predictions}, loss, train, metrics)


def test_an_estimator_of_a_function_is_fitted_to_arrays(tmp_path):
    x, y = arrays()
    made = learn.Estimator(linear, str(tmp_path), params={'rate': RATE})
    assert made.fit(x, y, steps=1) is made
    weights = 2 * RATE * (x.T @ y) / len(x)  # of the whole set
    np.testing.assert_allclose(made.get_variable_value('weights')[:, 0], weights, rtol=1e-5)
    found = made.predict(x)
    assert not isinstance(found, np.ndarray)
    np.testing.assert_allclose(list(found), x @ weights, rtol=1e-4, atol=1e-6)
    result = made.evaluate(x, y)
    np.testing.assert_allclose(result['loss'], np.mean((x @ weights - y) ** 2), rtol=1e-5)
    np.testing.assert_allclose(result['largest'], np.max(x @ weights), rtol=1e-5)
    assert learn.ModelFnOps('infer') == ('infer', None, None, None, None)


def test_a_function_may_return_predictions_loss_and_operation():
    def mean(features, targets):
        level = tf.get_variable('level', [], initializer=tf.zeros_initializer())
        predictions = level + 0 * features[:, 0]
        if targets is None:
            return {'level': predictions}, None, None
        loss = tf.reduce_mean((predictions - targets) ** 2)
        optimizer = tf.train.GradientDescentOptimizer(0.5)
        return predictions, loss, optimizer.minimize(loss, tf.train.get_global_step())

    x, y = arrays()
    made = learn.SKCompat(learn.Estimator(mean))
    assert made.fit(x, y, steps=1) is made
    np.testing.assert_allclose(made.predict(x)['level'], np.full(12, y.mean()), rtol=1e-5)
    np.testing.assert_allclose(made.score(x, y)['loss'], y.var(), rtol=1e-5)
    chosen = made.predict(x, batch_size=5, outputs=['level'])
    np.testing.assert_allclose(chosen['level'], made.predict(x)['level'])


def test_batches_epochs_and_hooks_are_those_asked_for():
    sizes = []

    def seen(features, labels):
        def record(batch):
            sizes.append(len(batch))
            return batch

        same = tf.numpy_function(record, [features], tf.float32)
        with tf.control_dependencies([same]):
            step = tf.assign_add(tf.train.get_global_step(), 1)
        loss = tf.reduce_sum(same)
        return same, loss, step

    class Hook(tf.train.SessionRunHook):
        runs = 0

        def after_run(self, run_context, run_values):
            self.runs += 1

    x, y = arrays(7)
    hook = Hook()
    made = learn.Estimator(seen)
    made.fit(x, y, steps=3, batch_size=5, monitors=[hook])
    assert (sizes, hook.runs) == ([5, 5, 5], 3)  # across the ends of epochs
    del sizes[:]
    made.fit(x, y, max_steps=4)
    assert sizes == [7]
    del sizes[:]
    made.evaluate(x, y, batch_size=4)
    assert sizes == [4, 3]
    del sizes[:]
    made.fit(input_fn=lambda: (tf.zeros([2, 2]), tf.zeros([2])), steps=1)
    assert sizes == [2]


def test_linear_estimators_take_the_mean_loss():
    x, y = arrays()
    columns = learn.infer_real_valued_columns_from_input(x)
    optimizer = tf.train.GradientDescentOptimizer(RATE)
    made = learn.LinearRegressor(columns, optimizer=optimizer).fit(x, y, steps=1)
    weights, bias = 2 * RATE * (x.T @ y) / len(x), 2 * RATE * y.mean()
    predicted = made.predict(x, as_iterable=False)
    np.testing.assert_allclose(predicted, x @ weights + bias, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(made.predict_scores(x, as_iterable=False), predicted)
    np.testing.assert_allclose(made.evaluate(x, y)['loss'], np.mean((predicted - y) ** 2), 1e-5)


def test_a_column_without_a_name_is_of_the_array():
    x, y = arrays()
    columns = [tf.contrib.layers.real_valued_column('', dimension=2)]
    assert columns == learn.infer_real_valued_columns_from_input(x)
    named = tf.contrib.layers.real_valued_column('size', default_value=3.0)
    assert named == tf.feature_column.numeric_column('size', default_value=3.0)
    made = learn.LinearClassifier(columns).fit(x, (y > 0).astype(int), steps=1)
    probabilities = made.predict_proba(x, as_iterable=False)
    np.testing.assert_allclose(probabilities.sum(1), np.ones(12), rtol=1e-5)
    chosen = made.predict_classes(x, as_iterable=False)
    np.testing.assert_array_equal(chosen, probabilities.argmax(1))
    accuracy = made.evaluate(x, (y > 0).astype(int))['accuracy']
    np.testing.assert_allclose(accuracy, np.mean(chosen == (y > 0)), rtol=1e-6)


def test_dense_estimators_predict_classes_and_numbers():
    x, y = arrays()
    columns = learn.infer_real_valued_columns_from_input(x)
    labels = np.digitize(y, [-1, 1])
    made = learn.DNNClassifier([4], columns, n_classes=3, config=learn.RunConfig(tf_random_seed=0))
    made.fit(x, labels, steps=2)
    chosen = list(made.predict(x))
    probabilities = np.array(list(made.predict_proba(x)))
    assert chosen == list(probabilities.argmax(1))
    expected = -np.mean(np.log(probabilities[np.arange(12), labels]))
    np.testing.assert_allclose(made.evaluate(x, labels)['loss'], expected, rtol=1e-4)
    two = learn.DNNRegressor([4], columns, label_dimension=2).fit(x, np.stack([y, y], 1), steps=1)
    assert two.predict(x, as_iterable=False).shape == (12, 2)


def test_weights_of_examples_are_a_feature():
    x, y = arrays()
    weights = np.arange(12, dtype=np.float32)
    column = tf.contrib.layers.real_valued_column('x', dimension=2)
    made = learn.LinearRegressor([column], weight_column_name='w')
    given = {'x': x, 'w': weights}
    made.fit(given, y, steps=1)
    errors = (made.predict(given, as_iterable=False) - y) ** 2
    found = made.evaluate(given, y)
    expected = np.sum(weights * errors) / np.sum(weights)
    np.testing.assert_allclose(found['average_loss'], expected, rtol=1e-4)
    np.testing.assert_allclose(found['loss'], np.mean(weights * errors), rtol=1e-4)


@pytest.mark.parametrize('name', ['TensorFlowEstimator', 'monitors'])
def test_older_parts_are_named(name):
    with pytest.raises(AttributeError, match='the estimators of 2016; use tf.estimator'):
        getattr(learn, name)
