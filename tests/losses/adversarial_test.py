"""Losses of adversarial networks against closed forms and finite differences."""

import numpy as np
import pytest
import scipy.spatial
import tensorflow.compat.v1 as tf

from tfae.losses import adversarial

LOSSES = ('non_saturating', 'least_squares', 'hinge', 'wasserstein')
REAL, FAKE = np.array([0.5, -2, 0, 3]), np.array([-1.5, 0.2, 0, 4])


@pytest.mark.parametrize(
    'loss, seen, made',
    [
        (
            'non_saturating',
            np.log1p(np.exp(-REAL)) + np.log1p(np.exp(FAKE)),
            np.log1p(np.exp(-FAKE)),
        ),
        ('least_squares', ((REAL - 1) ** 2 + FAKE**2) / 2, (FAKE - 1) ** 2 / 2),
        ('hinge', np.maximum(0, 1 - REAL) + np.maximum(0, 1 + FAKE), -FAKE),
        ('wasserstein', FAKE - REAL, -FAKE),
    ],
)
def test_the_losses_are_those_of_the_papers_for_each_example(loss, seen, made):
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    losses = [adversarial.discriminator(loss, real, fake), adversarial.generator(loss, fake)]
    with tf.Session() as session:
        got = session.run(losses)
    np.testing.assert_allclose(got, [seen, made], rtol=1e-12)


@pytest.mark.parametrize('loss', LOSSES)
def test_gradients_match_finite_differences(loss):
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    for value, by in (
        (adversarial.discriminator(loss, real, fake), real),
        (adversarial.discriminator(loss, real, fake), fake),
        (adversarial.generator(loss, fake), fake),
    ):
        with tf.Session():
            error = tf.test.compute_gradient_error(by, [4], value, [4], delta=1e-6)
        assert error < 1e-7


def test_scores_far_from_zero_give_finite_losses():
    far = tf.constant([1e4, -1e4], tf.float32)
    losses = [
        adversarial.discriminator('non_saturating', far, -far),
        adversarial.generator('non_saturating', far),
    ]
    with tf.Session() as session:
        both, alone = session.run(losses)
    np.testing.assert_allclose(both, [0, 2e4], rtol=1e-6)
    np.testing.assert_allclose(alone, [0, 1e4], rtol=1e-6)


def test_answers_are_right_on_either_side_of_the_place_where_a_image_counts_as_real():
    answers = [adversarial.accuracy(n, tf.constant(REAL), tf.constant(FAKE)) for n in LOSSES]
    assert answers.pop() is None
    with tf.Session() as session:
        got = session.run(answers)
    np.testing.assert_array_equal(got, [[1, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [1, 0, 0.5, 0.5]])


def test_scores_of_other_shapes_are_refused():
    with pytest.raises(
        ValueError, match=r'discriminator: real is \(4,\), fake is \(3,\); they must'
    ):
        adversarial.discriminator('wasserstein', tf.zeros([4]), tf.zeros([3]))


def test_a_critic_of_slope_one_has_no_penalty_and_a_flat_one_a_penalty_without_direction():
    slopes = tf.constant(np.array([[0.6, 0.8], [0, 0], [3, 4], [3e-6, 4e-6]], np.float64))
    penalty = adversarial.gradient_penalty(slopes)
    (back,) = tf.gradients(penalty, [slopes])
    with tf.Session() as session:
        values, directions = session.run([penalty, back])
        error = tf.test.compute_gradient_error(
            slopes, [4, 2], penalty, [4], np.array([[0.6, 0.9], [1, 2], [3, 4], [5, 6.0]]), 1e-6
        )
    np.testing.assert_allclose(values, [0, 1, 16, (1 - 5e-6) ** 2], atol=1e-12)
    np.testing.assert_allclose(directions[:3], [[0, 0], [0, 0], [4.8, 6.4]], atol=1e-12)
    steep = -2 * (1 - 5e-6) * np.array([0.6, 0.8])
    np.testing.assert_allclose(directions[3], steep, atol=1e-12)
    assert error < 1e-7


def test_diversity_is_the_mean_distance_over_that_of_real_images():
    random = np.random.RandomState(0)
    fake, real = random.normal(size=[7, 2, 3, 1]) + 50, 4 * random.normal(size=[4, 2, 3, 1])
    with tf.Session() as session:
        found = session.run(adversarial.diversity(tf.constant(fake), tf.constant(real)))
    between = scipy.spatial.distance.cdist(fake.reshape(7, -1), fake.reshape(7, -1))
    want = between.sum(1) / 6 / scipy.spatial.distance.pdist(real.reshape(4, -1)).mean()
    np.testing.assert_allclose(found, want, rtol=1e-6)


def test_one_image_alone_is_as_diverse_as_one_image_can_be():
    with tf.Session() as session:
        found = session.run(adversarial.diversity(tf.ones([1, 4]), tf.zeros([1, 4])))
    assert found.tolist() == [1]
