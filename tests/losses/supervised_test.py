"""Losses that read labels: value, gradient, refusal."""

import numpy as np
import pytest
import scipy.spatial
import sklearn.metrics
import tensorflow.compat.v1 as tf

from tfae.losses import supervised

RANDOM = np.random.RandomState(0)
LEFT, RIGHT = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(7, 3))
A, B = np.array([0, 1, 2, 0, 3]), np.array([0, 0, 1, 2, 1, 4, 0])  # no 3 on the right
SAME = A[:, None] == B
MARGIN = 1.7


def run(fetches):
    with tf.Session() as session:
        return session.run(fetches)


def contrastive(distance, same, margin):
    """Pair by pair."""
    found = []
    for row, kinds in zip(distance, same, strict=True):
        together = [d**2 / 2 for d, s in zip(row, kinds, strict=True) if s]
        apart = [max(0, margin - d) ** 2 / 2 for d, s in zip(row, kinds, strict=True) if not s]
        found.append(sum(np.mean(part) for part in (together, apart) if part))
    return np.array(found)


def triplet(distance, same, margin):
    """The worst of all triplets."""
    return np.array(
        [
            max(
                [0.0] + [max(0, margin + p - n) for p in row[kinds] for n in row[~kinds]],
            )
            for row, kinds in zip(distance, same, strict=True)
        ]
    )


LOSSES = [(supervised.contrastive, contrastive), (supervised.triplet, triplet)]
every_loss = pytest.mark.parametrize('ours, theirs', LOSSES)


def distances():
    return scipy.spatial.distance.cdist(LEFT, RIGHT)


def test_cross_entropy_equals_the_log_loss_of_scikit_learn():
    logits, labels = 3 * RANDOM.normal(size=(6, 4)), RANDOM.randint(0, 4, 6)
    loss = supervised.cross_entropy(tf.constant(labels), tf.constant(logits))
    for value, row, label in zip(run(loss), logits, labels, strict=True):
        p = np.exp(row - np.logaddexp.reduce(row))
        want = sklearn.metrics.log_loss([label], [p], labels=range(4))
        np.testing.assert_allclose(value, want, rtol=1e-10)


def test_cross_entropy_is_finite_far_out():
    logits = tf.constant([[1e4, -1e4], [-1e4, 1e4]])
    loss = supervised.cross_entropy(tf.constant([0, 0]), logits)
    value, gradient = run([loss, tf.gradients(loss, logits)[0]])
    np.testing.assert_allclose(value, [0, 2e4])
    np.testing.assert_allclose(gradient, [[0, 0], [-1, 1]])


def test_distances_are_those_of_scipy():
    found = supervised.distances(tf.constant(LEFT), tf.constant(RIGHT))
    np.testing.assert_allclose(run(found), distances(), rtol=1e-12)


def test_equal_codes_have_no_distance_and_no_gradient():
    codes = tf.constant(LEFT)
    found = supervised.distances(codes, codes[1:2])
    gradient = tf.gradients(found[1], codes)[0]
    value, slope = run([found[1], gradient])
    np.testing.assert_allclose(value, 0, atol=1e-6)
    assert not slope.any()


@every_loss
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_value_per_example_equals_numpy(ours, theirs, dtype):
    found = run(ours(tf.constant(distances(), dtype), tf.constant(SAME), MARGIN))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, theirs(distances(), SAME, MARGIN), rtol=1e-5)
    assert np.any(found > 0)


@every_loss
def test_gradients_match_finite_differences(ours, theirs):
    left, right = tf.constant(LEFT), tf.constant(RIGHT)
    loss = ours(supervised.distances(left, right), tf.constant(SAME), MARGIN)
    with tf.Session():
        for argument, value in ((left, LEFT), (right, RIGHT)):
            gap = tf.test.compute_gradient_error(
                argument, value.shape, loss, [5], value, delta=1e-5
            )
            assert gap < 1e-6


@every_loss
def test_classes_that_lie_apart_by_the_margin_cost_nothing_and_get_no_gradient(ours, theirs):
    codes = 10.0 * np.eye(5)[A]
    left, right = tf.constant(codes), tf.constant(10.0 * np.eye(5)[B])
    loss = ours(supervised.distances(left, right), tf.constant(SAME), MARGIN)
    value, gradient = run([loss, tf.gradients(loss, left)[0]])
    np.testing.assert_allclose(value, 0, atol=1e-10)
    assert not gradient.any()


@every_loss
def test_pairs_of_two_classes_beyond_the_margin_get_no_gradient(ours, theirs):
    distance = tf.constant([[0.5, 0.3, 3.0]])
    loss = ours(distance, tf.constant([[True, False, False]]), 1.0)
    (gradient,) = run(tf.gradients(loss, distance)[0])
    assert gradient[0] > 0
    assert gradient[1] < 0
    assert gradient[2] == 0


@every_loss
@pytest.mark.parametrize('same', [[[True, True]], [[False, False]], [[]]])
def test_what_lacks_a_kind_of_pair_is_finite_and_so_is_its_gradient(ours, theirs, same):
    same = np.array(same, bool).reshape(1, -1)
    distance = tf.constant(np.full(same.shape, 0.5))
    loss = ours(distance, tf.constant(same), 1.0)
    value, gradient = run([loss, tf.gradients(loss, distance)[0]])
    np.testing.assert_allclose(value, theirs(np.full(same.shape, 0.5), same, 1.0))
    assert np.isfinite(gradient).all()


def test_a_triplet_moves_the_farthest_of_its_class_and_the_nearest_of_another_alone():
    distance = tf.constant([[0.5, 0.9, 1.0, 1.2]])
    loss = supervised.triplet(distance, tf.constant([[True, True, False, False]]), 0.4)
    value, gradient = run([loss, tf.gradients(loss, distance)[0]])
    np.testing.assert_allclose(value, [0.3], rtol=1e-6)
    np.testing.assert_array_equal(gradient, [[0, 1, -1, 0]])


def test_one_kind_of_pairs_counts_as_much_as_the_other():
    distance = np.array([[0.6, 0.6, 0.6, 0.6]])
    for same in ([True, False, False, False], [True, True, True, False]):
        found = run(supervised.contrastive(tf.constant(distance), tf.constant([same]), 1.0))
        np.testing.assert_allclose(found, [(0.6**2 + 0.4**2) / 2])


@every_loss
def test_mismatched_shapes_are_named(ours, theirs):
    wanted = rf'^{ours.__name__}: distance is \(2, 3\), same is \(2, 4\); they must match\.$'
    with pytest.raises(ValueError, match=wanted):
        ours(tf.zeros([2, 3]), tf.zeros([2, 4], tf.bool), 1.0)


def test_wrong_ranks_and_sizes_are_named():
    with pytest.raises(ValueError, match=r'^cross_entropy: labels: .* it must have rank 1\.$'):
        supervised.cross_entropy(tf.zeros([2, 1], tf.int64), tf.zeros([2, 3]))
    with pytest.raises(ValueError, match=r'^cross_entropy: logits: .* it must have rank 2\.$'):
        supervised.cross_entropy(tf.zeros([2], tf.int64), tf.zeros([2, 3, 1]))
    with pytest.raises(ValueError, match=r'^distances: left: .* it must have rank 2\.$'):
        supervised.distances(tf.zeros([3]), tf.zeros([2, 3]))
    with pytest.raises(ValueError, match=r'^distances: left is .* right is .* they must match'):
        supervised.distances(tf.zeros([2, 3]), tf.zeros([2, 4]))
