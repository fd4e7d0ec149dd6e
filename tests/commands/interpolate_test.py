"""`tfae interpolate`: strips, squares and films between images."""

import re

import numpy as np
import pytest
import tfae_program
from PIL import Image

from tfae.commands import interpolate


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('interpolate')
    words = ('train', '--units=8,4', '--epochs=1', '--logdir=run')
    assert tfae_program.run(*words, cwd=folder).code == 0
    return folder / 'run'


def made(run, *words):
    done = tfae_program.run('interpolate', '--logdir=run', *words, cwd=run.parent)
    assert (done.code, done.err) == (0, ''), done
    lines = done.out.splitlines()[1:]
    return [run.parent / line for line in lines if ' ' not in line]


def test_without_names_the_first_images_of_four_classes_are_taken(run):
    bare = made(run, '--steps=3', '--output=bare')
    named = made(run, '--classes=0,1,2,3', '--steps=3', '--output=named')
    assert [path.name for path in bare] == [path.name for path in named]
    assert [path.read_bytes() for path in bare] == [path.read_bytes() for path in named]


def test_two_images_give_a_strip_and_a_looped_film(run):
    paths = made(run, '--indices=0,1', '--steps=5')
    figures = run / 'figures'
    assert paths == [figures / 'interpolation.png', figures / 'interpolation.gif']
    film = Image.open(paths[1])
    assert film.n_frames == 8  # there and back, the ends once each
    assert film.info['loop'] == 0
    assert np.asarray(Image.open(paths[0]).convert('L')).std() > 20


def test_four_classes_give_a_square_too(run):
    paths = made(run, '--classes=7,2,3,0', '--steps=3', '--output=elsewhere')
    names = ['interpolation.png', 'interpolation.gif', 'interpolation_square.png']
    assert paths == [run.parent / 'elsewhere' / name for name in names]


def test_constant_speed_evens_the_steps_of_every_path(run):
    line = ('interpolate', '--logdir=run', '--classes=7,2,3,0', '--steps=9', '--output=even')
    plain = tfae_program.run(*line, cwd=run.parent).out
    done = tfae_program.run(*line, '--constant_speed', cwd=run.parent)
    assert (done.code, done.err) == (0, ''), done
    rows = re.findall(r'^(\S.*?) +path length (\S+)  variation (\S+)$', done.out, re.M)
    found = {name: (float(length), float(variation)) for name, length, variation in rows}
    assert len(found) == 6
    for name in ('dense linear', 'dense spherical', 'PCA linear'):
        before, after = found[name], found[f'{name}, constant speed']
        assert f'{name:36} path length {before[0]:.4g}' in plain
        assert after[1] < before[1] / 2 + 0.02, name
        assert after[0] < before[0] * 1.001
    assert 'constant speed' not in plain


@pytest.mark.parametrize(
    'words, code, want',
    [
        (('--indices=3',), 2, '--classes or --indices must select at least two images'),
        (('--indices=0,1', '--classes=1,2'), 2, '--classes and --indices exclude each other'),
        (('--indices=0,360',), 2, '--indices is 360; it must lie in [0, 359]'),
        (('--classes=7,x',), 2, "--classes is 'x'; it must be one of 0, 1, 2"),
        (('--indices=0,1', '--steps=1'), 2, '--steps is 1; it must lie in [2, 100]'),
    ],
)
def test_what_cannot_be_drawn_is_refused(run, words, code, want):
    before = tfae_program.contents(run)
    done = tfae_program.run('interpolate', '--logdir=run', *words, cwd=run.parent)
    assert done.refusal(code).startswith(want)
    assert tfae_program.contents(run) == before


def test_a_strip_has_a_block_for_each_pair_with_the_originals_at_its_ends():
    images = np.arange(3.0).reshape(3, 1, 1, 1)
    strip = np.arange(7.0).reshape(7, 1, 1, 1)
    first, second = interpolate._blocks(images, {'dense': strip}, 4)
    np.testing.assert_array_equal(first['original'].ravel(), [0, np.nan, np.nan, 1])
    np.testing.assert_array_equal(second['original'].ravel(), [1, np.nan, np.nan, 2])
    np.testing.assert_array_equal(first['dense'].ravel(), [0, 1, 2, 3])
    np.testing.assert_array_equal(second['dense'].ravel(), [3, 4, 5, 6])


def test_rows_of_a_table_have_paths_and_traversals_too(tmp_path):
    rows = np.random.RandomState(0).normal(size=[80, 5]).astype(np.float32) * 10
    np.savez(tmp_path / 'rows.npz', x_train=rows[:60], x_test=rows[60:])
    words = ('--dataset=npz', '--data_dir=rows.npz', '--normalize=standard', '--units=8,3')
    line = ('train', *words, '--epochs=2', '--logdir=run')
    assert tfae_program.run(*line, cwd=tmp_path).code == 0
    words = ('--logdir=run', '--indices=0,1,2', '--constant_speed')
    done = tfae_program.run('interpolate', *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    variations = re.findall(
        r'^(?:dense|PCA) .*, constant speed .* variation (\S+)$', done.out, re.M
    )
    assert len(variations) == 3 and max(map(float, variations)) < 0.05
    done = tfae_program.run('latent', '--logdir=run', '--traverse=2', cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    assert done.out.splitlines()[-1] == 'run/figures/latent_traversal.png'
