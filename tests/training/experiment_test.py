"""What decides a run: to JSON and back, and compared."""

import dataclasses
import importlib.metadata
import json

import numpy as np
import pytest
import tensorflow as tf2

from tfae import data, models
from tfae.core import errors, package
from tfae.export import signatures
from tfae.models import dense
from tfae.training import phases
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment, Signature


def experiment(**fields):
    given = Experiment(
        'dense',
        dense.Config(units=(5, 3), corruption=('masking:0.5',)),
        data.Config(dataset='synthetic', synthetic_shape='4x4x1'),
        TrainingConfig(learning_rate=0.1, seed=7),
        phases.Config('greedy', (1, 2)),
        Signature('0f', (4, 4, 1), 'uint8', 100, 10, True, 2, ('a', 'b')),
    )
    return dataclasses.replace(given, **fields)


def content(**changes):
    return json.loads(json.dumps(experiment().to_dict())) | changes


def test_json_holds_an_experiment():
    assert Experiment.from_dict(content(), 'config.json') == experiment()


def test_the_versions_are_recorded(monkeypatch):
    # TensorFlow may be installed under another name, such as tensorflow-cpu.
    monkeypatch.setattr(importlib.metadata, 'version', {}.__getitem__)
    versions = content()['versions']
    assert versions['python'].startswith('3.')
    assert versions['numpy'] == np.__version__
    assert versions['tensorflow'] == tf2.__version__
    assert versions['tfae'] == package.VERSION
    served = signatures.Served(None, None, {}, {})
    made_by = {name: versions[name] for name in ('tfae', 'tensorflow')}
    assert signatures.description(served, 'graph_def')['made_by'] == made_by


@pytest.mark.parametrize('name', models.names())
def test_every_family_goes_through_json(name):
    given = experiment(model=name, family=models.load(name).Config())
    assert Experiment.from_dict(json.loads(json.dumps(given.to_dict())), 'here') == given


@pytest.mark.parametrize(
    'changed, want',
    [
        ([], 'here is list; it must be an object'),
        ({}, 'here lacks model, family, data, training, schedule, signature, which every run'),
        (content(model='dens'), "here: --model is 'dens'; it must be one of .* mean dense"),
        (content(training={'seeds': 1}), "here: training has an unknown field 'seeds'; did you"),
        (content(family={'units': 'many'}), "here: family: units is 'many'; it must be a comma"),
        (content(data=3), 'here: data is int; it must be an object'),
        (
            content(training={'batch_size': -1}),
            r'here: --batch_size is -1; it must lie in \[0, inf',
        ),
        (
            content(training={'seed': 2**64}),
            r'here: --seed is 18446744073709551616; it must lie in \[0, 18446744073709551615\]$',
        ),
        (
            content(family={'units': [5, 2**31]}),
            r'here: --units is 5,2147483648; each must lie in \[1, 2147483647\]$',
        ),
        (
            content(training={'learning_rate': 10**400}),
            r'here: --learning_rate is 10+; it must lie in \[0, inf\)$',
        ),
        (
            content(signature={'train': 2**31}),
            r'here: train is 2147483648; it must lie in \[0, 2147483647\]$',
        ),
        (
            content(signature={'image_shape': [2**20, 2**20, 1]}),
            r'here: image_shape is \(1048576, 1048576, 1\); it must have at most 268435456 values$',
        ),
        (content(signature={'train': '1'}), "here: signature: train is '1'; it must be an integer"),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_what_is_no_experiment_is_named(changed, want):
    with pytest.raises(errors.InputError, match=want):
        Experiment.from_dict(changed, 'here')


@pytest.mark.parametrize(
    'model, arguments',
    [
        ('dense', {'corruption': ('masking:0.5', 'gaussian:0.25'), 'activation': 'tanh'}),
        ('dense', {'regularizer': ('kl_sparsity:0.5:0.25',), 'augment': 'flip,crop:2'}),
        (
            'variational',
            {'units': (5, 3), 'code_size': 2, 'learning_rate': 0.1, 'order': 'sequential'},
        ),
    ],
)
def test_repr_is_a_call_that_makes_the_experiment(model, arguments):
    given = Experiment(model, **arguments)
    shown = repr(given)
    assert eval(shown, {'Experiment': Experiment}) == given
    assert all(f'{name}=' in shown for name in arguments)


def test_an_experiment_differs_from_itself_in_nothing():
    assert experiment().differences(experiment()) == []


def test_differences_are_flags_of_every_part():
    other = experiment(
        family=dense.Config(units=(5, 4), corruption=('masking:0.5',)),
        training=TrainingConfig(learning_rate=0.2, seed=7),
        schedule=phases.Config('greedy', (1, 3)),
    )
    assert experiment().differences(other) == [
        '--units was 5,3, is 5,4',
        '--learning_rate was 0.1, is 0.2',
        '--pretraining_epochs was 1,2, is 1,3',
    ]


def test_where_the_files_lie_and_what_they_hold_are_no_flags():
    moved = dataclasses.replace(experiment().data, data_dir='/elsewhere')
    assert experiment().differences(experiment(data=moved, signature=Signature())) == []


def test_another_family_is_the_only_difference_told():
    family = models.load('gan').Config()
    other = experiment(model='gan', family=family, training=TrainingConfig())
    assert experiment().differences(other) == ['--model was dense, is gan']


def loaded(dtype=np.uint8, labeled=True):
    def part(count):
        return data.Split(np.ones([count, 4, 3, 2], dtype), np.arange(count) if labeled else None)

    return data.DataSet('mine', part(7), part(2), part(3), ('a', 'b') if labeled else ())


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
@pytest.mark.parametrize('labeled', [True, False])
def test_a_signature_stands_in_for_its_data_set(dtype, labeled):
    given = loaded(dtype, labeled)
    signature = Signature.of(given)
    assert signature.fingerprint == given.fingerprint()
    for ours, theirs in zip(signature.stand_ins(), (given.train, given.validation), strict=True):
        assert ours.images.shape == theirs.images.shape
        assert ours.images.dtype == dtype
        assert (ours.labels is None) == (theirs.labels is None)
        if labeled:
            assert ours.labels.shape == theirs.labels.shape
            assert ours.labels.dtype == theirs.labels.dtype == np.int64


def test_stand_ins_of_the_largest_signature_are_made():
    largest = Signature('', (2**14, 2**14, 1), 'float32', 2**31 - 1, 2**31 - 1, True, 2)
    assert len(largest.stand_ins()[1].images) == 2**31 - 1


@pytest.mark.parametrize(
    'arguments, text',
    [
        ({'seed': 2**70}, r'^seed is 1180591620717411303424; it must lie in \[0, 184467440737095'),
        ({'units': (3, 2**31)}, r'^units is 3,2147483648; each must lie in \[1, 2147483647\]$'),
        ({'batch_size': 2**31}, r'^batch_size is 2147483648; it must lie in \[0, 2147483647\]$'),
        ({'labeled_examples': 9, 'labeled_seed': 2**32}, r'^labeled_seed is .* \[0, 4294967295\]$'),
        ({'learning_rate': 10**400}, '^learning_rate is too large for a float$'),
        ({'learning_rate': '1e400'}, r'^learning_rate is inf; it must lie in \[0, inf\)$'),
    ],
)
def test_numbers_beyond_those_of_tensorflow_are_refused(arguments, text):
    with pytest.raises(errors.UsageError, match=text):
        Experiment('dense', **arguments)


@pytest.mark.parametrize('name', ['family', 'data', 'training', 'schedule', 'signature'])
def test_what_is_no_configuration_is_refused(name):
    others = {'family': TrainingConfig()}
    for wrong in (3, 'dense', dense.Config, others.get(name, dense.Config())):
        with pytest.raises(errors.UsageError, match=f'^{name} is .*; it must be a configuration, '):
            Experiment('dense', **{name: wrong})


def test_a_data_set_is_looked_up_by_its_name_but_one_with_a_dot():
    with pytest.raises(errors.UsageError, match="^dataset is 'mnits'; .* did you mean mnist"):
        Experiment('dense', dataset='mnits')
    assert Experiment('dense', dataset='my.own').data.dataset == 'my.own'


def test_a_stand_in_takes_no_memory():
    part, _ = Signature('', (512, 512, 3), 'float32', 10**6, 0, False).stand_ins()
    assert part.images.shape == (10**6, 512, 512, 3)
    assert sum(part.images.strides) <= 4


def test_files_are_read_as_the_training_set_was():
    lazy = data.LazyImages(None, np.arange(5), data.Form(6, 4, 3, (8, 9), (2, True, False)))

    class Named(data.DataSet):
        def fingerprint(self):
            return '0f'

    parts = [data.Split(lazy, None)] * 3
    signature = Signature.of(Named('mine', *parts, ()))
    assert signature.crop == (8, 9)
    said = json.loads(json.dumps(experiment(signature=signature).to_dict()))
    read = Experiment.from_dict(said, 'config.json')
    assert read.form() == data.Form(6, 4, 3, (8, 9))
    assert experiment().form() == data.Form(4, 4, 1, None)


def test_a_run_of_before_crops_as_its_flag_says():
    old = content(data={**content()['data'], 'dataset': 'images', 'crop': '8x9'})
    del old['signature']['crop']
    assert Experiment.from_dict(old, 'config.json').form() == data.Form(4, 4, 1, (8, 9))


@pytest.mark.parametrize('crop', [(8,), (8, 0), (8, 9, 3)])
def test_a_crop_that_is_none_is_refused(crop):
    with pytest.raises(
        errors.UsageError, match=r'^crop is \(8.*\); it must be two lengths of at least 1'
    ):
        dataclasses.replace(experiment().signature, crop=crop)
