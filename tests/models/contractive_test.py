"""The contractive penalty of whole networks against finite differences in float64.

The Jacobian is that of the encoder at its corrupted input, while the statistics of batch
normalization are held: of the batch in training, the moving ones else.
"""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.losses import regularizers
from tfae.models import Batch, convolutional, custom, custom_functions, dense

SHAPE = (4, 4, 1)
IMAGES = np.random.RandomState(0).uniform(size=[6, *SHAPE]).astype(np.float32)
SEED = (1, 2)
EPSILON = 1e-3  # of batch normalization
ACTIVATIONS = {
    'linear': lambda x: x,
    'sigmoid': lambda x: 1 / (1 + np.exp(-x)),
    'tanh': np.tanh,
    'softplus': lambda x: np.log1p(np.exp(x)),
}


def jacobian_norm(encode, x, step=1e-5):
    """Squared Frobenius norm `[B]` of the Jacobian of a function of single examples."""
    total = np.zeros(len(x))
    for place in np.ndindex(*x.shape[1:]):
        nudge = np.zeros_like(x)
        nudge[(slice(None), *place)] = step
        slope = (encode(x + nudge) - encode(x - nudge)) / (2 * step)
        total += np.square(slope).reshape(len(x), -1).sum(1)
    return total


def values(session):
    return {v.op.name: session.run(v).astype(float) for v in tf.global_variables()}


def scatter(session):
    """Random values for all variables, so that no scale is 1 and no mean 0."""
    random = np.random.RandomState(1)
    for variable in tf.global_variables():
        size = variable.shape.as_list()
        value = random.normal(size=size) if variable.trainable else random.uniform(0.1, 2, size)
        variable.load(value.astype(np.float32), session)


@pytest.mark.parametrize('training', [True, False], ids=['training', 'inference'])
@pytest.mark.parametrize('activation', sorted(ACTIVATIONS))
def test_a_normalized_dense_layer_counts_its_scale(activation, training):
    """Layer 2 of a greedy stack: gamma / sigma stands before the kernel."""
    config = convolutional.Config(
        filters=(2,),
        units=(5, 3),
        pooling=('none',),
        activation=activation,
        batch_normalization=True,
        regularizer=('contractive:1',),
    )
    model = convolutional.Model(config, SHAPE)
    below = np.random.RandomState(2).uniform(size=[6, model.encoder.sizes[1]])
    seed = tf.constant(SEED, tf.int64) if training else None
    objective = model.layerwise()[1].objective(Batch(tf.constant(below, tf.float32), None, seed))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        scatter(session)
        term = session.run(objective.terms['contractive'])
        v = values(session)
    z = below @ v['encoder/layer_2/kernel']
    of = {k: v[f'encoder/layer_2/normalization/{k}'] for k in ('gamma', 'beta')}
    moving = [v[f'encoder/layer_2/normalization/moving_{k}'] for k in ('mean', 'variance')]
    mean, variance = (z.mean(0), z.var(0)) if training else moving

    def encode(x):
        scale = of['gamma'] / np.sqrt(variance + EPSILON)
        return ACTIVATIONS[activation](
            (x @ v['encoder/layer_2/kernel'] - mean) * scale + of['beta']
        )

    assert term == pytest.approx(jacobian_norm(encode, below).mean(), rel=1e-4)
    plain = jacobian_norm(
        lambda x: ACTIVATIONS[activation](x @ v['encoder/layer_2/kernel']), below
    ).mean()
    assert abs(term - plain) > 0.05 * plain  # the scale matters here


def normalized_dense(x, training):
    """`[B, 4, 4, 1]` -> `[B, 3]`, normalized in rank 4 and in rank 2."""
    x = layers.batch_normalization(x, training=training, name='first')
    x = layers.dense(layers.flatten(x), 5, tf.nn.tanh, name='hidden')
    return layers.dense(layers.batch_normalization(x, training=training, name='second'), 3)


def plain_decoder(code):
    return tf.reshape(layers.dense(code, 16), [-1, *SHAPE])


def numpy_network(v, statistics):
    """The same as a function of examples, with given moments of both normalizations."""

    def encode(x):
        for name in ('first', 'second'):
            mean, variance = statistics[name]
            scale = v[f'encoder/{name}/gamma'] / np.sqrt(variance + EPSILON)
            x = (x - mean) * scale + v[f'encoder/{name}/beta']
            if name == 'first':
                x = x.reshape(len(x), -1) @ v['encoder/hidden/kernel'] + v['encoder/hidden/bias']
                x = np.tanh(x)
        return x @ v['encoder/dense/kernel'] + v['encoder/dense/bias']

    return encode


def statistics_of(v, images):
    """Moments of a batch before either normalization."""
    first = images.mean((0, 1, 2)), images.var((0, 1, 2))
    x = (images - first[0]) / np.sqrt(first[1] + EPSILON)
    x = x * v['encoder/first/gamma'] + v['encoder/first/beta']
    x = np.tanh(x.reshape(len(x), -1) @ v['encoder/hidden/kernel'] + v['encoder/hidden/bias'])
    return {'first': first, 'second': (x.mean(0), x.var(0))}


def expected(training):
    """The mean of the estimate of a normalized network over many seeds, and of the truth."""
    config = custom(normalized_dense, plain_decoder, regularizer='contractive:1')
    model = custom_functions.Model(config, SHAPE)
    seed = tf.placeholder(tf.int64, [2])
    given = Batch(tf.constant(IMAGES), None, seed if training else None)
    objective = model.objectives[0](given)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        scatter(session)
        v = values(session)
        runs = 2000 if training else 1
        term = objective.terms['contractive']
        found = [session.run(term, {seed: [1, step]}) for step in range(runs)]
    moving = {
        name: [v[f'encoder/{name}/moving_{kind}'] for kind in ('mean', 'variance')]
        for name in ('first', 'second')
    }
    statistics = statistics_of(v, IMAGES.astype(float)) if training else moving
    truth = jacobian_norm(numpy_network(v, statistics), IMAGES.astype(float)).mean()
    return np.array(found), truth


def test_the_moments_of_a_batch_are_held_in_a_deep_encoder_of_ones_own():
    found, truth = expected(training=True)
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - truth) < 5 * error
    assert error < 0.02 * truth


def test_the_measured_norm_is_that_of_inference():
    """`jacobian_squared_norm`, over the probes of many seeds."""
    smooth = {'activation': 'tanh', 'pooling': ('average',)}  # differences cross no kink
    config = convolutional.Config(filters=(2,), units=(4,), batch_normalization=True, **smooth)
    model = convolutional.Model(config, SHAPE)
    images = np.repeat(IMAGES[:1], 500, 0)
    seed = tf.constant(SEED, tf.int64)
    measures = model.measures(Batch(tf.constant(images), None, seed))
    x = tf.placeholder(tf.float32, [None, *SHAPE])
    code = model.encode(x)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        scatter(session)
        found = session.run(measures)['jacobian_squared_norm']
        truth = jacobian_norm(
            lambda given: session.run(code, {x: given}).astype(float), IMAGES[:1], 1e-3
        )[0]
    assert abs(found.mean() - truth) < 5 * found.std() / np.sqrt(len(found))
    assert found.std() < 0.6 * truth


def test_the_penalty_has_the_gradient_of_finite_differences_where_the_moments_follow_the_kernel():
    """Held are the moments while x moves, not while the kernel does: J's scale is seen whole."""
    x = tf.constant(IMAGES.reshape(6, 16), tf.float64)
    kernel = tf.placeholder(tf.float64, [16, 3])
    with layers.recorded_statistics() as statistics:
        code = tf.tanh(layers.batch_normalization(x @ kernel, training=True))
    held = [moment for each in statistics for moment in (each.mean, each.variance)]
    loss = tf.reduce_sum(regularizers.contractive(code, x, tf.constant(SEED, tf.int64), held))
    gradient = tf.gradients(loss, kernel)[0]
    at = np.random.RandomState(3).normal(size=[16, 3])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(gradient, {kernel: at})
        for place in [(0, 0), (5, 1), (15, 2)]:
            nudge = np.zeros_like(at)
            nudge[place] = 1e-6
            high, low = (session.run(loss, {kernel: at + s * nudge}) for s in (1, -1))
            np.testing.assert_allclose(got[place], (high - low) / 2e-6, rtol=1e-5)


def test_the_jacobian_is_taken_at_the_corrupted_input():
    """Halved input: by the clean one it would be half as long, and elsewhere on the curve."""
    config = dense.Config(
        units=(5, 2), activation='tanh', corruption=('dropout:0.5',), regularizer=('contractive:1',)
    )
    model = dense.Model(config, SHAPE)
    seed = tf.placeholder(tf.int64, [2])
    noisy = model.corrupt(tf.constant(IMAGES), seed)
    objective = model.objectives[0](Batch(tf.constant(IMAGES), None, seed))
    found, truths = [], []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        v = values(session)

        def encode(x):
            for i, function in ((1, np.tanh), (2, lambda x: x)):
                layer = f'encoder/layer_{i}'
                x = x.reshape(len(x), -1) @ v[f'{layer}/kernel'] + v[f'{layer}/bias']
                x = function(x)
            return x

        for step in range(600):
            fed = {seed: [1, step]}
            term, images = session.run([objective.terms['contractive'], noisy], fed)
            found.append(term)
            truths.append(jacobian_norm(encode, images.astype(float)).mean())
    gaps = np.subtract(found, truths)
    assert abs(gaps.mean()) < 5 * gaps.std() / np.sqrt(len(gaps))
    assert gaps.std() / np.sqrt(len(gaps)) < 0.02 * np.mean(truths)
