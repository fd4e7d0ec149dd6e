"""Every flag decides something: it changes the graph, or what is made elsewhere, or is refused."""

import dataclasses
import functools
import pathlib
import re

import pytest
import tensorflow.compat.v1 as tf

from tfae import data, models
from tfae.core import config, errors
from tfae.models.base.objective import Batch
from tfae.runs import options
from tfae.training import experiment, graph, phases
from tfae.training.config import TrainingConfig

TESTS = pathlib.Path(__file__).parents[1]
KINDS = {
    'family': models.load('dense').Config,
    'data': data.Config,
    'training': TrainingConfig,
    'schedule': phases.Config,
    'watch': options.Config,
}

# Flag -> other words than its default that must change the graph of the base, or the data in it.
# The base is chosen so that each flag has something to decide.
BASE = {
    'units': '6,3',
    'pretraining': 'greedy',
    'corruption': 'gaussian:0.1',
    'optimizer': 'momentum',
    'learning_rate_decay': 'linear',
    'dataset': 'synthetic',
    'synthetic_examples': '100',
    'batch_size': '16',
}
CHANGES = {
    'dataset': 'digits',
    'validation_fraction': '0.2',
    'only_classes': '0',
    'without_classes': '0',
    'labeled_examples': '50',
    'synthetic_kind': 'blobs',
    'synthetic_shape': '8x8x1',
    'synthetic_examples': '120',
    'optimizer': 'nesterov',
    'learning_rate': '0.01',
    'learning_rate_decay': 'cosine',
    'learning_rate_end': '0.1',
    'warmup_epochs': '1',
    'momentum': '0.5',
    'order': 'sequential',
    'batch_size': '8',
    'accumulation_steps': '2',
    'clip_norm': '1',
    'freeze': 'encoder:2',
    'augment': 'flip',
    'epochs': '3',
    'seed': '1',
    'pretraining': 'none',
    'pretraining_epochs': '2',
    'pretraining_learning_rate': '0.01',
}
# Flags that decide elsewhere, each with the test that sees it.
ELSEWHERE = {
    'logdir': 'every test',
    'model': 'every test of a family; refusals_test: an unknown one is refused',
    'recipe': 'train_test: test_flags_on_the_line_win_over_those_of_a_recipe',
    'head_epochs': 'phases_test',
    'data_dir': 'refusals_test: the IDX files',
    'test_fraction': 'images_test',
    'crop': 'images_test',
    'size': 'images_test',
    'window': 'data_flags_test: test_windows_lie_in_the_training_block_of_their_series',
    'attributes': 'regressor_test',
    'target': 'regressor_test',
    'normalize': 'tables_test: test_bytes_are_normalized_as_they_are_fed',
    'missing': 'data_flags_test: test_missing_values_are_in_no_statistic_and_no_loss',
    'color': 'images_test',
    'labeled_seed': 'dataset_test: test_the_seed_decides_which_examples_have_labels',
    'early_stopping_epochs': 'resume_test',
    'adam_beta1': 'step_test: test_each_number_of_a_rule_is_that_of_the_configuration',
    'adam_beta2': 'step_test: test_each_number_of_a_rule_is_that_of_the_configuration',
    'adam_epsilon': 'step_test: test_each_number_of_a_rule_is_that_of_the_configuration',
    'rmsprop_decay': 'step_test: test_each_number_of_a_rule_is_that_of_the_configuration',
    'rmsprop_epsilon': 'step_test: test_each_number_of_a_rule_is_that_of_the_configuration',
    'restore_from': 'train_test: test_a_run_restores_what_matches_by_name',
    'restore_map': 'train_test: test_scopes_are_renamed_on_the_way',
    'checkpoint_steps': 'train_test: test_checkpoints_come_and_stay_as_asked',
    'checkpoint_secs': 'train_test: test_checkpoints_come_and_stay_as_asked',
    'keep_checkpoints': 'train_test: test_checkpoints_come_and_stay_as_asked',
    'keep_epochs': 'sample_test: test_samples_over_epochs_have_the_same_codes',
    'summary_steps': 'tensorboard_test',
    'towers': 'towers_test',
    'inter_op_threads': 'train_test: test_thread_pools_are_those_asked_for',
    'intra_op_threads': 'train_test: test_thread_pools_are_those_asked_for',
}

# The same for the fields of families: several families have fields of one name.
NETWORK = {
    'filters': '4,6',
    'kernel_sizes': '5',
    'strides': '2',
    'padding': 'valid',
    'pooling': 'average',
    'pool_sizes': '4',
    'units': '7,3',
    'activation': 'tanh',
    'batch_normalization': 'true',
    'kernel_initializer': 'he_normal',
}
AUTOENCODER = {
    'code_activation': 'tanh',
    'likelihood': 'bernoulli',
    'output_activation': 'linear',
    'tied': 'true',
    'corruption': 'gaussian:0.2',
    'emphasis': '2,1',
    'regularizer': 'l1:0.1',
    'k_sparse': '2',
    'weight_decay': '0.1',
}
# Family -> its base, and flag -> words that must change its graph.
CONVOLUTIONS = {'filters': '4,5', 'pooling': 'max', 'activation': 'elu'}
FAMILIES = {
    'dense': (
        {'units': '6,3', 'corruption': 'masking:0.1'},
        {
            k: v
            for k, v in {**AUTOENCODER, **NETWORK}.items()
            if k in config.field_types(KINDS['family'])
        },
    ),
    'convolutional': (
        {**CONVOLUTIONS, 'upsampling': 'deconvolution', 'corruption': 'masking:0.1'},
        {**AUTOENCODER, **NETWORK, 'upsampling': 'nearest'},
    ),
    'custom': (
        {
            'encoder': 'own_functions:encoder',
            'decoder': 'own_functions:decoder_16',
            'corruption': 'masking:0.1',
        },
        {
            **{name: text for name, text in AUTOENCODER.items() if name != 'tied'},
            'encoder': 'own_functions:other_encoder',
            'decoder': 'own_functions:other_decoder',
            'code_activation': 'tanh',
        },
    ),
    'variational': (
        {
            **CONVOLUTIONS,
            'upsampling': 'deconvolution',
            'units': '6',
            'code_size': '3',
            'likelihood': 'gaussian',
            'corruption': 'masking:0.1',
        },
        {
            **NETWORK,
            'upsampling': 'nearest',
            'code_size': '4',
            'likelihood': 'bernoulli',
            'variance': '0.5',
            'learn_variance': 'true',
            'beta': '2',
            'kl_warmup_steps': '10',
            'kl_cycles': '3',
            'kl_capacity': '5',
            'free_bits': '0.1',
            'samples': '2',
            'evaluation_samples': '7',
            'corruption': 'gaussian:0.2',
            'emphasis': '2,1',
        },
    ),
    'classifier': (
        {**CONVOLUTIONS, 'units': '6'},
        {**NETWORK, 'code_activation': 'tanh', 'dropout': '0.5'},
    ),
    'regressor': (
        {**CONVOLUTIONS, 'units': '6'},
        {**NETWORK, 'code_activation': 'tanh', 'values': '1,2,3,4,5,6,7,8,9,20'},
    ),
    'siamese': (
        {**CONVOLUTIONS, 'units': '6'},
        {
            **NETWORK,
            'code_size': '4',
            'loss': 'triplet',
            'margin': '0.5',
            'normalize_codes': 'true',
        },
    ),
    'gan': (
        {**CONVOLUTIONS, 'upsampling': 'deconvolution', 'units': '6', 'loss': 'wasserstein'},
        {
            **NETWORK,
            'generator_activation': 'tanh',
            'upsampling': 'nearest',
            'code_size': '4',
            'loss': 'least_squares',
            'gradient_penalty': '2',
            'critic_steps': '5',
            'conditional': 'true',
            'spectral_normalization': 'true',
        },
    ),
}
CASES = [
    pytest.param(family, name, id=f'{family}, {name}')
    for family, (_, changes) in FAMILIES.items()
    for name in changes
]


def parsed(kind, words):
    types = config.field_types(kind)
    return kind(**{k: config.parse(k, types[k], text) for k, text in words.items() if k in types})


def built(words):
    """What decides a run of these flags: its graph, its phases, its examples."""
    parts = {name: parsed(kind, words) for name, kind in KINDS.items()}
    del parts['watch']
    wanted = experiment.Experiment('dense', **parts)
    loaded = data.load(wanted.data)
    made = graph.build(wanted, loaded.train, loaded.validation)
    phases = [(p.phase.name, p.phase.start, p.phase.stop) for p in made.programs]
    definition = made.graph.as_graph_def().SerializeToString(deterministic=True)
    return loaded.fingerprint(), phases, made.graph.seed, definition


def model_graph(family, words):
    """The graph of all that a family does with these flags."""
    every = []
    with tf.Graph().as_default() as made:
        tf.train.get_or_create_global_step()
        loaded = models.load(family)
        model = loaded.Model(parsed(loaded.Config, words), (16, 16, 1), 10)
        seed = tf.constant([1, 2], tf.int64)
        batch = Batch(tf.zeros([4, 16, 16, 1]), tf.zeros([4], tf.int64), seed)
        for objective in model.objectives:
            every.append(str(objective(batch).every))
            objective(batch._replace(seed=None))
        if hasattr(model, 'measures'):
            model.measures(batch)
        definition = made.as_graph_def()
    # The functions of a loop are numbered through the process, and lie in the order of a hash.
    parts = [*definition.node, *definition.library.function]
    found = sorted(re.sub(r'(while_(?:body|cond))_\d+', r'\1', str(part)) for part in parts)
    return [*every, *found]


@functools.cache
def base_graph(family):
    found = model_graph(family, FAMILIES[family][0])
    assert found == model_graph(family, FAMILIES[family][0])  # the comparison means something
    return found


def test_every_flag_is_known_to_decide_something():
    kinds = [kind for name, kind in KINDS.items() if name != 'family']
    fields = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    fields |= {'logdir', 'model', 'recipe'}
    assert fields == CHANGES.keys() | ELSEWHERE.keys()
    assert not CHANGES.keys() & ELSEWHERE.keys()


def test_tests_that_see_the_other_flags_exist():
    files = {path.stem: path.read_text() for path in TESTS.rglob('*_test.py')}
    for flag, words in ELSEWHERE.items():
        for file in re.findall(r'\w+_test\b', words):
            assert file in files, (flag, file)
        if test := re.search(r'(\w+_test): (test_\w+)', words):
            assert f'def {test[2]}(' in files[test[1]], (flag, test[0])


@pytest.fixture(scope='module')
def base():
    assert built(BASE) == (found := built(BASE))  # the comparison means something
    return found


@pytest.mark.parametrize('name', sorted(CHANGES))
def test_a_flag_changes_the_graph(base, name):
    words = {**BASE, name: CHANGES[name]}
    if name == 'dataset':
        del words['synthetic_examples']
    assert built(words) != base


@pytest.mark.parametrize('family', models.names())
def test_every_flag_of_a_family_is_known(family):
    fields = {field.name for field in dataclasses.fields(models.load(family).Config)}
    assert fields == FAMILIES[family][1].keys()


@pytest.mark.parametrize('family, name', CASES)
def test_a_flag_of_a_family_changes_its_graph_or_is_refused(family, name):
    base, changes = FAMILIES[family]
    found = base_graph(family)
    try:
        assert model_graph(family, {**base, name: changes[name]}) != found
    except errors.UsageError as refusal:
        assert f'--{name}' in str(refusal)  # noqa: PT017
