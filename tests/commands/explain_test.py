"""`tfae explain`: heat maps over images, images made by ascent, and what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program
from PIL import Image

from tfae.commands import explain
from tfae.commands.shared import attributions

LAYERS = ('--filters=4', '--pooling=max')
SETS = {
    'classifier': ('--model=classifier', *LAYERS, '--units=6'),
    'color': (
        *('--model=convolutional', '--dataset=synthetic', '--synthetic_shape=12x10x3'),
        *('--filters=4,3', '--pooling=max,none', '--units='),
    ),
    'dense': ('--dataset=synthetic', '--synthetic_shape=6x6x2', '--units=8,4'),
}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('explain')
    for name, words in SETS.items():
        made = tfae_program.run('train', *words, '--epochs=1', f'--logdir={name}', cwd=folder)
        assert made.code == 0, made
    colors = np.random.RandomState(0).randint(0, 256, [40, 30, 3], np.uint8)
    Image.fromarray(colors).save(folder / 'image.png')
    return folder


def explained(runs, name, *words):
    """The lines that were printed and, of the files, the JSON and the arrays."""
    done = tfae_program.run('explain', f'--logdir={name}', *words, cwd=runs)
    assert (done.code, done.err) == (0, ''), done
    *lines, png, npz, found = done.out.splitlines()
    assert [path.rpartition('.')[2] for path in (png, npz, found)] == ['png', 'npz', 'json']
    assert np.asarray(Image.open(runs / png).convert('L')).std() > 10
    return lines[1:], json.loads((runs / found).read_text()), dict(np.load(runs / npz))


def test_list_prints_the_tensors_that_may_be_named(runs):
    done = tfae_program.run('explain', '--logdir=classifier', '--list', cwd=runs)
    shapes = dict(line.split(maxsplit=1) for line in done.out.splitlines()[1:])
    assert shapes['encoder/layer_1/Conv2D'] == '8 x 8 x 4'
    assert shapes['code'] == '6'
    assert shapes['class_logits'] == '10'
    assert not any(name.startswith(('training', 'measures')) for name in shapes)


@pytest.mark.parametrize('method', ['gradcam', 'saliency', 'integrated_gradients'])
def test_an_image_of_each_class_is_explained_for_its_largest_logit(runs, method):
    lines, found, arrays = explained(runs, 'classifier', f'--method={method}')
    assert len(lines) == 11
    assert (found['tensor'], found['shape'], len(found['rows'])) == ('class_logits', [10], 10)
    assert [row['class'] for row in found['rows']] == [str(k) for k in range(10)]
    assert [row['predicted'] for row in found['rows']] == [row['unit'] for row in found['rows']]
    assert arrays['maps'].shape == (10, 8, 8)
    peaks = np.abs(arrays['maps']).max((1, 2))
    for row, heat, peak in zip(found['rows'], arrays['maps'], peaks, strict=True):
        if method == 'integrated_gradients':
            assert row['sum'] == pytest.approx(heat.sum(), rel=1e-4)
            assert row['sum'] == pytest.approx(row['difference'], rel=0.05, abs=0.05)
        else:
            assert row['peak'] == pytest.approx(peak)
    assert peaks.any()


def test_a_misclassified_image_is_marked():
    row = {'image': 'test 3', 'class': '8', 'predicted': '8', 'unit': '3'}
    for predicted, want in (('8', ('8', False)), ('3', ('8\npredicted 3', True))):
        cell = attributions._original(np.zeros([8, 8]), row | {'predicted': predicted})
        assert (cell.caption, cell.wrong) == want


@pytest.mark.parametrize('side, method', [(4, 'gradcam'), (8, 'saliency')])
def test_auto_needs_maps_of_more_than_a_place(side, method):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 8, 8, 1])
        maps = tf.nn.conv2d(images, tf.zeros([side, side, 1, 3]), 4, 'VALID')
        target = SimpleNamespace(images=images, tensor=tf.reduce_sum(maps, [1, 2]))
        assert explain._method(explain.Config(logdir='run'), target) == method


def test_two_units_of_the_same_images_are_next_to_each_other(runs):
    words = ('--method=saliency', '--indices=3,5')
    _, found, both = explained(runs, 'classifier', *words, '--unit=7,2', '--output=both')
    assert [(row['image'], row['unit']) for row in found['rows']] == [
        *(('test 3', '7'), ('test 3', '2'), ('test 5', '7'), ('test 5', '2')),
    ]
    assert both['units'].tolist() == [7, 2, 7, 2]
    for k, unit in enumerate((7, 2)):
        _, _, alone = explained(runs, 'classifier', *words, f'--unit={unit}', '--output=alone')
        # A batch of another size is summed in another order on some processors.
        np.testing.assert_allclose(both['maps'][k::2], alone['maps'], rtol=1e-5, atol=1e-7)
        assert np.array_equal(both['images'][k::2], alone['images'])


def test_one_image_gives_a_sheet_of_all_units(runs):
    words = ('--method=saliency', '--unit=all', '--tensor=code', '--indices=3')
    _, found, arrays = explained(runs, 'classifier', *words)
    assert [row['unit'] for row in found['rows']] == [f'unit {k}' for k in range(6)]
    assert {row['image'] for row in found['rows']} == {'test 3'}
    assert (arrays['images'] == arrays['images'][0]).all()
    assert np.ptp(arrays['maps'], axis=0).any()


def test_maps_are_those_of_the_run_s_own_graph(runs):
    """Saliency by finite differences of what the run gives."""
    from tfae.runs.saved_run import open_run

    words = ('--method=saliency', '--unit=7', '--indices=3,5')
    _, found, arrays = explained(runs, 'classifier', *words)
    with open_run(runs / 'classifier') as run:
        logits = run.built.inference.outputs.class_logits
        images = arrays['images']
        values = run.fetch(logits, images)[:, 7]
        np.testing.assert_allclose([row['value'] for row in found['rows']], values, rtol=1e-5)
        row, column = np.unravel_index(arrays['maps'][0].argmax(), [8, 8])
        moved = np.repeat(images[:1], 2, 0)
        moved[:, row, column] = np.clip(moved[:, row, column] + [[1e-2], [-1e-2]], 0, 1)
        up, down = run.fetch(logits, moved)[:, 7]
        step = np.ptp(moved[:, row, column])
    assert abs(up - down) / step == pytest.approx(arrays['maps'][0].max(), rel=0.05)


def test_each_class_gets_an_image_whose_logit_the_ascent_raised(runs):
    words = ('--method=activation_maximization', '--steps=40', '--seed=3')
    lines, found, arrays = explained(runs, 'classifier', *words)
    assert len(lines) == 11
    assert all(row['end'] > row['start'] for row in found['rows'])
    assert arrays['images'].shape == (10, 8, 8, 1)
    assert (found['seed'], found['steps'], found['jitter']) == (3, 40, 2)
    _, one, alone = explained(runs, 'classifier', *words, '--unit=4', '--output=alone')
    assert one['rows'][0]['end'] == pytest.approx(found['rows'][4]['end'], rel=1e-3)
    np.testing.assert_allclose(alone['images'][0], arrays['images'][4], atol=1e-3)


def test_color_images_are_made_and_explained(runs):
    words = ('--method=activation_maximization', '--steps=5', '--tensor=encoder/layer_1/Relu')
    _, found, arrays = explained(runs, 'color', *words)
    assert found['tensor'] == 'encoder/layer_1/BiasAdd'
    assert arrays['images'].shape == (4, 12, 10, 3)
    _, found, arrays = explained(runs, 'color', '--images=image.png')
    assert (found['layer'], found['rows'][0]['image']) == (
        'encoder/layer_2/Identity',
        'image.png',
    )
    assert arrays['images'].shape == (1, 12, 10, 3)


def test_a_pixel_of_the_decoder_is_a_unit(runs):
    words = ('--tensor=reconstruction', '--place=6,5', '--unit=2', '--indices=0')
    _, found, arrays = explained(runs, 'color', '--method=integrated_gradients', *words)
    assert (found['shape'], found['place']) == ([12, 10, 3], [6, 5])
    far = np.abs(arrays['maps'][0, 0]).max()
    assert np.abs(arrays['maps'][0, 4:9, 3:8]).max() > far


def test_tensorboard_shows_the_figure_and_forgets_nothing(runs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for method in ('saliency', 'integrated_gradients'):
        explained(runs, 'dense', f'--method={method}', '--indices=0')
    events = EventAccumulator(str(runs / 'dense'), {'images': 0}).Reload()
    tags = {'explain_saliency_code', 'explain_integrated_gradients_code'}
    assert set(events.Tags()['images']) == tags
    for tag in tags:
        (shown,) = events.Images(tag)
        path = runs / 'dense' / 'figures' / f'{tag}.png'
        assert shown.encoded_image_string == path.read_bytes()
        assert (shown.width, shown.height) == Image.open(path).size


ASCENT = '--method=activation_maximization'


@pytest.mark.parametrize(
    'run, words, code, want',
    [
        ('classifier', ('--tensor=cod',), 2, "--tensor is 'cod'; it must be a tensor computed"),
        ('classifier', ('--unit=10',), 2, '--unit is 10; it must lie in [0, 9]'),
        ('classifier', ('--unit=x',), 2, "--unit is 'x'; it must be an integer or one of all"),
        ('classifier', ('--unit=3,all',), 2, '--unit is 3,all; all and top cannot be combined'),
        ('classifier', ('--unit=all', '--indices=0,1'), 2, '--unit=all takes one image; 2 were'),
        ('classifier', ('--layer=code',), 2, '--layer inference/code has shape (None, 6); it must'),
        ('classifier', ('--indices=0', '--classes=1'), 2, '--classes and --indices exclude each'),
        (
            'classifier',
            ('--place=1,2',),
            2,
            '--place is 1,2; it must lie in inference/class_logits',
        ),
        (
            'classifier',
            ('--method=saliency', '--layer=x'),
            2,
            '--layer needs --method=auto or grad',
        ),
        ('classifier', ('--baseline=gray',), 2, '--baseline needs --method=integrated_gradients'),
        ('classifier', ('--jitter=1',), 2, f'--jitter needs {ASCENT}'),
        ('classifier', ('--steps=9',), 2, '--steps needs --method=integrated_gradients or act'),
        (
            'classifier',
            (ASCENT, '--indices=0'),
            2,
            '--indices needs --method=auto, gradcam, saliency or int',
        ),
        ('classifier', (ASCENT, '--unit=top'), 2, '--unit=top needs a method that explains im'),
        ('classifier', (ASCENT, '--jitter=4'), 2, '--jitter is 4; it must lie in [0, 3]'),
        (
            'dense',
            ('--method=gradcam',),
            1,
            '--method=gradcam needs feature maps, and code is computed without a',
        ),
        ('dense', ('--images=image.png',), 1, 'image.png: the run takes images of 2 chan'),
        ('color', ('--images=color/config.json',), 1, 'color/config.json is not an image'),
        ('color', ('--images=none.png',), 1, 'none.png cannot be read: No such file'),
    ],
)
def test_what_cannot_be_explained_is_refused(runs, run, words, code, want):
    before = tfae_program.contents(runs / run)
    done = tfae_program.run('explain', f'--logdir={run}', *words, cwd=runs)
    assert done.refusal(code).startswith(want)
    assert tfae_program.contents(runs / run) == before


def test_a_wrong_tensor_is_answered_with_those_like_it(runs):
    done = tfae_program.run('explain', '--logdir=classifier', '--tensor=layer_1', cwd=runs)
    line = done.refusal(2)
    assert 'did you mean' in line and 'encoder/layer_1/Relu' in line, line
