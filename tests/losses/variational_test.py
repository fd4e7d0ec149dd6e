"""Normal densities, divergences and bounds: value, gradient, absence of gradient, refusal."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow.compat.v1 as tf

from tfae.losses import variational

RANDOM = np.random.RandomState(0)
X, MEAN, LOG_VARIANCE = (RANDOM.normal(size=[3, 2, 2]) for _ in range(3))
CODE, SPREAD = 2 * RANDOM.normal(size=[5, 4]), RANDOM.normal(size=[5, 4])
COUNTS = RANDOM.poisson(3, [3, 2, 2]).astype(np.float64)


def run(fetches):
    with tf.Session() as session:
        return session.run(fetches)


@pytest.mark.parametrize('log_variance', [LOG_VARIANCE, np.float64(-1.5)], ids=['each', 'shared'])
def test_a_normal_density_is_that_of_scipy(log_variance):
    got = run(variational.normal(*map(tf.constant, (X, MEAN, log_variance))))
    want = -scipy.stats.norm.logpdf(X, MEAN, np.exp(log_variance / 2)).sum((1, 2))
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_likelihoods_of_counts_are_those_of_scipy():
    log_mean = 2 * MEAN
    got = run(variational.poisson(tf.constant(COUNTS), tf.constant(log_mean)))
    want = -scipy.stats.poisson.logpmf(COUNTS, np.exp(log_mean)).sum((1, 2))
    np.testing.assert_allclose(got, want, rtol=1e-12)
    log_r = LOG_VARIANCE[0]
    given = map(tf.constant, (COUNTS, log_mean, log_r))
    r = np.exp(log_r)
    want = -scipy.stats.nbinom.logpmf(COUNTS, r, r / (r + np.exp(log_mean))).sum((1, 2))
    np.testing.assert_allclose(run(variational.negative_binomial(*given)), want, rtol=1e-10)
    given = map(tf.constant, (COUNTS, log_mean, np.full([2, 2], 20.0)))  # a large dispersion
    want = -scipy.stats.poisson.logpmf(COUNTS, np.exp(log_mean)).sum((1, 2))
    np.testing.assert_allclose(run(variational.negative_binomial(*given)), want, rtol=1e-5)


@pytest.mark.parametrize('mean', [-3.0, 0.0, 0.7])
@pytest.mark.parametrize('log_variance', [-6.0, -0.5, 0.0, 1.5])
def test_the_divergence_is_that_of_numerical_integration(mean, log_variance):
    q = scipy.stats.norm(mean, np.exp(log_variance / 2))

    def integrand(z):
        return q.pdf(z) * (q.logpdf(z) - scipy.stats.norm.logpdf(z))

    reach = 12 * q.std()
    want, _ = scipy.integrate.quad(integrand, mean - reach, mean + reach, points=[mean])
    given = (tf.constant([[value]], tf.float64) for value in (mean, log_variance))
    got = run(variational.kl_to_standard_normal(*given))
    np.testing.assert_allclose(got, [[want]], rtol=1e-7, atol=1e-9)


def test_the_divergence_is_zero_at_the_prior_and_above_elsewhere():
    kl = run(variational.kl_to_standard_normal(tf.zeros([2, 3]), tf.zeros([2, 3])))
    assert (kl == 0).all()
    assert (run(variational.kl_to_standard_normal(*map(tf.constant, (CODE, SPREAD)))) > 0).all()


def test_the_divergence_keeps_its_digits_next_to_the_prior():
    v = np.array([[1e-8, -1e-6, 1e-4]])
    got = run(variational.kl_to_standard_normal(tf.zeros([1, 3], tf.float64), tf.constant(v)))
    np.testing.assert_allclose(got, v**2 / 4 + v**3 / 12 + v**4 / 48, rtol=1e-6)


@pytest.mark.parametrize(
    'function, values',
    [
        (variational.normal, (X, MEAN, LOG_VARIANCE)),
        (variational.normal, (X, MEAN, np.float64(0.3))),
        (lambda m: variational.poisson(tf.constant(COUNTS), m), (MEAN,)),
        (
            lambda m, r: variational.negative_binomial(tf.constant(COUNTS), m, r),
            (MEAN, LOG_VARIANCE[0]),
        ),
        (variational.kl_to_standard_normal, (CODE, SPREAD)),
        (lambda kl: variational.free_bits(kl, 0.5), (CODE,)),
        (variational.importance_bound, (CODE,)),
    ],
    ids=['normal', 'shared', 'poisson', 'negative_binomial', 'kl', 'free_bits', 'importance_bound'],
)
def test_gradients_match_finite_differences(function, values):
    given = [tf.constant(value) for value in values]
    found = function(*given)
    shape = found.shape.as_list()
    with tf.Session():
        for tensor, value in zip(given, values, strict=True):
            gap = tf.test.compute_gradient_error(
                tensor, np.shape(value), found, shape, value, delta=1e-5
            )
            assert gap < 1e-6


def test_an_example_gets_no_gradient_from_another():
    mean, spread = tf.constant(CODE), tf.constant(SPREAD)
    zeros = tf.zeros_like(mean)
    for found in (
        variational.normal(zeros, mean, spread),
        variational.kl_to_standard_normal(mean, spread),
    ):
        for gradient in run(tf.gradients(found[1], [mean, spread])):
            assert (np.delete(gradient, 1, 0) == 0).all()
            assert (gradient[1] != 0).all()


def test_free_bits_count_what_is_below_them_as_them_without_a_gradient():
    kl = np.array([[0.1, 3.0], [0.5, 0.0], [0.0, 0.9]])  # means 0.2 and 1.3
    given = tf.constant(kl)
    held = variational.free_bits(given, 1.0)
    value, gradient = run([held, tf.gradients(held, given)[0]])
    np.testing.assert_allclose(value, 1.0 + 1.3)
    np.testing.assert_allclose(gradient, [[0, 1 / 3]] * 3)


def test_no_free_bits_leave_the_mean_divergence():
    kl = np.abs(CODE)
    np.testing.assert_allclose(run(variational.free_bits(tf.constant(kl), 0)), kl.mean(0).sum())


@pytest.mark.parametrize('offset', [0, -2000, 2000])
def test_the_importance_bound_is_the_logarithm_of_the_mean_weight(offset):
    got = run(variational.importance_bound(tf.constant(CODE + offset)))
    want = scipy.special.logsumexp(CODE, 0) - np.log(len(CODE)) + offset
    np.testing.assert_allclose(got, want)


def test_one_draw_is_its_own_bound_and_more_of_the_same_change_nothing():
    weights = tf.constant(CODE[:1])
    one, many = (variational.importance_bound(w) for w in (weights, tf.tile(weights, [7, 1])))
    np.testing.assert_allclose(*run([one, many]))
    np.testing.assert_allclose(run(one), CODE[0])


def test_mismatched_shapes_are_named():
    wide, narrow = tf.zeros([2, 4]), tf.zeros([2, 3])
    wanted = r'^normal: x is \(2, 3\), mean is \(2, 4\); they must match\.$'
    with pytest.raises(ValueError, match=wanted):
        variational.normal(narrow, wide, wide)
    with pytest.raises(ValueError, match=r'^normal: x is \(2, 3\), log_variance is \(2, 4\)'):
        variational.normal(narrow, narrow, wide)
    with pytest.raises(ValueError, match=r'^mine: mean is \(2, 3\), log_variance is \(2, 4\)'):
        variational.kl_to_standard_normal(narrow, wide, name='mine')


def test_the_batch_may_be_unknown():
    x = tf.placeholder(tf.float32, [None, 3])
    assert variational.normal(x, x, x).shape.as_list() == [None]
    assert variational.kl_to_standard_normal(x, x).shape.as_list() == [None, 3]
