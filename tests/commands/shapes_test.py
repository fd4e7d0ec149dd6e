"""Commands on runs on sequences and volumes: what they print and write, compared with numpy."""

import json
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import data
from tfae.analysis import anomaly, pca
from tfae.commands import interpolate, sample
from tfae.plots import grids

KINDS = {
    'sequences': ('waves', '24x2', ('sawtooth',)),
    'volumes': ('solids', '6x6x6x1', ()),  # of two classes, which a probe needs
}


@pytest.fixture(scope='module', params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope='module')
def folder(tmp_path_factory, kind):
    folder = tmp_path_factory.mktemp(kind)
    content, shape, unusual = KINDS[kind]
    words = ('--dataset=synthetic', f'--synthetic_kind={content}', f'--synthetic_shape={shape}')
    words += ('--synthetic_examples=200', f'--without_classes={",".join(unusual)}')
    words += ('--normalize=standard', '--model=convolutional', '--filters=4', '--units=3')
    words += ('--epochs=2', '--logdir=run')
    done = tfae_program.run('train', *words, cwd=folder)
    assert done.code == 0, done
    assert f'test {kind} of {shape.replace("x", " x ")} (' in done.out
    return folder


@pytest.fixture
def loaded(kind):
    content, shape, unusual = KINDS[kind]
    words = {'synthetic_kind': content, 'synthetic_shape': shape, 'synthetic_examples': 200}
    return data.load(data.Config('synthetic', without_classes=unusual, **words))


def run(folder, command, *words):
    done = tfae_program.run(command, '--logdir=run', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done.out


def test_reconstructions_are_measured_as_by_evaluate(folder, loaded):
    run(folder, 'evaluate')
    found = json.loads((folder / 'run' / 'evaluation.json').read_text())
    with tfae.open(folder / 'run') as opened:
        made = opened.normalized(opened.reconstruct(loaded.test.images))
        images = opened.normalized(loaded.test.images)
        train = opened.normalized(loaded.train.images).reshape(len(loaded.train.images), -1)
    assert found['mse'] == pytest.approx(np.mean(np.square(images - made)), rel=1e-4)
    mean = train.mean(0)
    axes = np.linalg.svd(train - mean, full_matrices=False)[2][:3]
    flat = images.reshape(len(images), -1) - mean
    wanted = np.mean(np.square(flat - flat @ axes.T @ axes))
    assert found['pca_mse'] == pytest.approx(wanted, rel=1e-3)
    assert 'sharpness' not in found
    out = run(folder, 'reconstruct', '--count=2')
    for key in ('mse', 'pca_mse'):
        assert f'{found[key]:.5f}' in out
    assert (folder / 'run' / 'figures' / 'reconstructions_test.png').stat().st_size > 10_000


def test_anomalies_name_channels_and_an_exported_score_is_that_of_the_detector(
    folder, kind, loaded
):
    out = run(folder, 'anomaly', '--components=2')
    detector = anomaly.load(folder / 'run' / 'anomaly.npz')
    with tfae.open(folder / 'run') as opened:
        images, codes = opened.normalized(loaded.test.images), opened.encode(loaded.test.images)
        made = opened.normalized(opened.reconstruct(loaded.test.images))
    scores = detector.scores(images, codes, made)
    squares = np.square(images - made).reshape(len(images), -1, images.shape[-1]).sum(1)
    lines = re.findall(r'(\w+) (\d+) +score +(-?[\d.]+)  channel (\d) (\d+) %', out)
    assert len(lines) == 8
    for i, (noun, place, score, channel, percent) in zip(np.argsort(-scores), lines, strict=False):
        assert (f'{noun}s', int(place)) == (kind, i)
        assert float(score) == pytest.approx(scores[i], abs=0.06)
        share = squares[i, int(channel)] / squares[i].sum()
        assert int(percent) == pytest.approx(100 * share, abs=0.6)
        assert share == pytest.approx((squares[i] / squares[i].sum()).max(), abs=0.01)
    assert (folder / 'run' / 'figures' / f'anomaly_{kind}.png').is_file()
    run(folder, 'export', '--output=saved')
    about = json.loads((folder / 'saved' / 'signatures.json').read_text())
    assert f'"examples": "{kind}"' in json.dumps(about)
    assert 'preprocessing' not in about
    with tf.Session(graph=tf.Graph()) as session:
        served = tf.saved_model.load(session, ['serve'], str(folder / 'saved')).signature_def
        assert not [name for name in served if name.endswith('_bytes')]
        for name, output, wanted in (('score', 'score', scores), ('encode', 'code', codes)):
            feeds = {served[name].inputs['images'].name: loaded.test.images}
            found = session.run(served[name].outputs[output].name, feeds)
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    'command, words, files',
    [
        ('latent', ('--traverse=2', '--side=4'), ('latent_grid.png', 'latent_traversal.png')),
        ('cluster', ('--nobaselines',), ('cluster_kmeans.png',)),
        ('interpolate', (), ('interpolation.png',)),
        ('sample', ('--count=20', '--shown=9'), ('samples.png', 'samples.npz')),
        ('probe', ('--labels=',), ('probe.png',)),
    ],
)
def test_figures_are_written(folder, loaded, command, words, files):
    out = run(folder, command, *words)
    for name in files:
        assert f'run/figures/{name}' in out
        assert (folder / 'run' / 'figures' / name).stat().st_size > 3_000
    if command == 'sample':
        samples = np.load(folder / 'run' / 'figures' / 'samples.npz')['images']
        assert (samples.dtype, samples.shape) == (np.float32, (20, *loaded.image_shape))


@pytest.fixture
def rows(monkeypatch):
    """The images that are saved in rows or sheets, by their labels."""
    found = {}

    def watched(save):
        def watch(path, images, *more):
            for block in [images] if isinstance(images, dict) else images:
                found.update(block)
            save(path, images, *more)

        return watch

    for name in ('save_rows', 'save_sheets'):
        monkeypatch.setattr(grids, name, watched(getattr(grids, name)))
    return found


@pytest.fixture
def solids(folder, kind):
    if kind != 'volumes':
        pytest.skip('sequences are plotted as lines, on one scale')
    return f'--logdir={folder / "run"}'


def gray(volumes, reference):
    low, high = np.nanmin(reference[:, 3]), np.nanmax(reference[:, 3])
    return (volumes[:, 3] - low) / (high - low)


def test_paths_go_from_volume_to_volume_on_the_gray_levels_of_the_originals(
    folder, loaded, solids, rows
):
    interpolate.main([solids, '--indices=0,1', '--steps=3'])
    with tfae.open(folder / 'run') as opened:
        pair = opened.normalized(loaded.test.images[:2])
        made = opened.normalized(opened.reconstruct(loaded.test.images[:2]))
        baseline = pca.Baseline(opened.normalized(loaded.train.images), 3)
    np.testing.assert_allclose(rows['original'][[0, 2]], gray(pair, pair), atol=1e-5)
    for label, ends in (('PCA', baseline.reconstruct(pair)), ('convolutional', made)):
        found = rows[f'{label}\nlinear'][[0, 2]]
        np.testing.assert_allclose(found, gray(ends, pair), atol=1e-4)


def test_samples_over_epochs_have_one_range_of_gray_levels(tmp_path, rows):
    volumes = np.random.RandomState(0).standard_normal((60, 6, 4, 4, 1))
    words = {'units': 3, 'epochs': 2, 'keep_epochs': (1, 2), 'learning_rate': 0.1}
    words |= {'likelihood': 'gaussian', 'batch_size': 20}
    tfae.fit('variational', volumes=volumes, logdir=tmp_path / 'run', **words).close()
    sample.main([f'--logdir={tmp_path}/run', '--over_epochs=1,2', '--shown=4'])
    made = np.load(tmp_path / 'run' / 'figures' / 'samples_over_epochs.npz')['images']
    for found, wanted in zip(rows.values(), made, strict=True):
        np.testing.assert_allclose(found, gray(wanted, np.concatenate(made)), atol=1e-5)


@pytest.mark.parametrize('command', ['explain', 'morph'])
def test_commands_on_images_refuse_other_examples(folder, kind, command):
    done = tfae_program.run(command, '--logdir=run', cwd=folder)
    sides = KINDS[kind][1].replace('x', ' x ')
    assert done.refusal(1) == (
        f'run, a run on {kind} of {sides}, has no images; this command takes runs on images'
    )


def test_a_blur_is_refused(folder, kind):
    done = tfae_program.run('anomaly', '--logdir=run', '--blur=2', cwd=folder)
    assert done.refusal(2) == f'--blur is 2.0, which blurs images; the run is on {kind}'
