"""Commands on a run on a table: what they print and write, compared with numpy."""

import json
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import data
from tfae.analysis import anomaly


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tables')
    words = ('--dataset=sklearn:wine', '--normalize=standard', '--without_classes=class_2')
    words += ('--units=8,3', '--epochs=20', '--learning_rate=0.01', '--logdir=run')
    assert tfae_program.run('train', *words, cwd=folder).code == 0
    return folder


@pytest.fixture(scope='module')
def loaded():
    return data.load(data.Config('sklearn:wine', without_classes=('class_2',)))


def run(folder, command, *words):
    done = tfae_program.run(command, '--logdir=run', *words, cwd=folder)
    assert (done.code, done.err) == (0, '')
    return done.out


def test_reconstructions_are_measured_as_by_evaluate(folder):
    run(folder, 'evaluate')
    found = json.loads((folder / 'run' / 'evaluation.json').read_text())
    out = run(folder, 'reconstruct', '--count=2')
    for key in ('mse', 'pca_mse'):
        assert f'{found[key]:.5f}' in out
    assert (folder / 'run' / 'figures' / 'reconstructions_test.png').is_file()


def test_the_columns_of_the_largest_errors_of_the_highest_scores_are_printed(folder, loaded):
    out = run(folder, 'anomaly', '--components=2')
    rows = loaded.test.images
    detector = anomaly.load(folder / 'run' / 'anomaly.npz')
    with tfae.open(folder / 'run') as opened:
        codes, made = opened.encode(rows), opened.normalized(opened.reconstruct(rows))
        rows = opened.normalized(rows)
    squares = np.square(rows - made)
    scores = detector.scores(rows, codes, made)
    lines = re.findall(r'row (\d+) +score +([\d.]+)  (\S+) (\d+) %', out)
    assert len(lines) == 8
    highest = np.argsort(-scores)[:8]
    for i, (place, score, name, percent) in zip(highest, lines, strict=True):
        assert int(place) == i
        assert float(score) == pytest.approx(scores[i], abs=0.06)
        column = int(squares[i].argmax())
        assert name == loaded.columns[column]
        assert int(percent) == pytest.approx(100 * squares[i].max() / squares[i].sum(), abs=0.6)
    found = json.loads((folder / 'run' / 'anomaly.json').read_text())
    assert found['auroc'] > 0.7
    assert 'blank_score' not in found
    assert (folder / 'run' / 'figures' / 'anomaly_rows.png').is_file()


def test_the_score_of_a_table_is_that_of_its_columns_and_of_the_density(folder, loaded):
    random = np.random.RandomState(0)
    rows, made, codes = random.standard_normal((3, 200, 5))
    codes = codes[:, :2]
    found = anomaly.fit(
        (rows, codes, made),
        (rows, codes, made),
        blur=0,
        components=1,
        false_positive_rate=0.1,
        seed=0,
        step=1,
    )
    residual = np.square(rows - made).mean(1)
    features = np.column_stack([codes / codes.std(), np.log(residual)])
    covariance = np.cov(features.T, bias=True)
    centered = features - features.mean(0)
    density = -np.einsum('ni,ij,nj->n', centered, np.linalg.inv(covariance), centered) / 2
    density -= np.log(np.linalg.det(2 * np.pi * covariance)) / 2
    wanted = 5 / 2 * residual / residual.mean() - density
    np.testing.assert_allclose(found.scores(rows, codes, made), wanted, rtol=0.01, atol=0.05)
    np.testing.assert_allclose(found.maps(rows, made) * found.error, np.abs(rows - made), rtol=1e-5)


def test_an_exported_score_is_that_of_the_detector(folder, loaded):
    run(folder, 'anomaly', '--components=2')
    run(folder, 'export', '--output=scores')
    rows = loaded.test.images
    detector = anomaly.load(folder / 'run' / 'anomaly.npz')
    with tfae.open(folder / 'run') as opened:
        codes, made = opened.encode(rows), opened.normalized(opened.reconstruct(rows))
        wanted = detector.scores(opened.normalized(rows), codes, made)
    with tf.Session(graph=tf.Graph()) as session:
        served = tf.saved_model.load(session, ['serve'], str(folder / 'scores')).signature_def
        feeds = {served['score'].inputs['images'].name: rows}
        found = session.run(served['score'].outputs['score'].name, feeds)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    'command, files',
    [
        ('latent', ('latent_points.png', 'latent_grid.png')),
        ('cluster', ('cluster_kmeans.png', 'cluster.png')),
        ('interpolate', ('interpolation.png',)),
    ],
)
def test_figures_of_rows_are_written(folder, command, files):
    out = run(folder, command)
    for name in files:
        assert f'run/figures/{name}' in out
        assert (folder / 'run' / 'figures' / name).stat().st_size > 10_000


def test_baselines_of_a_table_are_of_its_columns(folder):
    out = run(folder, 'cluster') + run(folder, 'probe')
    assert 'columns' in out
    assert 'pixels' not in out
    found = json.loads((folder / 'run' / 'figures' / 'cluster.json').read_text())
    assert 0 < found['columns_kmeans_accuracy'] <= 1
    run(folder, 'report')
    page = (folder / 'run' / 'report.html').read_text()
    assert 'columns_' not in page


def test_a_report_describes_the_figures_of_rows(folder):
    run(folder, 'anomaly', '--components=2')
    run(folder, 'report')
    page = (folder / 'run' / 'report.html').read_text()
    assert 'the examples of the highest anomaly scores, and their reconstructions' in page


def test_errors_of_a_table_are_not_blurred(folder):
    done = tfae_program.run('anomaly', '--logdir=run', '--blur=2', cwd=folder)
    assert done.refusal(2) == '--blur is 2.0, which blurs images; the run is on a table'


@pytest.mark.parametrize('command', ['explain', 'explore', 'morph'])
def test_other_commands_on_images_refuse_a_table(folder, command):
    done = tfae_program.run(command, '--logdir=run', cwd=folder)
    assert done.refusal(1) == (
        'run, a run on a table of 13 columns, has no images; this command takes runs on images'
    )


def test_pca_leaves_a_residual_of_a_narrow_table(folder):
    run(folder, 'anomaly')
    found = json.loads((folder / 'run' / 'anomaly.json').read_text())
    assert (
        found['pca_components'] == 3
    )  # the code size, where the 32 of the flag are no fewer than 13


def test_a_table_without_validation_rows_is_trained_and_measured(tmp_path):
    words = ('--dataset=sklearn:iris', '--validation_fraction=0', '--epochs=2', '--logdir=run')
    done = tfae_program.run('train', *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0


@pytest.mark.parametrize('kind', ['minmax', 'standard'])
def test_bytes_are_normalized_as_they_are_fed(tmp_path, kind):
    rows = np.random.RandomState(0).randint(0, 256, [80, 5]).astype(np.uint8)
    np.savez(tmp_path / 'rows.npz', x=rows)
    words = ('--dataset=npz', f'--data_dir={tmp_path}/rows.npz', f'--normalize={kind}')
    done = tfae_program.run('train', *words, '--epochs=1', '--logdir=run', cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    with tfae.open(tmp_path / 'run') as opened:
        seen = opened.normalized(rows)
    if kind == 'minmax':
        assert np.all(np.abs(np.ptp(seen, 0) - 1) < 0.1) and np.all(np.abs(seen) < 1.2)
    else:
        assert np.all(np.abs(seen.mean(0)) < 0.3) and np.all(np.abs(seen.std(0) - 1) < 0.2)


def test_noise_of_bytes_is_compared_with_what_is_fed(tmp_path):
    rows = np.random.RandomState(0).randint(0, 256, [80, 5]).astype(np.uint8)
    np.savez(tmp_path / 'rows.npz', x=rows)
    words = ('--dataset=npz', f'--data_dir={tmp_path}/rows.npz', '--epochs=1', '--logdir=run')
    assert tfae_program.run('train', *words, cwd=tmp_path).code == 0
    assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0
    found = json.loads((tmp_path / 'run' / 'evaluation.json').read_text())
    assert found['noise_mse'] < 1


def test_an_encoder_of_another_normalization_is_refused(folder):
    words = ('train', '--dataset=sklearn:wine', '--units=8,3', '--restore_from=run', '--logdir=new')
    for kind in ('none', 'minmax'):
        done = tfae_program.run(*words, f'--normalize={kind}', cwd=folder)
        assert done.refusal(2) == (
            f'--restore_from run is a run with --normalize=standard; --normalize is {kind}, and '
            f'must be the same'
        )
    assert not (folder / 'new').exists()


@pytest.mark.parametrize(
    'words, text',
    [
        (('--critic_steps=500',), 'the generator is updated once every 500 steps, and the run has'),
        (
            ('--conditional', '--without_classes=3'),
            '--conditional needs training images of every class; class 3 has none',
        ),
    ],
)
def test_a_generator_that_would_not_be_trained_is_refused(tmp_path, words, text):
    words = ('train', '--model=gan', *words, '--epochs=1', '--logdir=run')
    assert tfae_program.run(*words, cwd=tmp_path).refusal(2).startswith(text)
