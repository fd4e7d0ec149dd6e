"""`tfae.compat.estimator`: files, names and results of TF1's estimators."""

import functools
import inspect
import pathlib
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from sklearn import metrics

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
    for i in range(6):
        (tmp_path / 'export' / 'final' / f'{i}').mkdir(parents=True)
    result, exports = estimator.train_and_evaluate(
        made,
        estimator.TrainSpec(training(), max_steps=8),
        estimator.EvalSpec(evaluating(), exporters=exporters, throttle_secs=0),
    )
    assert result['global_step'] == 8
    assert len(list((tmp_path / 'export' / 'final').iterdir())) == 7  # the older ones are kept
    assert len(list((tmp_path / 'export' / 'all').iterdir())) == 2
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


class Recorder:
    """An exporter that notes the steps, and whether each is the last."""

    name = 'recorder'

    def __init__(self):
        self.seen = []

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        self.seen.append((int(eval_result['global_step']), is_the_final_export))


@pytest.mark.parametrize(
    ('throttle', 'limit', 'seen'),
    [
        (0, 6, [(2, False), (4, False), (6, True)]),
        (600, 5, [(2, False), (5, True)]),  # the first one is evaluated at once
        (0, None, [(2, False), (3, False)]),  # the end of the input is no final export
    ],
)
def test_each_checkpoint_is_evaluated_once(tmp_path, throttle, limit, seen):
    config = estimator.RunConfig(save_checkpoints_steps=2)
    made = estimator.Estimator(model_fn, str(tmp_path), config, {'rate': 0.05})
    recorder = Recorder()
    train = estimator.TrainSpec(training() if limit else evaluating(), limit)
    evaluate = estimator.EvalSpec(evaluating(60), exporters=recorder, throttle_secs=throttle)
    estimator.train_and_evaluate(made, train, evaluate)
    assert recorder.seen == seen
    if limit:
        assert estimator.train_and_evaluate(made, train, evaluate) == (None, None)


def test_the_best_exporter_reads_earlier_evaluations(tmp_path):
    paths = []
    made = types.SimpleNamespace(
        model_dir=str(tmp_path),
        export_saved_model=lambda path, *_, **__: paths.append(path) or path,
    )
    (tmp_path / 'best').mkdir()
    with tf.Graph().as_default(), tf.summary.FileWriter(str(tmp_path / 'eval')) as writer:
        for step, loss in ((10, 2.0), (20, 1.0), (30, 0.5)):
            writer.add_summary(tf.Summary(value=[{'tag': 'loss', 'simple_value': loss}]), step)

    def exported(exporter, *results):
        del paths[:]
        for step, loss in results:
            result = {'loss': loss, 'global_step': step}
            exporter.export(made, str(tmp_path / 'best'), '', result, False)
        return len(paths)

    best = functools.partial(estimator.BestExporter, serving_input_receiver_fn=None)
    assert exported(best(), (30, 1.5)) == 0  # worse than step 20
    assert exported(best(), (30, 0.5), (40, 0.6), (50, 0.4)) == 2
    assert exported(best(event_file_pattern=None), (30, 1.5), (40, 1.6)) == 1
    greater = best(compare_fn=lambda best_eval_result, current_eval_result: True)
    assert exported(greater, (30, 1.5), (40, 1.6)) == 2
    assert 'exports_to_keep' not in inspect.signature(estimator.FinalExporter).parameters


def test_a_function_is_given_the_arguments_that_it_names(tmp_path):
    seen = []

    def input_fn(mode, **rest):
        seen.append((mode, rest))
        return evaluating()()

    part = functools.partial(model_fn, params={'rate': 0.1})
    made = estimator.Estimator(part, str(tmp_path))
    made.train(input_fn, steps=1)
    made.train(functools.partial(input_fn, mode='mine'), steps=1)
    assert seen == [('train', {}), ('mine', {})]
    nameless = estimator.Estimator(lambda x, y: None, str(tmp_path / 'x'))
    with pytest.raises(ValueError, match='model_fn must include features argument'):
        nameless.train(input_fn)


def test_a_summary_of_another_scope_does_not_replace_that_of_the_loss(tmp_path):
    def with_summary(features, labels, mode):
        spec = model_fn(features, labels, mode, {'rate': 0.1})
        with tf.name_scope('tower'):
            tf.summary.scalar('loss', 2 * spec.loss)
        return spec

    # No such device: operations run on another one.
    config = estimator.RunConfig(save_summary_steps=1, device_fn=lambda operation: '/gpu:7')
    estimator.Estimator(with_summary, str(tmp_path), config).train(evaluating(), steps=1)
    (file,) = tmp_path.glob('events*')
    found = {
        value.tag: value.simple_value
        for event in tf.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    np.testing.assert_allclose(found['tower/loss'], 2 * found['loss'], rtol=1e-6)


def test_the_models_of_feature_columns_learn(tmp_path):
    columns = [tf.feature_column.numeric_column('x', shape=[3])]
    made = estimator.DNNClassifier(
        [8], columns, str(tmp_path / 'dnn'), n_classes=3, optimizer='Adam'
    )
    made.train(training(), steps=60)
    results = made.evaluate(evaluating(30))
    np.testing.assert_allclose(results['loss'], 30 * results['average_loss'], rtol=1e-5)
    assert results['accuracy'] > 0.85
    assert made.get_variable_names() == [
        'dnn/head/beta1_power',
        'dnn/head/beta2_power',
        *(
            f'dnn/{name}/{kind}{slot}'
            for name in ('hiddenlayer_0', 'logits')
            for kind in ('bias', 'kernel')
            for slot in ('', '/t_0/Adam', '/t_0/Adam_1')
        ),
        'global_step',
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
    unknown = inputs.numpy_input_fn({'x': X}, np.array(['no', 'maybe'])[Y], 20, 1, shuffle=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match='label_vocabulary lacks a label'):
        made.evaluate(unknown)
    for label, message in ((2, 'Labels must be <= n_classes - 1'), (-1, 'Labels must be >= 0')):
        wrong = inputs.numpy_input_fn({'x': X}, np.full(len(X), label), 20, 1, shuffle=False)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            estimator.LinearClassifier(columns).train(wrong)
    assert made.get_variable_names()[1:] == [
        f'linear/linear_model/{name}{slot}'
        for name in ('bias_weights', 'x/weights')
        for slot in ('', '/part_0/Ftrl', '/part_0/Ftrl_1')
    ]
    sums = inputs.numpy_input_fn({'x': X}, X.sum(1), 20, None, shuffle=True)
    made = estimator.LinearRegressor(columns, optimizer=tf.train.AdamOptimizer(0.1))
    made.train(sums, steps=150)
    found = np.concatenate([row['predictions'] for row in made.predict(evaluating())])
    np.testing.assert_allclose(found, X.sum(1), atol=0.1)


def test_a_linear_model_learns_at_the_rate_of_tf1():
    columns = [tf.feature_column.numeric_column(f'{i}') for i in range(26)]
    given = inputs.numpy_input_fn({f'{i}': X[:, 0] for i in range(26)}, X.sum(1), 60, shuffle=False)
    total = 2 * X.sum()  # minus the gradient of the bias
    for optimizer, rate, n in (
        ('Ftrl', 0.2, 26),
        (None, 26**-0.5, 26),
        (lambda: tf.train.FtrlOptimizer(1.0), 1, 1),
    ):
        made = estimator.LinearRegressor(columns[:n], optimizer=optimizer).train(given)
        # The first step of Ftrl, whose accumulator starts at 0.1.
        wanted = rate * total / np.sqrt(0.1 + total**2)
        found = made.get_variable_value('linear/linear_model/bias_weights')
        np.testing.assert_allclose(found, [wanted], rtol=1e-5)
    for wrong in (None, 3):
        with pytest.raises(ValueError, match=f'optimizer is {wrong}; it must be an optimizer'):
            estimator.DNNRegressor([2], columns[:1], optimizer=wrong).train(given)


def test_hidden_layers_are_normalized():
    columns = [tf.feature_column.numeric_column('x', shape=[3])]
    made = estimator.DNNRegressor([4], columns, batch_norm=True)
    made.train(inputs.numpy_input_fn({'x': X}, X.sum(1), 20, shuffle=False))
    layer = 'dnn/hiddenlayer_0'
    names = [name for name in made.get_variable_names() if 'Adagrad' not in name]
    parts = ('beta', 'gamma', 'moving_mean', 'moving_variance')
    assert [name for name in names if 'batchnorm' in name] == [
        f'{layer}/batchnorm_0/{part}' for part in parts
    ]
    beta, gamma, mean, variance = (
        made.get_variable_value(f'{layer}/batchnorm_0/{part}') for part in parts
    )
    assert mean.any()

    def dense(x, name):
        return x @ made.get_variable_value(f'{name}/kernel') + made.get_variable_value(
            f'{name}/bias'
        )

    hidden = np.maximum(dense(X, layer), 0)
    hidden = gamma * (hidden - mean) / np.sqrt(variance + 1e-3) + beta
    found = [row['predictions'] for row in made.predict(evaluating())]
    np.testing.assert_allclose(found, dense(hidden, 'dnn/logits'), rtol=1e-4, atol=1e-5)


def test_losses_and_metrics_are_weighted():
    columns = [tf.feature_column.numeric_column('x', shape=[3])]
    weights = RANDOM.rand(60).astype(np.float32)
    given = inputs.numpy_input_fn({'x': X, 'w': weights}, Y, 60, None, shuffle=False)
    made = estimator.LinearClassifier(columns, weight_column='w')
    results = made.train(given, steps=9).evaluate(given, steps=1)
    kernel, bias = (
        made.get_variable_value(f'linear/linear_model/{name}')
        for name in ('x/weights', 'bias_weights')
    )
    p = 1 / (1 + np.exp(-(X @ kernel + bias)))[:, 0]
    losses = -np.log(np.where(Y, p, 1 - p))
    share = np.average(Y, weights=weights)
    wanted = {
        'accuracy': np.average((p > 0.5) == Y, weights=weights),
        'accuracy_baseline': max(share, 1 - share),
        'average_loss': np.average(losses, weights=weights),
        'label/mean': share,
        'loss': losses @ weights,
        'precision': metrics.precision_score(Y, p > 0.5, sample_weight=weights),
        'prediction/mean': np.average(p, weights=weights),
        'recall': metrics.recall_score(Y, p > 0.5, sample_weight=weights),
    }
    assert results.keys() == wanted.keys() | {'auc', 'auc_precision_recall', 'global_step'}
    for name, value in wanted.items():
        np.testing.assert_allclose(results[name], value, rtol=1e-4, err_msg=name)
    # These are sums over 200 thresholds.
    areas = {
        'auc': metrics.roc_auc_score(Y, p, sample_weight=weights),
        'auc_precision_recall': metrics.average_precision_score(Y, p, sample_weight=weights),
    }
    for name, value in areas.items():
        np.testing.assert_allclose(results[name], value, atol=0.02, err_msg=name)
    mean = estimator.LinearRegressor(
        columns, weight_column='w', loss_reduction=tf.losses.Reduction.MEAN
    )
    first = mean.train(given, steps=1).evaluate(given, steps=1)
    np.testing.assert_allclose(first['loss'], first['average_loss'], rtol=1e-5)


@pytest.mark.parametrize(
    ('make', 'before'),
    [
        (estimator.DNNClassifier, ['n_classes', 'weight_column', 'label_vocabulary', 'optimizer']),
        (estimator.DNNRegressor, ['label_dimension', 'weight_column', 'optimizer']),
        (estimator.LinearClassifier, ['n_classes', 'weight_column', 'label_vocabulary']),
        (estimator.LinearRegressor, ['label_dimension', 'weight_column', 'optimizer', 'config']),
    ],
)
def test_the_arguments_have_the_places_of_tf1(make, before):
    names = list(inspect.signature(make).parameters)
    start = names.index('model_dir') + 1
    assert names[start : start + len(before)] == before
    last = ['partitioner', 'warm_start_from', 'loss_reduction', 'sparse_combiner']
    if 'hidden_units' in names:
        last = ['dropout', 'input_layer_partitioner', 'config', 'warm_start_from']
        last += ['loss_reduction', 'batch_norm']
    assert names[-len(last) :] == last


def test_signatures_that_do_not_fit_the_inputs_are_left_out(tmp_path):
    columns = [tf.feature_column.numeric_column(name) for name in ('a', 'b')]
    features = {'a': X[:, 0], 'b': X[:, 1]}
    made = estimator.DNNClassifier([2], columns, str(tmp_path / 'model'))
    made.train(inputs.numpy_input_fn(features, Y, 60, shuffle=False))

    def signatures(folder):
        with tf.Graph().as_default(), tf.Session() as session:
            return tf.saved_model.load(session, ['serve'], folder.decode()).signature_def

    raw = estimator.export.build_raw_serving_input_receiver_fn(
        {name: tf.placeholder(tf.float32, [None]) for name in features}
    )
    found = signatures(made.export_savedmodel(tmp_path / 'raw', raw, strip_default_attrs=True))
    assert list(found) == ['predict']
    assert sorted(found['predict'].inputs) == ['a', 'b']
    assert {'all_classes', 'all_class_ids', 'logistic'} <= {*found['predict'].outputs}
    parsing = estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns)
    )
    found = signatures(made.export_saved_model(tmp_path / 'parsing', parsing))
    methods = {name: signature.method_name for name, signature in found.items()}
    assert methods == {
        'classification': 'tensorflow/serving/classify',
        'predict': 'tensorflow/serving/predict',
        'regression': 'tensorflow/serving/regress',
        'serving_default': 'tensorflow/serving/classify',
    }

    def alternative():
        receiver = parsing()
        return receiver._replace(receiver_tensors_alternatives={'raw': receiver.features})

    found = signatures(made.export_saved_model(tmp_path / 'alternative', alternative))
    assert {*found} == {*methods, 'raw:predict'}
    assert sorted(found['raw:predict'].inputs) == ['a', 'b']
    assert found['raw:predict'].outputs == found['predict'].outputs
    with pytest.raises(ValueError, match="experimental_mode is 'eval'; it must be infer"):
        made.export_saved_model(tmp_path, raw, experimental_mode='eval')
    with pytest.raises(TypeError, match='as_txt'):
        made.export_saved_model(tmp_path, raw, as_txt=True)

    def only_regression(features, mode):
        tf.train.get_or_create_global_step()
        output = {'serving_default': estimator.export.RegressionOutput(features['a'])}
        return estimator.EstimatorSpec(mode, features, export_outputs=output)

    other = estimator.Estimator(only_regression)
    with pytest.raises(ValueError, match='no output for this serving_input_receiver_fn: .*a, b;'):
        other.export_saved_model(tmp_path / 'none', raw, checkpoint_path=made.latest_checkpoint())


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
    with pytest.raises(ValueError, match='must match'):
        estimator.Estimator(model_fn, 'a', estimator.RunConfig(model_dir='b'))
    assert estimator.RunConfig().replace(save_checkpoints_steps=2).save_checkpoints_secs is None


def test_checkpoints_are_saved_as_the_configuration_says(tmp_path):
    never = estimator.RunConfig(save_checkpoints_steps=None, save_checkpoints_secs=None)
    assert estimator.RunConfig().replace(save_checkpoints_secs=None) == never
    assert estimator.RunConfig(save_checkpoints_steps=None).save_checkpoints_secs is None
    assert estimator.RunConfig().replace(save_summary_steps=1).save_checkpoints_secs == 600
    made = estimator.Estimator(model_fn, str(tmp_path / 'a'), never, {'rate': 0.01})
    made.train(training(), steps=1)
    assert made.latest_checkpoint() is None
    seen = []
    listener = tf.train.CheckpointSaverListener()
    listener.after_save = lambda session, step: seen.append(int(step))
    with pytest.raises(ValueError, match='listeners of checkpoints need checkpoints'):
        made.train(training(), steps=1, saving_listeners=[listener])
    for config in (never, estimator.RunConfig()):
        folder = str(tmp_path / str(len(seen)))
        hook = tf.train.CheckpointSaverHook(folder, save_steps=2)
        made = estimator.Estimator(model_fn, folder, config, {'rate': 0.01})
        made.train(training(), [hook], 3, saving_listeners=[listener])
        assert seen[-3:] == [0, 2, 3]
    assert len(seen) == 6


def test_results_of_an_evaluation_are_summaries(tmp_path):
    def with_image(features, labels, mode, params):
        spec = model_fn(features, labels, mode, params)
        image = tf.summary.image('x', tf.zeros([2, 3, 3, 1]))
        metrics = {
            'images': (image, tf.no_op()),
            'text': (tf.constant(b'\xff'), tf.no_op()),
            'row': (tf.constant([1, 2]), tf.no_op()),
        }
        return spec._replace(eval_metric_ops=metrics)

    made = estimator.Estimator(with_image, str(tmp_path), params={'rate': 0.01})
    made.train(training(), steps=1)
    made.evaluate(evaluating())
    (path,) = (tmp_path / 'eval').iterdir()
    values = [v for event in tf.train.summary_iterator(str(path)) for v in event.summary.value]
    found = {value.tag: value for value in values}
    assert found.keys() == {'images/0', 'images/1', 'row', 'loss'}
    assert found['images/1'].image.width == 3
    assert tf.make_ndarray(found['row'].tensor).tolist() == [1, 2]


def test_a_receiver_names_a_single_tensor():
    x = tf.ones([2])
    export = estimator.export
    assert export.ServingInputReceiver(x, x).features == {'feature': x}
    assert export.ServingInputReceiver(receiver_tensors=x, features={'a': x}).features == {'a': x}
    assert export.TensorServingInputReceiver(x, x).features is x


def test_hooks_are_those_of_train():
    hooks = [name for name in estimator.__all__ if hasattr(tf.train, name)]
    assert len(hooks) == 18 and {'SessionRunHook', 'StopAtStepHook', 'VocabInfo'} <= set(hooks)
    assert all(getattr(estimator, name) is getattr(tf.train, name) for name in hooks)
