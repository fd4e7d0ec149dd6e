"""Every loss: value, gradient, refusal."""

import numpy as np
import pytest
import scipy.special
import sklearn.metrics
import tensorflow.compat.v1 as tf

from tfae import losses

SHAPES = [(3, 7), (2, 4, 3, 2), (1, 1, 1, 1), (0, 5)]


def pair(shape, seed=0):
    """Targets in [0, 1], some at its ends, and real numbers."""
    random = np.random.RandomState(seed)
    targets = random.uniform(size=shape)
    targets[random.uniform(size=shape) < 0.2] = 0
    targets[random.uniform(size=shape) < 0.2] = 1
    return targets, 3 * random.normal(size=shape)


def squared_error(x, y):
    return np.square(x - y).sum(tuple(range(1, x.ndim)))


def bernoulli(x, logits):
    """Through log-probabilities, where the loss itself uses one formula of the logits."""
    nats = -(x * scipy.special.log_expit(logits) + (1 - x) * scipy.special.log_expit(-logits))
    return nats.sum(tuple(range(1, x.ndim)))


LOSSES = [(losses.squared_error, squared_error), (losses.bernoulli, bernoulli)]


def run(fetches):
    with tf.Session() as session:
        return session.run(fetches)


def test_each_likelihood_has_a_loss_of_its_name():
    assert all(callable(getattr(losses, name)) for name in losses.Likelihood.BUILT_IN)
    assert {ours.__name__ for ours, _ in LOSSES} == set(losses.Likelihood.BUILT_IN)


@pytest.mark.parametrize('ours, theirs', LOSSES)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_value_per_example_equals_numpy(ours, theirs, shape, dtype):
    x, y = pair(shape)
    got = run(ours(tf.constant(x, dtype), tf.constant(y, dtype)))
    assert got.shape == shape[:1]
    assert got.dtype == dtype
    np.testing.assert_allclose(got, theirs(x, y), rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_bernoulli_equals_the_log_loss_of_scikit_learn():
    x, logits = pair((5, 6))
    x = np.rint(x)
    got = run(losses.bernoulli(tf.constant(x), tf.constant(logits)))
    for value, targets, row in zip(got, x, logits, strict=True):
        p = scipy.special.expit(row)
        want = sklearn.metrics.log_loss(targets, p, labels=[0, 1], normalize=False)
        np.testing.assert_allclose(value, want, rtol=1e-10)


@pytest.mark.parametrize('logit', [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize('target', [0.0, 0.5, 1.0])
def test_bernoulli_is_finite_far_out(logit, target):
    x, logits = tf.constant([[target]]), tf.constant([[logit]])
    loss = losses.bernoulli(x, logits)
    value, gradient = run([loss, tf.gradients(loss, logits)[0]])
    want = bernoulli(np.array([[target]]), np.array([[logit]]))
    np.testing.assert_allclose(value, want, rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(gradient, [[scipy.special.expit(logit) - target]], atol=1e-7)


@pytest.mark.parametrize('ours, theirs', LOSSES)
def test_gradients_match_finite_differences(ours, theirs):
    x, y = pair((2, 2, 3, 1))
    targets, predictions = tf.constant(x), tf.constant(y)
    loss = ours(targets, predictions)
    with tf.Session():
        for argument, value in ((predictions, y), (targets, x)):
            gap = tf.test.compute_gradient_error(argument, x.shape, loss, [2], value, delta=1e-5)
            assert gap < 1e-6


@pytest.mark.parametrize('ours, theirs', LOSSES)
def test_an_example_gets_no_gradient_from_another(ours, theirs):
    x, y = (tf.constant(v) for v in pair((3, 4)))
    gradient = run(tf.gradients(ours(x, y)[1], y)[0])
    assert (gradient[[0, 2]] == 0).all()
    assert (gradient[1] != 0).all()


def test_bernoulli_is_least_at_the_target_where_it_is_its_entropy():
    x = np.array([[0.1, 0.5, 0.9]])
    loss = losses.bernoulli(tf.constant(x), tf.constant(scipy.special.logit(x)))
    entropy = scipy.special.entr(x) + scipy.special.entr(1 - x)
    np.testing.assert_allclose(run(loss), entropy.sum(1))


@pytest.mark.parametrize(
    'loss, second', [(losses.squared_error, 'predictions'), (losses.bernoulli, 'logits')]
)
def test_mismatched_shapes_are_named(loss, second):
    name = loss.__name__
    wanted = rf'^{name}: targets is \(2, 3\), {second} is \(2, 4\); they must match\.$'
    with pytest.raises(ValueError, match=wanted):
        loss(tf.zeros([2, 3]), tf.zeros([2, 4]))
    with pytest.raises(ValueError, match='^mine: '):
        loss(tf.zeros([2, 3]), tf.zeros([3]), name='mine')


@pytest.mark.parametrize('ours, theirs', LOSSES)
def test_the_batch_may_be_unknown(ours, theirs):
    x = tf.placeholder(tf.float32, [None, 3])
    assert ours(x, x).shape.as_list() == [None]
