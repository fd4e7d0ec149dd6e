"""`tfae.compat.estimator`: files, names and results of TF1's estimators."""

import pathlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.compat import estimator

RANDOM = np.random.RandomState(0)
X = RANDOM.rand(60, 3).astype(np.float32)
Y = (X.sum(1) > 1.5).astype(np.int32)
inputs = estimator.inputs


def model_fn(features, labels, mode, params):
    """A linear classifier: its loss is the mean over the batch."""
    logits = layers.dense(features['x'], 2)
    predictions = {'probabilities': tf.nn.softmax(logits), 'classes': tf.argmax(logits, 1)}
    if mode == estimator.ModeKeys.PREDICT:
        output = estimator.export.PredictOutput({'p': predictions['probabilities']})
        return estimator.EstimatorSpec(mode, predictions, export_outputs={'serving': output})
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    optimizer = tf.train.AdamOptimizer(params['rate'])
    train = optimizer.minimize(loss, tf.train.get_global_step())
    accuracy = tf.metrics.accuracy(labels, predictions['classes'])
    return estimator.EstimatorSpec(
        mode, predictions, loss, train, eval_metric_ops={'accuracy': accuracy}
    )


def training(batch=20):
    return inputs.numpy_input_fn({'x': X}, Y, batch, num_epochs=None, shuffle=True)


def evaluating(batch=20):
    return inputs.numpy_input_fn({'x': X}, Y, batch, shuffle=False)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    config = estimator.RunConfig(tf_random_seed=1, save_checkpoints_steps=10)
    made = estimator.Estimator(model_fn, str(folder), config, {'rate': 0.05})
    assert made.train(training(), steps=25) is made
    return made


def test_checkpoints_have_the_names_of_tf1(trained):
    folder = pathlib.Path(trained.model_dir)
    steps = sorted(int(path.stem[11:]) for path in folder.glob('model.ckpt-*.index'))
    assert steps == [0, 10, 20, 25]
    assert trained.latest_checkpoint() == str(folder / 'model.ckpt-25')
    slots = [
        f'dense/{name}{slot}' for name in ('bias', 'kernel') for slot in ('', '/Adam', '/Adam_1')
    ]
    assert trained.get_variable_names() == ['beta1_power', 'beta2_power', *slots, 'global_step']
    assert trained.get_variable_value('global_step') == 25
    assert (folder / 'graph.pbtxt').exists()


def test_an_evaluation_is_that_of_the_weights(trained):
    results = trained.evaluate(evaluating(60), name='all')
    kernel, bias = (trained.get_variable_value(f'dense/{name}') for name in ('kernel', 'bias'))
    logits = X @ kernel + bias
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert list(results) == ['accuracy', 'global_step', 'loss']
    assert results['global_step'] == 25
    np.testing.assert_allclose(
        results['loss'], -np.log(softmax[np.arange(60), Y]).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(results['accuracy'], (logits.argmax(1) == Y).mean(), rtol=1e-6)
    assert list(pathlib.Path(trained.eval_dir('all')).glob('events*'))
    # A loss is the mean over batches, of which the last may be smaller.
    parts = [
        np.log(softmax[i : i + 50][np.arange(len(Y[i : i + 50])), Y[i : i + 50]]) for i in (0, 50)
    ]
    wanted = np.mean([-part.mean() for part in parts])
    np.testing.assert_allclose(trained.evaluate(evaluating(50))['loss'], wanted, rtol=1e-5)
    first = trained.evaluate(evaluating(20), steps=1, checkpoint_path=trained.latest_checkpoint())
    wanted = -np.log(softmax[np.arange(20), Y[:20]]).mean()
    np.testing.assert_allclose(first['loss'], wanted, rtol=1e-5)
    rows = list(trained.predict(evaluating(7)))
    np.testing.assert_allclose([row['probabilities'] for row in rows], softmax, rtol=1e-5)
    found = list(trained.predict(evaluating(), ['classes'], yield_single_examples=False))
    assert [list(batch) for batch in found] == [['classes']] * 3
    np.testing.assert_array_equal(np.concatenate([b['classes'] for b in found]), logits.argmax(1))


def test_training_goes_on_and_stops(tmp_path):
    made = estimator.Estimator(model_fn, str(tmp_path), params={'rate': 0.01})
    made.train(training(), max_steps=3).train(training(), steps=2)
    assert made.get_variable_value('global_step') == 5
    made.train(training(), max_steps=5)
    made.train(evaluating())  # three batches
    assert made.get_variable_value('global_step') == 8


def test_a_checkpoint_warm_starts_another(trained, tmp_path):
    other = estimator.Estimator(
        model_fn, str(tmp_path), params={'rate': 0.0}, warm_start_from=trained.model_dir
    )
    other.train(training(), steps=1)
    kernel = trained.get_variable_value('dense/kernel')
    np.testing.assert_array_equal(other.get_variable_value('dense/kernel'), kernel)


def test_checkpoints_are_evaluated_and_exported(tmp_path):
    config = estimator.RunConfig(save_checkpoints_steps=4)
    made = estimator.Estimator(model_fn, str(tmp_path), config, {'rate': 0.05})
    serving = estimator.export.build_raw_serving_input_receiver_fn(
        {'x': tf.placeholder(tf.float32, [None, 3])}
    )
    exporters = [
        estimator.FinalExporter('final', serving),
        estimator.LatestExporter('all', serving),
    ]
    result, exports = estimator.train_and_evaluate(
        made,
        estimator.TrainSpec(training(), max_steps=8),
        estimator.EvalSpec(evaluating(), exporters=exporters, throttle_secs=0),
    )
    assert result['global_step'] == 8
    assert len(list((tmp_path / 'export' / 'final').iterdir())) == 1
    assert 2 <= len(list((tmp_path / 'export' / 'all').iterdir())) <= 3
    assert [path.decode().rpartition('/')[0] for path in exports] == [
        str(tmp_path / 'export' / name) for name in ('final', 'all')
    ]
    with tf.Graph().as_default(), tf.Session() as session:
        found = tf.saved_model.load(session, ['serve'], exports[0].decode())
        signature = found.signature_def['serving_default']
        tensors = signature.inputs['x'].name, signature.outputs['p'].name
        loaded = session.run(tensors[1], {tensors[0]: X})
    rows = [row['probabilities'] for row in made.predict(evaluating())]
    np.testing.assert_allclose(loaded, rows, rtol=1e-5)


def test_the_models_of_feature_columns_learn(tmp_path):
    columns = [tf.feature_column.numeric_column('x', shape=[3])]
    made = estimator.DNNClassifier(
        [8], columns, str(tmp_path / 'dnn'), n_classes=3, optimizer='Adam'
    )
    made.train(training(), steps=60)
    results = made.evaluate(evaluating(30))
    np.testing.assert_allclose(results['loss'], 30 * results['average_loss'], rtol=1e-5)
    assert results['accuracy'] > 0.85
    names = [name for name in made.get_variable_names() if 'Adam' not in name]
    assert names[2:-1] == [
        f'dnn/{name}/{kind}' for name in ('hiddenlayer_0', 'logits') for kind in ('bias', 'kernel')
    ]
    row = next(made.predict(evaluating()))
    assert row['classes'][0].decode() == str(row['class_ids'][0])
    words = inputs.numpy_input_fn({'x': X}, np.array(['no', 'yes'])[Y], 20, None, shuffle=True)
    made = estimator.LinearClassifier(
        columns, str(tmp_path / 'linear'), label_vocabulary=['no', 'yes']
    )
    made.train(words, steps=100)
    row = next(made.predict(evaluating()))
    np.testing.assert_allclose(row['logistic'][0], row['probabilities'][1], rtol=1e-6)
    assert row['classes'][0] in (b'no', b'yes')
    assert {'linear/linear_model/bias_weights', 'linear/linear_model/x/weights'} <= set(
        made.get_variable_names()
    )
    sums = inputs.numpy_input_fn({'x': X}, X.sum(1), 20, None, shuffle=True)
    made = estimator.LinearRegressor(columns, optimizer=tf.train.AdamOptimizer(0.1))
    made.train(sums, steps=150)
    found = np.concatenate([row['predictions'] for row in made.predict(evaluating())])
    np.testing.assert_allclose(found, X.sum(1), atol=0.1)


def test_a_dataset_is_an_input(tmp_path):
    made = estimator.Estimator(model_fn, str(tmp_path), params={'rate': 0.01})
    made.train(lambda: tf.data.Dataset.from_tensor_slices(({'x': X}, Y)).batch(30))
    assert made.get_variable_value('global_step') == 2


def test_what_does_not_fit_is_refused(tmp_path):
    made = estimator.Estimator(model_fn, str(tmp_path), params={'rate': 0.01})
    with pytest.raises(ValueError, match='Could not find trained model'):
        made.get_variable_names()
    with pytest.raises(ValueError, match='Can not provide both steps and max_steps'):
        made.train(training(), steps=1, max_steps=1)
    with pytest.raises(ValueError, match='Must specify steps > 0, given: 0'):
        made.train(training(), steps=0)
    with pytest.raises(ValueError, match='shuffle is None; it must be True or False'):
        inputs.numpy_input_fn(X, Y)
    with pytest.raises(ValueError, match=r'Arrays have \[59, 60\] examples'):
        inputs.numpy_input_fn(X, Y[1:], shuffle=False)
    with pytest.raises(ValueError, match='Missing train_op'):
        estimator.EstimatorSpec('train', loss=tf.constant(1.0))
    with pytest.raises(ValueError, match='Loss must be scalar'):
        estimator.EstimatorSpec('eval', loss=tf.ones([2]))
    with pytest.raises(ValueError, match="mode is 'test'; it must be one of train, eval, infer"):
        estimator.EstimatorSpec('test')
    with pytest.raises(ValueError, match='has both save_checkpoints_steps'):
        estimator.RunConfig(save_checkpoints_steps=1, save_checkpoints_secs=1)
    with pytest.raises(ValueError, match='must agree'):
        estimator.Estimator(model_fn, 'a', estimator.RunConfig(model_dir='b'))
    assert estimator.RunConfig().replace(save_checkpoints_steps=2).save_checkpoints_secs is None


def test_hooks_are_those_of_train():
    hooks = [name for name in estimator.__all__ if hasattr(tf.train, name)]
    assert len(hooks) == 18 and {'SessionRunHook', 'StopAtStepHook', 'VocabInfo'} <= set(hooks)
    assert all(getattr(estimator, name) is getattr(tf.train, name) for name in hooks)
