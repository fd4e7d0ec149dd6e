"""`tfae evaluate`: each number against numpy and scikit-learn, from the variables alone."""

import json
import re
import shutil

import numpy as np
import pytest
import tfae_program
from scipy import special
from sklearn import decomposition

from tfae import data


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('evaluate')
    words = ('--units=20,6', '--epochs=3', '--likelihood=bernoulli', '--activation=tanh')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=folder).code == 0
    return folder / 'run'


def evaluated(run, *words):
    done = tfae_program.run('evaluate', '--logdir=run', *words, cwd=run.parent)
    assert (done.code, done.err) == (0, '')
    return done.out, json.loads((run / 'evaluation.json').read_text())


def dense(x, weights, name):
    return x @ weights[f'{name}/kernel'].astype(float) + weights[f'{name}/bias']


@pytest.mark.parametrize('split, count', [('test', 360), ('validation', 144), ('train', 1293)])
def test_numbers_are_those_of_numpy_and_scikit_learn(run, split, count):
    out, measured = evaluated(run, f'--split={split}')
    loaded = data.load(data.Config())
    weights = tfae_program.checkpoint(run / 'best')
    x = getattr(loaded, split).images.reshape(count, 64).astype(float)
    code = dense(np.tanh(dense(x, weights, 'encoder/layer_1')), weights, 'encoder/layer_2')
    logits = dense(np.tanh(dense(code, weights, 'decoder/layer_2')), weights, 'decoder/layer_1')
    mean = special.expit(logits)
    assert measured['split'] == split
    assert measured['examples'] == count
    assert measured['mse'] == pytest.approx(np.mean((x - mean) ** 2), rel=1e-4)
    bce = -np.mean(special.xlogy(x, mean) + special.xlog1py(1 - x, -mean))
    assert measured['bce'] == pytest.approx(bce, rel=1e-4)
    pca = decomposition.PCA(6, svd_solver='full').fit(loaded.train.images.reshape(-1, 64))
    projected = np.clip(pca.inverse_transform(pca.transform(x)), 0, 1)
    assert measured['pca_mse'] == pytest.approx(np.mean((x - projected) ** 2), rel=1e-4)
    floor = special.entr(x) + special.entr(1 - x)
    assert measured['bce_floor'] == pytest.approx(floor.mean(), rel=1e-4)
    assert measured['bce'] > measured['bce_floor']
    assert measured['code_size'] == 6
    assert measured['step'] == tfae_program.steps(run / 'best')[-1]
    assert len({re.match(r'\S+ +', line).end() for line in out.splitlines()[1:]}) == 1  # aligned
    table = dict(line.split(maxsplit=1) for line in out.splitlines()[1:])
    for name, value in measured.items():
        assert table[name] == (f'{value:.5f}' if isinstance(value, float) else str(value))


def test_the_last_checkpoint_can_be_asked_for(run):
    _, measured = evaluated(run, '--checkpoint=last')
    assert measured['step'] == tfae_program.steps(run)[-1]


def test_other_examples_than_those_of_the_training_are_refused(tmp_path):
    images = np.random.RandomState(0).random_sample((40, 4, 4)).astype(np.float32)
    np.savez(tmp_path / 'set.npz', x=images)
    words = ('--dataset=npz', '--data_dir=set.npz', '--batch_size=8', '--units=4', '--epochs=1')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    shutil.copy(tmp_path / 'set.npz', tmp_path / 'moved.npz')
    for command in ('evaluate', 'reconstruct', 'embed'):  # the same examples elsewhere will do
        argv = (command, '--logdir=run', '--data_dir=moved.npz')
        assert tfae_program.run(*argv, cwd=tmp_path).code == 0
    images[3, 2, 1] = 0.5
    np.savez(tmp_path / 'set.npz', x=images)
    (tmp_path / 'run' / 'evaluation.json').unlink()
    before = tfae_program.contents(tmp_path)
    for command in ('train', 'evaluate', 'reconstruct', 'embed'):
        line = tfae_program.run(command, '--logdir=run', cwd=tmp_path).refusal(1)
        assert line.startswith('--logdir run was trained on other examples than data set npz now')
        assert tfae_program.contents(tmp_path) == before


def test_a_part_without_examples_is_refused(tmp_path):
    words = ('train', '--units=4', '--epochs=1', '--validation_fraction=0', '--logdir=run')
    assert tfae_program.run(*words, cwd=tmp_path).code == 0
    argv = ('evaluate', '--logdir=run', '--split=validation')
    line = tfae_program.run(*argv, cwd=tmp_path).refusal(1)
    assert line.startswith('--split validation of digits has no examples')


def test_the_error_of_neighbors_is_that_of_numpy(run):
    _, measured = evaluated(run, '--neighbors=1')
    loaded = data.load(data.Config())
    weights = tfae_program.checkpoint(run / 'best')
    parts = [loaded.train, loaded.test]
    pixels = [part.images.reshape(len(part.images), 64).astype(float) for part in parts]
    codes = [
        dense(np.tanh(dense(x, weights, 'encoder/layer_1')), weights, 'encoder/layer_2')
        for x in pixels
    ]
    pca = decomposition.PCA(6, svd_solver='full').fit(pixels[0])
    for name, (known, queries) in {
        'knn_error': codes,
        'pca_knn_error': [pca.transform(x) for x in pixels],
        'pixel_knn_error': pixels,
    }.items():
        gaps = np.square(queries[:, None] - known).sum(2)
        wrong = loaded.train.labels[gaps.argmin(1)] != loaded.test.labels
        assert measured[name] == pytest.approx(wrong.mean(), abs=1.5 / 360)


@pytest.mark.parametrize(
    'words, code, text',
    [
        (('--neighbors=1', '--split=train'), 2, 'each example would be its own neighbor'),
        (('--neighbors=-2',), 2, '--neighbors is -2; it must lie in [-1, inf)'),
        (('--neighbors=1294',), 2, '--neighbors is 1294; there are only 1293 training examples'),
    ],
)
def test_neighbors_that_cannot_be_asked_are_refused(run, words, code, text):
    done = tfae_program.run('evaluate', '--logdir=run', *words, cwd=run.parent)
    assert text in done.refusal(code)
