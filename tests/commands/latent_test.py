"""`tfae latent`: codes as points, and images decoded over the latent plane."""

import io
import sys

import numpy as np
import pytest
import tfae_program
from PIL import Image

from tfae.commands import latent


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('latent')
    for size in (1, 2, 4):
        words = ('train', f'--units=8,{size}', '--epochs=1', f'--logdir={size}')
        assert tfae_program.run(*words, cwd=folder).code == 0
    return folder


@pytest.mark.parametrize(
    'words', [('--logdir=2',), ('--logdir=4',), ('--logdir=4', '--method=tsne')]
)
def test_points_and_images_are_drawn(folder, words):
    done = tfae_program.run('latent', *words, '--count=200', '--side=6', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    figures = folder / words[0][-1] / 'figures'
    paths = [folder / line for line in done.out.splitlines()[1:]]
    assert paths == [figures / 'latent_points.png', figures / 'latent_grid.png']
    points = np.asarray(Image.open(paths[0]).convert('RGB')).reshape(-1, 3)
    assert len(np.unique(points, axis=0)) > 50  # a color for each class
    assert np.asarray(Image.open(paths[1]).convert('L')).std() > 20


def test_traversals_are_drawn_there_and_back(folder):
    words = ('--logdir=4', '--count=200', '--side=6', '--traverse=3', '--output=traversed')
    done = tfae_program.run('latent', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    paths = [folder / line for line in done.out.splitlines()[1:]]
    assert [path.name for path in paths[2:]] == ['latent_traversal.gif', 'latent_traversal.png']
    film = Image.open(paths[2])
    assert film.n_frames == 10  # the ends once each
    width = 3 * (17 * 8 + 4)  # three dimensions
    assert film.size[0] == width
    frames = []
    for i in range(10):
        film.seek(i)
        frames.append(np.asarray(film.convert('L'), int))
    assert np.abs(frames[0] - frames[5]).max() > 20
    np.testing.assert_allclose(frames[1], frames[9], atol=3)


def test_traversals_need_a_decoder(folder):
    words = ('train', '--model=classifier', '--units=3', '--epochs=1', '--logdir=c')
    assert tfae_program.run(*words, cwd=folder).code == 0
    done = tfae_program.run('latent', '--logdir=c', '--traverse=1', cwd=folder)
    assert done.refusal(1).startswith('c, a run of the family classifier, has no decoder')


def test_a_code_of_one_number_has_no_plane(folder):
    done = tfae_program.run('latent', '--logdir=1', cwd=folder)
    assert done.refusal(1) == '1 has one latent dimension; a latent plane needs two'


def test_progress_is_shown_on_a_terminal(folder, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', stream)
    assert latent.main([f'--logdir={folder / "4"}', '--count=20', '--side=2']) == 0
    assert '0/3 ' in stream.getvalue() and 'stages' in stream.getvalue()
