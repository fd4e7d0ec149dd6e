"""Frozen variables keep their values, and then train as if the run began there."""

import math

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.core import errors
from tfae.models import Batch, Objective
from tfae.training import freezing
from tfae.training.config import TrainingConfig
from tfae.training.step import training_step

DATA = ('--dataset=synthetic', '--synthetic_shape=4x4x1', '--synthetic_examples=60')
EVERY = ('--batch_size=8', '--checkpoint_steps=1', '--keep_checkpoints=99', '--epochs=1')


@pytest.mark.parametrize(
    'text, want',
    [('encoder', ('encoder', math.inf)), ('a/b:7', ('a/b', 7)), ('/a/:1', ('a', 1))],
)
def test_a_scope_and_its_steps_are_parsed(text, want):
    found = freezing.Frozen.from_text(text)
    assert (found.scope, found.steps) == want
    assert freezing.Frozen.from_text(str(found)) == found


@pytest.mark.parametrize('text', ['', ':5', 'a:0', 'a:-1', 'a:b', 'a:1.5', 'a:' + '9' * 30, '/'])
def test_other_texts_are_refused(text):
    with pytest.raises(errors.UsageError, match='it must be a scope, or scope:steps with 1 step'):
        freezing.Frozen.from_text(text)


def test_a_scope_covers_whole_names():
    frozen = [freezing.Frozen('a/b'), freezing.Frozen('a', 3), freezing.Frozen('a/c', 9)]
    found = [freezing.wait(name, frozen) for name in ('a/b', 'a/b/k', 'a/bc', 'a/c/k', 'b/a')]
    assert found == [math.inf, math.inf, 3, 9, 0]


@pytest.mark.parametrize('optimizer', ['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam'])
def test_after_its_steps_a_variable_trains_like_one_of_a_new_run(optimizer):
    """The other one trains from the start; its slots and powers are not those of the first."""
    images = np.random.RandomState(0).uniform(size=[6, 3])

    def trained(count, freeze):
        with tf.Graph().as_default(), tf.Session() as session:

            def distance(batch):
                with tf.variable_scope('', reuse=tf.AUTO_REUSE):
                    pair = [
                        tf.get_variable(name, [3], tf.float64, tf.ones_initializer())
                        for name in ('late/w', 'first/w')
                    ]
                losses = [tf.reduce_mean(tf.square(batch.images - w)) for w in pair]
                return Objective('distance', tf.add_n(losses), pair, {})

            number = tf.get_variable('number', [], tf.int64, tf.zeros_initializer())
            config = TrainingConfig(optimizer=optimizer, freeze=freeze)
            batch = Batch(tf.constant(images), None, None)
            step = training_step([distance], batch, tf.constant(0.1), config, number=number)
            with tf.control_dependencies([step.op]):
                advance = number.assign_add(1).op
            with tf.variable_scope('', reuse=True):
                pair = [
                    tf.get_variable(f'{name}/w', dtype=tf.float64) for name in ('late', 'first')
                ]
            session.run(tf.global_variables_initializer())
            found = [session.run(pair)]
            for _ in range(count):
                session.run(advance)
                found.append(session.run(pair))
        return np.transpose(found, [1, 0, 2])

    whole, _ = trained(4, ())
    late, first = trained(6, (freezing.Frozen('late', 2),))
    assert (late[:3] == 1).all()
    assert np.array_equal(late[2:], whole)
    assert np.array_equal(first[:5], whole)


@pytest.mark.parametrize(
    'words',
    [
        ('--model=dense', '--units=5,3'),
        ('--model=variational', '--code_size=2', '--units=5'),
        ('--model=siamese', '--units=3'),
        ('--model=convolutional', '--filters=2', '--units=2', '--batch_normalization'),
    ],
)
def test_a_run_moves_the_frozen_scope_after_its_steps_and_the_others_at_once(tmp_path, words):
    train = ('train', *words, *DATA, *EVERY)
    done = tfae_program.run(*train, '--freeze=encoder:3', '--logdir=run', cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    steps = [tfae_program.checkpoint(tmp_path / 'run', step) for step in (1, 2, 3, 4)]
    frozen = [name for name in steps[0] if name.startswith('encoder/') and 'Adam' not in name]
    for name in frozen:
        assert all(np.array_equal(steps[0][name], step[name]) for step in steps[1:3]), name
    assert any('moving_mean' in name for name in frozen) == ('--batch_normalization' in words)
    moved = [name for name in frozen if not np.array_equal(steps[0][name], steps[3][name])]
    assert set(moved) >= {name for name in frozen if name.endswith(('kernel', 'moving_mean'))}

    others = [n for n in steps[0] if n.endswith('kernel') and not n.startswith('encoder/')]
    assert bool(others) == ('--model=siamese' not in words)
    assert all(not np.array_equal(steps[0][name], steps[1][name]) for name in others)


@pytest.mark.parametrize(
    'more',
    [
        (),
        pytest.param(('--accumulation_steps=2', '--batch_normalization'), marks=pytest.mark.slow),
        pytest.param(('--pretraining=greedy',), marks=pytest.mark.slow),
    ],
)
def test_a_run_stopped_while_a_scope_is_frozen_ends_as_the_whole(tmp_path, more):
    words = ('train', '--model=convolutional', '--filters=2', '--units=2', *DATA, *EVERY, *more)
    words = (*words, '--freeze=encoder:8')  # an epoch has six steps
    for logdir, epochs in (('whole', 2), ('run', 1), ('run', 2)):
        done = tfae_program.run(*words, f'--epochs={epochs}', f'--logdir={logdir}', cwd=tmp_path)
        assert (done.code, done.err) == (0, ''), done
    whole, run = (tfae_program.checkpoint(tmp_path / name) for name in ('whole', 'run'))
    assert tfae_program.same_bytes(run, whole)


def test_early_stopping_waits_for_what_is_frozen(tmp_path):
    words = ('train', '--model=siamese', '--units=3', *DATA, '--synthetic_kind=blobs')
    words = (*words, '--batch_size=8', '--freeze=encoder:20', '--early_stopping_epochs=2')
    done = tfae_program.run(*words, '--epochs=6', '--logdir=run', cwd=tmp_path)
    assert done.code == 0, done
    assert tfae_program.steps(tmp_path / 'run')[-1] > 20


def test_a_frozen_encoder_of_another_run_stays_that_of_the_run(tmp_path):
    words = ('--units=5,3', '--activation=elu', *DATA)
    assert tfae_program.run('train', *words, *EVERY, '--logdir=first', cwd=tmp_path).code == 0
    head = ('--model=classifier', '--code_activation=linear', '--restore_from=first')
    done = tfae_program.run(
        *('train', *words, *head, '--synthetic_kind=blobs', '--epochs=3', '--freeze=encoder'),
        '--logdir=second',
        cwd=tmp_path,
    )
    assert (done.code, done.err) == (0, ''), done
    first, second = (tfae_program.checkpoint(tmp_path / name) for name in ('first', 'second'))
    encoder = [name for name in second if name.startswith('encoder/')]
    assert len(encoder) == 4  # no slots of the optimizer either
    assert all(np.array_equal(first[name], second[name]) for name in encoder)
    assert 'classifier/kernel/Adam' in second


@pytest.mark.parametrize(
    'words, text',
    [
        (('--freeze=enc',), '--freeze is enc; there is no variable in this scope: variables are'),
        (('--freeze=encoder,decoder',), '--freeze is encoder,decoder; nothing is left to train in'),
        (('--freeze=encoder:0',), "--freeze is 'encoder:0'; it must be a scope, or scope:steps"),
        (
            ('--freeze=encoder/layer_1,decoder', '--pretraining=greedy'),
            '--freeze is encoder/layer_1,decoder; nothing is left to train in phase pretraining/',
        ),
    ],
)
def test_mistakes_are_refused(tmp_path, words, text):
    argv = ('train', '--units=5,3', *DATA, *words, '--logdir=run')
    assert tfae_program.run(*argv, cwd=tmp_path).refusal(2).startswith(text)
    assert not (tmp_path / 'run').exists()
