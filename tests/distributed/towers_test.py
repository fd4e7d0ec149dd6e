"""One process on several devices, in tests parts of the CPU: the network once on each."""

import collections
import pathlib

import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf
import tfae_program
from workers import CONVOLUTIONAL, DENSE, GAN, GREEDY, Workers, assert_equal

from tfae.core import errors
from tfae.distributed.replica import Replica
from tfae.models.base.objective import Batch, Objective
from tfae.ops import stateless_random
from tfae.runs import sessions
from tfae.training import gradients

NORMALIZED = (
    *('train', '--model=convolutional', '--filters=4,6', '--epochs=2', '--batch_size=48'),
    *('--batch_normalization', '--optimizer=momentum', '--learning_rate=0.01'),
)


def ended(folder, *argv):
    done = tfae_program.run(*argv, cwd=folder)
    assert (done.code, done.err) == (0, ''), done


@pytest.mark.parametrize(
    'towers, argv',
    [(2, GREEDY), (3, DENSE), (2, CONVOLUTIONAL), (2, GAN)],
    ids=['greedy', 'dense', 'convolutional', 'gan'],
)
def test_towers_end_where_one_device_ends_noise_included(tmp_path, towers, argv):
    ended(tmp_path, *argv, '--logdir=alone')
    ended(tmp_path, *argv, '--logdir=run', f'--towers={towers}')
    assert_equal(tmp_path / 'run', tmp_path / 'alone')


def test_workers_of_two_towers_each_end_where_one_device_ends(tmp_path):
    ended(tmp_path, *DENSE, '--logdir=alone')
    workers = Workers(tmp_path, 2, *DENSE, '--towers=2')
    assert [(done.code, done.err) for done in workers.wait()] == [(0, '')] * 2
    assert_equal(workers.logdir, tmp_path / 'alone')


def test_batch_normalization_is_the_same_over_towers_workers_and_parts(tmp_path):
    """Each share is normalized by itself; the moving averages are those of the mean over shares."""
    ended(tmp_path, *NORMALIZED, '--logdir=towers', '--towers=2')
    ended(tmp_path, *NORMALIZED, '--logdir=parts', '--accumulation_steps=2')
    workers = Workers(tmp_path, 2, *NORMALIZED)
    assert [(done.code, done.err) for done in workers.wait()] == [(0, '')] * 2
    for logdir in (tmp_path / 'parts', workers.logdir):
        assert_equal(logdir, tmp_path / 'towers')
    moved = tfae_program.checkpoint(tmp_path / 'towers')
    assert any(np.abs(value).max() > 0 for name, value in moved.items() if 'moving_mean' in name)


def test_a_run_goes_on_with_another_number_of_towers(tmp_path):
    ended(tmp_path, *DENSE, '--logdir=alone')
    program = tfae_program.start(*DENSE, '--logdir=run', '--towers=2', cwd=tmp_path)
    logdir = pathlib.Path(tmp_path, 'run')
    tfae_program.wait_for(lambda: tfae_program.metrics(logdir), program)
    program.kill()
    ended(tmp_path, *DENSE, '--logdir=run', '--towers=4')
    assert_equal(logdir, tmp_path / 'alone')


ROWS = np.random.RandomState(0).uniform(size=[12, 3])
START = np.array([0.5, -1.0, 2.0])


def weights():
    with tf.variable_scope('w', reuse=tf.AUTO_REUSE):
        return tf.get_variable(
            'kernel', [3], tf.float64, tf.constant_initializer(START), use_resource=True
        )


def cubed(batch):
    w = weights()
    loss = tf.reduce_mean(tf.pow(tf.linalg.matvec(batch.images, w), 3))
    mean = tf.reduce_mean(batch.images, 0)
    return Objective('cubed', loss, [w], {'size': mean[0]})


@pytest.mark.parametrize('parts', [1, 2])
@pytest.mark.parametrize('count', [1, 3])
def test_loss_gradients_and_terms_are_those_of_the_whole_batch(count, parts):
    seen = []

    def noting(batch):
        seen.append((batch.images, batch.labels))
        return cubed(batch)

    replica = Replica(towers=tuple(f'/cpu:{i}' for i in range(count)))
    batch = Batch(tf.constant(ROWS), tf.range(12), None)
    found = gradients.of_batch(noting, batch, parts, replica)
    with tf.Session(config=tf.ConfigProto(device_count={'CPU': count})) as session:
        session.run(tf.global_variables_initializer())
        made, (slope,), shares = session.run(
            [(found.objective.loss, found.objective.terms), found.gradients, seen]
        )
    products = ROWS @ START
    np.testing.assert_allclose(made[0], (products**3).mean(), rtol=1e-12)
    np.testing.assert_allclose(made[1]['size'], ROWS[:, 0].mean(), rtol=1e-12)
    exact = (3 * products[:, None] ** 2 * ROWS).mean(0)
    np.testing.assert_allclose(slope, exact, rtol=1e-12)
    ahead = [(((ROWS @ (START + d)) ** 3).mean()) for d in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(slope, (ahead - (products**3).mean()) / 1e-6, rtol=1e-4)
    rows, labels = (np.concatenate(each) for each in zip(*shares, strict=True))
    assert sorted(labels) == list(range(12))  # each example once
    assert np.array_equal(ROWS[labels], rows)


def test_each_tower_computes_on_its_device_forth_and_back():
    batch = Batch(tf.constant(ROWS), None, None)
    gradients.of_batch(cubed, batch, replica=Replica(towers=('/cpu:0', '/cpu:1')))
    products = collections.Counter(
        op.device[-1] for op in tf.get_default_graph().get_operations() if op.type == 'MatMul'
    )
    assert products['0'] == products['1'] >= 2


def test_moving_averages_move_once_by_the_mean_over_towers_and_parts():
    ones = tf.ones_initializer()
    moved, told, added = (
        tf.get_variable(n, [], tf.float64, ones, use_resource=True) for n in 'abc'
    )

    def updating(batch):
        mean = tf.reduce_mean(batch.images)
        for op in (
            moved.assign_sub((moved - mean) * 0.1, read_value=False),
            told.assign(mean, read_value=False),
            added.assign_add(mean, read_value=False),
        ):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, op)
        return cubed(batch)

    replica = Replica(towers=('/cpu:0', '/cpu:0'))
    found = gradients.of_batch(updating, Batch(tf.constant(ROWS), None, None), 3, replica)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(found.updates)
        mean = ROWS.mean()
        wanted = [0.9 + 0.1 * mean, mean, 1 + mean]
        np.testing.assert_allclose(session.run([moved, told, added]), wanted, rtol=1e-12)


def test_an_update_that_has_no_mean_is_refused_where_a_batch_is_shared():
    def printing(batch):
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.no_op('done'))
        return cubed(batch)

    batch = Batch(tf.constant(ROWS), None, None)
    gradients.of_batch(printing, batch)
    wanted = 'update done.* is a NoOp; with a divided batch, or an objective'
    with pytest.raises(ValueError, match=wanted):
        gradients.of_batch(printing, batch, 2)


def test_towers_draw_what_the_whole_batch_draws():
    seed = tf.constant([3, 5], tf.int64)

    def drawing(batch):
        rows = tf.shape(batch.images)[0]
        noise.append(stateless_random.normal(tf.stack([rows, 7]), batch.seed))
        return cubed(batch)

    noise = []
    batch = Batch(tf.constant(ROWS), None, seed)
    gradients.of_batch(drawing, batch, replica=Replica(towers=('',) * 3))
    gradients.of_batch(drawing, batch)
    with tf.Session() as session:
        *shares, whole = session.run(noise)
    np.testing.assert_array_equal(np.concatenate(shares), whole)


@pytest.mark.parametrize(
    'towers, gpus, wanted',
    [
        (1, 0, ('',)),
        (0, 0, ('',)),
        (2, 0, ('/cpu:0', '/cpu:1')),
        (0, 2, ('/gpu:0', '/gpu:1')),
        (2, 4, ('/gpu:0', '/gpu:1')),
        (1, 4, ('',)),
    ],
)
def test_devices_are_gpus_where_there_are_any(monkeypatch, towers, gpus, wanted):
    monkeypatch.setattr(tf2.config, 'list_physical_devices', lambda kind: [kind] * gpus)
    assert sessions.devices(towers) == wanted


def test_more_towers_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(tf2.config, 'list_physical_devices', lambda kind: [kind] * 2)
    with pytest.raises(errors.UsageError, match=r'^--towers is 3; it must be at most 2, the GPUs'):
        sessions.devices(3)


def test_a_batch_that_towers_cannot_share_is_refused_and_leaves_a_run_as_it_was(tmp_path):
    ended(tmp_path, *DENSE, '--logdir=run')
    for logdir in ('run', 'new'):
        done = tfae_program.run(*DENSE, f'--logdir={logdir}', '--towers=5', cwd=tmp_path)
        assert done.refusal(2) == (
            'a batch has 48 examples; the number must be a multiple of 5 towers'
        )
    assert not (tmp_path / 'new').exists()
    done = tfae_program.run(*DENSE, '--logdir=new', '--towers=-1', cwd=tmp_path)
    assert done.refusal(2).startswith('--towers is -1')
