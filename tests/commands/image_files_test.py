"""Commands that take image files give them the pixels that they have in the training set."""

import json

import image_kinds
import numpy as np
import pytest
import tfae_program
from PIL import Image

import tfae
from tfae import data
from tfae.analysis import anomaly
from tfae.commands.shared import chosen_images, command_flags

# The center of 12 x 12 is dark or bright; around it lies the opposite, and 16 bits are never white.
FLAGS = ('--dataset=images', '--data_dir=set', '--crop=12', '--size=8', '--color=gray')
LEVELS = {'bright': 0xB000, 'dark': 0x2000}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A set, a classifier of it and an autoencoder with a detector."""
    folder = tmp_path_factory.mktemp('image_files')
    random = np.random.RandomState(0)
    for name, level in LEVELS.items():
        (folder / 'set' / name).mkdir(parents=True)
        for i in range(40):
            height, width = random.randint(16, 40, 2)
            image = random.randint(0, 0x2000, [height, width]) + 0xD000 - level
            top, left = (height - 12) // 2, (width - 12) // 2
            image[top : top + 12, left : left + 12] += 2 * level - 0xD000
            write(folder / 'set' / name / f'{i}', image.astype(np.uint16), i)
    common = (*FLAGS, '--validation_fraction=0.2', '--learning_rate=0.01', '--batch_size=10')
    for words in (
        ('--model=classifier', '--units=8', '--epochs=20', '--logdir=classifier'),
        ('--units=8,4', '--epochs=4', '--logdir=dense'),
    ):
        done = tfae_program.run('train', *common, *words, cwd=folder)
        assert done.code == 0, done
    done = tfae_program.run('anomaly', '--logdir=dense', '--nobaselines', cwd=folder)
    assert done.code == 0, done
    return folder


def write(path, image, i):
    """Four forms in turn: PNG of 16 bits, PNG and JPEG of colors, JPEG that lies on its side."""
    if i % 4 == 0:
        Image.fromarray(image).save(f'{path}.png')
        return
    gray = (image >> 8).astype(np.uint8)
    # What is lost to 0 and 255 makes luma of YCbCr another than that of RGB.
    colors = np.stack([gray, np.clip(gray * 1.4, 0, 255).astype(np.uint8), gray // 3], -1)
    if i % 4 == 1:
        Image.fromarray(colors).save(f'{path}.png')
    elif i % 4 == 2:
        Image.fromarray(colors).save(f'{path}.jpg', quality=70)
    else:
        turned = np.ascontiguousarray(np.rot90(colors))
        Image.fromarray(turned).save(f'{path}.jpg', **image_kinds.oriented(6))


@pytest.fixture
def there(folder, monkeypatch):
    """Each run with its test images, and the paths of their files."""
    monkeypatch.chdir(folder)

    def opened(name):
        run = tfae.open(folder / name)
        with pytest.warns(UserWarning, match='16 bits per channel'):
            loaded, part = command_flags.LookAtData(logdir=name).load(run)
        return run, loaded, part, [f'set/{found}' for found in part.images.names]

    return opened


def test_files_have_the_pixels_of_the_set(there):
    run, loaded, part, paths = there('classifier')
    with run, pytest.warns(UserWarning, match='16 bits per channel'):
        assert np.array_equal(chosen_images.read(run, paths), data.pixels(part.images)[:])
    assert len({path.rpartition('.')[2] for path in paths}) == 2


def test_a_classifier_of_cropped_images_is_right_on_their_files(folder, there):
    run, loaded, part, paths = there('classifier')
    with run:
        outputs = run.built.inference.outputs
        rows = run.fetch(outputs.probabilities, part.images)
    done = tfae_program.run('classify', '--logdir=classifier', '--top=2', *paths, cwd=folder)
    assert done.code == 0, done
    deep = [path for path in paths if Image.open(folder / path).mode.startswith('I')]
    remark = 'has 16 bits per channel, of which the upper 8 are used'
    assert done.err.splitlines() == [f'tfae: warning: {path} {remark}' for path in deep] != []
    lines = done.out.splitlines()[1:]  # the first is of the checkpoint
    for path, label, row, said in zip(paths, part.labels, rows, lines[1::3], strict=True):
        probability, number, name = said.split()
        assert name == loaded.class_names[label] == path.split('/')[1]
        assert probability == f'{row[int(number)]:.4f}'
    assert set(part.labels) == {0, 1}


def test_scores_of_files_are_those_of_the_set_and_of_its_threshold(folder, there):
    run, _, part, paths = there('dense')
    detector = anomaly.load(folder / 'dense' / 'anomaly.npz')
    images = data.pixels(part.images)[:]
    with run:
        scores = detector.scores(images, run.encode(images), run.reconstruct(images))
    flags = ('--logdir=dense', f'--images={",".join(paths)}')
    done = tfae_program.run('anomaly', *flags, cwd=folder)
    assert done.code == 0 and '16 bits per channel' in done.err, done
    found = json.loads((folder / 'dense' / 'figures' / 'anomaly_images.json').read_text())
    assert [row['score'] for row in found['images']] == scores.tolist()
    anomalous = [row['verdict'] == 'anomalous' for row in found['images']]
    assert anomalous == (scores > detector.threshold).tolist()


def test_explain_and_morph_look_at_the_pixels_of_the_set(folder, there):
    run, _, part, paths = there('dense')
    chosen = [0, 3, 5]
    files = f'--images={",".join(paths[i] for i in chosen)}'
    places = f'--indices={",".join(map(str, chosen))}'
    for name, words, kind in (
        ('explain', ('--method=saliency', '--unit=1'), 'npz'),
        ('morph', ('--attribute=class=dark',), 'png'),
    ):
        made = []
        for which in (files, places):
            flags = (*words, '--logdir=dense', f'--output={name}')
            done = tfae_program.run(name, *flags, which, cwd=folder)
            assert done.code == 0, done
            (path,) = [p for p in (folder / name).glob(f'*.{kind}') if 'morph.' not in p.name]
            made.append(path.read_bytes() if kind == 'png' else arrays(path))
        assert made[0] == made[1]


def arrays(path):
    with np.load(path) as file:
        return {key: file[key].tobytes() for key in file.files if file[key].dtype.kind == 'f'}


def test_a_saved_model_reads_the_files_as_the_run_does(folder, there):
    import tensorflow.compat.v1 as tf

    run, _, part, paths = there('dense')
    with run:
        want = run.reconstruct(part.images[:])
    done = tfae_program.run('export', '--logdir=dense', '--output=served', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    contents = [(folder / path).read_bytes() for path in paths]
    with tf.Graph().as_default(), tf.Session() as session:
        signatures = tf.saved_model.load(session, ['serve'], str(folder / 'served')).signature_def
        signature = signatures['reconstruct_bytes']
        made = session.run(
            signature.outputs['reconstruction'].name,
            {signature.inputs['image_bytes'].name: contents},
        )
    np.testing.assert_allclose(made, want, atol=1e-6)
    said = json.loads((folder / 'served' / 'signatures.json').read_text())
    assert said['pixels']['crop'] == [12, 12]


def test_a_file_smaller_than_the_crop_is_refused(folder):
    Image.new('L', (30, 11)).save(folder / 'small.png')
    done = tfae_program.run('classify', '--logdir=classifier', 'small.png', cwd=folder)
    wanted = 'small.png is 11x30 (height x width), smaller than --crop=12x12 of the run'
    assert done.refusal(1) == wanted
