"""The siamese network: one set of variables on two sides, and its losses from the codes alone."""

import numpy as np
import pytest
import scipy.spatial
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.models import Batch, siamese

SHAPE = (6, 6, 1)
LABELS = np.array([0, 0, 1, 2, 2, 1, 0, 1, 2])


def model(classes=3, **fields):
    fields = {'units': (7,), 'code_size': 4} | fields
    return siamese.Model(siamese.Config(**fields), SHAPE, classes)


def batch(count=9, seed=(1, 2)):
    images = np.random.RandomState(0).uniform(size=[count, *SHAPE]).astype(np.float32)
    labels = tf.constant(LABELS[:count])
    return Batch(tf.constant(images), labels, seed and tf.constant(seed, tf.int64))


def opened():
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def objective(made, given):
    (build,) = made.objectives
    return build(given)


@pytest.fixture(autouse=True)
def _seeded():
    tf.set_random_seed(1)


@pytest.mark.parametrize('loss', ['contrastive', 'triplet'])
def test_two_sides_share_one_set_of_variables(loss):
    found = objective(model(loss=loss, filters=(3,)), batch())
    names = sorted(v.op.name for v in tf.global_variables())
    want = [f'encoder/layer_{i}/{part}' for i in (1, 2, 3) for part in ('bias', 'kernel')]
    assert names == want
    assert sorted(v.op.name for v in found.variables) == want
    operations = tf.get_default_graph().get_operations()
    assert sum(op.type == 'Conv2D' for op in operations) == 1  # both sides in one pass


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('loss', ['contrastive', 'triplet'])
def test_the_loss_is_that_of_pairs_between_the_halves(loss, normalize):
    made = model(loss=loss, margin=0.7, normalize_codes=normalize)
    found = objective(made, batch())
    with opened() as session:
        code, value, terms = session.run([made.encode(batch().images), found.loss, found.terms])
    if normalize:
        np.testing.assert_allclose(np.linalg.norm(code, axis=1), 1, rtol=1e-5)
    d = scipy.spatial.distance.cdist(code[0::2], code[1::2])
    same = LABELS[0::2, None] == LABELS[1::2]
    each = []
    for row, kinds in zip(d, same, strict=True):
        if loss == 'triplet':
            each.append(max(0, 0.7 + row[kinds].max() - row[~kinds].min()))
        else:
            apart = np.maximum(0, 0.7 - row[~kinds]) ** 2
            each.append((np.mean(row[kinds] ** 2) + np.mean(apart)) / 2)
    assert value == pytest.approx(np.mean(each), rel=1e-4)
    assert terms['distance_together'] == pytest.approx(d[same].mean(), rel=1e-4)
    assert terms['distance_apart'] == pytest.approx(d[~same].mean(), rel=1e-4)


@pytest.mark.parametrize('loss', ['contrastive', 'triplet'])
def test_both_sides_move_the_variables(loss):
    """The gradient is the sum of what each side gives where the other is held."""
    made, given = model(loss=loss, margin=3.0), batch()
    made(given.images)
    whole = tf.gradients(objective(made, given).loss, tf.trainable_variables())

    class Held(siamese.Model):
        def __call__(self, images, seed=None):
            code = super().__call__(images, seed).code
            held = tf.equal(tf.range(tf.shape(code)[0])[:, tf.newaxis] % 2, self.still)
            return siamese.Outputs(tf.where_v2(held, tf.stop_gradient(code), code))

    sides = []
    for still in (0, 1):
        half = Held(made.config, SHAPE, 3)
        half.still = still
        sides.append(tf.gradients(objective(half, given).loss, tf.trainable_variables()))
    with opened() as session:
        total, one, other = session.run([whole, *sides])
    for a, b, c in zip(total, one, other, strict=True):
        np.testing.assert_allclose(a, b + c, rtol=1e-3, atol=1e-6)
    assert any(np.abs(b).max() > 1e-3 for b in one)
    assert any(np.abs(c).max() > 1e-3 for c in other)


def test_both_sides_are_normalized_as_one_batch_which_moves_each_average_once():
    made, given = model(batch_normalization=True), batch()
    found = objective(made, given)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    moving = [v for v in tf.global_variables() if 'moving' in v.op.name]
    assert len({update.inputs[0] for update in updates}) == len(updates) == len(moving) > 0
    code = made(given.images, given.seed).code
    with opened() as session:
        value, code = session.run([found.loss, code])
    d = scipy.spatial.distance.cdist(code[0::2], code[1::2])
    same = LABELS[0::2, None] == LABELS[1::2]
    apart = np.maximum(0, made.config.margin - d) ** 2
    each = [
        (np.mean(row[k] ** 2) + np.mean(far[~k])) / 2
        for row, far, k in zip(d, apart, same, strict=True)
    ]
    assert value == pytest.approx(np.mean(each), rel=1e-4)


@pytest.mark.parametrize('loss', ['contrastive', 'triplet'])
@pytest.mark.parametrize('count', [1, 2, 3])
def test_a_batch_with_hardly_a_pair_has_a_finite_loss_and_gradient(loss, count):
    found = objective(model(loss=loss), batch(count))
    fetched = [found.loss, *tf.gradients(found.loss, found.variables)]
    with opened() as session:
        assert all(np.isfinite(value).all() for value in session.run(fetched))


@pytest.mark.parametrize('loss', ['contrastive', 'triplet'])
def test_training_puts_classes_apart(loss):
    made, given = model(loss=loss), batch(seed=None)
    found = objective(made, given)
    step = tf.train.AdamOptimizer(0.01).minimize(found.loss, var_list=found.variables)
    with opened() as session:
        for _ in range(300):
            session.run(step)
        loss, terms = session.run([found.loss, found.terms])
    assert loss < 0.05
    assert terms['distance_apart'] > 0.8 + terms['distance_together']
    assert made.trouble(terms) == ''


def test_a_collapse_is_named():
    made = model()
    assert made.trouble({'distance_together': 0.5, 'distance_apart': 0.51}).startswith('collapse: ')
    assert made.trouble({'distance_together': 0.0, 'distance_apart': 0.0}).startswith('collapse: ')
    assert made.trouble({'distance_together': 0.5, 'distance_apart': 1.0}) == ''


@pytest.mark.parametrize(
    'fields, text',
    [
        ({'margin': 0.0}, r'--margin is 0.0; it must lie in \(0, inf\)'),
        ({'margin': float('nan')}, r'--margin is nan; it must lie in \(0, inf\)'),
        (
            {'margin': 2.0, 'normalize_codes': True},
            '--margin is 2.0; with --normalize_codes it must be below',
        ),
        ({'code_size': 0}, r'--code_size is 0; it must lie in \[1, inf\)'),
        ({'classes': 1}, '--model is siamese; the data set has 1 class;'),
    ],
)
def test_what_cannot_be_built_is_refused(fields, text):
    with pytest.raises(errors.UsageError, match=text):
        model(**fields)
