"""`tfae.open`: a run from Python, beside what the program makes of it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tfae_program

import tfae
from tfae import data
from tfae.core import errors

ENCODER = [f'encoder/layer_{i}/{name}' for i in (1, 2) for name in ('kernel', 'bias')]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with `run`, trained, evaluated and embedded by the program."""
    path = tmp_path_factory.mktemp('open')
    words = ('--dataset=synthetic', '--synthetic_shape=6x5x1', '--units=12,4', '--epochs=3')
    assert tfae_program.run('train', *words, '--logdir=run', cwd=path).code == 0
    for command in ('evaluate', 'embed'):
        assert tfae_program.run(command, '--logdir=run', cwd=path).code == 0
    return path


@pytest.fixture(scope='module')
def images():
    """The test part, uint8."""
    wanted = data.Config(dataset='synthetic', synthetic_shape='6x5x1')
    return data.load(wanted).test.images


@pytest.fixture
def run(folder):
    with tfae.open(folder / 'run') as opened:
        yield opened


def test_codes_and_errors_are_those_of_the_program(folder, run, images):
    with np.load(folder / 'run' / 'codes_test.npz') as file:
        assert np.array_equal(run.encode(images), file['codes'])
    measured = json.loads((folder / 'run' / 'evaluation.json').read_text())
    error = np.square(images / 255 - run.reconstruct(images).astype(float)).mean()
    assert error == pytest.approx(measured['mse'], rel=1e-6)
    assert run.step == measured['step']


def test_shapes_are_those_of_images_and_codes(run, images):
    codes = run.encode(images)
    assert codes.shape == (200, 4)
    assert codes.dtype == np.float32
    assert run.decode(codes).shape == run.reconstruct(images).shape == (200, 6, 5, 1)
    np.testing.assert_array_equal(run.decode(codes), run.reconstruct(images))
    assert 0 <= run.decode(codes).min() <= run.decode(codes).max() <= 1


def test_bytes_and_floats_are_the_same_images(run, images):
    floats = data.pixels(images)
    assert np.array_equal(run.encode(images), run.encode(floats))
    np.testing.assert_allclose(run.encode(images), run.encode(images / 255.0), atol=1e-5)


def test_images_that_fit_takes_are_taken_by_an_open_run(run, images):
    wanted = run.encode(images)
    for given in (images[..., 0], images.astype(int), images[..., 0].tolist()):
        assert np.array_equal(run.encode(given), wanted)
    with pytest.raises(ValueError, match='images are int64 from 0.0 to .*; they must be'):
        run.encode(images.astype(int) * 2)


def test_no_image_gives_no_code(run, images):
    assert run.encode(images[:0]).shape == (0, 4)
    assert run.reconstruct(images[:0]).shape == (0, 6, 5, 1)
    assert run.decode(np.zeros((0, 4))).shape == (0, 6, 5, 1)


def test_one_and_many_images_have_the_same_codes(run, images):
    many = np.concatenate([images] * 11)  # more than go through the graph at once
    codes = run.encode(many)
    assert codes.shape == (2200, 4)
    np.testing.assert_allclose(codes[2199], run.encode(images[199:])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('shape', [(6, 5, 1), (3, 5, 6), (3, 30), (3, 5, 6, 1), (3, 6, 5, 3)])
def test_images_of_another_shape_are_named(run, shape):
    came = f'images are {shape}; they must be [N, 6, 5, 1]'
    for method in (run.encode, run.reconstruct):
        with pytest.raises(ValueError) as error:
            method(np.zeros(shape))
        assert came in str(error.value)


@pytest.mark.parametrize('shape', [(4,), (3, 5), (3, 4, 1)])
def test_codes_of_another_shape_are_named(run, shape):
    with pytest.raises(ValueError) as error:
        run.decode(np.zeros(shape))
    assert f'decode: codes are {shape}; they must be [N, 4]' in str(error.value)


@pytest.mark.parametrize('value', [np.nan, 1.5, -0.1, 255.0])
def test_pixels_out_of_range_are_named(run, images, value):
    spoilt = data.pixels(images).copy()
    spoilt[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r'\[0, 1\]'):
        run.encode(spoilt)


def test_variables_are_those_of_the_collection_and_scope(folder, run):
    import tensorflow.compat.v1 as tf

    found = run.variables(tf.GraphKeys.TRAINABLE_VARIABLES, 'encoder')
    assert list(found) == ENCODER
    kept = tfae_program.checkpoint(folder / 'run' / 'best')
    assert all(np.array_equal(found[name], kept[name]) for name in ENCODER)
    assert run.variables().keys() == tfae_program.checkpoint(folder / 'run').keys()
    with run.graph.as_default():
        variables = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'encoder/layer_1')
    values = run.session.run(variables)
    assert np.array_equal(values[0], found['encoder/layer_1/kernel'])


@pytest.fixture(scope='module')
def past_its_best(tmp_path_factory):
    """A folder with `run`, whose best checkpoint is not the newest, and both steps."""
    path = tmp_path_factory.mktemp('best')
    words = ('--units=12,4', '--epochs=200', '--optimizer=momentum', '--learning_rate=8')
    words = (*words, '--batch_size=431', '--corruption=dropout:0.5', '--early_stopping_epochs=2')
    words = (*words, '--checkpoint_steps=3', '--keep_checkpoints=1000', '--logdir=run')
    assert tfae_program.run('train', *words, cwd=path).code == 0
    (best,), last = tfae_program.steps(path / 'run/best'), tfae_program.steps(path / 'run')[-1]
    assert best < last
    return path / 'run', best, last


def test_variables_are_of_one_step_slots_included(past_its_best):
    folder, *steps = past_its_best
    for checkpoint, step in zip(('best', 'last'), steps, strict=True):
        with tfae.open(folder, checkpoint) as run:
            found = run.variables()
        assert 'encoder/layer_1/kernel/Momentum' in found
        assert found['global_step'] == step
        assert tfae_program.same_bytes(found, tfae_program.checkpoint(folder, step))


def test_variables_of_training_are_left_out_where_their_step_is_gone(past_its_best, tmp_path):
    folder, best, last = past_its_best
    copy = tmp_path / 'run'
    shutil.copytree(folder, copy)
    for path in copy.glob(f'model-{best}.*'):
        path.unlink()
    with tfae.open(copy, 'best') as run:
        found = run.variables()
        assert run.variables(scope='encoder/layer_1/kernel/Momentum') == {}
    assert tfae_program.same_bytes(found, tfae_program.checkpoint(copy / 'best'))
    with tfae.open(copy, 'last') as run:
        assert tfae_program.same_bytes(run.variables(), tfae_program.checkpoint(copy, last))


def test_any_tensor_is_there_by_name(run, images):
    tensor = run.graph.get_tensor_by_name('inference/code:0')
    wanted = run.encode(images)
    placeholder = run.graph.get_tensor_by_name('inference/images:0')
    np.testing.assert_array_equal(
        run.session.run(tensor, {placeholder: data.pixels(images)}), wanted
    )
    assert np.array_equal(run.fetch('inference/code:0', images), wanted)


def test_two_runs_are_open_at_once(folder, images):
    with tfae.open(folder / 'run') as first, tfae.open(folder / 'run', 'last') as second:
        assert np.array_equal(first.variables()['global_step'], second.variables()['global_step'])
        assert first.encode(images).shape == second.encode(images).shape
        assert first.graph is not second.graph


def test_a_closed_run_answers_no_more(folder, images):
    with tfae.open(folder / 'run') as run:
        codes = run.encode(images)
    run.close()  # again is no mistake
    for ask in (
        lambda: run.encode(images),
        lambda: run.reconstruct(images),
        lambda: run.decode(codes),
        lambda: run.denoise(images),
        lambda: run.sample(3),
        lambda: run.measure(images, None),
        lambda: run.fetch('inference/code:0', images),
        lambda: run.variables(),
        lambda: run.__enter__(),
    ):
        with pytest.raises(errors.UsageError, match='^the run is closed; open it again with tfae'):
            ask()


@pytest.mark.parametrize(
    'values, text',
    [
        ('a', '^decode: codes are <U1 .*; they must be numbers$'),
        (None, '^decode: codes are object .*; they must be numbers$'),
        ([[1, 2, 3, 4], [1]], r'^decode: codes are not an array \('),
        (np.full((3, 4), np.nan), '^decode: 12 of 12 values of the codes are not finite; they'),
        (np.full((1, 4), 1e300), '^decode: 4 of 4 values of the codes are not finite; they must'),
        (np.ma.masked_less(np.ones((3, 4)), 2), '^decode: codes are a masked array; they must be'),
    ],
)
@pytest.mark.filterwarnings('ignore:overflow')
def test_what_is_no_code_is_refused(run, values, text):
    with pytest.raises(errors.InputError, match=text):
        run.decode(values)


@pytest.mark.parametrize('values', ['a', None, [[1], [2, 3]], np.ones((2, 6, 5, 1), complex)])
def test_what_is_no_image_is_refused(run, values):
    with pytest.raises(errors.InputError, match='^images are '):
        run.encode(values)


@pytest.mark.parametrize(
    'collection, scope, text',
    [
        ('trainable', '', "^collection is 'trainable'; .* did you mean .*trainable_variables"),
        ('', '(', r"^scope is '\('; it must be a regular expression: missing \)"),
        (3, '', '^collection is 3; it must be a string$'),
        ('', None, '^scope is None; it must be a string$'),
    ],
)
def test_variables_of_no_collection_or_scope_are_refused(run, collection, scope, text):
    with pytest.raises(errors.UsageError, match=text):
        run.variables(collection, scope)


def test_no_variable_is_found_where_the_graph_has_none(run):
    assert run.variables('trainable_variables', 'nowhere') == {}
    assert run.variables('moving_average_variables') == {}


def test_what_is_no_tensor_of_the_run_is_refused(folder, run, images):
    with tfae.open(folder / 'run') as other:
        of_another = other.built.inference.outputs.code
    for tensor, text in (
        ('inference/cod:0', "^tensor is 'inference/cod:0'; .* did you mean inference/code:0"),
        ('inference/code', "^tensor is 'inference/code'; .* did you mean inference/code:0"),
        ('', "^tensor is ''; the graph has none of that name$"),
        (None, '^tensor is None; it must be a tensor of the run, or its name$'),
        (of_another, '^tensor is of type SymbolicTensor; it must be a tensor of the run'),
        (
            'inference/decoded:0',
            '^tensor inference/decoded:0 does not depend on the images alone: ',
        ),
    ):
        with pytest.raises(errors.UsageError, match=text):
            run.fetch(tensor, images)


def test_labels_of_measures_are_classes_of_as_many_images(folder, images):
    words = ('--model=variational', '--dataset=synthetic', '--synthetic_shape=6x5x1')
    words = (*words, '--units=12', '--code_size=2', '--epochs=1', '--logdir=measured')
    assert tfae_program.run('train', *words, cwd=folder).code == 0
    with tfae.open(folder / 'measured') as run:
        classes = run.experiment.signature.classes
        wanted = run.measure(images, None)
        found = run.measure(images, np.arange(200) % classes)
        assert wanted and all(np.array_equal(wanted[name], found[name]) for name in wanted)
        for labels in (np.zeros(199, int), np.zeros(200), np.full(200, -1), ['a'] * 200):
            with pytest.raises(errors.InputError, match='^labels '):
                run.measure(images, labels)
        with pytest.raises(errors.InputError, match=f'^labels span 0 to {classes}; the run has '):
            run.measure(images, np.arange(200) % (classes + 1))
        assert run.sample(3).shape == (3, 2)
        for count in (-1, 2.5, 'a', None, 2**31):
            with pytest.raises(errors.UsageError, match='^count is .*; it must be an integer'):
                run.sample(count)
        with pytest.raises(errors.UsageError, match='^seed is 9223372036854775808; it must be a'):
            run.sample(3, 2**63)


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(errors.InputError, match='is not a run: it has no config.json'):
        tfae.open(tmp_path)


NOTEBOOK = """
import numpy as np
import tensorflow as tf

tf.keras.layers.Dense(3)(tf.ones([2, 2]))  # eagerly, as a notebook's first cell does
assert tf.executing_eagerly()
import tfae

with tfae.open('run') as run:
    images = np.load('images.npy')
    codes = run.encode(images)
    np.save('codes.npy', codes)
    assert np.array_equal(run.decode(codes), run.reconstruct(images))
    assert tf.executing_eagerly()
    print(float(tf.reduce_sum(run.variables()['encoder/layer_1/bias'])))
tf.ones([2]) + 1  # goes on eagerly
"""


def test_a_run_opens_where_tensorflow_has_been_used_eagerly(folder, run, images):
    np.save(folder / 'images.npy', images)
    environment = tfae_program.environment(folder, PYTHONPATH=str(tfae_program.ROOT))
    command = [sys.executable, '-c', NOTEBOOK]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(folder / 'codes.npy'), run.encode(images))
