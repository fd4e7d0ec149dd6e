"""`tfae explain` of a published network: its maps are those of the analysis, computed directly."""

import json

import narrow_network
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program
from PIL import Image

from tfae import data
from tfae.analysis import gradcam
from tfae.pretrained import imagenet
from tfae.pretrained.classifier import open_reference

NETWORK = (*narrow_network.WORDS, '--weights=a.npz', '--preprocessing=rgb')
IMAGES = '--images=wide.png,high.jpg'
ASCENT = '--method=activation_maximization'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('explain_network')
    np.savez(folder / 'a.npz', **narrow_network.arrays())
    random = np.random.RandomState(0)
    for name, shape in (('wide.png', [240, 400, 3]), ('high.jpg', [300, 230, 3])):
        small = Image.fromarray(random.randint(0, 256, [5, 7, 3], np.uint8))
        small.resize(shape[1::-1]).save(folder / name)
    (folder / 'names.txt').write_text('ant\nbee\ncow\ndog\nemu\n')
    return folder


@pytest.fixture(scope='module')
def cut(folder):
    """The images as the network sees them, `[2, 224, 224, 3]` in [0, 1]."""
    images = [Image.open(folder / name) for name in ('wide.png', 'high.jpg')]
    return data.pixels(np.stack([imagenet.cut(image, 224, 224) for image in images]))


def opened(folder):
    return open_reference(
        narrow_network.NAME,
        str(folder / 'a.npz'),
        preprocessing='rgb',
        classes=narrow_network.CLASSES,
        width=narrow_network.WIDTH,
    )


def explained(folder, *words):
    """Of the files that were written, the JSON and the arrays."""
    done = tfae_program.run('explain', *NETWORK, *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    png, npz, found = done.out.splitlines()[-3:]
    assert np.asarray(Image.open(folder / png).convert('L')).std() > 10
    return json.loads((folder / found).read_text()), dict(np.load(folder / npz))


def test_gradcam_is_that_of_the_analysis_on_the_images_that_classify_cuts(folder, cut):
    found, arrays = explained(folder, IMAGES, '--class_names=names.txt', '--layer=conv4_2')
    np.testing.assert_array_equal(arrays['images'], cut)
    with opened(folder) as network, network.graph.as_default():
        logits = network.outputs.class_logits
        score = tf.reduce_max(logits, 1)
        heat = gradcam.build(score, network.outputs.end_points['conv4_2']).heat
        want = gradcam.upsample(heat, 224, 224)
        values, want = network.session.run([logits, want], {network.images: cut})
    assert want.max() > 0
    np.testing.assert_allclose(arrays['maps'], want, rtol=1e-4, atol=1e-5 * want.max())
    names = ['ant', 'bee', 'cow', 'dog', 'emu']
    assert [row['unit'] for row in found['rows']] == [names[k] for k in values.argmax(1)]
    assert [row['value'] for row in found['rows']] == pytest.approx(values.max(1), rel=1e-4)
    assert [row['image'] for row in found['rows']] == ['wide.png', 'high.jpg']
    assert (found['tensor'], found['layer']) == ('fc8/output', 'conv4_2/output')
    assert (found['model'], found['weights']) == ('vgg11', 'a.npz')


def test_files_go_into_figures_of_the_network_and_none_to_tensorboard(folder):
    explained(folder, '--method=saliency', '--images=wide.png', '--tensor=conv2_1', '--unit=3')
    names = {path.name for path in (folder / 'figures' / 'vgg11').glob('explain_saliency_*')}
    assert names == {f'explain_saliency_conv2_1_output.{kind}' for kind in ('png', 'npz', 'json')}
    assert not list(folder.rglob('events.*'))


def test_integrated_gradients_sum_to_the_difference_from_the_base(folder, cut):
    words = ('--method=integrated_gradients', '--baseline=gray', '--unit=2', '--output=elsewhere')
    found, arrays = explained(folder, *words, IMAGES, '--steps=100')
    with opened(folder) as network:
        ends = [
            network.fetch('fc8', images)[:, 2] for images in (cut, np.full([1, 224, 224, 3], 0.5))
        ]
    difference = ends[0] - ends[1]
    assert np.abs(difference).min() > 0.1
    assert [row['difference'] for row in found['rows']] == pytest.approx(difference, rel=1e-3)
    np.testing.assert_allclose(arrays['maps'].sum((1, 2)), difference, rtol=0.05)


def test_ascent_raises_the_class_in_a_image_of_the_network_s_size(folder):
    words = (ASCENT, '--unit=3', '--steps=12')
    found, arrays = explained(folder, *words)
    (row,) = found['rows']
    assert arrays['images'].shape == (1, 224, 224, 3)
    with opened(folder) as network:
        value = network.fetch('fc8', arrays['images'])[0, 3]
    assert row['end'] == pytest.approx(value, rel=1e-3)
    assert row['end'] > row['start'] + 1


def test_list_prints_every_layer_without_images(folder):
    done = tfae_program.run('explain', *NETWORK, '--list', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    shapes = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert shapes['conv1_1/output'] == '224 x 224 x 4'
    assert shapes['pool5/output'] == '7 x 7 x 32'
    assert shapes['fc8/output'] == '5'


@pytest.mark.parametrize(
    'words, code, want',
    [
        ((), 2, 'tfae explain needs either --logdir or --model with --weights'),
        ((*NETWORK, '--logdir=x', IMAGES), 2, 'tfae explain needs either --logdir or --model'),
        (('--model=vgg11', IMAGES), 2, '--model=vgg11 needs --weights=FILE'),
        (NETWORK, 2, '--model=vgg11 needs --images=FILE,...'),
        ((*NETWORK, ASCENT, IMAGES), 2, '--images needs --method=auto, gradcam, saliency or integ'),
        ((*NETWORK, IMAGES, '--classes=1'), 2, '--classes needs --logdir'),
        ((*NETWORK, IMAGES, '--indices=1'), 2, '--indices needs --logdir'),
        ((*NETWORK, IMAGES, '--split=train'), 2, '--split needs --logdir'),
        ((*NETWORK, IMAGES, '--data_dir=x'), 2, '--data_dir needs --logdir'),
        ((*NETWORK, IMAGES, '--checkpoint=last'), 2, '--checkpoint needs --logdir'),
        (('--logdir=x', '--weights=a.npz'), 2, '--weights needs --model'),
        (('--logdir=x', '--preprocessing=rgb'), 2, '--preprocessing needs --model'),
        (('--logdir=x', '--width=0.5'), 2, '--width needs --model'),
        (('--logdir=x', '--class_names=names.txt'), 2, '--class_names needs --model'),
        ((*NETWORK, IMAGES, '--tensor=conv9'), 2, "--tensor is 'conv9'; it must be a tensor"),
        ((*NETWORK, IMAGES, '--layer=fc6'), 2, '--layer inference/fc6/output has shape (None, 2'),
        ((*NETWORK, IMAGES, '--unit=5'), 2, '--unit is 5; it must lie in [0, 4]'),
        ((*NETWORK, ASCENT, '--tensor=fc6/output'), 2, 'inference/fc6/BiasAdd has 256 units; a s'),
        ((*NETWORK, '--images=a.npz'), 1, 'a.npz is not an image'),
        ((*NETWORK, IMAGES, '--class_names=none'), 1, '--class_names none cannot be read (File'),
    ],
)
def test_what_cannot_be_explained_is_refused(folder, words, code, want):
    before = tfae_program.contents(folder)
    done = tfae_program.run('explain', *words, cwd=folder)
    assert done.refusal(code).startswith(want)
    assert tfae_program.contents(folder) == before
