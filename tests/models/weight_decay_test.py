"""Weight decay in real runs, where a loss is made in one part of the graph and read in another."""

import contextlib

import numpy as np
import own_functions
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae import models
from tfae.core import config
from tfae.models.base import objective

SIZES = {
    'dense': ('--units=8,4',),
    'convolutional': ('--filters=3,4', '--units=5'),
    'custom': own_functions.WORDS[1:],
}
FAMILIES = [
    name
    for name in models.names()
    if 'weight_decay' in config.field_types(models.load(name).Config)
]
JOINT = ('--epochs=1',)
GREEDY = ('--pretraining=greedy', '--pretraining_epochs=1', '--epochs=0')
# A step of gradient descent multiplies a kernel by 1 - rate * decay: by a half where it is strong.
DESCENT = ('--optimizer=sgd', '--learning_rate=0.05')
STRONG = 10


def kernels(folder, family, decay, *words):
    """Name -> kernel of a short run, which starts as every run with this seed does."""
    logdir = folder / f'{decay}'
    argv = (
        'train',
        f'--model={family}',
        *SIZES[family],
        f'--weight_decay={decay}',
        *DESCENT,
        *words,
    )
    done = tfae_program.run(*argv, f'--logdir={logdir}', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    found = tfae_program.checkpoint(logdir)
    return {
        name: value
        for name, value in found.items()
        if name.endswith('kernel') and name.split('/')[0] in ('encoder', 'decoder')
    }


def test_the_families_with_weight_decay_are_those_trained_here():
    assert SIZES.keys() == set(FAMILIES)


@pytest.mark.parametrize(
    'family, words',
    [
        *(
            pytest.param(
                *(family, words),
                id=f'{family}-{name}',
                marks=[] if family == 'dense' else pytest.mark.slow,
            )
            for family in SIZES
            for words, name in ((GREEDY, 'greedily'), (JOINT, 'jointly'))
        ),
    ],
)
def test_weight_decay_makes_every_kernel_of_a_run_smaller(tmp_path, family, words):
    without, weak, strong = (kernels(tmp_path, family, w, *words) for w in (0, 0.001, STRONG))
    assert without.keys() == weak.keys() == strong.keys()
    assert {name.split('/')[0] for name in without} == {'encoder', 'decoder'}
    for name, kernel in without.items():
        assert not np.array_equal(kernel, weak[name]), name
        assert np.linalg.norm(strong[name]) < 0.5 * np.linalg.norm(kernel), name
    metrics = tfae_program.metrics(tmp_path / f'{STRONG}')
    assert all(record['weight_decay'] > 0 for record in metrics)
    totals = [record['reconstruction'] + record['weight_decay'] for record in metrics]
    np.testing.assert_allclose([record['loss'] for record in metrics], totals, rtol=1e-5)


def test_a_tied_kernel_decays_too(tmp_path):
    without, strong = (kernels(tmp_path, 'dense', w, *JOINT, '--tied') for w in (0, STRONG))
    assert sorted(without) == ['encoder/layer_1/kernel', 'encoder/layer_2/kernel']
    for name, kernel in without.items():
        assert np.linalg.norm(strong[name]) < 0.5 * np.linalg.norm(kernel), name


@pytest.mark.parametrize('scope', ['', 'left', 'a.b'])
def test_regularization_is_chosen_by_the_variable_and_not_by_a_name(scope):
    """Each loss is a power of two, so that a sum tells which losses are in it."""
    made = {}
    with tf.variable_scope(scope) if scope else contextlib.nullcontext():
        for i, name in enumerate(['layer_1', 'layer_10', 'layer_2']):
            with tf.name_scope(f'elsewhere_{i}/'), tf.variable_scope(name):
                variable = tf.get_variable('kernel', [3], use_resource=True)
            loss = 2.0**i + 0 * tf.reduce_sum(variable, name=f'decoder/{name}')
            tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, loss)
            made[name] = variable
        assert objective.trainable('layer_1') == [made['layer_1']]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for names, want in (
            (['layer_1'], 1),
            (['layer_10'], 2),
            (['layer_1', 'layer_2'], 5),
            (['layer_1', 'layer_10', 'layer_2'], 7),
        ):
            found = objective.regularization([made[name] for name in names])
            assert session.run(found) == want
    assert objective.regularization([]) is None


def test_a_scope_is_no_regular_expression():
    for scope in ('a.b', 'aXb'):
        with tf.variable_scope(f'{scope}/encoder'):
            tf.get_variable('kernel', [1], use_resource=True)
    with tf.variable_scope('a.b'):
        assert [v.op.name for v in objective.trainable('encoder')] == ['a.b/encoder/kernel']
