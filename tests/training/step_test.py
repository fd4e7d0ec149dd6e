"""One step: each rule against numpy, and what lies between loss and update."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.models import Batch, Objective
from tfae.models.base.objective import recorded_updates
from tfae.training import freezing
from tfae.training.config import TrainingConfig
from tfae.training.step import learning_rate, training_step

IMAGES = np.random.RandomState(0).uniform(size=[12, 3])
START = np.array([0.3, -0.2, 0.9])
SCOPE = f'{names.ENCODER}/{names.layer(1)}'


def weights(scope=SCOPE, start=START):
    with tf.variable_scope(scope, reuse=tf.AUTO_REUSE):
        return tf.get_variable(
            names.KERNEL,
            [len(start)],
            tf.float64,
            tf.constant_initializer(start),
            use_resource=True,
        )


def batch():
    return Batch(tf.constant(IMAGES), None, tf.constant([1, 2], tf.int64))


def distance(batch):
    """mean |x - w|^2, whose gradient is 2 (w - mean x), and a term beside it."""
    w = weights()
    loss = tf.reduce_mean(tf.reduce_sum(tf.square(batch.images - w), 1))
    return Objective('distance', loss, [w], {'top': tf.reduce_mean(batch.images[:, 0] * w[0])})


def gradient(w):
    return 2 * (w - IMAGES.mean(0))


def config(**fields):
    return TrainingConfig(batch_size=12, **fields)


def steps(count, made, **config_fields):
    """The variable after each of `count` steps."""
    step = training_step(made, batch(), tf.constant(0.1), config(**config_fields))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = []
        for _ in range(count):
            session.run(step.op)
            found.append(session.run(weights()))
    return found


def by_hand(optimizer, count, rate=0.1, **numbers):
    """TF1's rules, as its kernels define them, with TF1's numbers where none are given."""
    momentum = numbers.get('momentum', 0.9)
    beta1, beta2 = numbers.get('adam_beta1', 0.9), numbers.get('adam_beta2', 0.999)
    decay = numbers.get('rmsprop_decay', 0.9)
    adam_epsilon = numbers.get('adam_epsilon', 1e-8)
    rmsprop_epsilon = numbers.get('rmsprop_epsilon', 1e-10)
    w = START.copy()
    a, b = np.zeros(3), np.zeros(3)
    if optimizer == 'adagrad':
        a += 0.1
    if optimizer == 'rmsprop':
        a += 1
    for t in range(1, count + 1):
        g = gradient(w)
        if optimizer == 'sgd':
            w = w - rate * g
        elif optimizer == 'momentum':
            a = momentum * a + g
            w = w - rate * a
        elif optimizer == 'nesterov':
            a = momentum * a + g
            w = w - rate * (g + momentum * a)
        elif optimizer == 'adagrad':
            a = a + g**2
            w = w - rate * g / np.sqrt(a)
        elif optimizer == 'rmsprop':
            a = decay * a + (1 - decay) * g**2
            b = momentum * b + rate * g / np.sqrt(a + rmsprop_epsilon)
            w = w - b
        elif optimizer == 'adam':
            a = beta1 * a + (1 - beta1) * g
            b = beta2 * b + (1 - beta2) * g**2
            scaled = rate * math.sqrt(1 - beta2**t) / (1 - beta1**t)
            w = w - scaled * a / (np.sqrt(b) + adam_epsilon)
        yield w


@pytest.mark.parametrize('optimizer', ['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam'])
def test_updates_are_those_of_tf1(optimizer):
    got = steps(3, [distance], optimizer=optimizer)
    for ours, theirs in zip(got, by_hand(optimizer, 3), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    'optimizer, field, value',
    [
        ('momentum', 'momentum', 0.5),
        ('nesterov', 'momentum', 0.5),
        ('rmsprop', 'momentum', 0.5),
        ('rmsprop', 'rmsprop_decay', 0.2),
        ('rmsprop', 'rmsprop_epsilon', 0.3),
        ('adam', 'adam_beta1', 0.5),
        ('adam', 'adam_beta1', 0.0),
        ('adam', 'adam_beta2', 0.5),
        ('adam', 'adam_epsilon', 0.3),
    ],
)
def test_each_number_of_a_rule_is_that_of_the_configuration(optimizer, field, value):
    got = steps(3, [distance], optimizer=optimizer, **{field: value})
    want = list(by_hand(optimizer, 3, **{field: value}))
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6)
    assert np.abs(want[2] - list(by_hand(optimizer, 3))[2]).max() > 1e-3  # it decides something


@pytest.mark.parametrize(
    'optimizer, fields, want',
    [
        ('sgd', {'momentum': 0.5}, 'momentum, nesterov or rmsprop'),
        ('adam', {'momentum': 0.5}, 'momentum, nesterov or rmsprop'),
        ('rmsprop', {'adam_beta1': 0.5}, 'adam'),
        ('momentum', {'adam_beta2': 0.5}, 'adam'),
        ('sgd', {'adam_epsilon': 0.5}, 'adam'),
        ('adam', {'rmsprop_decay': 0.5}, 'rmsprop'),
        ('adagrad', {'rmsprop_epsilon': 0.5}, 'rmsprop'),
    ],
)
def test_a_number_that_the_rule_does_not_read_is_refused(optimizer, fields, want):
    (name,) = fields
    with pytest.raises(errors.UsageError) as error:
        TrainingConfig(optimizer=optimizer, **fields)
    assert str(error.value) == f'--{name} needs --optimizer={want}; it is {optimizer}'


@pytest.mark.parametrize(
    'optimizer, slots',
    [
        ('sgd', []),
        ('momentum', ['Momentum']),
        ('adagrad', ['Adagrad']),
        ('rmsprop', ['RMSProp', 'RMSProp_1']),
        ('adam', ['Adam', 'Adam_1']),
    ],
)
@pytest.mark.parametrize('scope', ['', 'pretraining/layer_1'])
def test_slots_have_the_names_of_tf1(optimizer, slots, scope):
    with tf.name_scope('some/phase/'):
        training_step([distance], batch(), tf.constant(0.1), config(optimizer=optimizer), scope)
    below = f'{scope}/' if scope else ''
    want = ['encoder/layer_1/kernel']
    want += [f'{below}encoder/layer_1/kernel/{slot}' for slot in slots]
    want += [f'{below}beta{i}_power' for i in (1, 2)] if optimizer == 'adam' else []
    assert sorted(v.op.name for v in tf.global_variables()) == sorted(want)
    assert [v.op.name for v in tf.trainable_variables()] == ['encoder/layer_1/kernel']


@pytest.mark.parametrize('clip_norm, part', [(0.0, 1), (100.0, 1), (0.5, None)])
def test_gradients_longer_than_the_clip_norm_are_cut_to_it(clip_norm, part):
    step = training_step(
        [distance], batch(), tf.constant(0.1), config(optimizer='sgd', clip_norm=clip_norm)
    )
    norm = np.linalg.norm(gradient(START))
    assert norm > 0.5
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_allclose(session.run(step.norms[names.GRADIENT_NORM]), norm)
        session.run(step.op)
        moved = session.run(weights()) - START
    want = -0.1 * gradient(START) * (part or clip_norm / norm)
    np.testing.assert_allclose(moved, want, rtol=1e-6)


def test_the_clip_norm_is_that_of_all_variables_together():
    def two(batch):
        a, b = weights(), weights(names.DECODER, 3 * START)
        loss = tf.reduce_sum(tf.square(a)) + tf.reduce_sum(tf.square(b))
        return Objective('two', loss + 0 * tf.reduce_sum(batch.images), [a, b], {})

    step = training_step([two], batch(), tf.constant(1.0), config(optimizer='sgd', clip_norm=0.1))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step.op)
        moved = np.concatenate(session.run([weights(), weights(names.DECODER)]))
    moved -= np.concatenate([START, 3 * START])
    np.testing.assert_allclose(np.linalg.norm(moved), 0.1, rtol=1e-6)


@pytest.mark.parametrize('parts', [2, 3, 12])
@pytest.mark.parametrize('clip_norm', [0.0, 0.5])
def test_a_batch_in_parts_moves_as_the_whole_and_shows_the_same(parts, clip_norm):
    shown = []
    for count in (1, parts):
        with tf.Graph().as_default(), tf.Session() as session:
            made = config(optimizer='momentum', accumulation_steps=count, clip_norm=clip_norm)
            step = training_step([distance], batch(), tf.constant(0.1), made)
            session.run(tf.global_variables_initializer())
            seen = session.run([step.scalars, step.norms])
            for _ in range(3):
                session.run(step.op)
            shown.append((seen, session.run(weights())))
    (whole, after), (parted, after_parts) = shown
    np.testing.assert_allclose(after_parts, after, rtol=1e-12)
    assert set(whole[0]) == {names.LOSS, 'top'}
    for a, b in zip(whole, parted, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_allclose(b[name], a[name], rtol=1e-12)


def test_each_part_of_a_batch_has_noise_and_labels_of_its_own():
    seen = []

    def noting(batch):
        seen.append((batch.images, batch.labels, batch.seed))
        return distance(batch)

    labeled = batch()._replace(labels=tf.range(12))
    training_step([noting], labeled, tf.constant(0.1), config(accumulation_steps=3))
    with tf.Session() as session:
        images, labels, seeds = (session.run(list(part)) for part in zip(*seen, strict=True))
    assert np.array_equal(np.concatenate(images), IMAGES)
    assert np.array_equal(np.concatenate(labels), np.arange(12))
    assert len({seed.tobytes() for seed in seeds}) == 3


@pytest.mark.parametrize('parts', [1, 3])
def test_updates_of_moving_averages_run_with_the_step_and_no_others_do(parts):
    mean, stranger = (
        tf.get_variable(name, initializer=0.0, trainable=False, use_resource=True)
        for name in ('mean', 'stranger')
    )
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, stranger.assign_add(1).op)

    def updating(batch):
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, mean.assign_add(1).op)
        return distance(batch)

    step = training_step([updating], batch(), tf.constant(0.1), config(accumulation_steps=parts))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step.op)
        assert session.run([mean, stranger]) == [1, 0]


@pytest.mark.parametrize('parts', [1, 3])
def test_an_objective_that_names_its_updates_runs_no_others(parts):
    own, other = (
        tf.get_variable(name, initializer=0.0, trainable=False, use_resource=True)
        for name in ('own', 'other')
    )

    def choosing(batch):
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, other.assign_add(1).op)
        with recorded_updates() as updates:
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, own.assign_add(1).op)
        return distance(batch)._replace(updates=updates)

    made = config(accumulation_steps=parts)
    step = training_step([choosing], batch(), tf.constant(0.1), made)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step.op)
        assert session.run([own, other]) == [1, 0]
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2 * parts  # nothing is taken away


def scalar(name):
    return weights(name, [0.0])


def leader(batch):
    a = scalar('leader')
    return Objective('leader', tf.reduce_sum(tf.square(a - 1)), [a], {'place': a[0]})


def follower(batch):
    a, b = scalar('leader'), scalar('follower')
    return Objective('follower', tf.reduce_sum(tf.square(b - a)), [b], {})


def test_the_second_objective_reads_what_the_first_has_moved():
    step = training_step([leader, follower], batch(), tf.constant(0.1), config(optimizer='sgd'))
    a = b = 0.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(20):
            session.run(step.op)
            a -= 0.2 * (a - 1)
            b -= 0.2 * (b - a)
            found = session.run([scalar('leader')[0], scalar('follower')[0]])
            np.testing.assert_allclose(found, [a, b], rtol=1e-6)


@pytest.mark.parametrize('wait', [0, 5])
def test_an_objective_of_several_steps_moves_at_the_last_of_them(wait):
    """Its slots and moving averages too; with a frozen variable at the first such step after."""
    number = tf.placeholder(tf.int64, [])
    average = scalar('average')

    def seldom(batch):
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, average.assign_add([1.0]).op)
        return follower(batch)._replace(every=3)

    freeze = (freezing.Frozen('follower', wait),) if wait else ()
    made = config(optimizer='momentum', momentum=0.5, freeze=freeze)
    step = training_step([leader, seldom], batch(), tf.constant(0.1), made, number=number)
    a = b = slope_a = slope_b = 0.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for i in range(10):
            scalars, _ = session.run([step.scalars, step.op], {number: i})
            slope_a = 0.5 * slope_a + 2 * (a - 1)
            a -= 0.1 * slope_a
            np.testing.assert_allclose(scalars['follower/loss'], (b - a) ** 2, rtol=1e-5)
            if i % 3 == 2 and i >= wait:
                slope_b = 0.5 * slope_b + 2 * (b - a)
                b -= 0.1 * slope_b
            found = session.run([scalar('leader')[0], scalar('follower')[0], average[0]])
            np.testing.assert_allclose(found, [a, b, (i + 1) // 3], rtol=1e-5)


def test_scalars_of_several_objectives_bear_their_names():
    step = training_step([leader, follower], batch(), tf.constant(0.1), config())
    assert list(step.scalars) == ['leader/loss', 'leader/place', 'follower/loss']
    assert list(step.norms) == ['leader/gradient_norm', 'follower/gradient_norm']
    powers = [v.op.name for v in tf.global_variables() if 'power' in v.op.name]
    assert powers == ['beta1_power', 'beta2_power', 'beta1_power_1', 'beta2_power_1']


def test_an_objective_moves_only_its_variables():
    step = training_step([follower], batch(), tf.constant(0.1), config(optimizer='sgd'))
    scalar('leader').initializer  # noqa: B018
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(scalar('leader').assign([2.0]))
        session.run(step.op)
        assert session.run(scalar('leader')) == [2]
        assert session.run(scalar('follower')) != [0]


def test_scalars_are_those_before_the_update():
    """Also where no gradient waits for them: of a linear loss, and of a term beside the loss."""

    def linear(batch):
        w = weights()
        slow = tf.linalg.matmul(tf.ones([600, 600], tf.float64), tf.ones([600, 600], tf.float64))
        late = w.read_value()[0] + 0 * slow[0, 0]
        return Objective('linear', tf.reduce_sum(w), [w], {'late': late})

    step = training_step([linear], batch(), tf.constant(0.1), config(optimizer='sgd'))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for i in range(30):
            seen, _ = session.run([step.scalars, step.op])
            np.testing.assert_allclose(seen[names.LOSS], START.sum() - 0.3 * i, atol=1e-5)
            np.testing.assert_allclose(seen['late'], START[0] - 0.1 * i, atol=1e-5)


def test_a_variable_without_a_gradient_is_named():
    def lost(batch):
        return distance(batch)._replace(variables=[weights(), weights('lost'), weights('too')])

    wanted = 'objective distance: lost/kernel, too/kernel have no gradient'
    with pytest.raises(ValueError, match=wanted):
        training_step([lost], batch(), tf.constant(0.1), config())


def rates(steps, warmup, start=0.5, **fields):
    step = tf.placeholder(tf.int64, [])
    made = learning_rate(TrainingConfig(**fields), start, step, steps, warmup)
    with tf.Session() as session:
        return [float(session.run(made, {step: s})) for s in range(steps)]


COURSES = {
    'constant': lambda done, end: 1,
    'linear': lambda done, end: 1 + (end - 1) * done,
    'exponential': lambda done, end: end**done,
    'cosine': lambda done, end: end + (1 - end) * 0.5 * (1 + math.cos(math.pi * done)),
}


@pytest.mark.parametrize('decay', COURSES)
@pytest.mark.parametrize('warmup', [0, 1, 7])
def test_learning_rates_follow_their_closed_forms(decay, warmup):
    end = {} if decay == 'constant' else {'learning_rate_end': 0.04}
    got = rates(20, warmup, learning_rate_decay=decay, **end)
    for s, rate in enumerate(got):
        rise = min(1, (s + 1) / warmup) if warmup else 1
        want = 0.5 * rise * COURSES[decay](s / 20, 0.04)
        np.testing.assert_allclose(rate, want, rtol=2e-6)


@pytest.mark.parametrize('decay', ['linear', 'exponential', 'cosine'])
def test_an_end_of_zero_is_a_rate(decay):
    got = rates(10, 0, learning_rate_decay=decay, learning_rate_end=0.0)
    assert np.isfinite(got).all()
    assert got[0] == pytest.approx(0.5)
    assert all(a >= b >= 0 for a, b in zip(got, got[1:], strict=False))


def test_a_phase_without_steps_has_a_rate():
    rate = learning_rate(TrainingConfig(), 0.5, tf.zeros([], tf.int64), 0, 0)
    with tf.Session() as session:
        assert session.run(rate) == 0.5


@pytest.mark.parametrize(
    'field, value, range_',
    [
        ('learning_rate', -1e-9, '[0, inf)'),
        ('learning_rate', math.inf, '[0, inf)'),
        ('learning_rate', math.nan, '[0, inf)'),
        ('learning_rate_end', -1, '[0, inf)'),
        ('warmup_epochs', -1, '[0, 1000000000]'),
        ('momentum', -0.1, '[0, inf)'),
        ('adam_beta1', 1.0, '[0, 1)'),
        ('adam_beta1', -0.1, '[0, 1)'),
        ('adam_beta2', math.nan, '[0, 1)'),
        ('adam_epsilon', -1e-8, '[0, inf)'),
        ('rmsprop_decay', 1.5, '[0, 1)'),
        ('rmsprop_epsilon', -1, '[0, inf)'),
        ('batch_size', -1, '[0, inf)'),
        ('accumulation_steps', 0, '[1, inf)'),
        ('clip_norm', -1, '[0, inf)'),
        ('epochs', -2, '[-1, 1000000000]'),
        ('early_stopping_epochs', -1, '[0, 1000000000]'),
        ('seed', -1, '[0, 18446744073709551615]'),
    ],
)
def test_a_number_out_of_range_is_refused(field, value, range_):
    with pytest.raises(errors.UsageError) as error:
        dataclasses.replace(TrainingConfig(), **{field: value})
    assert str(error.value) == f'--{field} is {value}; it must lie in {range_}'


def test_parts_must_divide_the_batch():
    wanted = '--accumulation_steps is 5; it must divide --batch_size, 64'
    with pytest.raises(errors.UsageError, match=wanted):
        TrainingConfig(accumulation_steps=5)


def test_a_batch_of_zero_is_the_whole_set():
    assert TrainingConfig(batch_size=0).batch(70) == 70
    assert TrainingConfig(batch_size=0, accumulation_steps=7).batch(70) == 70
    assert TrainingConfig(batch_size=70).batch(70) == 70
    assert TrainingConfig(batch_size=16).batch(70) == 16


def test_a_batch_larger_than_the_set_is_refused():
    wanted = '--batch_size is 71; the training set has only 70 examples'
    with pytest.raises(errors.UsageError, match=wanted):
        TrainingConfig(batch_size=71).batch(70)


def test_parts_must_divide_the_whole_set():
    wanted = '--accumulation_steps is 3; it must divide --batch_size, 70, which is the whole'
    with pytest.raises(errors.UsageError, match=wanted):
        TrainingConfig(batch_size=0, accumulation_steps=3).batch(70)
