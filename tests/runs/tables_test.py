"""Runs on tables, `[N, D]`, through the program and from Python."""

import json

import numpy as np
import pytest
import scipy.stats
import tensorflow.compat.v1 as tf
import tfae_program

import tfae

RANDOM = np.random.RandomState(0)
# Two latent dimensions in nine columns.
LATENT = RANDOM.random_sample((120, 2))
ROWS = (LATENT @ RANDOM.random_sample((2, 9)) / 2).astype(np.float32)
LABELS = (LATENT[:, 0] > 0.5).astype(int)
WORDS = ('--dataset=npz', '--data_dir=rows.npz', '--units=6,2', '--epochs=2', '--batch_size=16')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tables')
    np.savez(folder / 'rows.npz', x=ROWS, y=LABELS)
    assert tfae_program.run('train', *WORDS, '--logdir=run', cwd=folder).code == 0
    return folder


def variables(run):
    return run.variables('trainable_variables')


@pytest.mark.parametrize(
    'model, more',
    [
        ('dense', {'regularizer': 'contractive:0.1', 'corruption': 'masking:0.2'}),
        ('variational', {'samples': 2}),
    ],
)
def test_rows_train_as_images_of_one_row_do(tmp_path, model, more):
    more |= {'units': (6,), 'epochs': 1, 'batch_size': 16, 'output_activation': 'sigmoid'}
    if model == 'variational':
        del more['output_activation']
    images = ROWS[:, None, :, None]
    with (
        tfae.fit(model, ROWS, logdir=tmp_path / 'rows', **more) as rows,
        tfae.fit(model, images, logdir=tmp_path / 'images', **more) as reference,
    ):
        assert rows.experiment.signature.image_shape == (9,)
        assert rows.built.inference.images.shape.as_list() == [None, 9]
        assert rows.reconstruct(ROWS).shape == ROWS.shape
        wanted = variables(reference)
        assert variables(rows).keys() == wanted.keys()
        for name, value in variables(rows).items():
            np.testing.assert_array_equal(value, wanted[name], name)
        np.testing.assert_array_equal(rows.encode(ROWS), reference.encode(images))
        found, known = (run.measure(x, None) for run, x in ((rows, ROWS), (reference, images)))
        for name, value in found.items():
            np.testing.assert_allclose(value, known[name], rtol=1e-5, err_msg=name)
    assert tfae_program.metrics(tmp_path / 'rows') == tfae_program.metrics(tmp_path / 'images')


@pytest.mark.parametrize(
    'model, more, who',
    [
        ('convolutional', {}, 'filters convolves'),
        ('variational', {'filters': 8}, 'filters convolves'),
        ('siamese', {'filters': 8}, 'filters convolves'),
        ('gan', {'filters': 8}, 'filters convolves'),
    ],
)
def test_what_needs_images_is_refused_with_the_shape(tmp_path, model, more, who):
    with pytest.raises(
        tfae.UsageError,
        match=who + r' images, sequences and volumes; .* have shape \(9,\), the columns of',
    ):
        tfae.fit(model, ROWS, LABELS, logdir=tmp_path / 'run', batch_size=8, **more)
    assert not (tmp_path / 'run').exists()


def test_augmentation_of_rows_is_refused(tmp_path):
    text = r'augment is flip, which changes images; the examples are rows of shape \(9,\)'
    with pytest.raises(tfae.UsageError, match=text):
        tfae.fit('dense', ROWS, logdir=tmp_path / 'run', augment='flip')


def test_a_gan_generates_rows_beyond_0_and_1(tmp_path):
    rows = 5 + 10 * ROWS
    words = {'normalize': 'standard', 'units': 16, 'epochs': 20, 'batch_size': 20}
    with tfae.fit('gan', rows, logdir=tmp_path, **words) as run:
        made = run.decode(run.sample(200))
    assert made.shape == (200, 9)
    assert np.abs(made.mean() - rows.mean()) < 2 * rows.std()


@pytest.mark.parametrize('model', ['classifier', 'regressor', 'siamese'])
def test_labels_of_rows_are_learned_by_dense_layers(tmp_path, model):
    with tfae.fit(model, ROWS, LABELS, logdir=tmp_path, epochs=1, batch_size=40) as run:
        assert run.experiment.family.filters == ()
        assert run.encode(ROWS).shape == (120, run.built.model.code_size)
        with pytest.raises(tfae.InputError, match=r'images are \(120, 8\); they must be \[N, 9\]'):
            run.encode(ROWS[:, 1:])


def test_a_run_of_an_earlier_version_goes_on_with_the_same_rows(folder, tmp_path):
    words = [word.replace('rows.npz', 'images.npz') for word in WORDS]
    np.savez(tmp_path / 'images.npz', x=ROWS[:, None, :, None], y=LABELS)
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    (tmp_path / 'images.npz').unlink()
    np.savez(tmp_path / 'rows.npz', x=ROWS, y=LABELS)
    done = tfae_program.run('evaluate', '--logdir=run', '--data_dir=rows.npz', cwd=tmp_path)
    assert done.code == 0, done.err
    words = ('--logdir=run', '--data_dir=rows.npz', '--epochs=3')
    done = tfae_program.run('train', *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    with tfae.open(tmp_path / 'run') as run:
        assert run.experiment.signature.image_shape == (1, 9, 1)
        assert run.encode(ROWS).shape == (120, 2)


def test_the_errors_of_a_table_are_those_of_numpy(folder):
    done = tfae_program.run('evaluate', '--logdir=run', '--neighbors=3', cwd=folder)
    assert done.code == 0, done.err
    found = json.loads((folder / 'run' / 'evaluation.json').read_text())
    loaded = tfae.load_data('npz', data_dir=folder / 'rows.npz')
    with tfae.open(folder / 'run') as run:
        error = np.square(run.reconstruct(loaded.test.images) - loaded.test.images).mean()
    assert found['mse'] == pytest.approx(error, rel=1e-5)
    assert found['pca_mse'] < 1e-8  # two latent dimensions
    assert 'sharpness' not in found


def test_codes_of_rows_are_probed_and_embedded(folder):
    assert tfae_program.run('probe', '--logdir=run', cwd=folder).code == 0
    assert tfae_program.run('embed', '--logdir=run', cwd=folder).code == 0
    assert not (folder / 'run' / 'projector' / 'sprite.png').exists()
    assert 'sprite' not in (folder / 'run' / 'projector_config.pbtxt').read_text()


def test_an_export_takes_rows(folder):
    done = tfae_program.run('export', '--logdir=run', '--output=served', cwd=folder)
    assert done.code == 0, done.err
    about = json.loads((folder / 'served' / 'signatures.json').read_text())
    assert about['columns'] == list(map(str, range(9)))
    assert sorted(about['signatures']) == ['decode', 'encode', 'reconstruct']
    assert about['signatures']['encode']['inputs']['images']['shape'] == [None, 9]


@pytest.fixture(scope='module')
def scaled(folder):
    """A run on columns of different scales, normalized; the splits of its data set."""
    rows = ROWS * 10.0 ** np.arange(-2, 7) + 1
    np.savez(folder / 'scaled.npz', x=rows, y=LABELS)
    words = [word.replace('rows.npz', 'scaled.npz') for word in WORDS]
    words += ['--normalize=standard', '--corruption=gaussian:0.1', '--logdir=scaled']
    done = tfae_program.run('train', *words, '--seed=1', cwd=folder)
    assert (done.code, done.err) == (0, '')
    return tfae.load_data('npz', data_dir=folder / 'scaled.npz')


def test_a_checkpoint_holds_the_normalization_of_its_training_split(folder, scaled):
    rows = scaled.train.images.astype(np.float64)
    for place in (folder / 'scaled', folder / 'scaled' / 'best'):
        held = tfae_program.checkpoint(place)
        np.testing.assert_allclose(held['normalization/offset'], rows.mean(0), rtol=1e-6)
        np.testing.assert_allclose(held['normalization/scale'], rows.std(0), rtol=1e-6)
    with tfae.open(folder / 'scaled') as run:
        assert not [name for name in variables(run) if name.startswith('normalization')]


def test_errors_are_in_normalized_units(folder, scaled):
    done = tfae_program.run('evaluate', '--logdir=scaled', '--neighbors=3', cwd=folder)
    assert done.code == 0, done.err
    found = json.loads((folder / 'scaled' / 'evaluation.json').read_text())
    train, test = (split.images.astype(np.float64) for split in (scaled.train, scaled.test))
    known, asked = ((rows - train.mean(0)) / train.std(0) for rows in (train, test))
    with tfae.open(folder / 'scaled') as run:
        made = run.reconstruct(scaled.test.images)
        np.testing.assert_allclose(run.normalized(scaled.test.images), asked, atol=1e-3)
    error = np.square((made - test) / train.std(0)).mean()
    assert found['mse'] == pytest.approx(error, rel=1e-3)
    axes = np.linalg.svd(known, full_matrices=False)[2][:2]
    assert found['pca_mse'] == pytest.approx(np.square(asked - asked @ axes.T @ axes).mean(), 0.01)
    assert found['corrupted_psnr'] == pytest.approx(20, abs=0.5)  # of noise 0.1


def test_codes_are_those_of_normalized_rows(folder, scaled):
    rows = scaled.test.images
    with tfae.open(folder / 'scaled') as run:
        codes, made = run.encode(rows), run.reconstruct(rows)
        held = run.variables()
        np.testing.assert_allclose(run.decode(codes), made, rtol=1e-4, atol=1e-2)
    h = (rows - held['normalization/offset']) / held['normalization/scale']
    for i in (1, 2):
        h = h @ held[f'encoder/layer_{i}/kernel'] + held[f'encoder/layer_{i}/bias']
        h = np.maximum(h, 0) if i == 1 else h
    np.testing.assert_allclose(codes, h, rtol=1e-3, atol=1e-4)
    h = np.maximum(h @ held['decoder/layer_2/kernel'] + held['decoder/layer_2/bias'], 0)
    h = h @ held['decoder/layer_1/kernel'] + held['decoder/layer_1/bias']
    wanted = h * held['normalization/scale'] + held['normalization/offset']
    np.testing.assert_allclose(made, wanted, rtol=1e-3, atol=1e-2)


def test_an_export_takes_and_returns_the_units_of_the_table(folder, scaled):
    done = tfae_program.run('export', '--logdir=scaled', '--output=units', cwd=folder)
    assert done.code == 0, done.err
    with tfae.open(folder / 'scaled') as run:
        codes, made = run.encode(scaled.test.images), run.reconstruct(scaled.test.images)
    with tf.Session(graph=tf.Graph()) as session:
        loaded = tf.saved_model.load(session, ['serve'], str(folder / 'units')).signature_def
        for name, given, key in (
            ('reconstruct', {'images': scaled.test.images}, 'reconstruction'),
            ('decode', {'code': codes}, 'images'),
        ):
            feeds = {loaded[name].inputs[k].name: value for k, value in given.items()}
            found = session.run(loaded[name].outputs[key].name, feeds)
            np.testing.assert_allclose(found, made, rtol=1e-4, atol=1e-2, err_msg=name)


def test_a_normalized_run_resumes_as_if_it_had_never_stopped(folder, scaled):
    words = [word.replace('rows.npz', 'scaled.npz') for word in WORDS]
    words += ['--normalize=standard', '--corruption=gaussian:0.1', '--seed=1', '--logdir=resumed']
    for epochs in (1, 2):
        done = tfae_program.run('train', *words, f'--epochs={epochs}', cwd=folder)
        assert done.code == 0, done.err
    one, other = (tfae_program.checkpoint(folder / name) for name in ('scaled', 'resumed'))
    assert tfae_program.same_bytes(one, other)


def test_the_names_of_columns_travel_with_the_run(tmp_path):
    words = ('--dataset=sklearn:diabetes', '--normalize=standard', '--model=regressor')
    words += ('--epochs=40', '--logdir=run')
    done = tfae_program.run('train', *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    with tfae.open(tmp_path / 'run') as run:
        assert run.experiment.signature.columns[:3] == ('age', 'sex', 'bmi')
    assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0
    found = json.loads((tmp_path / 'run' / 'evaluation.json').read_text())
    assert found['absolute_error'] < 0.8 * found['constant_absolute_error']
    done = tfae_program.run('export', '--logdir=run', '--output=served', cwd=tmp_path)
    about = json.loads((tmp_path / 'served' / 'signatures.json').read_text())
    assert about['columns'][:3] == ['age', 'sex', 'bmi']
    assert about['normalize'] == 'standard'


@pytest.mark.parametrize(
    'model, more, text',
    [
        (
            'variational',
            {},
            r'likelihood is bernoulli, .* the table holds values from -\d.*; normalize=minmax .*, '
            'likelihood=gaussian takes any',
        ),
        (
            'dense',
            {'likelihood': 'bernoulli', 'normalize': 'standard'},
            r'leaves \[0, 1\] under normalize=standard; .*, likelihood=squared_error takes any',
        ),
        (
            'dense',
            {'output_activation': 'sigmoid', 'normalize': 'robust'},
            'output_activation is sigmoid, .*, output_activation=linear takes any values',
        ),
    ],
)
def test_outputs_in_0_1_refuse_other_values(tmp_path, model, more, text):
    with pytest.raises(tfae.UsageError, match=text):
        tfae.fit(model, ROWS - 0.5, logdir=tmp_path / 'run', batch_size=8, **more)


def test_a_variational_run_has_linear_outputs_under_a_gaussian(tmp_path):
    rows = 3 * ROWS - 1
    given = {'likelihood': 'gaussian', 'variance': 0.1, 'normalize': 'standard', 'epochs': 60}
    with tfae.fit('variational', rows, logdir=tmp_path, units=6, batch_size=16, **given) as run:
        assert 'logits' not in run.built.inference.outputs._fields
        made = run.normalized(run.reconstruct(rows))
        error = np.square(made - run.normalized(rows)).mean()
    assert made.min() < 0 and made.max() > 1
    assert error < 0.5  # 1 is that of the mean


COUNTS = np.random.RandomState(1).poisson(np.exp(4 * LATENT @ np.ones([2, 9]) / 2))


@pytest.mark.parametrize('likelihood', ['poisson', 'negative_binomial'])
def test_counts_have_likelihoods_of_their_own(tmp_path, likelihood):
    rows = COUNTS.astype(np.float32)
    more = {'likelihood': likelihood, 'units': 6, 'code_size': 2, 'epochs': 150, 'batch_size': 16}
    with tfae.fit('variational', rows, logdir=tmp_path, learning_rate=0.01, **more) as run:
        assert 'logits' not in run.built.inference.outputs._fields
        made, codes = run.reconstruct(rows), run.encode(rows)
        np.testing.assert_allclose(run.decode(codes), made, rtol=1e-5)
        held = run.variables('trainable_variables')
        nats = run.measure(rows, None)['reconstruction_nats']
    h = np.maximum(
        np.log1p(rows) @ held['encoder/layer_1/kernel'] + held['encoder/layer_1/bias'], 0
    )
    mean = h @ held['encoder/mean/kernel'] + held['encoder/mean/bias']
    np.testing.assert_allclose(codes, mean, rtol=1e-3, atol=1e-4)
    h = np.maximum(mean @ held['decoder/layer_2/kernel'] + held['decoder/layer_2/bias'], 0)
    rate = np.exp(h @ held['decoder/layer_1/kernel'] + held['decoder/layer_1/bias'])
    np.testing.assert_allclose(made, rate, rtol=1e-3)
    constant = scipy.stats.poisson(rows.mean(0))
    if likelihood == 'negative_binomial':
        assert held['decoder/log_dispersion'].shape == (9,)
    assert nats.mean() < -constant.logpmf(rows).sum(1).mean()


@pytest.mark.parametrize(
    'rows, more, text',
    [
        (COUNTS - 0.5, {}, r'of counts; column \d holds -?\d+\.5, and must hold integers from 0'),
        (COUNTS, {'normalize': 'standard'}, 'of counts; normalize is standard, and must be none'),
        (ROWS[:, None, :, None], {}, r'of counts in tables; the examples have shape \(1, 9, 1\)'),
    ],
)
def test_other_values_than_counts_are_refused(tmp_path, rows, more, text):
    with pytest.raises(tfae.UsageError, match='likelihood is poisson, ' + text):
        tfae.fit('variational', rows, logdir=tmp_path / 'run', likelihood='poisson', **more)


def test_image_files_are_refused_by_a_run_on_a_table(folder):
    assert (
        tfae_program.run('train', *WORDS, '--model=classifier', '--logdir=c', cwd=folder).code == 0
    )
    done = tfae_program.run('classify', '--logdir=c', 'a.png', cwd=folder)
    text = 'the run was trained on a table of 9 columns, which image files do not have'
    assert done.refusal(1) == text
