"""`tfae.fit` and its neighbors, compared with the program on the same data and flags."""

import dataclasses
import functools
import inspect
import itertools
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tfae_program

import tfae
from tfae import data
from tfae.core import config, errors
from tfae.data.sets import arrays
from tfae.runs import due, saved_run
from tfae.runs.options import Config as Options
from tfae.training import recipes

RANDOM = np.random.RandomState(0)
# Rows that repeat, so that there is something to learn.
IMAGES = (RANDOM.randint(256, size=(8, 6, 5))[np.arange(120) % 8]).astype(np.uint8)
LABELS = np.arange(120) % 3
SMALL = {'units': (12, 4), 'epochs': 3, 'batch_size': 16}
WORDS = ('--units=12,4', '--epochs=3', '--batch_size=16')


def read(logdir):
    return json.loads((logdir / 'config.json').read_text())


def without_times(config):
    """The content of config.json but for the times of day at which epochs were asked for."""
    history = [{k: v for k, v in entry.items() if k != 'when'} for entry in config['history']]
    return config | {'history': history}


def same(one, other):
    """Whether two runs have the same checkpoints, byte for byte, and the same records."""
    steps = tfae_program.steps(one)
    return (
        steps == tfae_program.steps(other)
        and all(
            tfae_program.same_bytes(
                tfae_program.checkpoint(one, step), tfae_program.checkpoint(other, step)
            )
            for step in steps
        )
        and tfae_program.metrics(one) == tfae_program.metrics(other)
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder of a run on the arrays; closed."""
    logdir = tmp_path_factory.mktemp('python') / 'run'
    tfae.fit('dense', IMAGES, LABELS, logdir=logdir, **SMALL).close()
    return logdir


def by_program(tmp_path, *words, **arrays):
    np.savez(tmp_path / 'set.npz', **arrays)
    train = ('train', '--dataset=npz', '--data_dir=set.npz', '--logdir=program')
    done = tfae_program.run(*train, *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    return tmp_path / 'program'


def test_a_run_on_arrays_is_that_of_the_program_on_a_file_of_them(tmp_path, trained):
    assert same(trained, by_program(tmp_path, *WORDS, images=IMAGES, labels=LABELS))


def test_a_run_with_arrays_of_each_split_is_that_of_the_program(tmp_path):
    whole = {'x_train': IMAGES, 'x_validation': IMAGES[:20], 'x_test': IMAGES[:30]}
    words = ('--model=variational', '--code_size=2', '--early_stopping_epochs=2')
    program = by_program(tmp_path, *WORDS, *words, **whole)
    with tfae.fit(
        'variational',
        IMAGES,
        logdir=tmp_path / 'python',
        validation_data=IMAGES[:20],
        test_data=(IMAGES[:30], None),
        code_size=2,
        early_stopping_epochs='2',
        **SMALL,
    ) as run:
        assert run.experiment.data.validation_fraction == 0
    assert same(tmp_path / 'python', program)


def test_the_open_run_answers_without_the_arrays(trained):
    with tfae.open(trained) as run:
        images = IMAGES[..., None]
        assert run.encode(images).shape == (120, 4)
        assert np.array_equal(run.decode(run.encode(images)), run.reconstruct(images))
        found = run.variables('trainable_variables', 'encoder/layer_1')
        assert {name: value.shape for name, value in found.items()} == {
            'encoder/layer_1/kernel': (30, 12),
            'encoder/layer_1/bias': (12,),
        }


def test_config_json_holds_the_fingerprint_and_no_array(trained):
    found = read(trained)
    assert found['data']['dataset'] == 'arrays'
    assert len(found['signature']['fingerprint']) == 32
    assert (trained / 'config.json').stat().st_size < 5000


def test_report_needs_no_data_and_commands_on_images_take_a_file(tmp_path, trained):
    report = ('report', f'--logdir={trained}', '--output=page.html')
    assert tfae_program.run(*report, cwd=tmp_path).code == 0
    evaluate = ('evaluate', f'--logdir={trained}')
    refused = tfae_program.run(*evaluate, cwd=tmp_path).refusal(2)
    assert refused == (
        'data set arrays consists of arrays passed from Python, which a run does not store; '
        '--data_dir=FILE.npz must name a file of the same arrays, written by numpy.savez'
    )
    np.savez(tmp_path / 'same.npz', images=IMAGES, labels=LABELS)
    done = tfae_program.run(*evaluate, '--data_dir=same.npz', cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    np.savez(tmp_path / 'other.npz', images=IMAGES[::-1], labels=LABELS)
    refused = tfae_program.run(*evaluate, '--data_dir=other.npz', cwd=tmp_path).refusal(1)
    assert f'--logdir {trained} was trained on other examples' in refused


def test_the_program_resumes_a_run_on_arrays_from_a_file(tmp_path, trained):
    np.savez(tmp_path / 'same.npz', images=IMAGES, labels=LABELS)
    words = ('train', f'--logdir={trained}', '--data_dir=same.npz')
    done = tfae_program.run(*words, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    assert 'finished at step' in done.out


def test_a_run_resumes_when_it_is_given_the_same_arrays(trained, capsys):
    before = tfae_program.checkpoint(trained)
    with tfae.fit('dense', IMAGES.astype(int), LABELS.tolist(), logdir=trained) as run:
        assert run.experiment.family.units == (12, 4)  # those of the run, since none are given
    assert 'finished at step' in capsys.readouterr().out
    assert tfae_program.same_bytes(before, tfae_program.checkpoint(trained))


def test_a_run_on_arrays_resumes_from_a_file_of_them(tmp_path, trained, capsys):
    for name, images in (('same', IMAGES), ('other', IMAGES[::-1])):
        np.savez(tmp_path / f'{name}.npz', images=images, labels=LABELS)
    tfae.fit('dense', logdir=trained, data_dir=tmp_path / 'same.npz').close()
    assert 'finished at step' in capsys.readouterr().out
    with pytest.raises(errors.InputError, match='was trained on other examples'):
        tfae.fit('dense', logdir=trained, data_dir=tmp_path / 'other.npz')


def test_the_age_of_a_checkpoint_counts_from_the_last_one(tmp_path, monkeypatch):
    """By a clock of which every look takes a second; it is looked at after each step."""
    clock = functools.partial(next, itertools.count())
    monkeypatch.setattr(due, 'Checkpoint', functools.partial(due.Checkpoint, clock=clock))
    words = {'units': (4,), 'batch_size': 0, 'epochs': 12, 'keep_checkpoints': 99}
    tfae.fit('dense', IMAGES, logdir=tmp_path / 'run', checkpoint_secs=5, **words).close()
    assert tfae_program.steps(tmp_path / 'run') == [0, 5, 10, 12]


@pytest.mark.parametrize('level', [logging.NOTSET, logging.WARNING, logging.CRITICAL])
def test_the_level_of_the_logger_is_raised_during_a_call_alone(trained, monkeypatch, level):
    logger, inside = logging.getLogger('tensorflow'), []
    monkeypatch.setattr(logger, 'level', level)
    monkeypatch.setattr(saved_run, 'open_run', lambda *_: inside.append(logger.level))
    tfae.open(trained)
    assert inside == [max(level, logging.ERROR)]
    assert logger.level == level
    with pytest.raises(errors.UsageError):
        tfae.open('')
    assert logger.level == level


@pytest.mark.parametrize(
    'given, named, text',
    [
        ((IMAGES[:-1], LABELS[:-1]), {}, 'was trained on other examples than images, labels, '),
        ((IMAGES,), {}, 'was trained on other examples than images, labels, validation_data and'),
        ((IMAGES, LABELS), {'test_data': (IMAGES, LABELS)}, 'was trained on other examples'),
        ((), {}, 'images is None; the run in .* was trained on arrays: give the same to resume it'),
        ((IMAGES, LABELS), {'units': (12, 5)}, 'units was 12,4, is 12,5; choose another folder'),
    ],
)
def test_a_run_on_other_arrays_or_flags_is_refused(trained, given, named, text):
    before = tfae_program.contents(trained)
    with pytest.raises(ValueError, match=text) as caught:
        tfae.fit('dense', *given, logdir=trained, **named)
    assert '--' not in str(caught.value)
    assert tfae_program.contents(trained) == before


@pytest.mark.parametrize(
    'given, named, text',
    [
        ((IMAGES,), {'unit': 3}, '^unit is not an argument of .* did you mean units'),
        ((IMAGES,), {'code_size': 3}, '^code_size is an argument of .* variational; the model is'),
        ((IMAGES,), {'epochs': 2.5}, '^epochs is 2.5; it must be an integer$'),
        ((IMAGES,), {'units': ()}, '^units is empty; it must have at least one layer'),
        ((IMAGES,), {'optimizer': 'adm'}, "^optimizer is 'adm'; .* did you mean adam"),
        ((IMAGES,), {'checkpoint_steps': 0}, '^checkpoint_steps is 0; it must lie in'),
        ((IMAGES,), {'task_index': 0}, '^task_index is for several processes; tfae.fit trains in'),
        ((IMAGES,), {'dataset': 'mnist'}, "^dataset is 'mnist' and images are given; one of them"),
        ((IMAGES,), {'data_dir': 'x'}, "^data_dir is 'x', but data set arrays does not use it"),
        ((None, LABELS), {}, '^labels must be omitted if images is None$'),
        ((), {'test_data': IMAGES}, '^test_data must be omitted if images is None$'),
        ((IMAGES / 9.0,), {}, r'^images: \d+ of 3600 pixels lie outside \[0, 1\].* divide them'),
        ((IMAGES, LABELS[1:]), {}, '^labels: holds 119 labels for 120 images; the counts must'),
        ((IMAGES[0, 0],), {}, r'^images: shape is \(5,\); it must be \[N, H, W, C\]'),
        (
            (IMAGES,),
            {'validation_data': IMAGES, 'validation_fraction': 0.2},
            '^validation_fraction is 0.2, but data set arrays has its own validation split',
        ),
    ],
)
def test_a_wrong_argument_is_named_and_leaves_no_run(tmp_path, given, named, text):
    with pytest.raises(ValueError, match=text) as caught:
        tfae.fit('dense', *given, logdir=tmp_path / 'run', **named)
    assert isinstance(caught.value, tfae.UsageError | tfae.InputError)
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'run').exists()


DARK = IMAGES.astype(int) % 2


@pytest.mark.parametrize(
    'given, named, text',
    [
        ((IMAGES,), {'penalty': 'l1:0.1'}, '^penalty is now regularizer$'),
        ((IMAGES,), {'labelled_examples': 9}, '^labelled_examples is now labeled_examples$'),
        ((IMAGES,), {'enlarging': 'nearest'}, '^enlarging is now upsampling; upsampling is an arg'),
        ((), {'dataset': 'nope'}, "^dataset is 'nope'; it must be one of arrays, "),
        ((), {'dataset': 'arrays'}, '^images is None; the data set arrays consists of the im'),
        (
            (IMAGES, LABELS),
            {'validation_data': IMAGES[:9]},
            r'^validation_data: holds no labels, but labels is given; it must be \(images, label',
        ),
        (
            (IMAGES,),
            {'test_data': (IMAGES, LABELS)},
            '^test_data: holds labels, but labels is None;',
        ),
        (
            (IMAGES, LABELS),
            {'validation_data': [IMAGES[:9], LABELS[:9]]},
            r'^validation_data: is a list of 2; it must be a tuple \(images, labels\) or an array',
        ),
        (
            (IMAGES,),
            {'activation': np.tanh},
            "^activation is the ufunc tanh; it must be its name as a string, 'package.module:func",
        ),
        (
            (IMAGES,),
            {'corruption': (read,)},
            '^corruption is the function read; it must be its name',
        ),
        (
            (IMAGES,),
            {'regularizer': read},
            '^regularizer is the function read; it must be its name',
        ),
        (
            (np.ma.masked_less(IMAGES, 9),),
            {},
            '^images: is a masked array; it must be an array with',
        ),
        (
            (DARK,),
            {},
            '^images: holds int64 up to 1, which is no more than 16; if 1 is white, divide by it; '
            'if 255 is, convert to uint8$',
        ),
        (
            (IMAGES, LABELS),
            {'test_data': (DARK, LABELS)},
            '^test_data: images: holds int64 up to 1',
        ),
    ],
)
def test_an_argument_that_was_meant_otherwise_is_refused_with_its_cure(
    tmp_path, given, named, text
):
    with pytest.raises(ValueError, match=text) as caught:
        tfae.fit('dense', *given, logdir=tmp_path / 'run', **named)
    assert isinstance(caught.value, tfae.UsageError | tfae.InputError)
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('white', [1, 2, 17])
def test_bytes_bools_and_floats_may_be_dark(white):
    dark = np.asarray([[[0, white]]] * 9, np.uint8)
    for given in (dark, dark > 0, dark / 255):
        found = arrays.Arrays(given).load(data.Config('arrays')).train.images
        assert found.max() == (given.max() if given.dtype == np.uint8 else np.float32(given.max()))


@pytest.mark.parametrize('logdir', ['', None, 3, b'run', 'a\0b', IMAGES])
def test_what_is_no_path_is_no_run(tmp_path, monkeypatch, logdir):
    monkeypatch.chdir(tmp_path)
    text = '^logdir is .*; it must be the path of a folder, a string or a pathlib.Path$'
    with pytest.raises(tfae.UsageError, match=text):
        tfae.fit('dense', IMAGES, logdir=logdir, **SMALL)
    with pytest.raises(tfae.UsageError, match=text):
        tfae.open(logdir)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'checkpoint, text',
    [
        ('newest', "^checkpoint is 'newest'; it must be one of best, last, any"),
        ('lasst', "^checkpoint is 'lasst'; it must be one of best, last, any; did you mean last?"),
        (None, '^checkpoint is .*None.*; it must be one of best, last, any'),
        (3, '^checkpoint is .*3.*; it must be one of best, last, any'),
    ],
)
def test_a_checkpoint_is_the_best_the_last_or_any(trained, checkpoint, text):
    with pytest.raises(tfae.UsageError, match=text):
        tfae.open(trained, checkpoint)


@pytest.mark.parametrize('value', [None, 3, IMAGES, b'digits', ['digits']])
def test_what_is_no_name_is_refused(value):
    with pytest.raises(tfae.UsageError, match='^recipe is .*; it must be the name of a recipe$'):
        tfae.recipe(value)
    with pytest.raises(tfae.UsageError, match='^dataset is .*; it must be the name of a data set$'):
        tfae.load_data(value)
    with pytest.raises(tfae.UsageError, match='^model is .*; it must be the name of a family$'):
        tfae.Experiment(value)


def test_the_data_set_of_arrays_is_loaded_from_a_file_alone(tmp_path):
    text = '^data set arrays consists of arrays passed from .*; data_dir=FILE.npz must name a file'
    with pytest.raises(tfae.UsageError, match=text):
        tfae.load_data('arrays')
    np.savez(tmp_path / 'set.npz', images=IMAGES)
    assert len(tfae.load_data('arrays', data_dir=tmp_path / 'set.npz').test.images) == 24
    with pytest.raises(tfae.UsageError, match='^labelled_seed is now labeled_seed$'):
        tfae.load_data('digits', labelled_seed=3)


def test_an_unknown_family_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(tfae.UsageError, match="^model is 'dens'; .* did you mean dense"):
        tfae.fit('dens', IMAGES, logdir=tmp_path / 'run')


def test_the_largest_seed_is_trained(tmp_path):
    arguments = SMALL | {'seed': 2**64 - 1, 'epochs': 1, 'corruption': 'masking:0.5'}
    tfae.fit('dense', IMAGES, logdir=tmp_path, order='with_replacement', **arguments).close()
    assert read(tmp_path)['training']['seed'] == 2**64 - 1


@pytest.mark.parametrize('model', ['classifier', 'siamese', 'regressor'])
def test_a_family_with_default_layers_is_opened_after_training(tmp_path, model):
    with tfae.fit(model, IMAGES, LABELS, logdir=tmp_path, epochs=1, batch_size=60) as run:
        assert run.experiment.family.units == (200,)


def test_a_recipe_is_trained_on_its_own_data_set_as_by_the_program(tmp_path):
    experiment = tfae.recipe('vae_dense_mnist', dataset='digits', epochs=1, units='8')
    tfae.fit(experiment, logdir=tmp_path / 'python').close()
    words = ('--recipe=vae_dense_mnist', '--dataset=digits', '--epochs=1', '--units=8')
    done = tfae_program.run('train', *words, '--logdir=program', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    python, program = (without_times(read(tmp_path / name)) for name in ('python', 'program'))
    assert python == program
    assert python['history'] == [{'epochs': 1, 'step': 0}]
    assert same(tmp_path / 'python', tmp_path / 'program')


def test_a_recipe_is_trained_on_arrays_in_place_of_its_data_set(tmp_path):
    experiment = tfae.recipe('vae_faces', epochs=1, filters='2', strides='2', units=4)
    experiment = experiment.replace(kernel_sizes='3', augment=())
    color = np.repeat(IMAGES[..., None], 3, 3)
    with tfae.fit(experiment, color, logdir=tmp_path, batch_size=60) as run:
        found = run.experiment.data
        assert (found.dataset, found.size, found.crop) == ('arrays', '', '')
        assert found.validation_fraction == experiment.data.validation_fraction
        assert run.experiment.training.batch_size == 60


@pytest.mark.parametrize('name', recipes.names())
def test_every_recipe_is_an_experiment(name):
    experiment = tfae.recipe(name)
    assert experiment == eval(repr(experiment), {'Experiment': tfae.Experiment})
    asked = recipes.arguments(name)
    assert experiment.model == asked.pop('model')
    found = {k: v for part in experiment.parts().values() for k, v in vars(part).items()}
    kinds = {
        k: kind
        for part in experiment.parts().values()
        for k, kind in config.field_types(type(part)).items()
    }
    assert asked == {k: v for k, v in asked.items() if found[k] == config.parse(k, kinds[k], v)}


def test_an_unknown_recipe_is_refused_with_the_nearest_name():
    with pytest.raises(tfae.UsageError, match="^recipe is 'vae_dens_mnist'; .* vae_dense_mnist"):
        tfae.recipe('vae_dens_mnist')


def test_a_data_set_is_loaded_by_name():
    loaded = tfae.load_data('digits', validation_fraction=0.5, only_classes=(3, '5'))
    assert set(loaded.train.labels) == set(loaded.validation.labels) == {3, 5}
    assert len(loaded.test.images) == 360
    with pytest.raises(
        tfae.UsageError, match='^fraction is not an argument of a data set; did you me'
    ):
        tfae.load_data('digits', fraction=0.5)
    with pytest.raises(tfae.UsageError, match="^dataset is 'digit'; .* did you mean digits"):
        tfae.load_data('digit')


def test_every_flag_of_train_is_an_argument(tmp_path):
    """Of the run, of the experiment, or refused by a line of its own."""
    text = tfae_program.run('train', '--help', cwd=tmp_path).out
    flags = set(re.findall(r'^  --(\w+)=', text, re.MULTILINE))
    assert {'units', 'epochs', 'dataset', 'towers'} <= flags
    experiment = tfae.Experiment('dense')
    known = {f.name for part in experiment.parts().values() for f in dataclasses.fields(part)}
    known |= {f.name for f in dataclasses.fields(Options)}
    known |= set(inspect.signature(tfae.fit).parameters) | {'recipe'}
    several = {'cluster', 'job_name', 'task_index', 'cluster_timeout_secs'}
    assert flags - several - {'dry_run', 'print_config'} <= known  # these train nothing


EAGER = """
import signal, threading
import numpy as np
import tensorflow as tf
import tfae

images = np.random.RandomState(0).randint(256, size=(40, 4, 4)).astype(np.uint8)

def trained(logdir):
    with tfae.fit('dense', images, logdir=logdir, units=3, epochs=1, batch_size=8) as run:
        return run.encode(images[..., None])

handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
graph = tf.compat.v1.get_default_graph()
variable = tf.Variable(2.0)
codes = [trained(f'run{i}') for i in range(2)]
thread = threading.Thread(target=lambda: codes.append(trained('run2')))
thread.start()
thread.join()
assert np.array_equal(codes[0], codes[1]) and np.array_equal(codes[0], codes[2])
assert tf.executing_eagerly() and float(variable * 2) == 4.0
assert tf.compat.v1.get_default_graph() is graph and not graph.get_operations()
assert handlers == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
tf.random.set_seed(0)
assert tf.random.normal([2]).shape == [2]
"""


def script(text, folder):
    return subprocess.Popen(
        [sys.executable, '-c', text],
        cwd=folder,
        env=tfae_program.environment(folder, PYTHONPATH=str(tfae_program.ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_eager_mode_the_default_graph_and_handlers_are_left_as_they_were(tmp_path):
    process = script(EAGER, tmp_path)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count('finished at step') == 3
    assert 'WARNING' not in err.replace('WARNING: All log messages before absl', '')


INTERRUPTED = """
import numpy as np
import tfae

images = np.random.RandomState(0).randint(256, size=(40, 4, 4)).astype(np.uint8)
try:
    tfae.fit('dense', images, logdir='run', units=3, epochs=100000, batch_size=8)
except KeyboardInterrupt:
    print('interrupted')
"""


@pytest.mark.parametrize(
    'number', [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_a_signal_stops_after_a_checkpoint_and_goes_to_the_caller(tmp_path, number):
    process = script(INTERRUPTED, tmp_path)
    while len(tfae_program.metrics(tmp_path / 'run')) < 3 and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == (0 if number == signal.SIGINT else -number), err
    assert ('interrupted' in out) == (number == signal.SIGINT)
    (_, step) = tfae_program.steps(tmp_path / 'run')
    assert f'stopped by signal {number:d} at step {step:,}; saved' in out
