"""`tfae embed`: codes as .npz and for TensorBoard's projector."""

import numpy as np
import pytest
import tfae_program

from tfae import data


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('embed')
    words = ('train', '--units=8,4', '--epochs=1', '--activation=tanh', '--logdir=run')
    assert tfae_program.run(*words, cwd=folder).code == 0
    return folder / 'run'


@pytest.mark.parametrize('split', ['train', 'validation', 'test'])
def test_codes_are_those_of_the_encoder(run, split):
    done = tfae_program.run('embed', '--logdir=run', f'--split={split}', cwd=run.parent)
    assert (done.code, done.err) == (0, '')
    part = getattr(data.load(data.Config()), split)
    with np.load(run / f'codes_{split}.npz', allow_pickle=False) as file:
        codes, labels = file['codes'], file['labels']
    weights = tfae_program.checkpoint(run / 'best')
    x = part.images.reshape(-1, 64)
    for i, activation in ((1, np.tanh), (2, np.asarray)):
        name = f'encoder/layer_{i}'
        x = activation(x @ weights[f'{name}/kernel'] + weights[f'{name}/bias'])
    np.testing.assert_allclose(codes, x, rtol=1e-4, atol=1e-5)
    assert np.array_equal(labels, part.labels)
    shown = np.loadtxt(run / 'projector' / 'codes.tsv', delimiter='\t')
    np.testing.assert_allclose(shown, codes[: len(shown)], rtol=1e-4)
    assert len(shown) == len(codes)
    text = (run / 'projector' / 'labels.tsv').read_text()
    assert text.split() == [str(label) for label in part.labels]


def test_codes_go_where_they_are_sent(run):
    argv = ('embed', '--logdir=run', '--output=deep/er/codes.npz')
    assert tfae_program.run(*argv, cwd=run.parent).code == 0
    assert (run.parent / 'deep' / 'er' / 'codes.npz').is_file()


def test_without_labels_there_are_none(tmp_path):
    np.savez(tmp_path / 'set.npz', x=np.random.RandomState(0).random_sample((50, 4, 4, 2)))
    words = ('--dataset=npz', '--data_dir=set.npz', '--units=3', '--epochs=1', '--batch_size=8')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    assert tfae_program.run('embed', '--logdir=run', cwd=tmp_path).code == 0
    with np.load(tmp_path / 'run' / 'codes_test.npz', allow_pickle=False) as file:
        assert file.files == ['codes']
        assert file['codes'].shape == (10, 3)
    names = {path.name for path in (tmp_path / 'run' / 'projector').iterdir()}
    assert names == {'codes.tsv'}  # two channels make no thumbnail


def test_the_projector_shows_the_names_of_classes(tmp_path):
    words = ('--dataset=synthetic', '--synthetic_examples=20', '--batch_size=4', '--logdir=run')
    assert tfae_program.run('train', '--units=4', '--epochs=1', *words, cwd=tmp_path).code == 0
    path = tmp_path / 'run' / 'projector' / 'labels.tsv'
    assert set(path.read_text().split()) <= {'rows', 'columns'}
    written = path.read_bytes()
    path.unlink()
    assert tfae_program.run('embed', '--logdir=run', cwd=tmp_path).code == 0
    assert path.read_bytes() == written
