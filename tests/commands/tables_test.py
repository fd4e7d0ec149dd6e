"""Commands on a run on a table: what they print and write, compared with numpy."""

import json
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import data


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


def seen(folder, loaded):
    """Rows of the test split and their reconstructions, normalized; the arrays of the detector."""
    rows = loaded.test.images
    with tfae.open(folder / 'run') as opened:
        made = opened.normalized(opened.reconstruct(rows))
        rows = opened.normalized(rows)
    return rows, made, np.load(folder / 'run' / 'anomaly.npz')


def test_the_columns_that_contribute_most_to_the_highest_scores_are_printed(folder, loaded):
    out = run(folder, 'anomaly')
    rows, made, held = seen(folder, loaded)
    each = np.square(rows - made) / (2 * held['variances'])
    scores = each.sum(1)
    lines = re.findall(r'row (\d+) +score +([\d.]+)  (\w+) +(\S+) (\d+) %', out)
    assert len(lines) == 8
    highest = np.argsort(-scores)[:8]
    for i, (place, score, verdict, name, percent) in zip(highest, lines, strict=True):
        assert int(place) == i
        assert float(score) == pytest.approx(scores[i], abs=0.06)
        assert verdict == ('anomalous' if scores[i] > held['threshold'] else 'normal')
        assert name == loaded.columns[int(each[i].argmax())]
        assert int(percent) == pytest.approx(100 * each[i].max() / each[i].sum(), abs=0.6)
    found = json.loads((folder / 'run' / 'anomaly.json').read_text())
    assert found['auroc'] > 0.7
    assert found['threshold_quantile'] == 0.95
    assert not {'blank_score', 'components'} & found.keys()
    assert (folder / 'run' / 'figures' / 'anomaly_rows.png').is_file()
    table = np.genfromtxt(folder / 'run' / 'figures' / 'anomaly_rows.csv', delimiter=',')[1:]
    np.testing.assert_allclose(table[:, 1], scores, rtol=1e-4)
    np.testing.assert_allclose(table[:, 3:], each, rtol=1e-3, atol=1e-5)


def test_variances_and_threshold_are_those_of_held_out_rows(folder, loaded):
    run(folder, 'anomaly', '--false_positive_rate=0.25')
    held = np.load(folder / 'run' / 'anomaly.npz')
    with tfae.open(folder / 'run') as opened:
        rows = loaded.validation.images
        made = opened.normalized(opened.reconstruct(rows))
        squares = np.square(made - opened.normalized(rows))
    np.testing.assert_allclose(held['variances'], squares.mean(0), rtol=1e-4)
    scores = (squares / squares.mean(0)).sum(1) / 2
    assert held['threshold'] == pytest.approx(np.quantile(scores, 0.75), rel=1e-4)
    assert held['quantile'] == 0.75


def test_an_exported_score_is_that_of_the_detector(folder, loaded):
    run(folder, 'anomaly')
    run(folder, 'export', '--output=scores')
    rows, made, held = seen(folder, loaded)
    each = np.square(rows - made) / (2 * held['variances'])
    with tf.Session(graph=tf.Graph()) as session:
        served = tf.saved_model.load(session, ['serve'], str(folder / 'scores')).signature_def
        outputs = served['score'].outputs
        feeds = {served['score'].inputs['images'].name: loaded.test.images}
        score, columns = session.run([outputs[k].name for k in ('score', 'contributions')], feeds)
    np.testing.assert_allclose(columns, each, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(score, each.sum(1), rtol=1e-3)


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
    run(folder, 'anomaly')
    run(folder, 'report')
    page = (folder / 'run' / 'report.html').read_text()
    assert 'the rows of the highest anomaly scores, and their reconstructions' in page


@pytest.mark.parametrize(
    'word, does', [('blur=2.0', 'blurs images'), ('components=2', 'is of the detector of images')]
)
def test_flags_of_the_detector_of_images_are_refused(folder, word, does):
    done = tfae_program.run('anomaly', '--logdir=run', f'--{word}', cwd=folder)
    wanted = f'--{word.replace("=", " is ")}, which {does}; the run is on a table'
    assert done.refusal(2) == wanted


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
