"""Runs on tables, `[N, D]`, through the program and from Python."""

import json

import numpy as np
import pytest
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
        ('gan', {}, 'model=gan generates'),
        ('dense', {'augment': 'flip'}, 'augment is flip, which changes'),
    ],
)
def test_what_needs_images_is_refused_with_the_shape(tmp_path, model, more, who):
    with pytest.raises(tfae.UsageError, match=who + r' images.* have shape \(9,\), the columns of'):
        tfae.fit(model, ROWS, LABELS, logdir=tmp_path / 'run', batch_size=8, **more)
    assert not (tmp_path / 'run').exists()


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
    assert about['columns'] == 9
    assert sorted(about['signatures']) == ['decode', 'encode', 'reconstruct']
    assert about['signatures']['encode']['inputs']['images']['shape'] == [None, 9]


@pytest.mark.parametrize('command', ['morph', 'explore'])
def test_commands_on_images_refuse_a_table(folder, command):
    done = tfae_program.run(command, '--logdir=run', cwd=folder)
    assert done.refusal(1) == (
        'run, a run on a table of 9 columns, has no images; this command takes runs on images'
    )


def test_image_files_are_refused_by_a_run_on_a_table(folder):
    assert (
        tfae_program.run('train', *WORDS, '--model=classifier', '--logdir=c', cwd=folder).code == 0
    )
    done = tfae_program.run('classify', '--logdir=c', 'a.png', cwd=folder)
    text = 'the run was trained on a table of 9 columns, which image files do not have'
    assert done.refusal(1) == text
