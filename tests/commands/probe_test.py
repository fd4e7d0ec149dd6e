"""`tfae probe`: classification from frozen codes."""

import json

import numpy as np
import pytest
import tfae_program
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from tfae import data


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('probe')
    for name, words in (('run', ()), ('one', ('--only_classes=3',))):
        words = ('--units=32,8', '--epochs=5', '--batch_size=16', *words, f'--logdir={name}')
        assert tfae_program.run('train', *words, cwd=folder).code == 0
    return folder


@pytest.fixture(scope='module')
def done(folder):
    words = ('--logdir=run', '--labels=50,20', '--repeats=2', '--neighbors=1,3')
    done = tfae_program.run('probe', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done


def test_errors_are_those_of_the_probes(folder, done):
    found = json.loads((folder / 'run' / 'figures' / 'probe.json').read_text())
    parts = data.load(data.Config())
    train, test = (data.pixels(part.images).reshape(-1, 64) for part in (parts.train, parts.test))
    known = KNeighborsClassifier(3).fit(train, parts.train.labels)
    want = np.mean(known.predict(test) != parts.test.labels)
    assert found['pixels_3_nearest_error'] == pytest.approx(want)
    assert found['pixels_probe_error'] < 0.1 < 0.9
    for prefix in ('', 'pca_', 'pixels_'):
        few, more = (found[f'{prefix}probe_error_{count}_labels'] for count in (20, 50))
        assert few[0] > more[0] > found[f'{prefix}probe_error']
        assert few[1] >= 0
    lines = [line.split() for line in done.out.splitlines()]
    row = [f'{100 * found[key]:.2f}' for key in ('probe_error', 'pca_probe_error')]
    assert next(line for line in lines if line[:2] == ['linear', 'probe'])[2:4] == row
    assert ['error,', '%', 'code', 'PCA-8', 'pixels'] in lines


def test_the_chart_is_shown_in_tensorboard(folder, done):
    path = folder / 'run' / 'figures' / 'probe.png'
    assert done.out.splitlines()[-1] == 'run/figures/probe.png'
    assert np.asarray(Image.open(path).convert('L')).std() > 20
    events = b''.join(p.read_bytes() for p in path.parents[1].glob('events.*'))
    assert path.read_bytes() in events


def test_defaults_that_the_training_set_is_too_small_for_are_left_out(folder):
    words = ('--logdir=run', '--repeats=1', '--nobaselines', '--neighbors=1', '--output=bare')
    assert tfae_program.run('probe', *words, cwd=folder).code == 0
    found = json.loads((folder / 'bare' / 'probe.json').read_text())
    counts = [key.split('_')[2] for key in found if key.endswith('_labels')]
    assert counts == ['100', '300', '1000']


def test_codes_alone_without_rows_of_few_labels(folder):
    words = ('--logdir=run', '--labels=', '--nobaselines', '--neighbors=', '--output=out')
    done = tfae_program.run('probe', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    found = json.loads((folder / 'out' / 'probe.json').read_text())
    assert set(found) == {'split', 'examples', 'probe_error', 'step'}


@pytest.mark.parametrize(
    'words, code, want',
    [
        (('--labels=2000',), 2, '--labels is 2000; there are only 1293 training examples'),
        (('--neighbors=2000',), 2, '--neighbors is 2000; there are only 1293 training'),
        (('--labels=0',), 2, '--labels is 0; each must lie in [2, inf)'),
        (('--repeats=0',), 2, '--repeats is 0; it must lie in [1, 1000]'),
        (('--split=train',), 2, '--split is train, which the probes are trained on'),
        (('--logdir=one',), 1, 'data set digits has training examples of one class'),
    ],
)
def test_what_cannot_be_probed_is_refused(folder, words, code, want):
    done = tfae_program.run('probe', '--logdir=run', *words, cwd=folder)
    assert done.refusal(code).startswith(want)


def test_a_set_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / 'set.npz', x=np.random.RandomState(0).random_sample((50, 4, 4, 1)))
    words = ('--dataset=npz', '--data_dir=set.npz', '--units=3', '--epochs=1', '--batch_size=8')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    done = tfae_program.run('probe', '--logdir=run', cwd=tmp_path)
    assert done.refusal(1) == 'data set npz has no labels; probes need them'
