"""Variational autoencoders against numpy, numerical integration and finite differences."""

import json

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.core import errors, names
from tfae.models import Batch, variational

SHAPE = (3, 2, 1)
IMAGES = np.random.RandomState(0).uniform(size=[5, *SHAPE]).astype(np.float32)
GAUSSIAN = {'likelihood': 'gaussian', 'variance': 0.3}
LEARNED = {**GAUSSIAN, 'learn_variance': True}
LIKELIHOODS = pytest.mark.parametrize(
    'fields', [{}, GAUSSIAN, LEARNED], ids=['bernoulli', 'gaussian', 'learned']
)


def model(shape=SHAPE, **fields):
    fields = {'units': (4,), 'code_size': 2, 'activation': 'tanh', **fields}
    return variational.Model(variational.Config(**fields), shape)


def batch(seed=None, images=IMAGES):
    seed = None if seed is None else tf.constant([1, seed], tf.int64)
    return Batch(tf.constant(images), None, seed)


def opened(encoder=0.5):
    """A session whose variables are drawn, biases too, and their values; the encoder's so large."""
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    random, values = np.random.RandomState(1), {}
    for variable in tf.trainable_variables():
        scale = encoder if variable in tf.trainable_variables('encoder') else 0.5
        value = scale * random.normal(size=variable.shape.as_list())
        variable.load(np.asarray(value, np.float32), session)
        values[variable.op.name] = np.asarray(value, np.float32).astype(np.float64)
    return session, values


def affine(x, of, scope):
    return x @ of[f'{scope}/kernel'] + of[f'{scope}/bias']


def posterior(of, x=IMAGES):
    hidden = np.tanh(affine(x.reshape(len(x), -1).astype(np.float64), of, 'encoder/layer_1'))
    return affine(hidden, of, 'encoder/mean'), affine(hidden, of, 'encoder/log_variance')


def decoded(of, z):
    return affine(np.tanh(affine(z, of, 'decoder/layer_2')), of, 'decoder/layer_1')


def log_p(of, x, z, fields):
    """log p(x | z) of flat images, by scipy."""
    logits = decoded(of, z)
    if fields.get('likelihood') != 'gaussian':
        terms = x * scipy.special.log_expit(logits) + (1 - x) * scipy.special.log_expit(-logits)
    else:
        log_variance = of.get('decoder/log_variance', np.log(fields['variance']))
        terms = scipy.stats.norm.logpdf(x, scipy.special.expit(logits), np.exp(log_variance / 2))
    return terms.sum(-1)


def noise(seed, rows):
    """What `_draw` multiplies the standard deviation by."""
    seed = tf.constant(seed, tf.int64)
    return tf.random.stateless_normal(rows, tf.random.experimental.stateless_fold_in(seed, 1))


def numpy_bound(of, eps, k, fields):
    """`(loss, reconstruction nats, KL [B, Z])` with this noise `[k, B, Z]`."""
    x = IMAGES.reshape(len(IMAGES), -1).astype(np.float64)
    mean, log_variance = posterior(of)
    z = mean + np.exp(log_variance / 2) * eps
    log_x = log_p(of, x, z, fields)
    kl = (np.exp(log_variance) + mean**2 - 1 - log_variance) / 2
    if k == 1:
        return -log_x.mean() + kl.sum(1).mean(), -log_x.mean(), kl
    q = scipy.stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(-1)
    weights = log_x + scipy.stats.norm.logpdf(z).sum(-1) - q
    bound = scipy.special.logsumexp(weights, 0) - np.log(k)
    return -bound.mean(), -log_x.mean(), kl


@LIKELIHOODS
@pytest.mark.parametrize('k', [1, 7])
@pytest.mark.parametrize('seed', [None, 3], ids=['validation', 'training'])
def test_the_loss_and_its_terms_are_those_of_numpy_in_training_and_validation(fields, k, seed):
    objective = model(samples=k, **fields).objectives[0](batch(seed))
    drawn = noise([0, 0] if seed is None else [1, seed], [k * len(IMAGES), 2])
    session, of = opened()
    with session:
        loss, terms, eps = session.run([objective.loss, objective.terms, drawn])
    eps = eps.reshape(k, len(IMAGES), 2).astype(np.float64)
    want, nats, kl = numpy_bound(of, eps, k, fields)
    np.testing.assert_allclose(loss, want, rtol=1e-5)
    np.testing.assert_allclose(terms['reconstruction_nats'], nats, rtol=1e-5)
    np.testing.assert_allclose(terms['kl'], kl.sum(1).mean(), rtol=1e-5)
    np.testing.assert_allclose(terms['elbo'], -nats - kl.sum(1).mean(), rtol=1e-5)
    assert terms['active_units'] == (posterior(of)[0].var(0) > 0.01).sum()
    if fields == LEARNED:
        want = np.exp(of['decoder/log_variance'])
        np.testing.assert_allclose(terms['variance'], want, rtol=1e-6)


@LIKELIHOODS
@pytest.mark.parametrize('k', [1, 3])
def test_gradients_of_every_variable_match_finite_differences(fields, k):
    objective = model(samples=k, **fields).objectives[0](batch(3))
    gradients = tf.gradients(objective.loss, objective.variables)
    drawn = noise([1, 3], [k * len(IMAGES), 2])
    session, of = opened()
    with session:
        got, eps = session.run([gradients, drawn])
    eps = eps.reshape(k, len(IMAGES), 2).astype(np.float64)
    for variable, gradient in zip(objective.variables, got, strict=True):
        for place in np.ndindex(*gradient.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = of[variable.op.name].copy()
                moved[place] += step
                ends.append(numpy_bound({**of, variable.op.name: moved}, eps, k, fields)[0])
            want = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(gradient[place], want, rtol=1e-3, atol=2e-5)


@LIKELIHOODS
def test_the_bound_is_below_the_integrated_likelihood_that_importance_sampling_reaches(fields):
    """log p(x) = log of the integral of p(x | z) p(z) over the plane, on a grid."""
    made = model(evaluation_samples=3000, **fields)
    found = made.measures(batch(4))
    # A q about as wide as the prior: no draw outweighs the others.
    session, of = opened(encoder=0.2)
    with session:
        measured = session.run(found)
    side = np.linspace(-7, 7, 281)
    z = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    x = IMAGES.reshape(len(IMAGES), 1, -1).astype(np.float64)
    joint = log_p(of, x, z, fields) + scipy.stats.norm.logpdf(z).sum(-1)
    area = (side[1] - side[0]) ** 2
    exact = scipy.special.logsumexp(joint, 1) + np.log(area)
    np.testing.assert_allclose(measured['log_likelihood'], exact, atol=0.03)
    # The gap is the divergence of q from the true posterior.
    mean, log_variance = posterior(of)
    q = scipy.stats.norm.logpdf(z, mean[:, None], np.exp(log_variance / 2)[:, None]).sum(-1)
    gap = (np.exp(q) * (q - joint + exact[:, None])).sum(1) * area
    np.testing.assert_allclose(measured['elbo'], exact - gap, atol=0.05)
    assert (gap > 0.05).all()
    assert (measured['elbo'] < measured['log_likelihood']).all()


def test_measures_add_up():
    found = model(**LEARNED).measures(batch(4))
    session, of = opened()
    with session:
        measured = session.run(found)
    mean, log_variance = posterior(of)
    kl = (np.exp(log_variance) + mean**2 - 1 - log_variance) / 2
    np.testing.assert_allclose(measured['kl_by_dimension'], kl, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(measured['kl'], kl.sum(1), rtol=1e-4)
    total = measured['reconstruction_nats'] + measured['kl']
    np.testing.assert_allclose(measured['elbo'], -total, rtol=1e-6)
    np.testing.assert_allclose(measured['variance'], np.exp(of['decoder/log_variance']), rtol=1e-6)


def test_more_samples_give_a_higher_bound():
    many = np.repeat(IMAGES, 200, 0)
    losses = [model(samples=k).objectives[0](batch(images=many)).loss for k in (1, 5, 50)]
    session, _ = opened()
    with session:
        one, five, fifty = session.run(losses)
    assert one > five + 0.01
    assert five > fifty + 0.01


def test_pixels_of_learned_variance_have_no_gradient_where_it_is_their_squared_error():
    objective = model(**LEARNED).objectives[0](batch(3))
    (variable,) = tf.trainable_variables('decoder/log_variance')
    gradient = tf.gradients(objective.loss, variable)[0]
    session, _ = opened()
    with session:
        variable.load(0.0, session)
        constant = IMAGES[0].size * np.log(2 * np.pi) / 2
        squares = 2 * (session.run(objective.terms['reconstruction_nats']) - constant)
        variable.load(np.log(squares / IMAGES[0].size), session)
        assert abs(session.run(gradient)) < 1e-5
        variable.load(np.log(2 * squares / IMAGES[0].size), session)
        np.testing.assert_allclose(session.run(gradient), IMAGES[0].size / 4, rtol=1e-4)


def test_the_weight_of_the_divergence_rises_with_the_step_and_is_whole_in_validation():
    made = model(beta=2.0, kl_warmup_steps=10)
    step = tf.train.get_or_create_global_step()
    training, validation = (made.objectives[0](batch(seed)) for seed in (3, None))
    session, _ = opened()
    with session:
        for now, weight in ((0, 0), (5, 1), (10, 2), (11, 2)):
            step.load(now, session)
            for objective, want in ((training, weight), (validation, 2)):
                loss, terms = session.run([objective.loss, objective.terms])
                rest = loss - terms['reconstruction_nats']
                np.testing.assert_allclose(rest, want * terms['kl'], atol=1e-5)


def test_the_weight_of_the_divergence_rises_in_cycles_and_stays_after_the_last():
    made = model(beta=2.0, kl_warmup_steps=10, kl_cycles=3)
    step = tf.train.get_or_create_global_step()
    training, validation = (made.objectives[0](batch(seed)) for seed in (3, None))
    wanted = {0: 0, 5: 1, 10: 2, 19: 2, 20: 0, 25: 1, 39: 2, 40: 0, 45: 1, 50: 2, 60: 2, 999: 2}
    session, _ = opened()
    with session:
        for now, weight in wanted.items():
            step.load(now, session)
            for objective, want in ((training, weight), (validation, 2)):
                loss, terms = session.run([objective.loss, objective.terms])
                rest = loss - terms['reconstruction_nats']
                np.testing.assert_allclose(rest, want * terms['kl'], atol=1e-5)


@pytest.mark.parametrize('steps', [0, 10])
def test_the_distance_from_a_capacity_that_rises_is_penalized(steps):
    made = model(beta=3.0, kl_capacity=4.0, kl_warmup_steps=steps)
    step = tf.train.get_or_create_global_step()
    training, validation = (made.objectives[0](batch(seed)) for seed in (3, None))
    session, _ = opened()
    with session:
        for now in (0, 5, 10, 11):
            step.load(now, session)
            at = 4 * min(now / steps, 1) if steps else 4
            for objective, capacity in ((training, at), (validation, 4)):
                loss, terms = session.run([objective.loss, objective.terms])
                want = terms['reconstruction_nats'] + 3 * abs(terms['kl'] - capacity)
                np.testing.assert_allclose(loss, want, rtol=1e-6)


def test_a_divergence_below_the_capacity_is_pushed_up():
    """Its gradient has the other sign than that of the divergence."""
    objective = model(kl_capacity=1e4).objectives[0](batch(3))
    parts = [objective.loss, objective.terms['reconstruction_nats'], objective.terms['kl']]
    slopes = [tf.gradients(part, objective.variables[:2]) for part in parts]
    session, _ = opened()
    with session:
        for whole, nll, kl in zip(*session.run(slopes), strict=True):
            assert np.abs(kl).max() > 0
            np.testing.assert_allclose(whole, nll - kl, atol=1e-5)


def test_a_divergence_within_the_free_bits_moves_nothing():
    objective = model(free_bits=100.0).objectives[0](batch(3))
    plain = tf.gradients(objective.terms['reconstruction_nats'], objective.variables)
    gradients = tf.gradients(objective.loss, objective.variables)
    session, _ = opened()
    with session:
        loss, terms = session.run([objective.loss, objective.terms])
        for with_it, without in zip(*session.run([gradients, plain]), strict=True):
            np.testing.assert_allclose(with_it, without, atol=1e-6)
    np.testing.assert_allclose(loss, terms['reconstruction_nats'] + 2 * 100, rtol=1e-6)


def test_codes_are_means_at_inference_and_draws_from_the_posterior_in_training():
    made = model()
    many = np.repeat(IMAGES[:1], 4000, 0)
    found = [made(tf.constant(many), seed) for seed in (None, tf.constant([1, 2], tf.int64))]
    session, of = opened()
    with session:
        still, drawn = session.run([outputs.code for outputs in found])
    mean, log_variance = posterior(of)
    np.testing.assert_allclose(still, np.repeat(mean[:1], 4000, 0), rtol=1e-4, atol=1e-5)
    for j in range(2):
        q = scipy.stats.norm(mean[0, j], np.exp(log_variance[0, j] / 2))
        assert scipy.stats.kstest(drawn[:, j], q.cdf).pvalue > 0.01


def test_the_noise_of_the_code_is_not_that_of_the_corruption():
    made = model((2, 1, 1), corruption=('gaussian:1.0',), units=())
    blank = tf.zeros([4000, 2, 1, 1])
    seed = tf.constant([1, 2], tf.int64)
    noisy, code = made.corrupt(blank, seed), made(blank, seed).code
    session, _ = opened()
    with session:
        for v in tf.trainable_variables('encoder'):
            v.load(np.zeros(v.shape.as_list()), session)
        pixels, codes = session.run([noisy, code])
    correlation = np.corrcoef(pixels.reshape(-1, 2).T, codes.T)
    assert np.abs(correlation - np.eye(4)).max() < 0.06


def test_samples_of_the_prior_are_standard_normal():
    drawn = model(code_size=3).prior(2000, tf.constant([1, 2], tf.int64))
    with tf.Session() as session:
        codes = session.run(drawn)
    assert codes.shape == (2000, 3)
    assert scipy.stats.kstest(codes.ravel(), scipy.stats.norm.cdf).pvalue > 0.01


def test_variables_have_the_names_and_shapes_that_readers_expect():
    model(**LEARNED)(batch().images)
    assert {v.op.name: v.shape.as_list() for v in tf.trainable_variables()} == {
        'encoder/layer_1/kernel': [6, 4],
        'encoder/layer_1/bias': [4],
        'encoder/mean/kernel': [4, 2],
        'encoder/mean/bias': [2],
        'encoder/log_variance/kernel': [4, 2],
        'encoder/log_variance/bias': [2],
        'decoder/layer_2/kernel': [2, 4],
        'decoder/layer_2/bias': [4],
        'decoder/layer_1/kernel': [4, 6],
        'decoder/layer_1/bias': [6],
        'decoder/log_variance': [],
    }
    assert not [v for v in tf.trainable_variables() if v not in tf.global_variables()]


def test_tensorboard_shows_the_posterior_and_its_divergence_by_dimension():
    outputs = model()(batch().images)
    shown = tf.get_collection(tf.GraphKeys.ACTIVATIONS)
    assert outputs.code in shown
    assert outputs.log_variance in shown
    assert [t.op.name for t in shown if t.shape.as_list() == [2]] == [names.KL_BY_DIMENSION]


@pytest.mark.parametrize(
    'fields',
    [{'units': ()}, {'filters': (3, 4), 'pooling': ('max',), 'upsampling': 'nearest'}],
    ids=['no hidden layer', 'convolutional'],
)
def test_other_networks_give_images_and_measures_too(fields):
    made = model((8, 8, 3), evaluation_samples=2, **fields)
    images = tf.constant(np.random.RandomState(0).uniform(size=[4, 8, 8, 3]).astype(np.float32))
    outputs = made(images)
    objective = made.objectives[0](Batch(images, None, tf.constant([1, 2], tf.int64)))
    assert None not in tf.gradients(objective.loss, objective.variables)
    found = made.measures(Batch(images, None, tf.constant([1, 2], tf.int64)))
    session, _ = opened()
    with session:
        assert session.run(outputs.reconstruction).shape == (4, 8, 8, 3)
        assert np.isfinite(session.run(found['log_likelihood'])).all()


def test_a_collapsed_posterior_is_trouble():
    made = model()
    assert made.trouble({'active_units': 0.0}).startswith('posterior collapse: no latent dimension')
    assert made.trouble({'active_units': 2.0}) == ''


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'code_size': 0}, r'--code_size is 0; it must lie in \[1, inf\)'),
        ({'samples': 0}, '--samples is 0'),
        ({'evaluation_samples': 0}, '--evaluation_samples is 0'),
        ({'beta': -1.0}, r'--beta is -1\.0'),
        ({'free_bits': -1.0}, r'--free_bits is -1\.0'),
        ({'variance': 0.0}, r'--variance is 0\.0; it must lie in \(0, inf\)'),
        ({'variance': 0.5}, '--variance needs --likelihood=gaussian'),
        ({'learn_variance': True}, '--learn_variance needs --likelihood=gaussian'),
        ({'samples': 2**31 - 1}, r'--samples is 2147483647; it must lie in \[1, 10000\]'),
        ({'samples': 2, 'beta': 2.0}, '--beta needs --samples=1'),
        ({'samples': 2, 'kl_warmup_steps': 9}, '--kl_warmup_steps needs --samples=1'),
        ({'kl_cycles': 2}, '--kl_cycles needs --kl_warmup_steps'),
        ({'kl_cycles': 0, 'kl_warmup_steps': 9}, '--kl_cycles is 0'),
        ({'samples': 2, 'kl_capacity': 9.0}, '--kl_capacity needs --samples=1'),
        ({'free_bits': 1.0, 'kl_capacity': 9.0}, '--kl_capacity'),
        ({'kl_warmup_steps': 9, 'kl_cycles': 2, 'kl_capacity': 9.0}, '--kl_cycles'),
        ({'samples': 2, 'free_bits': 0.5}, '--free_bits needs --samples=1'),
        ({'upsampling': 'nearest'}, '--upsampling needs --filters'),
        ({'emphasis': (2.0, 1.0), 'corruption': ('masking:0.1',)}, '--emphasis is 2.0,1.0; a like'),
        ({'corruption': ('masking:0.1', 'none')}, '--corruption has 2 values .* must have 1 or 1'),
    ],
)
def test_what_cannot_be_built_is_refused(fields, want):
    with pytest.raises(errors.UsageError, match=want):
        model(**fields)


def test_a_run_is_measured_in_nats(tmp_path):
    words = ('--model=variational', '--units=16', '--code_size=3', '--epochs=2', '--logdir=run')
    words += ('--evaluation_samples=20', '--likelihood=gaussian', '--learn_variance')
    assert tfae_program.run('train', *words, cwd=tmp_path).code == 0
    found = []
    for _ in range(2):
        assert tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).code == 0
        found.append(json.loads((tmp_path / 'run' / 'evaluation.json').read_text()))
    assert found[0] == found[1]
    measured = found[0]
    total = measured['reconstruction_nats'] + measured['kl']
    assert measured['elbo'] == pytest.approx(-total)
    assert sum(measured['kl_by_dimension']) == pytest.approx(measured['kl'], rel=1e-4)
    assert measured['elbo'] < measured['log_likelihood']
    assert measured['variance'] < 1
    assert 0 < measured['sharpness'] < 1
    lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
    assert all({'loss', 'kl', 'active_units', 'validation_elbo'} <= {*json.loads(x)} for x in lines)


def test_a_capacity_without_a_weight_is_refused():
    with pytest.raises(errors.UsageError, match='--kl_capacity needs a --beta above 0'):
        variational.Config(beta=0.0, kl_capacity=25.0)
