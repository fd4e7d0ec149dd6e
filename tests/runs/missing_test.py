"""Runs with missing values, `--missing=mask`: losses, commands and what is refused."""

import csv
import json
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import data, models
from tfae.data import normalization
from tfae.models.base import baseline
from tfae.models.base.objective import Batch

RANDOM = np.random.RandomState(0)
LATENT = RANDOM.standard_normal((150, 2))
FULL = (LATENT @ RANDOM.standard_normal((2, 7)) + 3).astype(np.float32)
MISSING = RANDOM.random_sample(FULL.shape) < 0.2
MISSING[4] = True  # a row without any value
GAPS = np.where(MISSING, np.float32(np.nan), FULL)
NAMES = [f'c{k}' for k in range(7)]
WORDS = ('--dataset=csv', '--data_dir=gaps.csv', '--missing=mask', '--normalize=standard')


def write(path, rows):
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([['' if np.isnan(v) else repr(float(v)) for v in row] for row in rows])


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('missing')
    write(folder / 'gaps.csv', GAPS)
    words = (*WORDS, '--units=3', '--epochs=20', '--learning_rate=0.02', '--logdir=run')
    done = tfae_program.run('train', *words, cwd=folder)
    assert (done.code, done.err) == (0, '')
    assert '% of the training values are missing: c' in done.out
    return folder


def splits(folder):
    config = data.Config('csv', data_dir=str(folder / 'gaps.csv'), missing='mask')
    return data.load(config)


FAMILIES = [
    ('dense', {'units': (5, 3)}),
    ('dense', {'units': (5, 3), 'likelihood': 'bernoulli', 'corruption': 'masking:0.5'}),
    ('dense', {'units': (3,), 'corruption': 'masking:0.5', 'emphasis': (3, 1)}),
    ('variational', {'units': (5,), 'likelihood': 'gaussian', 'learn_variance': True}),
    ('variational', {'units': (5,), 'likelihood': 'bernoulli', 'samples': 3}),
    ('variational', {'units': (5,), 'likelihood': 'poisson', 'corruption': 'gaussian:0.5'}),
    ('variational', {'units': (5,), 'likelihood': 'negative_binomial'}),
]


def built(family, fields):
    experiment = tfae.Experiment(family, **fields)
    return models.build(family, experiment.family, (7,), 0)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('family, fields', FAMILIES)
def test_a_batch_without_gaps_has_the_loss_of_one_without_a_mask(family, fields, training):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        model = built(family, fields)
        rows = tf.constant(np.round(np.abs(FULL[:20]) % 2))
        seed = tf.constant([0, 1], tf.int64) if training else None
        (build,) = model.objectives
        plain = build(Batch(rows, None, seed))
        masked = build(Batch(rows, None, seed, tf.ones_like(rows)))
        session.run(tf.global_variables_initializer())
        found, wanted = session.run([[o.loss, o.terms] for o in (masked, plain)])
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    assert found[1].keys() == wanted[1].keys()
    for name, value in wanted[1].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize('family, fields', FAMILIES)
def test_missing_values_have_no_gradient(family, fields):
    """No row has column 2: nothing moves the weights from and to it, whatever the noise."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        model = built(family, fields)
        present = ~MISSING[:20]
        present[:, 2] = False
        rows = np.where(present, np.round(np.abs(FULL[:20]) % 2), 0)
        batch = Batch(
            tf.constant(rows, tf.float32),
            None,
            tf.constant([0, 1], tf.int64),
            tf.constant(present, tf.float32),
        )
        (build,) = model.objectives
        objective = build(batch)
        gradients = dict(
            zip(
                [v.op.name for v in objective.variables],
                tf.gradients(objective.loss, objective.variables),
                strict=True,
            )
        )
        session.run(tf.global_variables_initializer())
        values = session.run(gradients)
    assert not values['encoder/layer_1/kernel'][2].any()
    assert np.abs(values['encoder/layer_1/kernel']).sum() > 0
    assert not values['decoder/layer_1/bias'][2].any()
    assert not values['decoder/layer_1/kernel'][:, 2].any()
    assert np.abs(values['decoder/layer_1/bias']).min() == 0
    assert (values['decoder/layer_1/bias'] != 0).sum() == 6


@pytest.mark.parametrize('kind', ['minmax', 'standard', 'robust'])
@pytest.mark.parametrize('shape', [(-1, 7), (-1, 5, 7)])
def test_statistics_are_those_of_the_values_that_are_there(kind, shape):
    found = normalization.fit(kind, GAPS.reshape(shape))
    rows = GAPS.astype(np.float64)
    quartiles = np.nanquantile(rows, [0.25, 0.5, 0.75], axis=0)
    wanted = {
        'minmax': (np.nanmin(rows, 0), np.nanmax(rows, 0) - np.nanmin(rows, 0)),
        'standard': (np.nanmean(rows, 0), np.nanstd(rows, 0)),
        'robust': (quartiles[1], quartiles[2] - quartiles[0]),
    }[kind]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def normalized(rows, train):
    return (rows - np.nanmean(train, 0)) / np.nanstd(train, 0)


def test_errors_are_means_over_the_values_that_are_there(folder):
    assert tfae_program.run('evaluate', '--logdir=run', cwd=folder).code == 0
    found = json.loads((folder / 'run' / 'evaluation.json').read_text())
    loaded = splits(folder)
    train = loaded.train.images.astype(np.float64)
    rows = loaded.test.images
    known, asked = (normalized(x, train) for x in (train, rows))
    with tfae.open(folder / 'run') as run:
        made = normalized(run.reconstruct(rows), train)
        np.testing.assert_allclose(run.normalized(rows), np.nan_to_num(asked), atol=1e-4)
        np.testing.assert_allclose(run.judged(rows), asked, atol=1e-4)
    assert found['mse'] == pytest.approx(np.nanmean(np.square(made - asked)), rel=1e-4)
    axes = np.linalg.svd(np.nan_to_num(known), full_matrices=False)[2][:3]
    projected = np.nan_to_num(asked) @ axes.T @ axes
    assert found['pca_mse'] == pytest.approx(np.nanmean(np.square(projected - asked)), rel=0.05)
    out = tfae_program.run('reconstruct', '--logdir=run', '--count=3', cwd=folder).out
    assert f'{found["mse"]:.5f}' in out


def test_a_gap_has_no_part_in_an_anomaly_score(folder):
    assert tfae_program.run('anomaly', '--logdir=run', cwd=folder).code == 0
    words = ('--logdir=run', '--data=gaps.csv', '--output=scores.csv')
    done = tfae_program.run('score', *words, cwd=folder)
    assert (done.code, done.err) == (0, '')
    held = np.load(folder / 'run' / 'anomaly.npz')
    loaded = splits(folder)
    train = loaded.train.images.astype(np.float64)
    with tfae.open(folder / 'run') as run:
        known, asked = loaded.validation.images, GAPS
        squares = [
            np.square(normalized(run.reconstruct(x), train) - normalized(x, train))
            for x in (known, asked)
        ]
    np.testing.assert_allclose(held['variances'], np.nanmean(squares[0], 0), rtol=1e-3)
    there = (~MISSING).sum(1, keepdims=True)
    each = np.nan_to_num(squares[1]) / (2 * held['variances']) * 7 / np.maximum(there, 1)
    found = np.genfromtxt(folder / 'scores.csv', delimiter=',')[1:]
    np.testing.assert_allclose(found[:, 3:], each, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found[:, 1], each.sum(1), rtol=1e-3, atol=1e-5)
    assert found[4, 1] == 0

    done = tfae_program.run('export', '--logdir=run', '--output=served', cwd=folder)
    assert done.code == 0, done.err
    about = json.loads((folder / 'served' / 'signatures.json').read_text())
    assert about['missing'] == 'NaN is a missing value, which the model sees as 0'
    with tf.Session(graph=tf.Graph()) as session:
        served = tf.saved_model.load(session, ['serve'], str(folder / 'served')).signature_def
        outputs = served['score'].outputs
        feeds = {served['score'].inputs['images'].name: GAPS}
        columns = session.run(outputs['contributions'].name, feeds)
    np.testing.assert_allclose(columns, each, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('likelihood', ['poisson', 'negative_binomial', 'bernoulli'])
def test_values_that_are_there_are_checked_and_trained_on(tmp_path, likelihood):
    rows = np.where(MISSING, np.float32(np.nan), RANDOM.randint(0, 2, FULL.shape))
    options = {'likelihood': likelihood, 'units': 4, 'code_size': 2, 'evaluation_samples': 3}
    options |= {'missing': 'mask', 'validation_fraction': 0.2}
    with tfae.fit('variational', rows, logdir=tmp_path / 'run', epochs=2, **options) as run:
        made = run.reconstruct(rows)
    assert np.isfinite(made).all()
    rows[np.flatnonzero(~MISSING.any(1))[0], 3] = -1
    text = (
        'column 3 holds -1, and must' if likelihood != 'bernoulli' else 'holds values from -1 to 1'
    )
    with pytest.raises(tfae.UsageError, match=text):
        tfae.fit('variational', rows, logdir=tmp_path / 'other', epochs=2, **options)


def test_values_of_any_split_are_checked(tmp_path):
    train = np.where(MISSING, np.float32(np.nan), RANDOM.random_sample(FULL.shape)).astype('f')
    test = train.copy()
    test[3, 2] = 5
    words = {'output_activation': 'sigmoid', 'missing': 'mask', 'epochs': 1, 'units': 3}
    with pytest.raises(tfae.UsageError, match=r'holds values from 0\.\d+ to 5'):
        tfae.fit('dense', train, test_data=test, logdir=tmp_path, **words)


def test_the_constants_are_those_of_the_values_that_are_there():
    there = np.where(MISSING[:100], np.nan, np.abs(FULL[:100]) % 1).astype(np.float32)
    train, judged = data.Split(there[:60], None), data.Split(there[60:], None)
    found = baseline.constants(train, judged, 0)
    mean = np.nanmean(there[:60].astype(np.float64), 0)
    assert found.squared_error == pytest.approx(np.nanmean(np.square(there[60:] - mean)), rel=1e-6)
    assert found.present == pytest.approx(1 - np.isnan(there[60:]).mean())


def test_a_sequence_without_its_channel_has_its_gaps(tmp_path):
    values = GAPS[:90]
    words = {'missing': 'mask', 'epochs': 1, 'units': 3, 'normalize': 'standard'}
    with tfae.fit('dense', sequences=values, logdir=tmp_path, **words) as run:
        found = run.judged(values[:7])  # as many as steps: shapes must not be broadcast
        assert found.shape == (7, 7, 1)
        np.testing.assert_array_equal(np.isnan(found[..., 0]), np.isnan(values[:7]))


def test_a_reconstruction_that_is_no_number_is_no_gap(tmp_path):
    words = {'missing': 'mask', 'epochs': 1, 'units': 3, 'normalize': 'standard'}
    with tfae.fit('dense', GAPS, logdir=tmp_path, **words) as run:
        (bias,) = run.graph.get_collection('trainable_variables', 'decoder/layer_1/bias')
        bias.load(np.full(7, np.nan, np.float32), run.session)
        with pytest.raises(
            tfae.InputError, match='150 of 150 reconstructions are not finite; the f'
        ):
            run.reconstruct(GAPS)


def test_a_gap_in_a_scored_row_is_no_mistake_and_infinity_is(folder):
    assert tfae_program.run('anomaly', '--logdir=run', cwd=folder).code == 0
    (folder / 'gap.csv').write_text(f'{",".join(NAMES)}\n1,,nan,3,3,3,3\n')
    done = tfae_program.run('score', '--logdir=run', '--data=gap.csv', cwd=folder)
    assert (done.code, done.err) == (0, '')
    assert 'line 2' in done.out
    (folder / 'line.csv').write_text(f'{",".join(NAMES)}\n1,,nan,3,3,3,3\n1,inf,3,3,3,3,3\n')
    done = tfae_program.run('score', '--logdir=run', '--data=line.csv', cwd=folder)
    text = 'line.csv line 3: column c1 is inf; it must be a finite number'
    assert done.refusal(1) == text


@pytest.mark.slow
@pytest.mark.parametrize('command', ['probe', 'interpolate'])
def test_commands_on_codes_take_gaps(folder, command):
    rows = {'x': GAPS, 'y': (LATENT[:, 0] > 0).astype(int)}
    np.savez(folder / 'labeled.npz', **rows)
    words = ('--dataset=npz', '--data_dir=labeled.npz', *WORDS[2:], '--units=4', '--epochs=2')
    if not (folder / 'labeled').exists():
        assert tfae_program.run('train', *words, '--logdir=labeled', cwd=folder).code == 0
    done = tfae_program.run(command, '--logdir=labeled', cwd=folder)
    assert (done.code, done.err) == (0, '')


@pytest.mark.parametrize(
    'more',
    [
        (),
        pytest.param(
            ('--pretraining=greedy', '--pretraining_epochs=1', '--accumulation_steps=2'),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_sequences_have_gaps(tmp_path, more):
    steps = np.sin(np.arange(16)[:, None] / 3 + RANDOM.uniform(0, 6, (60, 1, 2)))
    steps[RANDOM.random_sample(steps.shape) < 0.1] = np.nan
    np.savez(tmp_path / 'set.npz', sequences=steps)
    words = ('--dataset=npz', '--data_dir=set.npz', '--missing=mask', '--normalize=standard')
    words += ('--model=convolutional', '--filters=4', '--units=3', '--epochs=2', '--logdir=run')
    words += ('--batch_size=16', *more)
    done = tfae_program.run('train', *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    for command in ('evaluate', 'reconstruct'):
        done = tfae_program.run(command, '--logdir=run', cwd=tmp_path)
        assert (done.code, done.err) == (0, '')
    assert np.isfinite(json.loads((tmp_path / 'run' / 'evaluation.json').read_text())['mse'])
    done = tfae_program.run('anomaly', '--logdir=run', cwd=tmp_path)
    assert 'with missing values, only tables have anomaly scores' in done.refusal(1)


def test_a_classifier_takes_gaps(tmp_path):
    labels = (LATENT[:, 0] > 0).astype(int)
    words = {'missing': 'mask', 'normalize': 'standard', 'epochs': 30}
    with tfae.fit('classifier', GAPS, labels, logdir=tmp_path, **words) as run:
        assert run.measure(GAPS, labels)['error'].mean() < 0.15


@pytest.mark.parametrize(
    'model, rows, more, text',
    [
        ('gan', GAPS, {}, 'model=gan cannot leave out missing values'),
        ('siamese', GAPS, {}, 'model=siamese cannot leave out missing values'),
        (
            'dense',
            GAPS,
            {'likelihood': 'own_losses:absolute'},
            'missing=mask requires a built-in loss',
        ),
        ('dense', FULL[:, None, :, None] * 0, {}, 'missing is mask; it is for tables'),
        (
            'dense',
            np.where(np.arange(7) == 3, np.nan, GAPS),
            {},
            'column 3 has no value in the training split; remove the column',
        ),
        ('dense', np.where(GAPS > 6, np.inf, GAPS), {}, r'the first is inf in row \d+, column \d'),
    ],
)
def test_what_cannot_be_masked_is_refused(tmp_path, monkeypatch, model, rows, more, text):
    (tmp_path / 'own_losses.py').write_text(
        'import tensorflow.compat.v1 as tf\n\n\n'
        'def absolute(x, y):\n'
        '    return tf.reduce_sum(tf.abs(x - y), list(range(1, x.shape.rank)))\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    labels = {'labels': np.arange(150) % 2} if model == 'siamese' else {}
    with pytest.raises((tfae.UsageError, tfae.InputError), match=text):
        tfae.fit(model, rows, logdir=tmp_path / 'run', missing='mask', **labels, **more)
    assert not (tmp_path / 'run').exists()


def test_gaps_are_refused_with_the_flag_that_takes_them(folder, tmp_path):
    done = tfae_program.run('train', *WORDS[:2], '--logdir=other', cwd=folder)
    text = r'gaps.csv: \d+ cells are empty or not finite: column c.*, or mask .*: --missing=mask'
    assert re.fullmatch(text, done.refusal(1))
    with pytest.raises(tfae.InputError, match='the first is nan in row .*; missing=mask takes NaN'):
        tfae.fit('dense', GAPS, logdir=tmp_path / 'run')
    with (
        tfae.fit('dense', FULL, logdir=tmp_path / 'run', epochs=1) as run,
        pytest.raises(tfae.InputError, match='not finite; they must be; .*missing=mask trains'),
    ):
        run.encode(GAPS)
