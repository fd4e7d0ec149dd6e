"""Adversarial networks against numpy, finite differences and what each side may move."""

import json

import numpy as np
import pytest
import scipy.spatial
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.core import errors
from tfae.models import Batch, gan
from tfae.training.config import TrainingConfig
from tfae.training.step import training_step

SHAPE = (3, 2, 1)
IMAGES = np.random.RandomState(0).uniform(size=[5, *SHAPE]).astype(np.float32)
LOSSES = ('non_saturating', 'least_squares', 'hinge', 'wasserstein')
SIZES = {'units': (4, 3), 'code_size': 2}
every_loss = pytest.mark.parametrize('loss', LOSSES)
every_moment = pytest.mark.parametrize('seed', [None, 3], ids=['validation', 'training'])
CONVOLUTIONAL = {'filters': (3, 4), 'strides': (2,), 'units': (), 'batch_normalization': True}


def model(shape=SHAPE, **fields):
    fields = {**SIZES, 'loss': 'non_saturating', 'activation': 'tanh', **fields}
    return gan.Model(gan.Config(**fields), shape)


def batch(seed=3, images=IMAGES):
    seed = None if seed is None else tf.constant([1, seed], tf.int64)
    return Batch(tf.constant(images), None, seed)


def opened():
    """A session whose trained variables are drawn, biases too, and their values."""
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    random, values = np.random.RandomState(1), {}
    for variable in tf.trainable_variables():
        value = np.asarray(0.7 * random.normal(size=variable.shape.as_list()), np.float32)
        variable.load(value, session)
        values[variable.op.name] = value.astype(np.float64)
    return session, values


def noise(seed, salt, draw=tf.random.stateless_normal, shape=(5, 2)):
    """What is drawn with this number folded into the seed of a batch."""
    seed = tf.constant([0, 0] if seed is None else [1, seed], tf.int64)
    return draw(shape, tf.random.experimental.stateless_fold_in(seed, salt))


def affine(x, of, scope):
    return x @ of[f'{scope}/kernel'] + of[f'{scope}/bias']


def generated(of, z):
    """Flat images of codes, by numpy."""
    h = np.maximum(affine(z, of, 'generator/layer_3'), 0)
    h = np.maximum(affine(h, of, 'generator/layer_2'), 0)
    return 1 / (1 + np.exp(-affine(h, of, 'generator/layer_1')))


def hidden(of, x):
    first = np.tanh(affine(x, of, 'discriminator/layer_1'))
    return first, np.tanh(affine(first, of, 'discriminator/layer_2'))


def scored(of, x):
    return affine(hidden(of, x)[1], of, 'discriminator/score')[:, 0]


def slope(of, x):
    """Gradient of the score by the pixels `[B, D]`."""
    first, second = hidden(of, x)
    back = of['discriminator/score/kernel'][:, 0] * (1 - second**2)
    back = (back @ of['discriminator/layer_2/kernel'].T) * (1 - first**2)
    return back @ of['discriminator/layer_1/kernel'].T


def softplus(x):
    return np.logaddexp(0, x)


def numpy_losses(of, loss, of_d, of_g, part):
    """Losses of the two sides on `IMAGES` with these codes and places between."""
    x = IMAGES.reshape(5, -1).astype(np.float64)
    fake = generated(of, of_d)
    real, made, passed = scored(of, x), scored(of, fake), scored(of, generated(of, of_g))
    if loss == 'non_saturating':
        return (softplus(-real) + softplus(made)).mean(), softplus(-passed).mean()
    if loss == 'least_squares':
        return ((real - 1) ** 2 + made**2).mean() / 2, ((passed - 1) ** 2).mean() / 2
    if loss == 'hinge':
        return (np.maximum(0, 1 - real) + np.maximum(0, 1 + made)).mean(), -passed.mean()
    steep = np.linalg.norm(slope(of, x + part * (fake - x)), axis=1)
    return (made - real).mean() + 10 * ((steep - 1) ** 2).mean(), -passed.mean()


def drawn(seed):
    uniform = noise(seed, 3, tf.random.stateless_uniform, (5, 1))
    return [noise(seed, 1), noise(seed, 2), uniform]


@every_loss
@every_moment
def test_the_losses_of_both_sides_are_those_of_numpy(loss, seed):
    found = [build(batch(seed)) for build in model(loss=loss).objectives]
    wanted = drawn(seed)
    session, of = opened()
    with session:
        losses, terms, noises = session.run(
            [[o.loss for o in found], [o.terms for o in found], wanted]
        )
    np.testing.assert_allclose(losses, numpy_losses(of, loss, *noises), rtol=1e-4)
    x = IMAGES.reshape(5, -1)
    fake = generated(of, noises[0])
    real, made = scored(of, x), scored(of, fake)
    if loss == 'wasserstein':
        np.testing.assert_allclose(terms[0]['distance'], (real - made).mean(), rtol=1e-4)
        penalty = (losses[0] + terms[0]['distance']) / 10
        np.testing.assert_allclose(terms[0]['gradient_penalty'], penalty, rtol=1e-4)
    else:
        limit = {'non_saturating': 0, 'least_squares': 0.5, 'hinge': 0}[loss]
        right = np.concatenate([real > limit, made <= limit])
        np.testing.assert_allclose(terms[0]['accuracy'], right.mean())
    apart = [scipy.spatial.distance.pdist(p).mean() for p in (generated(of, noises[1]), x)]
    np.testing.assert_allclose(terms[1]['diversity'], apart[0] / apart[1], rtol=1e-4)


@every_loss
def test_gradients_of_every_variable_match_finite_differences(loss):
    found = [build(batch()) for build in model(loss=loss).objectives]
    gradients = [tf.gradients(o.loss, o.variables) for o in found]
    wanted = drawn(3)
    session, of = opened()
    with session:
        got, noises = session.run([gradients, wanted])
    for side, (objective, values) in enumerate(zip(found, got, strict=True)):
        for variable, gradient in zip(objective.variables, values, strict=True):
            for place in np.ndindex(*gradient.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = of[variable.op.name].copy()
                    moved[place] += step
                    changed = {**of, variable.op.name: moved}
                    ends.append(numpy_losses(changed, loss, *noises)[side])
                want = (ends[0] - ends[1]) / 2e-6
                np.testing.assert_allclose(gradient[place], want, rtol=1e-3, atol=2e-5)


@every_loss
def test_the_discriminator_gives_the_generator_no_gradient(loss):
    objective, other = (build(batch()) for build in model(loss=loss).objectives)
    assert tf.gradients(objective.loss, other.variables) == [None] * len(other.variables)
    assert not set(objective.variables) & set(other.variables)
    assert set(objective.variables + other.variables) == set(tf.trainable_variables())


@every_loss
def test_a_step_makes_each_loss_smaller_for_the_side_that_takes_it(loss):
    """Both sides see the variables as they are: a small step goes down its own slope."""
    made = model(loss=loss)
    settings = TrainingConfig(optimizer='sgd', batch_size=5)
    for build in made.objectives:
        step = training_step([build], batch(), tf.constant(1e-3), settings)
        after = build(batch()).loss
        session, _ = opened()
        with session:
            before = session.run(after)
            session.run(step.op)
            assert session.run(after) < before


def test_the_generator_learns_from_the_discriminator_as_it_is_after_its_step():
    made = model(loss='least_squares')
    settings = TrainingConfig(optimizer='sgd', batch_size=5)
    both = training_step(made.objectives, batch(), tf.constant(0.5), settings)
    alone = [
        training_step([build], batch(), tf.constant(0.5), settings) for build in made.objectives
    ]
    results = []
    for steps in ([both], alone):
        session, _ = opened()
        with session:
            for step in steps:
                session.run(step.op)
            results.append(session.run(tf.trainable_variables()))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_moving_averages_move_once_a_step_by_real_images_and_by_the_generators_own():
    images = np.random.RandomState(0).uniform(size=[6, 8, 8, 1]).astype(np.float32)
    made = model((8, 8, 1), **CONVOLUTIONAL)
    given = batch(images=images)
    settings = TrainingConfig(optimizer='sgd', batch_size=6)
    step = training_step(made.objectives, given, tf.constant(0.0), settings)
    first = tf.nn.conv2d(given.images, kernel('discriminator/layer_1'), 2, 'SAME')
    first = tf.tanh(first + bias('discriminator/layer_1'))
    second = tf.nn.conv2d(first, kernel('discriminator/layer_2'), 2, 'SAME')
    code = noise(3, 2, shape=(6, 2)) @ kernel('generator/layer_3')
    wanted = {
        'discriminator/layer_2': tf.reduce_mean(second, [0, 1, 2]),
        'generator/layer_3': tf.reduce_mean(code, 0),
    }
    averages = {v.op.name: v for v in tf.global_variables() if 'moving_mean' in v.op.name}
    session, _ = opened()
    with session:
        want = session.run(wanted)
        session.run(step.op)
        got = session.run(averages)
    for scope, value in want.items():
        found = got[f'{scope}/normalization/moving_mean']
        np.testing.assert_allclose(found, 0.01 * value, rtol=1e-4, atol=1e-6)


def kernel(scope):
    return variable(f'{scope}/kernel')


def bias(scope):
    return variable(f'{scope}/bias')


def variable(name):
    (found,) = [v for v in tf.trainable_variables() if v.op.name == name]
    return found.read_value()


def test_normalization_is_where_dcgan_has_it_and_in_no_critic():
    normalized = {
        'non_saturating': ['discriminator/layer_2', 'generator/layer_2', 'generator/layer_3'],
        'wasserstein': ['generator/layer_2', 'generator/layer_3'],
    }
    for loss, wanted in normalized.items():
        with tf.Graph().as_default():
            model((8, 8, 1), loss=loss, **CONVOLUTIONAL)(tf.zeros([2, 8, 8, 1]))
            found = [v.op.name for v in tf.trainable_variables() if v.op.name.endswith('gamma')]
        assert sorted(found) == [f'{scope}/normalization/gamma' for scope in wanted]


def test_real_and_generated_images_are_normalized_apart():
    """Together, the score of a real image would depend on the generated ones beside it."""
    images = np.random.RandomState(0).uniform(size=[6, 8, 8, 1]).astype(np.float32)
    made = model((8, 8, 1), loss='least_squares', **CONVOLUTIONAL)
    given = batch(images=images)
    objective = made.objectives[0](given)
    real = made(given.images, given.seed).score
    session, _ = opened()
    with session:
        losses = []
        for scale in (0, 1):
            for v in tf.trainable_variables('discriminator/score'):
                v.load(np.full(v.shape.as_list(), scale, np.float32), session)
            losses.append(session.run([objective.loss, real]))
        for v in tf.trainable_variables('generator/layer_1'):
            v.load(np.zeros(v.shape.as_list(), np.float32), session)
        losses.append(session.run([objective.loss, real]))
    assert losses[0][0] == pytest.approx(0.5)
    assert losses[1][0] != losses[2][0]
    assert np.array_equal(losses[1][1], losses[2][1])


def test_the_two_sides_draw_codes_of_their_own():
    """A code that both shared would show the generator what the discriminator has just learnt."""
    given = batch()
    made = model(loss='wasserstein', gradient_penalty=0.0)
    fooled = made.objectives[1](given).loss
    seen = made.objectives[0](given).terms['distance']
    mean = tf.reduce_mean(made(given.images).score)
    session, _ = opened()
    with session:
        fooled, seen, mean = session.run([fooled, seen, mean])
    assert abs((mean - seen) + fooled) > 1e-3  # mean scores of the images of either draw


def test_a_generator_that_is_constant_is_reported_as_collapsed():
    made = model()
    objectives = [build(batch(images=IMAGES / 4)) for build in made.objectives]
    means = {
        f'{o.name}/{name}': value
        for o in objectives
        for name, value in {'loss': o.loss, **o.terms}.items()
    }
    session, _ = opened()
    with session:
        assert made.trouble(session.run(means)) == ''
        for v in tf.trainable_variables('generator/layer_1/kernel'):
            v.load(np.zeros(v.shape.as_list(), np.float32), session)
        found = session.run(means)
    assert found['generator/diversity'] < 1e-3
    assert made.trouble(found).startswith('mode collapse: the mean distance between generated ')


def test_a_discriminator_that_is_always_right_is_reported():
    made = model()
    means = {'generator/diversity': 0.9, 'discriminator/accuracy': 0.98}
    assert made.trouble(means) == ''
    means['discriminator/accuracy'] = 0.995
    assert made.trouble(means).startswith('the accuracy of the discriminator exceeds 99%')
    assert made.trouble({'generator/diversity': 0.9}) == ''  # a critic answers nothing


def test_measures_are_those_of_the_objectives_without_training():
    made = model()
    found = made.measures(batch())
    terms = [build(batch(None)).terms for build in made.objectives]
    session, _ = opened()
    with session:
        # With the seed that validation takes.
        measured = session.run(found)
        assert measured['diversity'].shape == measured['accuracy'].shape == (5,)
        same = made.measures(batch()._replace(seed=tf.zeros([2], tf.int64)))
        measured, terms = session.run([same, terms])
    np.testing.assert_allclose(measured['diversity'].mean(), terms[1]['diversity'], rtol=1e-6)
    assert model(loss='wasserstein').measures(batch()).keys() == {'diversity'}


def test_variables_have_the_names_and_shapes_that_readers_expect():
    model()(batch().images)
    assert {v.op.name: v.shape.as_list() for v in tf.trainable_variables()} == {
        'discriminator/layer_1/kernel': [6, 4],
        'discriminator/layer_1/bias': [4],
        'discriminator/layer_2/kernel': [4, 3],
        'discriminator/layer_2/bias': [3],
        'discriminator/score/kernel': [3, 1],
        'discriminator/score/bias': [1],
        'generator/layer_3/kernel': [2, 3],
        'generator/layer_3/bias': [3],
        'generator/layer_2/kernel': [3, 4],
        'generator/layer_2/bias': [4],
        'generator/layer_1/kernel': [4, 6],
        'generator/layer_1/bias': [6],
    }


@pytest.mark.parametrize('upsampling', ['subpixel', 'deconvolution', 'nearest'])
@every_loss
def test_convolutional_networks_train_with_every_loss(loss, upsampling):
    made = model((7, 9, 3), loss=loss, upsampling=upsampling, **CONVOLUTIONAL)
    images = np.random.RandomState(0).uniform(size=[4, 7, 9, 3]).astype(np.float32)
    found = [build(batch(images=images)) for build in made.objectives]
    gradients = [tf.gradients(o.loss, o.variables) for o in found]
    shown = made.decode(tf.zeros([3, 2]))
    session, _ = opened()
    with session:
        values, samples = session.run([gradients, shown])
    assert samples.shape == (3, 7, 9, 3)
    for each in tf.nest.flatten(values):
        assert np.isfinite(each).all()


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'code_size': 0}, r'--code_size is 0; it must lie in \[1, inf\)'),
        ({'loss': 'wasserstein', 'gradient_penalty': -1.0}, r'--gradient_penalty is -1\.0'),
        ({'gradient_penalty': 1.0}, '--gradient_penalty needs --loss=wasserstein'),
        ({'upsampling': 'nearest'}, '--upsampling needs --filters'),
        ({'units': ()}, '--filters and --units are both empty; there must be at least one'),
    ],
)
def test_what_cannot_be_built_is_refused(fields, want):
    with pytest.raises(errors.UsageError, match=want):
        model(**fields)


@pytest.mark.parametrize('loss', ['least_squares', 'wasserstein'])
def test_a_run_is_recorded_by_side_and_measured(tmp_path, loss):
    words = ('--model=gan', '--units=16', '--code_size=3', '--epochs=2', '--logdir=run')
    done = tfae_program.run('train', *words, f'--loss={loss}', cwd=tmp_path)
    assert (done.code, done.err) == (0, ''), done
    for record in tfae_program.metrics(tmp_path / 'run'):
        sides = ('discriminator/loss', 'generator/loss', 'generator/diversity')
        assert {*sides, *(f'validation_{name}' for name in sides)} <= record.keys()
    assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0
    measured = json.loads((tmp_path / 'run' / 'evaluation.json').read_text())
    assert measured['diversity'] > 0
    assert ('accuracy' in measured) == (loss == 'least_squares')


def test_a_run_whose_generator_collapses_says_so(tmp_path):
    """A code of one number through one hidden unit that has hardly any weight."""
    words = ('--model=gan', '--units=1', '--code_size=1', '--epochs=2', '--learning_rate=0')
    done = tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path)
    assert done.code == 0
    said = 'tfae: warning: mode collapse: the mean distance between generated'
    assert (done.out + done.err).count(said) == 1
    for record in tfae_program.metrics(tmp_path / 'run'):
        assert record['trouble'].startswith('mode collapse: ')


def test_the_default_loss_has_a_gradient_penalty():
    """The non-saturating loss of a bare `--model=gan` collapsed on MNIST."""
    made = gan.Model(gan.Config(), SHAPE)
    terms = made.objectives[0](batch()).terms
    assert {'distance', 'gradient_penalty'} <= terms.keys()


def before(op, of):
    """Returns all operations that run before one; `of` are those directly before each."""
    found, waiting = set(), [op]
    while waiting:
        new = of[waiting.pop()] - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize(
    'loss, parts, freeze',
    [
        ('hinge', 1, ()),
        ('hinge', 1, ('discriminator:3',)),
        ('hinge', 2, ()),
        ('wasserstein', 1, ()),
        ('wasserstein', 2, ('discriminator:3',)),
    ],
)
def test_each_read_of_a_singular_vector_is_before_or_after_its_update(loss, parts, freeze):
    made = model(loss=loss, spectral_normalization=True)
    config = TrainingConfig(batch_size=4, accumulation_steps=parts, freeze=freeze)
    number = tf.train.get_or_create_global_step()
    step = training_step(
        made.objectives, batch(images=IMAGES[:4]), tf.constant(0.1), config, number=number
    )
    of = {
        op: {*(tensor.op for tensor in op.inputs), *op.control_inputs}
        for op in tf.get_default_graph().get_operations()
    }
    run = before(step.op, of)
    vectors = [v for v in tf.global_variables() if v.op.name.endswith('/spectral_u')]
    assert len(vectors) == 3
    for vector in vectors:
        users = [op for op in run if vector.handle in list(op.inputs)]
        (update,) = (op for op in users if op.type in ('AssignVariableOp', 'If'))
        reads = [op for op in users if op is not update]
        assert len(reads) >= 3
        earlier = before(update, of)
        assert all(read in earlier or update in before(read, of) for read in reads)


@pytest.mark.slow
def test_critic_steps_resume_within_a_round_bit_for_bit(tmp_path):
    words = ('--model=gan', '--units=8', '--code_size=3', '--critic_steps=4', '--dataset=synthetic')
    words = ('train', *words, '--synthetic_examples=100', '--batch_size=7')  # 72 of them train
    for name, epochs in (('whole', 3), ('parts', 1), ('parts', 2), ('parts', 3)):
        done = tfae_program.run(*words, f'--epochs={epochs}', f'--logdir={name}', cwd=tmp_path)
        assert done.code == 0, done
    whole, parts = (tfae_program.checkpoint(tmp_path / name) for name in ('whole', 'parts'))
    assert whole['global_step'] == 31
    np.testing.assert_allclose(whole['beta1_power'], 0.9**32, rtol=1e-4)
    np.testing.assert_allclose(whole['beta1_power_1'], 0.9**8, rtol=1e-4)  # 7 updates
    for name in whole.keys() | parts.keys():
        np.testing.assert_array_equal(whole[name], parts[name])


@pytest.mark.parametrize('loss', ['non_saturating', 'wasserstein'])
@every_moment
def test_a_conditional_network_scores_images_of_their_classes_and_generates_such(loss, seed):
    labels = np.array([2, 0, 1, 2, 1])
    made = gan.Model(gan.Config(**SIZES, activation='tanh', loss=loss, conditional=True), SHAPE, 3)
    given = batch(seed)._replace(labels=tf.constant(labels))
    assert made.code_size == 5
    found = [build(given) for build in made.objectives]
    wanted = drawn(seed)
    assert made(given.images).score.shape.as_list() == [None] or made(given.images).score.shape == 5
    plain = made(given.images).score
    session, of = opened()
    of_d, of_g, part = session.run(wanted)
    scope = 'discriminator/class_embedding/kernel'
    assert of[scope].shape == (3, 3) and scope in [v.op.name for v in found[0].variables]
    x, hot = IMAGES.reshape(5, -1).astype(np.float64), np.eye(3)[labels]

    def score(x):
        return scored(of, x) + (hidden(of, x)[1] * of[scope][labels]).sum(1)

    fakes = [generated(of, np.concatenate([z, hot], 1)) for z in (of_d, of_g)]
    real, fake, passed = score(x), score(fakes[0]), score(fakes[1])
    if loss == 'wasserstein':
        first, second = hidden(of, x + part * (fakes[0] - x))
        back = (of['discriminator/score/kernel'][:, 0] + of[scope][labels]) * (1 - second**2)
        back = (back @ of['discriminator/layer_2/kernel'].T) * (1 - first**2)
        steep = np.linalg.norm(back @ of['discriminator/layer_1/kernel'].T, axis=1)
        losses = (fake - real).mean() + 10 * ((steep - 1) ** 2).mean(), -passed.mean()
    else:
        losses = (softplus(-real) + softplus(fake)).mean(), softplus(-passed).mean()
    np.testing.assert_allclose(session.run([side.loss for side in found]), losses, rtol=1e-4)
    np.testing.assert_allclose(session.run(plain), scored(of, x), rtol=1e-4)


def test_codes_of_a_conditional_network_end_with_classes_that_are_equally_frequent():
    made = gan.Model(gan.Config(**SIZES, conditional=True), SHAPE, 3)
    codes = tf.Session().run(made.prior(3000, tf.constant([4, 5], tf.int64)))
    assert codes.shape == (3000, 5)
    assert set(np.unique(codes[:, 2:])) == {0, 1} and np.all(codes[:, 2:].sum(1) == 1)
    np.testing.assert_allclose(codes[:, 2:].mean(0), 1 / 3, atol=0.04)
    np.testing.assert_allclose(codes[:, :2].std(0), 1, atol=0.05)
    chosen = made.of_classes(codes[:2], np.array([1, 0]))
    np.testing.assert_array_equal(chosen[:, 2:], [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(chosen[:, :2], codes[:2, :2])


def test_a_conditional_network_needs_classes():
    with pytest.raises(errors.UsageError, match='--conditional needs 2 classes or more; .* has 0'):
        model(conditional=True)


def test_a_conditional_run_learns_to_generate_images_of_a_class(tmp_path):
    """Two classes that are unlike each other: dark and bright squares."""
    random = np.random.RandomState(0)
    labels = np.arange(600) % 2
    images = np.clip(
        random.normal(0.15 + 0.7 * labels[:, None, None, None], 0.05, [600, 4, 4, 1]), 0, 1
    )
    np.savez(tmp_path / 'set.npz', x_train=images[:500].astype(np.float32), y_train=labels[:500],
             x_test=images[500:].astype(np.float32), y_test=labels[500:])  # fmt: skip
    words = ('--dataset=npz', '--data_dir=set.npz', '--epochs=30', '--batch_size=25')
    more = ('--model=gan', '--units=16', '--code_size=2', '--conditional', '--logdir=gan')
    for line in (
        (*words, *more),
        (*words[:2], '--epochs=30', '--model=classifier', '--logdir=judge'),
    ):
        done = tfae_program.run('train', *line, cwd=tmp_path)
        assert done.code == 0, done

    def sampled(*words):
        line = ('sample', '--logdir=gan', '--count=200', *words)
        done = tfae_program.run(*line, cwd=tmp_path)
        assert (done.code, done.err) == (0, ''), done
        return np.load(tmp_path / 'gan/figures/samples.npz')['images'].mean((1, 2, 3)) / 255

    both = sampled('--classes=0,1', '--classifier=judge')
    assert np.abs(both[0::2] - 0.15).mean() < 0.2 and np.abs(both[1::2] - 0.85).mean() < 0.2
    found = json.loads((tmp_path / 'gan/figures/samples.json').read_text())
    assert found['class_accuracy'] > 0.95 and found['classes_seen'] == 2
    any_class = sampled() > 0.5
    assert 0.3 < any_class.mean() < 0.7
    line = ('sample', '--logdir=gan', '--count=9')
    done = tfae_program.run(*line, '--classes=2', cwd=tmp_path)
    assert done.refusal(2).startswith("--classes is '2'; it must be one of 0, 1")
    assert tfae_program.run('evaluate', '--logdir=gan', cwd=tmp_path).code == 0


def test_classes_of_a_run_that_has_none_are_refused(tmp_path):
    words = ('--units=4', '--epochs=1', '--dataset=synthetic', '--synthetic_examples=50')
    for model, text in (
        ('gan', 'does not generate images of a given class; it must be a run of gan with --cond'),
        ('dense', 'has no prior; it must be a run of gan or variational'),
    ):
        assert (
            tfae_program.run(
                'train', f'--model={model}', *words, f'--logdir={model}', cwd=tmp_path
            ).code
            == 0
        )
        line = ('sample', f'--logdir={model}', '--count=9', '--classes=0')
        assert text in tfae_program.run(*line, cwd=tmp_path).refusal(1)
