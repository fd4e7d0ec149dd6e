"""`tfae cluster`: clusters found without labels, compared with classes."""

import json

import numpy as np
import pytest
import tfae_program
from PIL import Image
from sklearn import metrics

from tfae import data

_SHEETS = ('cluster_kmeans.png', 'cluster_spherical_kmeans.png', 'cluster_mixture.png')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('cluster')
    words = ('train', '--units=32,8', '--epochs=5', '--logdir=run')
    assert tfae_program.run(*words, cwd=folder).code == 0
    return folder


@pytest.fixture(scope='module')
def done(folder):
    done = tfae_program.run('cluster', '--logdir=run', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done


def test_measures_are_those_of_the_clusters_written(folder, done):
    figures = folder / 'run' / 'figures'
    found = json.loads((figures / 'cluster.json').read_text())
    labels = data.load(data.Config()).test.labels
    with np.load(figures / 'cluster.npz') as file:
        keys = {'code_': '', 'pixels_': 'pixels_', 'PCA-8_': 'pca_'}
        for name in file.files:
            space = next(key for key in keys if name.startswith(key))
            key = keys[space] + name.removeprefix(space).replace('-', '').replace(' ', '_')
            got = file[name]
            want = metrics.normalized_mutual_info_score(labels, got)
            assert found[f'{key}_nmi'] == pytest.approx(want)
            assert found[f'{key}_ari'] == pytest.approx(metrics.adjusted_rand_score(labels, got))
            purity = sum(np.bincount(labels[got == k]).max() for k in np.unique(got)) / len(labels)
            assert 0.3 < found[f'{key}_accuracy'] <= purity
        assert len(file.files) == 8
    assert f'{100 * found["pixels_kmeans_accuracy"]:.2f} %' in done.out


def test_images_are_drawn_and_shown_in_tensorboard(folder, done):
    figures = folder / 'run' / 'figures'
    events = b''.join(p.read_bytes() for p in figures.parent.glob('events.*'))
    for name in (*_SHEETS, 'cluster.png'):
        assert f'run/figures/{name}' in done.out
        assert (figures / name).read_bytes() in events
        assert np.asarray(Image.open(figures / name).convert('L')).std() > 20


def test_without_labels_there_are_images_and_no_measures(tmp_path):
    np.savez(tmp_path / 'set.npz', x=np.random.RandomState(0).random_sample((90, 4, 4, 1)))
    words = ('--dataset=npz', '--data_dir=set.npz', '--units=3', '--epochs=1', '--batch_size=8')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    done = tfae_program.run('cluster', '--logdir=run', cwd=tmp_path)
    want = '--clusters is 0 and data set npz has no labels; it must be the number of clusters'
    assert done.refusal(2) == want
    words = ('--logdir=run', '--clusters=3', '--nobaselines', '--output=out')
    done = tfae_program.run('cluster', *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    names = {path.name for path in (tmp_path / 'out').iterdir() if path.name[0] != 'e'}
    assert names == {'cluster.json', 'cluster.npz', *_SHEETS}
    assert json.loads((tmp_path / 'out' / 'cluster.json').read_text())['clusters'] == 3


def test_one_training_image_is_not_clustered(tmp_path):
    images = np.random.RandomState(0).uniform(size=[2, 4, 4, 1]).astype(np.float32)
    np.savez(tmp_path / 'two.npz', images=images, labels=[0, 1])
    words = ('--dataset=npz', '--data_dir=two.npz', '--units=2', '--epochs=1', '--logdir=two')
    assert tfae_program.run('train', *words, cwd=tmp_path).code == 0
    done = tfae_program.run('cluster', '--logdir=two', cwd=tmp_path)
    assert 'the training split has 1 example; fitting clusters requires at least 2' in done.refusal(
        1
    )


@pytest.mark.parametrize(
    'words, want',
    [
        (('--clusters=500',), '--clusters is 500; there are only 1293 examples to fit and 360 to'),
        (('--clusters=10', '--examples=5'), '--clusters is 10; there are only 5 examples to fit'),
        (('--clusters=-1',), '--clusters is -1; it must lie in [0, 1000]'),
        (('--examples=1',), '--examples is 1; it must lie in [2, inf)'),
    ],
)
def test_what_cannot_be_clustered_is_refused(folder, words, want):
    done = tfae_program.run('cluster', '--logdir=run', *words, cwd=folder)
    assert done.refusal(2).startswith(want)
