"""`tfae morph`: directions of attributes, images moved along them, refusals."""

import json

import numpy as np
import pytest
import tfae_program
from PIL import Image

import tfae
from tfae import data
from tfae.commands import morph
from tfae.data import attributes


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('morph')
    for name, words in (
        ('run', ('--units=32,6', '--epochs=8')),
        ('classifier', ('--model=classifier', '--units=6', '--epochs=1')),
    ):
        done = tfae_program.run('train', *words, f'--logdir={name}', cwd=folder)
        assert done.code == 0, done.err
    labels = data.load(data.Config()).test.labels
    lines = [f'{i},{int(k in (0, 6, 8))},{k * 10}' for i, k in enumerate(labels)][:-5]
    (folder / 'table.csv').write_text('\n'.join(['index,loop,ten', *lines, '9999,1,3']) + '\n')
    return folder


def morphed(folder, *words):
    done = tfae_program.run('morph', '--logdir=run', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done.out


def test_directions_are_differences_of_mean_codes(folder):
    out = morphed(folder, '--attribute=class=0,class=1|7')
    with np.load(folder / 'run' / 'figures' / 'morph.npz') as file:
        directions = dict(file)
    assert list(directions) == ['class=0', 'class=1|7']
    test = data.load(data.Config()).test
    with tfae.open(folder / 'run') as run:
        codes = run.encode(test.images)
    for name, wanted in (('class=0', [0]), ('class=1|7', [1, 7])):
        having = np.isin(test.labels, wanted)
        want = codes[having].mean(0) - codes[~having].mean(0)
        np.testing.assert_allclose(directions[name], want, rtol=1e-4, atol=1e-5)
    found = json.loads((folder / 'run' / 'figures' / 'morph.json').read_text())
    row = found['directions'][0]
    assert (row['with'], row['with'] + row['without']) == (np.sum(test.labels == 0), len(codes))
    assert row['auroc'] > 0.9
    assert f'{row["auroc"]:.4f}' in out
    for word in ('class_0', 'class_1_7'):
        image = Image.open(folder / 'run' / 'figures' / f'morph_{word}.png')
        assert np.asarray(image).std() > 20


def test_a_table_is_matched_by_place_and_what_it_lacks_is_said(folder):
    words = ('--attributes=table.csv', '--attribute=loop,ten>45', '--output=table')
    out = morphed(folder, *words, '--classes=1,7', '--strengths=-1,0,2', '--film', '--steps=3')
    test = data.load(data.Config()).test
    count = len(test.labels)
    bare = f'rows for {count - 5:,} of {count:,} images, none for {count - 5}; '
    assert f'{bare}1 rows match no image of test, such as 9999' in out
    found = json.loads((folder / 'table' / 'morph.json').read_text())['directions']
    assert found[0]['with'] == np.sum(np.isin(test.labels[:-5], [0, 6, 8]))
    assert found[1]['with'] == np.sum(test.labels[:-5] > 4)
    assert Image.open(folder / 'table' / 'morph.gif').n_frames == 4
    assert (folder / 'table' / 'morph_ten_above_45.png').is_file()


def test_a_path_moves_images_by_the_differences_of_mean_codes(folder):
    words = ('--attributes=table.csv', '--path=loop,ten<50 -> loop,ten>50->ten=70', '--steps=4')
    out = morphed(folder, *words, '--scale=2', '--output=path')
    labels = data.load(data.Config()).test.labels[:-5]
    combinations = [np.isin(labels, wanted) for wanted in ([0], [6, 8], [7])]
    with tfae.open(folder / 'run') as run:
        images = data.load(data.Config()).test.images[:-5]
        codes = run.encode(images)
    means = np.stack([codes[having].mean(0) for having in combinations])
    with np.load(folder / 'path' / 'morph_path.npz') as file:
        np.testing.assert_allclose(file['moves'], 2 * (means - means[0]), rtol=1e-4, atol=1e-5)
    rows = json.loads((folder / 'path' / 'morph_path.json').read_text())['combinations']
    assert [row['images'] for row in rows] == [having.sum() for having in combinations]
    assert [row['combination'] for row in rows] == ['loop ten<50', 'loop ten>50', 'ten=70']
    assert rows[0]['length'] == 0
    length = 2 * np.linalg.norm(means[2] - means[1])
    np.testing.assert_allclose(rows[2]['length'], length, rtol=1e-4)
    assert Image.open(folder / 'path' / 'morph_path.gif').n_frames == 2 * (7 - 1)
    assert np.asarray(Image.open(folder / 'path' / 'morph_path.png')).std() > 20
    assert out.splitlines()[-4:] == [f'path/morph_path.{k}' for k in ('png', 'gif', 'npz', 'json')]


def test_an_attribute_of_one_image_is_judged_by_nothing(folder):
    (folder / 'one.csv').write_text('index,a\n0,1\n1,0\n2,0\n')
    words = ('--attributes=one.csv', '--attribute=a', '--indices=0', '--output=one')
    assert morphed(folder, *words).splitlines()[3].split()[-1] == 'nan'
    assert (
        json.loads((folder / 'one' / 'morph.json').read_text())['directions'][0]['auroc'] == 'NaN'
    )


def test_without_attributes_the_classes_are_taken(folder):
    morphed(folder, '--output=bare')
    rows = json.loads((folder / 'bare' / 'morph.json').read_text())['directions']
    assert [row['attribute'] for row in rows] == [f'class={k}' for k in range(10)]
    labels = data.load(data.Config()).test.labels
    assert [row['with'] for row in rows] == np.bincount(labels).tolist()


def test_classes_with_a_bar_in_their_names_are_taken_by_number():
    names = ('a', 'b|c', 'd')
    split = data.Split(np.zeros([6, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 2]))
    found = morph._classes(data.DataSet('x', split, split, split, names), split)
    assert found == ['class=a', 'class=1', 'class=d']
    table = attributes.of_classes(split, names)
    assert [table.having(word)[0].sum() for word in found] == [2, 3, 1]


def test_figures_of_attributes_of_like_names_stand_apart(folder):
    out = morphed(folder, '--attribute=class=1|7,class=1| 7 ,class=7|1', '--indices=0')
    assert out.count('.png') == 3


def test_a_image_file_is_morphed(folder):
    Image.new('L', (20, 20), 100).save(folder / 'gray.png')
    morphed(folder, '--attribute=class=3', '--images=gray.png', '--output=files')
    assert (folder / 'files' / 'morph_class_3.png').is_file()


@pytest.mark.parametrize(
    'words, code, text',
    [
        (('--attributes=table.csv',), 2, '--attribute is empty; it must name columns of'),
        (('--attribute=class=x',), 2, "that column has no 'x'; it holds 0, 1, 2"),
        (('--attribute=age',), 2, "--attribute is 'age'; it must be one of class"),
        (('--attribute=class=0', '--attributes=none.csv'), 1, 'none.csv does not exist'),
        (('--attribute=class=0', '--strengths='), 2, '--strengths is empty'),
        (('--attribute=class=0', '--strengths=nan'), 2, '--strengths is nan'),
        (('--attribute=class=0', '--steps=5'), 2, '--steps needs --film or --path'),
        (('--path=class=1',), 2, "--path is 'class=1'; it must hold two or more combinations"),
        (('--path=class=1->',), 2, 'it must hold two or more combinations'),
        (('--path=class=1->class=2', '--film'), 2, '--path and --film exclude each other'),
        (('--path=class=1->class=2,class=3',), 1, '--path: no image has class=2 class=3'),
        (('--path=class=1->klass=2',), 2, "--attribute is 'klass'; it must be one of class"),
        (('--attribute=class=0', '--film', '--indices=3'), 2, '--film needs at least two'),
        (('--attribute=ten>500', '--attributes=table.csv'), 1, 'no image has it'),
        (('--attribute=class=0', '--indices=1', '--classes=2'), 2, 'exclude each other'),
        (('--attribute=class=0', '--images=table.csv'), 1, 'table.csv is not an image'),
        (
            ('--attribute=class=0', '--logdir=classifier'),
            1,
            'classifier, has no decoder; it must be a run of convolutional, custom, dense or var',
        ),
    ],
)
def test_wrong_flags_are_refused_in_one_line(folder, words, code, text):
    done = tfae_program.run('morph', '--logdir=run', *words, cwd=folder)
    assert done.code == code, done
    assert done.err.startswith('tfae: error: ') and done.err.count('\n') == 1, done
    assert text in done.err
