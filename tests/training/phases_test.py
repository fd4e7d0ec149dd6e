"""Phases: boundaries, what each moves, what each costs."""

import dataclasses
import math
from typing import NamedTuple

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import models
from tfae.core import errors, names
from tfae.data import pipeline
from tfae.models import dense, siamese
from tfae.training import phases
from tfae.training.config import TrainingConfig

SHAPE = (4, 3, 1)
GREEDY = phases.Config(pretraining='greedy', pretraining_epochs=(2,))
STEPS = TrainingConfig(batch_size=16, epochs=2, learning_rate=0.01)


class Source(NamedTuple):
    """As much of a source as a phase's arithmetic needs."""

    count: int


def phase(count, epochs=3, start=0, stop=10**9):
    return phases.Phase('training', (), Source(count), Source(0), epochs, 1e-3, start, stop)


@hypothesis.given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 50), st.data())
def test_epochs_are_counted_as_by_hand(count, batch_size, start, drawn):
    batch_size = min(batch_size, count)
    step = start + drawn.draw(st.integers(0, 400))
    made = phase(count, start=start)
    whole = [0]  # epochs seen whole before each step
    for examples in range(batch_size, (402 + count) * batch_size, batch_size):
        whole.append(examples // count)
    now = whole[step - start]
    assert made.epoch(step, batch_size) == now
    after = next(s for s in range(step - start + 1, len(whole)) if whole[s] > now)
    assert made.epoch_end(step, batch_size) == start + after


@hypothesis.given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 7), st.integers(0, 9))
def test_the_last_epoch_of_a_phase_ends_with_it(count, batch_size, epochs, start):
    batch_size = min(batch_size, count)
    stop = start + math.ceil(epochs * count / batch_size)
    made = phase(count, epochs, start, stop)
    ends = [made.epoch_end(start, batch_size)]
    while ends[-1] < stop:
        ends.append(made.epoch_end(ends[-1], batch_size))
    assert ends[-1] == stop
    assert len(ends) == epochs
    assert [made.epoch(end, batch_size) for end in ends] == list(range(1, epochs + 1))


@pytest.mark.parametrize('step, want', [(0, 0), (4, 0), (5, 2), (6, 2), (8, 2), (9, 3), (99, 3)])
def test_a_step_is_located_in_the_phase_that_makes_it(step, want):
    found = [phase(1, 0, *ends) for ends in ((0, 5), (5, 5), (5, 9))]
    assert phases.locate(found, step) == want


def random_images(count=70, seed=0):
    random = np.random.RandomState(seed)
    return random.randint(0, 256, [count, *SHAPE]).astype(np.uint8)


def build(config=GREEDY, settings=STEPS, model=None, count=70, held_out=40):
    """Phases of a small stack on random images."""
    model = model or dense.Model(dense.Config(units=(6, 5, 2), activation='tanh'), SHAPE)
    source = pipeline.Examples(random_images(count), None, names.TRAINING)
    validation = pipeline.Examples(random_images(held_out, 1), None, names.VALIDATION)
    return phases.phases(model, config, settings, source, validation)


def boundaries(found):
    return [(p.name, p.start, p.stop, p.epochs, p.learning_rate) for p in found]


def test_joint_training_is_one_phase():
    found = build(phases.Config())
    assert boundaries(found) == [('training', 0, math.ceil(2 * 70 / 16), 2, 0.01)]
    assert (found[0].source.count, found[0].validation.count) == (70, 40)


@pytest.mark.parametrize(
    'epochs, want', [(0, ['training']), (3, ['pretraining/head', 'fine_tuning'])]
)
def test_a_head_is_pretrained_for_its_epochs_and_not_without_any(epochs, want):
    model = models.load('classifier').Model(dense_classifier(), SHAPE, 3)
    found = build(phases.Config(head_epochs=epochs), model=model)
    assert [p.name for p in found] == want


def dense_classifier():
    return models.load('classifier').Config(filters=(), units=(6,))


def test_a_step_of_a_full_batch_is_an_epoch():
    found = build(GREEDY, dataclasses.replace(STEPS, batch_size=0))
    assert [(p.start, p.stop) for p in found] == [(0, 2), (2, 4), (4, 6), (6, 8)]


@pytest.mark.parametrize(
    'batch_size, count, want',
    [
        (64, 54_000, 10),
        (64, 1_293, 99),
        (64, 12_800, 10),
        (64, 12_736, 11),
        (0, 70, 100),
        (8, 70, 100),
    ],
)
def test_epochs_by_default_give_a_small_set_up_to_2000_updates(batch_size, count, want):
    settings = TrainingConfig(batch_size=batch_size)
    assert settings.last_epochs(count) == want
    assert (want - 1) * count / settings.batch(count) < 2_000 or want == 10


def test_default_epochs_are_those_of_the_last_phase():
    found = build(phases.Config(), TrainingConfig(batch_size=16))
    assert boundaries(found) == [('training', 0, math.ceil(100 * 70 / 16), 100, 0.001)]


def test_greedy_phases_come_before_fine_tuning():
    config = phases.Config('greedy', (1, 0, 3), (0.1, 0.2, 0.3))
    found = build(config, dataclasses.replace(STEPS, epochs=0))
    assert boundaries(found) == [
        ('pretraining/layer_1', 0, 5, 1, 0.1),
        ('pretraining/layer_2', 5, 5, 0, 0.2),
        ('pretraining/layer_3', 5, 19, 3, 0.3),
        ('fine_tuning', 19, 19, 0, 0.01),
    ]


def test_the_table_of_phases_numbers_them_from_1():
    found = build(phases.Config('greedy', (1, 0, 3), (0.1,)), dataclasses.replace(STEPS, epochs=2))
    assert phases.markdown(found).splitlines()[2:] == [
        '| 1 | pretraining/layer_1 | 1 | 0 to 5 |',
        '| 2 | pretraining/layer_2 | 0 | 5 to 5 |',
        '| 3 | pretraining/layer_3 | 3 | 5 to 19 |',
        '| 4 | fine_tuning | 2 | 19 to 28 |',
    ]


def test_one_value_serves_all_layers_and_no_rate_is_that_of_the_training():
    assert [(p.epochs, p.learning_rate) for p in build()] == [(2, 0.01)] * 4
    one = build(dataclasses.replace(GREEDY, pretraining_learning_rate=(0.5,)))
    assert [p.learning_rate for p in one] == [0.5, 0.5, 0.5, 0.01]


@pytest.mark.parametrize(
    'config, settings, want',
    [
        (GREEDY, {'batch_size': 71}, '--batch_size is 71; the training set has only 70 examples'),
        (GREEDY, {'batch_size': 0, 'accumulation_steps': 3}, 'it must divide --batch_size, 70,'),
        (phases.Config('greedy', (1, 2)), {}, r'--pretraining_epochs has 2 values \(1,2\);'),
        (phases.Config('greedy', ()), {}, r'--pretraining_epochs has 0 values \(\); '),
        (
            phases.Config('greedy', (1,), (0.1, 0.2)),
            {},
            r'--pretraining_learning_rate has 2 values \(0.1,0.2\); it must have 1 or 3',
        ),
    ],
)
def test_what_cannot_be_scheduled_is_refused(config, settings, want):
    with pytest.raises(errors.UsageError, match=want):
        build(config, dataclasses.replace(STEPS, **settings))


@pytest.mark.parametrize('field', ['pretraining_epochs', 'pretraining_learning_rate'])
@pytest.mark.parametrize('values', [(-1,), (1, -1, 1)])
def test_numbers_below_zero_are_refused(field, values):
    shown = ','.join(map(str, values))
    interval = {'pretraining_epochs': r'\[0, 1000000000\]'}.get(field, r'\[0, inf\)')
    want = rf'--{field} is {shown}; each must lie in {interval}$'
    with pytest.raises(errors.UsageError, match=want):
        phases.Config('greedy', **{field: values})


@pytest.mark.parametrize('field', ['pretraining_epochs', 'pretraining_learning_rate'])
def test_numbers_of_phases_that_there_are_not_are_refused(field):
    with pytest.raises(errors.UsageError, match=f'--{field} needs --pretraining=greedy; it is non'):
        phases.Config(**{field: (3,)})


def test_a_family_without_layers_is_refused():
    class Whole:
        objectives = ()

    with pytest.raises(errors.UsageError, match='--pretraining is greedy; this family has no lay'):
        build(model=Whole())


def start(found, settings=STEPS):
    """Programs of these phases and an open session, step 0."""
    programs = [phases.program(p, i, settings) for i, p in enumerate(found)]
    session = tf.Session()
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    return programs, session


def values(session):
    return {v.op.name: session.run(v).tobytes() for v in tf.trainable_variables()}


def finish(program, session, after_step=lambda: None):
    """Runs a phase to its end."""
    for source in (program.phase.source, program.phase.validation):
        source.load(session.run)
    while session.run(tf.train.get_global_step()) < program.phase.stop:
        session.run(program.train)
        after_step()


def test_a_greedy_phase_moves_its_layer_alone_at_every_step():
    programs, session = start(build())
    known = values(session)
    for i, program in enumerate(programs[:-1], 1):
        mine = {f'{side}/layer_{i}/{of}' for side in ('encoder', 'decoder') for of in KINDS}

        def look(mine=mine):
            now = values(session)
            assert {name for name in now if now[name] != known[name]} == mine
            known.update(now)

        finish(program, session, look)
    finish(programs[-1], session)
    now = values(session)
    assert all(now[name] != known[name] for name in now)


KINDS = (names.KERNEL, names.BIAS)


class Counting(dense.Model):
    """A stack that counts the examples which its frozen layers encode."""

    def layerwise(self):
        self.encoded = [0] * len(self.config.units)
        return [
            layer._replace(encode=self.counted(i, layer.encode))
            for i, layer in enumerate(super().layerwise())
        ]

    def counted(self, i, encode):
        def note(x):
            self.encoded[i] += len(x)
            return x

        def encode_and_count(x):
            noted = tf.py_func(note, [x], tf.float32)
            noted.set_shape(x.shape)
            return encode(noted)

        return encode_and_count


@pytest.mark.parametrize('epochs', [1, 5])
def test_pretraining_costs_one_pass_of_each_layer_and_not_one_a_step(epochs):
    model = Counting(dense.Config(units=(6, 5, 2), activation='tanh'), SHAPE)
    config = dataclasses.replace(GREEDY, pretraining_epochs=(epochs,))
    programs, session = start(build(config, model=model))
    for program in programs:
        finish(program, session)
    # The codes of the last layer are declared, and nobody asks for them.
    assert model.encoded == [70 + 40, 70 + 40, 0]


def test_a_phase_learns_the_codes_of_the_layers_below_as_they_were_left():
    programs, session = start(build())
    finish(programs[0], session)
    source = programs[1].phase.source
    source.load(session.run)
    model = dense.Model(dense.Config(units=(6, 5, 2), activation='tanh'), SHAPE)
    x = tf.constant(random_images(), tf.float32) / 255
    want, got = session.run([model.layerwise()[0].encode(x), source.gather(tf.range(70))[0]])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_means_are_those_of_the_steps_since_the_last_reset():
    programs, session = start(build(phases.Config()))
    program = programs[0]
    finish(program._replace(phase=program.phase._replace(stop=2)), session)
    session.run(program.reset)
    losses = []
    for _ in range(5):
        losses.append(session.run(program.scalars[names.LOSS]))
        session.run(program.train)
    assert session.run(program.seen)[0] == 5
    np.testing.assert_allclose(session.run(program.means[names.LOSS]), np.mean(losses), rtol=1e-6)
    session.run(program.reset)
    assert not session.run(program.seen).any()
    assert session.run(program.means[names.LOSS]) == 0


def test_looking_at_scalars_moves_nothing():
    programs, session = start(build(phases.Config()))
    program = programs[0]
    program.phase.source.load(session.run)
    program.phase.validation.load(session.run)
    before = {v.op.name: session.run(v).tobytes() for v in tf.global_variables()}
    session.run([program.scalars, program.means, program.seen])
    session.run(program.validation, {program.validation_start: 0})
    assert before == {v.op.name: session.run(v).tobytes() for v in tf.global_variables()}


def test_a_step_counts_the_global_step_up_by_one():
    programs, session = start(build(phases.Config()))
    steps = []
    finish(programs[0], session, lambda: steps.append(session.run(tf.train.get_global_step())))
    assert steps == list(range(1, programs[0].phase.stop + 1))


def test_validation_is_without_noise_and_sees_each_example_once():
    model = dense.Model(dense.Config(units=(3,), corruption=('masking:0.9',)), SHAPE)
    programs, session = start(build(phases.Config(), model=model, held_out=1001))
    program = programs[0]
    program.phase.validation.load(session.run)
    images = tf.constant(random_images(1001, 1), tf.float32) / 255
    clean = tf.square(model(images).reconstruction - images)
    want = session.run(tf.reduce_mean(clean))
    np.testing.assert_allclose(phases.validate(session.run, program)[names.LOSS], want, rtol=1e-5)
    assert program.validation_size == 501  # 501 and 500: no batch of a single example


@pytest.mark.parametrize('loss', ['contrastive', 'triplet'])
def test_validation_of_pairs_does_not_depend_on_the_order_of_the_set(monkeypatch, loss):
    """In the order of a set that is sorted by class, no batch would have pairs of two classes."""
    monkeypatch.setattr(pipeline, '_MAX_EXAMPLES', 10)
    model = siamese.Model(siamese.Config(units=(6,), code_size=2, loss=loss), SHAPE, 2)
    labels = np.repeat([0, 1], 30)
    images = (random_images(60) // 4 + 180 * labels[:, None, None, None]).astype(np.uint8)
    mixed = np.random.RandomState(3).permutation(60)
    sources = [
        pipeline.Examples(images[order], labels[order], f'{names.VALIDATION}_{i}')
        for i, order in enumerate((np.arange(60), mixed))
    ]
    found = [phases.phases(model, phases.Config(), STEPS, s, s)[0] for s in sources]
    with tf.variable_scope('', reuse=tf.AUTO_REUSE):
        programs, session = start([found[0], found[1]._replace(name='other')])
    measured = []
    for program in programs:
        program.phase.validation.load(session.run)
        measured.append(phases.validate(session.run, program))
    for found in measured:
        assert found['distance_apart'] > found['distance_together'] > 0
        assert found[names.LOSS] > 0
    assert measured[0][names.LOSS] == pytest.approx(measured[1][names.LOSS], rel=0.3)


def test_each_phase_has_slots_and_sums_of_its_own():
    start(build())
    found = {v.op.name for v in tf.global_variables()}
    assert 'fine_tuning/sums' in found
    assert 'encoder/layer_3/kernel/Adam' in found
    assert 'beta1_power' in found
    for i in (1, 2, 3):
        scope = f'pretraining/layer_{i}'
        assert f'{scope}/sums' in found
        assert f'{scope}/beta1_power' in found
        assert f'{scope}/encoder/layer_{i}/kernel/Adam_1' in found
        others = {n for n in found if n.startswith(f'{scope}/') and f'layer_{i}/bias' in n}
        assert len(others) == 4
    assert not any(scope.endswith('_1') for scope in (n.split('/')[0] for n in found if '/' in n))


def test_the_learning_rate_of_a_phase_begins_anew():
    settings = dataclasses.replace(STEPS, learning_rate_decay='linear', learning_rate_end=0.0)
    programs, session = start(build(settings=settings), settings)
    for program in programs:
        rates = []
        program.phase.source.load(session.run)
        program.phase.validation.load(session.run)
        for _ in range(program.phase.start, program.phase.stop):
            rates.append(session.run(program.scalars[names.LEARNING_RATE]))
            session.run(program.train)
        want = 0.01 * (1 - np.arange(len(rates)) / len(rates))
        np.testing.assert_allclose(rates, want, rtol=1e-5)


def test_warm_up_lasts_the_epochs_asked_for():
    settings = dataclasses.replace(STEPS, warmup_epochs=1.0)
    programs, session = start(build(phases.Config(), settings), settings)
    rate = programs[0].scalars[names.LEARNING_RATE]
    rise = math.ceil(70 / 16)
    for s in range(programs[0].phase.stop):
        session.run(tf.train.get_global_step().assign(s))
        np.testing.assert_allclose(session.run(rate), 0.01 * min(1, (s + 1) / rise), rtol=1e-6)


def test_phases_see_orders_and_noise_of_their_own():
    seeds = []

    class Noting(dense.Model):
        def layerwise(self):
            return [
                layer._replace(objective=self.noting(layer.objective))
                for layer in super().layerwise()
            ]

        def noting(self, build_objective):
            def note(batch):
                if batch.seed is not None:
                    seeds.append(batch.seed)
                return build_objective(batch)

            return note

    _, session = start(build(model=Noting(dense.Config(units=(6, 5, 2), activation='tanh'), SHAPE)))
    found = []
    for i, seed in enumerate(seeds):
        session.run(tf.train.get_global_step().assign(9 * i))  # the first step of phase i
        found.append(session.run(seed).tobytes())
    assert len(set(found)) == len(found) == 3


def test_the_families_that_can_be_pretrained_are_scheduled():
    for name in models.names():
        own = {side: f'own_functions:{side}' for side in ('encoder', 'decoder')}
        config = models.load(name).Config(**(own if name == 'custom' else {}))
        model = models.load(name).Model(config, (8, 8, 1), 10)
        if hasattr(model, 'layerwise'):
            with tf.Graph().as_default():
                source = pipeline.Examples(np.zeros([20, 8, 8, 1], np.uint8), None, name)
                found = phases.phases(model, GREEDY, STEPS, source, source)
                assert len(found) == len(model.layerwise()) + 1


def test_early_stopping_without_a_validation_part_is_refused():
    settings = dataclasses.replace(STEPS, early_stopping_epochs=3)
    with pytest.raises(errors.UsageError, match='--early_stopping_epochs is 3; it requires valid'):
        build(phases.Config(), settings, held_out=0)


def test_early_stopping_of_two_losses_is_refused():
    gan = models.load('gan')
    settings = dataclasses.replace(STEPS, early_stopping_epochs=3)
    with pytest.raises(errors.UsageError, match='--early_stopping_epochs is 3; .* has 2 losses'):
        build(phases.Config(), settings, gan.Model(gan.Config(units=(6,)), SHAPE))
