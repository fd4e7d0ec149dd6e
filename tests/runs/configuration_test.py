"""A checkpoint records the configuration that it was written under, and fits no other."""

import copy
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program
from plain_checkpoints import without_configuration

import tfae
from tfae import models
from tfae.core import bounded_files, errors, names
from tfae.runs import checkpoints, fit
from tfae.runs.directory import Folder
from tfae.training import graph as training_graph
from tfae.training.experiment import Experiment

TRAIN = ('train', '--dataset=synthetic', '--synthetic_shape=6x5x1', '--units=12,4', '--epochs=2')
MAY_CHANGE = {('data', 'attributes'), ('data', 'data_dir'), ('training', 'epochs')}
# Fields whose next value depends on others, or is no number -> the fields to set.
EDITS = {
    'units': {'units': [12, 5]},
    'activation': {'activation': 'tanh'},
    'code_activation': {'code_activation': 'relu'},
    'output_activation': {'output_activation': 'linear'},
    'likelihood': {'likelihood': 'bernoulli'},
    'regularizer': {'regularizer': ['l1:0.1']},
    'corruption': {'corruption': ['masking:0.3']},
    'emphasis': {'corruption': ['masking:0.3'], 'emphasis': [1.0, 0.5]},
    'kernel_initializer': {'kernel_initializer': 'he_normal'},
    'dataset': {'dataset': 'digits'},
    'data_dir': {'data_dir': '/elsewhere'},
    'only_classes': {'only_classes': ['1']},
    'without_classes': {'without_classes': ['1']},
    'labeled_seed': {'labeled_examples': 5, 'labeled_seed': 1},
    'synthetic_kind': {'synthetic_kind': 'blobs'},
    'synthetic_shape': {'synthetic_shape': '5x6x1'},
    'validation_fraction': {'validation_fraction': 0.2},
    'test_fraction': {'test_fraction': 0.3},
    'attributes': {'attributes': 'a.csv', 'target': 'age'},
    'columns': {'columns': ['a', 'b'], 'image_shape': [2]},
    'target': {'attributes': 'a.csv', 'target': 'age'},
    'size': {'size': '6x5'},
    'window': {'window': '8:4'},
    'normalize': {'normalize': 'standard'},
    'missing': {'missing': 'mask'},
    'color': {'color': 'gray'},
    'freeze': {'freeze': ['encoder']},
    'optimizer': {'optimizer': 'rmsprop'},
    'learning_rate_decay': {'learning_rate_decay': 'cosine'},
    'learning_rate_end': {'learning_rate_decay': 'cosine', 'learning_rate_end': 0.5},
    'momentum': {'optimizer': 'momentum', 'momentum': 0.5},
    'adam_beta1': {'adam_beta1': 0.5},
    'adam_beta2': {'adam_beta2': 0.5},
    'rmsprop_decay': {'optimizer': 'rmsprop', 'rmsprop_decay': 0.5},
    'rmsprop_epsilon': {'optimizer': 'rmsprop', 'rmsprop_epsilon': 0.5},
    'order': {'order': 'sequential'},
    'accumulation_steps': {'accumulation_steps': 2},
    'augment': {'augment': ['flip']},
    'restore_from': {'restore_from': 'a.npz'},
    'restore_map': {'restore_from': 'a.npz', 'restore_map': ['a:b']},
    'pretraining': {'pretraining': 'greedy'},
    'pretraining_epochs': {'pretraining': 'greedy', 'pretraining_epochs': [3]},
    'pretraining_learning_rate': {'pretraining': 'greedy', 'pretraining_learning_rate': [0.5]},
    'fingerprint': {'fingerprint': '0' * 32},
    'image_shape': {'image_shape': [5, 6, 1]},
    'dtype': {'dtype': 'float32'},
    'class_names': {'class_names': ['a', 'b']},
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with `run`, and `other`, which has another activation and the same shapes."""
    path = tmp_path_factory.mktemp('configuration')
    for words in (['--logdir=run'], ['--logdir=other', '--activation=tanh']):
        done = tfae_program.run(*TRAIN, *words, cwd=path)
        assert (done.code, done.err) == (0, '')
    return path


@pytest.fixture
def run(trained, tmp_path):
    return pathlib.Path(shutil.copytree(trained / 'run', tmp_path / 'run'))


def content(run):
    return json.loads((run / 'config.json').read_text())


def edit(run, section, **fields):
    edited = content(run)
    edited[section].update(fields)
    (run / 'config.json').write_text(json.dumps(edited))


def place(run):
    return checkpoints.newest_first(run)[0][1]


def recorded(run):
    reader = tf.train.load_checkpoint(place(run))
    return json.loads(reader.get_tensor(names.CONFIGURATION).tobytes())


@pytest.fixture(scope='module')
def graph(trained):
    """Has the variables of the run."""
    with tf.Graph().as_default() as made:
        for name, value in tfae_program.checkpoint(trained / 'run').items():
            tf.get_variable(name, value.shape, value.dtype, use_resource=True)
    return made


def load(run, graph):
    """Compares the newest checkpoint with config.json, and loads no variable."""
    assert checkpoints.values(graph, place(run), [], Folder(run).read_config()) == {}


def another(name, value):
    """Fields by which `name` has another value, which is valid."""
    if name in EDITS:
        return EDITS[name]
    if name == 'crop':  # a flag and a field of the signature
        return {name: '4x4' if isinstance(value, str) else [4, 4]}
    return {name: not value if isinstance(value, bool) else value + 1}


def test_each_field_but_those_that_may_change_is_compared(run, graph):
    whole, held = content(run), recorded(run)
    assert held.keys() == whole.keys() - {'versions', 'history'}
    walked = set()
    for section in ('family', 'data', 'training', 'schedule', 'signature'):
        for name, value in whole[section].items():
            changed = copy.deepcopy(whole)
            changed[section].update(another(name, value))
            assert changed[section][name] != value
            (run / 'config.json').write_text(json.dumps(changed))
            if (section, name) in MAY_CHANGE:
                if name != 'attributes':  # changes with the target, which may not
                    load(run, graph)  # is accepted
                continue
            with pytest.raises(errors.InputError, match='model-[0-9]+ does not fit .*config.json'):
                load(run, graph)
            found = Folder(run).read_config().departures(held, '')
            assert f'{section}.{name}' in [field for field, *_ in found]
            walked.add((section, name))
    fields = {(section, name) for section in held if section != 'model' for name in held[section]}
    assert walked == fields


def test_versions_and_history_are_not_compared(run, graph):
    changed = content(run)
    changed['versions'] = {'tfae': '9.9'}
    changed['history'] = []
    (run / 'config.json').write_text(json.dumps(changed))
    load(run, graph)


@pytest.mark.parametrize('family', models.FAMILIES)
def test_each_field_of_a_family_is_recorded(family):
    written, fixed = Experiment(family).to_dict(), Experiment(family).fixed()
    assert fixed['family'] == written['family']
    assert fixed['model'] == family
    assert Experiment(family).departures(json.loads(json.dumps(fixed)), '') == []


def test_absent_fields_and_former_names_are_those_of_today():
    experiment = Experiment('dense', color='gray')
    fixed = json.loads(json.dumps(experiment.fixed()))
    del fixed['family']['k_sparse'], fixed['data']['color']
    fixed['data']['colour'] = 'grey'
    assert experiment.departures(fixed, '') == []
    fixed['data']['attributes'] = 'elsewhere.csv'  # recorded by earlier versions
    assert experiment.departures(fixed, '') == []
    fixed['family']['later'] = 3
    assert experiment.departures(fixed, '') == [('family.later', 3, None)]
    assert experiment.departures({**fixed, 'model': 'gan'}, '') == [('model', 'gan', 'dense')]


@pytest.mark.parametrize(
    'command, section, fields',
    [
        ('evaluate', 'family', {'activation': 'tanh'}),
        ('reconstruct', 'family', {'k_sparse': 2}),
        ('export', 'family', {'code_activation': 'relu'}),
        ('evaluate', 'family', {'likelihood': 'bernoulli'}),
        ('embed', 'signature', {'crop': [4, 4]}),
        ('train', 'family', {'output_activation': 'linear'}),
        ('train', 'signature', {'classes': 7}),
    ],
)
def test_a_command_refuses_an_edited_configuration(run, command, section, fields):
    before = recorded(run)
    edit(run, section, **fields)
    files = tfae_program.contents(run)
    words = ('--output=out',) if command == 'export' else ()
    done = tfae_program.run(command, '--logdir=run', *words, cwd=run.parent)
    ((name, value),) = fields.items()
    where = 'run' if command == 'train' else 'run/best'
    assert done.refusal(1) == (
        f'checkpoint {where}/{pathlib.Path(place(run)).name} does not fit run/config.json: '
        f'{section}.{name} is {json.dumps(before[section][name])} in the checkpoint and '
        f'{json.dumps(value)} in config.json; restore the config.json that the run was trained '
        f'with, or remove the checkpoint if it belongs to another run'
    )
    left = tfae_program.contents(run)
    assert all(left[file] == files[file] for file in files if not file.startswith('lock'))


def test_the_best_checkpoint_of_another_run_is_refused(trained, run):
    shutil.rmtree(run / 'best')
    shutil.copytree(trained / 'other' / 'best', run / 'best')
    done = tfae_program.run('evaluate', '--logdir=run', cwd=run.parent)
    text = 'family.activation is "tanh" in the checkpoint and "relu" in config.json'
    assert text in done.refusal(1)
    with pytest.raises(errors.InputError, match='best/model-.* does not fit'):
        tfae.open(run)
    tfae.open(run, 'last').close()


def test_a_graph_of_another_configuration_is_not_built(run, monkeypatch):
    """That of 3,000 layers takes minutes."""
    edit(run, 'family', units=[3] * 3000)
    monkeypatch.setattr(training_graph, 'build', None)
    with pytest.raises(errors.InputError, match='best/model-.* does not fit .*family.units'):
        tfae.open(run)
    with pytest.raises(errors.InputError, match='run/model-.* does not fit .*family.units'):
        fit.fit(Folder(run).read_config(), run)


def test_slots_of_another_run_are_not_taken(trained, run):
    """The model comes from `best/`, the optimizer's variables from the run's own checkpoint."""
    for path in (trained / 'other').glob('model-*'):
        shutil.copy(path, run)
    with tfae.open(run, 'best') as opened, pytest.raises(errors.InputError, match='does not fit'):
        opened.variables()


def test_variables_of_another_configuration_are_transferred(trained, tmp_path):
    words = (*TRAIN, '--activation=elu', '--epochs=0', f'--restore_from={trained / "run"}')
    done = tfae_program.run(*words, '--logdir=run', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    assert names.CONFIGURATION not in done.out
    kept, given = (
        tfae_program.checkpoint(folder / 'run')['encoder/layer_1/kernel']
        for folder in (tmp_path, trained)
    )
    assert np.array_equal(kept, given)
    assert recorded(tmp_path / 'run')['family']['activation'] == 'elu'


def test_no_command_lists_the_configuration_as_a_variable(trained):
    done = tfae_program.run('variables', '--logdir=run', cwd=trained)
    assert done.code == 0
    assert names.CONFIGURATION not in done.out


def test_a_saver_of_tensorflow_loads_the_variables(trained):
    wanted = tfae_program.checkpoint(trained / 'run')
    for name, value in wanted.items():
        tf.get_variable(name, initializer=tf.zeros_like(value), use_resource=True)
    with tf.Session() as session:
        tf.train.Saver().restore(session, tf.train.latest_checkpoint(str(trained / 'run')))
        variables = {v.op.name: v for v in tf.global_variables()}
        assert tfae_program.same_bytes(session.run(variables), wanted)


def test_a_checkpoint_that_records_nothing_is_taken(run):
    without_configuration(run)
    edit(run, 'family', activation='tanh')
    tfae.open(run).close()


@pytest.mark.parametrize(
    'value',
    [
        np.frombuffer(b'{"model"', np.uint8),
        np.frombuffer(b'[]', np.uint8),
        np.frombuffer(b'{"model": "dense", "family": 3}', np.uint8),
        np.frombuffer(b'[' * 99999, np.uint8),
        np.zeros([2, 2], np.uint8),
        np.zeros([3], np.float32),
        np.zeros([bounded_files.JSON_BYTES + 1], np.uint8),
    ],
    ids=['cut', 'list', 'section', 'deep', 'matrix', 'floats', 'large'],
)
def test_a_damaged_record_is_a_checkpoint_that_cannot_be_read(tmp_path, value):
    with tf.Session() as session:
        checkpoints.write(checkpoints.Saver([], Experiment()), session, tmp_path, 4, 2, None)
        session.run(
            tf.raw_ops.SaveV2(
                prefix=str(tmp_path / 'model-5'),
                tensor_names=[names.CONFIGURATION],
                shape_and_slices=[''],
                tensors=[value],
            )
        )
        said = []
        saver = checkpoints.Saver([], Experiment())
        assert checkpoints.load_newest(saver, session, tmp_path, said.append) == 4
    assert len(said) == 1
    assert 'model-5 cannot be read (' in said[0]
