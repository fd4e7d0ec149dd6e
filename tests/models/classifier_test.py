"""The classifier against stock operations and scikit-learn, and on encoders of other families."""

import json

import numpy as np
import pytest
import sklearn.metrics
import tensorflow.compat.v1 as tf
import tfae_program

from tfae import models
from tfae.core import errors
from tfae.models import Batch, classifier

SHAPE = (6, 6, 1)


def model(shape=SHAPE, classes=3, **fields):
    fields = {'units': (5, 4)} | fields
    return classifier.Model(classifier.Config(**fields), shape, classes)


def batch(count=8, seed=(1, 2)):
    random = np.random.RandomState(0)
    images = random.uniform(size=[count, *SHAPE]).astype(np.float32)
    labels = random.randint(0, 3, count)
    return Batch(tf.constant(images), tf.constant(labels), seed and tf.constant(seed, tf.int64))


def opened():
    session = tf.Session()
    random = np.random.RandomState(1)
    for variable in tf.global_variables():
        value = 0.5 * random.normal(size=variable.shape.as_list())
        variable.load(value.astype(np.float32), session)
    return session


def test_the_published_network_equals_stock_operations():
    made = model(
        (28, 28, 1),
        10,
        filters=(32, 64),
        kernel_sizes=(5,),
        padding=('valid',),
        pooling=('max',),
        pool_sizes=(3, 2),
        units=(200,),
    )
    images = np.random.RandomState(0).uniform(size=[3, 28, 28, 1]).astype(np.float32)
    outputs = made(tf.constant(images))
    of = {v.op.name: v.read_value() for v in tf.global_variables()}
    x = tf.constant(images)
    for i, pool in ((1, 3), (2, 2)):
        x = tf.nn.conv2d(x, of[f'encoder/layer_{i}/kernel'], 1, 'VALID')
        x = tf.nn.relu(x + of[f'encoder/layer_{i}/bias'])
        x = tf.nn.max_pool2d(x, pool, pool, 'VALID')
    x = tf.reshape(x, [3, 2 * 2 * 64])
    x = tf.nn.relu(x @ of['encoder/layer_3/kernel'] + of['encoder/layer_3/bias'])
    logits = x @ of['classifier/kernel'] + of['classifier/bias']
    with opened() as session:
        found, *want = session.run([outputs, x, tf.nn.softmax(logits), logits])
    for got, wanted in zip(found, want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_loss_error_and_measures_are_those_of_scikit_learn():
    made, given = model(), batch(seed=None)
    (objective,) = [build(given) for build in made.objectives]
    fetched = [made(given.images), given.labels, objective.loss, objective.terms['error']]
    fetched.append(made.measures(given))
    with opened() as session:
        outputs, labels, loss, error, measures = session.run(fetched)
    want = sklearn.metrics.log_loss(labels, outputs.probabilities, labels=range(3))
    assert loss == pytest.approx(want, rel=1e-4)
    assert np.mean(measures['cross_entropy']) == pytest.approx(want, rel=1e-4)
    wrong = outputs.probabilities.argmax(1) != labels
    assert 0 < wrong.mean() < 1
    assert error == pytest.approx(wrong.mean())
    np.testing.assert_array_equal(measures['error'], wrong)


def test_the_head_on_codes_has_the_loss_of_the_whole_and_moves_itself_alone():
    made, given = model(), batch()
    (whole,) = [build(given) for build in made.objectives]
    head = made.head(given._replace(images=made.encode(given.images)))
    assert [v.op.name for v in head.variables] == ['classifier/kernel', 'classifier/bias']
    with opened() as session:
        a, b = session.run([whole.loss, head.loss])
    assert a == pytest.approx(b, rel=1e-5)


def test_dropout_falls_on_the_code_in_training_alone():
    made, given = model(units=(400,), code_activation='softplus', dropout=0.25), batch()
    codes = tf.ones([1, 400])
    dropped = made(given.images, given.seed)
    clean = made(given.images)
    with opened() as session:
        a, b = session.run([dropped, clean])
    np.testing.assert_allclose(a.code, b.code, rtol=1e-6)
    assert not np.allclose(a.class_logits, b.class_logits)
    objectives = [
        made.head(given._replace(images=codes, labels=given.labels[:1], seed=s))
        for s in (given.seed, given.seed, None)
    ]
    with opened() as session:
        first, again, none = session.run([o.loss for o in objectives])
    assert first == again != none


@pytest.mark.parametrize('classes, counted', [(0, '0 classes'), (1, '1 class')])
def test_a_data_set_of_fewer_than_two_classes_is_refused(classes, counted):
    wanted = f'--model is classifier; the data set has {counted}; it must have'
    with pytest.raises(errors.UsageError, match=wanted):
        model(classes=classes)


@pytest.mark.parametrize(
    'shape, fields, kernels',
    [
        ((8, 8, 1), {}, [[3, 3, 1, 16], [4 * 4 * 16, 200]]),
        ((7, 8, 1), {}, [[7 * 8, 200]]),
        ((8, 8, 1), {'units': (5,)}, [[8 * 8, 5]]),
        ((8, 8, 1), {'filters': (2,)}, [[3, 3, 1, 2]]),
    ],
)
def test_without_layers_there_is_a_default_network(shape, fields, kernels):
    classifier.Model(classifier.Config(**fields), shape, 3)(tf.zeros([1, *shape]))
    found = tf.trainable_variables('encoder')
    assert [v.shape.as_list() for v in found if v.op.name.endswith('kernel')] == kernels


@pytest.mark.parametrize(
    'fields, text',
    [
        ({'dropout': 1.0}, r'--dropout is 1.0; it must lie in \[0, 1\)'),
        ({'dropout': -0.1}, r'--dropout is -0.1; it must lie in \[0, 1\)'),
    ],
)
def test_what_cannot_be_built_is_refused(fields, text):
    with pytest.raises(errors.UsageError, match=text):
        model(**fields)


def trained(folder, name, *words):
    done = tfae_program.run('train', *words, f'--logdir={name}', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done.out


def named(out, kind):
    line = next(line for line in out.splitlines() if line.startswith(f'{kind}: '))
    return set(line.removeprefix(f'{kind}: ').split(', '))


SOURCES = {
    'dense': ('--units=9,5',),
    'convolutional': ('--filters=3', '--units=5', '--upsampling=deconvolution'),
    'variational': ('--filters=3', '--units=5', '--upsampling=deconvolution', '--code_size=2'),
}


@pytest.mark.parametrize('family', SOURCES)
def test_an_encoder_of_another_family_is_taken_and_held_while_the_head_is_trained(tmp_path, family):
    trained(tmp_path, 'source', f'--model={family}', *SOURCES[family], '--epochs=1')
    network = [word for word in SOURCES[family] if word.split('=')[0] in ('--filters', '--units')]
    if family == 'convolutional':
        network.append('--pooling=max')
    words = ('--model=classifier', *network, '--restore_from=source', '--head_epochs=1')
    out = trained(tmp_path, 'run', *words, '--epochs=0')
    encoder = {f'encoder/layer_{i}/{part}' for i in (1, 2) for part in ('kernel', 'bias')}
    assert named(out, 'loaded') == encoder
    assert named(out, 'new') == {'classifier/kernel', 'classifier/bias'}
    (record,) = tfae_program.metrics(tmp_path / 'run')
    assert record['phase'] == 'pretraining/head'
    source = tfae_program.checkpoint(tmp_path / 'source')
    end, start = (
        tfae_program.checkpoint(tmp_path / 'run'),
        tfae_program.checkpoint(tmp_path / 'run', 0),
    )
    assert all(np.array_equal(end[name], source[name]) for name in encoder)
    assert not np.array_equal(end['classifier/kernel'], start['classifier/kernel'])


def test_evaluate_counts_errors_by_class(tmp_path):
    words = ('--model=classifier', '--units=20', '--epochs=8', '--labeled_examples=400')
    words = (*words, '--learning_rate=0.02')
    trained(tmp_path, 'run', *words)
    done = tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    measured = json.loads((tmp_path / 'run' / 'evaluation.json').read_text())
    matrix = np.array(measured['confusion'])
    assert matrix.sum() == 360
    assert measured['error'] == pytest.approx(1 - np.trace(matrix) / 360, rel=1e-5)
    assert measured['error'] < 0.3  # a guess has 0.9


def test_sizes_that_do_not_fit_are_named(tmp_path):
    trained(tmp_path, 'source', '--units=9,5', '--epochs=1')
    words = ('train', '--model=classifier', '--units=8,6', '--restore_from=source')
    refusal = tfae_program.run(*words, '--logdir=run', cwd=tmp_path).refusal(1)
    assert 'no variable of the name and shape of any of this model; it holds' in refusal


def test_a_set_without_labels_is_refused_before_there_is_a_run(tmp_path):
    np.savez(tmp_path / 'set.npz', x=np.zeros([20, 4, 4], np.float32))
    for family in ('classifier', 'siamese'):
        words = ('train', f'--model={family}', '--dataset=npz', '--data_dir=set.npz')
        refusal = tfae_program.run(*words, '--batch_size=8', '--logdir=run', cwd=tmp_path).refusal(
            2
        )
        assert f'--model is {family}; the data set has 0 classes' in refusal
        assert not (tmp_path / 'run').exists()


def test_the_families_of_labels_are_listed():
    assert {'classifier', 'siamese'} <= set(models.names())
