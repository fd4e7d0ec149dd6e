"""Penalties against closed forms, brute force and finite differences."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.losses import regularizers
from tfae.losses.regularizers import Regularizer
from tfae.models import Batch, convolutional, dense
from tfae.ops.activations import Activation

RANDOM = np.random.RandomState(0)
X = RANDOM.uniform(0.1, 0.9, [5, 6])
KERNEL = RANDOM.normal(size=[6, 4])
BIAS = RANDOM.normal(size=[4])
IMAGES = RANDOM.uniform(size=[4, 6, 6, 1]).astype(np.float32)


def run(*tensors):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(tensors if len(tensors) > 1 else tensors[0])


def test_l1_is_the_sum_of_absolute_values():
    np.testing.assert_allclose(run(regularizers.l1(tf.constant(KERNEL))), np.abs(KERNEL).sum(1))


def test_kl_sparsity_equals_the_divergence_of_two_bernoullis():
    mean = np.array([0.02, 0.05, 0.5, 0.99])
    t = 0.05
    want = np.sum(t * np.log(t / mean) + (1 - t) * np.log((1 - t) / (1 - mean)))
    np.testing.assert_allclose(run(regularizers.kl_sparsity(tf.constant(mean), t)), want)


def test_kl_sparsity_is_zero_at_the_target_and_finite_for_dead_units():
    assert abs(run(regularizers.kl_sparsity(tf.constant([0.3, 0.3], tf.float64), 0.3))) < 1e-12
    assert np.isfinite(run(regularizers.kl_sparsity(tf.constant([0.0, 1.0]), 0.3)))


@pytest.mark.parametrize('shape', [(6, 4), (4, 6), (3, 2, 2, 5)])
def test_orthogonality_is_the_distance_of_the_gram_matrix_from_the_identity(shape):
    kernel = RANDOM.normal(size=shape)
    flat = kernel.reshape(-1, shape[-1])
    gram = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    want = np.square(gram - np.eye(len(gram))).sum()
    np.testing.assert_allclose(run(regularizers.orthogonality(tf.constant(kernel))), want)


def test_orthonormal_kernels_cost_nothing():
    q, _ = np.linalg.qr(RANDOM.normal(size=[6, 4]))
    assert abs(run(regularizers.orthogonality(tf.constant(q)))) < 1e-20


def test_k_sparse_keeps_the_largest_values_and_their_gradient_alone():
    code = tf.constant([[3.0, -1.0, 2.0, 0.5], [-4.0, -3.0, -2.0, -1.0]])
    kept = regularizers.k_sparse(code, 2)
    found, gradient = run(kept, tf.gradients(tf.reduce_sum(kept), code)[0])
    np.testing.assert_array_equal(found, [[3, 0, 2, 0], [0, 0, -2, -1]])
    np.testing.assert_array_equal(gradient, [[1, 0, 1, 0], [0, 0, 1, 1]])


@pytest.mark.parametrize('name', Activation.BUILT_IN)
def test_a_slope_equals_the_gradient_of_its_activation(name):
    x = tf.constant(np.linspace(-2.1, 2.2, 20))
    activation = Activation.from_text(name)
    y = activation.function(x)
    slope, gradient = run(activation.derivative(y), tf.gradients(tf.reduce_sum(y), x)[0])
    np.testing.assert_allclose(slope, gradient, rtol=1e-6, atol=1e-7)


def jacobian(encode, x, step=1e-6):
    """`[B, Z, D]` by central differences, example by example."""
    columns = []
    for place in np.ndindex(*x.shape[1:]):
        nudge = np.zeros_like(x)
        nudge[(slice(None), *place)] = step
        columns.append((encode(x + nudge) - encode(x - nudge)) / (2 * step))
    return np.stack(columns, -1)


@pytest.mark.parametrize('name', ['linear', 'sigmoid', 'tanh', 'selu'])
def test_the_closed_form_of_a_dense_layer_equals_the_brute_force_jacobian(name):
    x = tf.placeholder(tf.float64, [None, 6])
    activation = Activation.from_text(name)
    code = activation.function(x @ tf.constant(KERNEL) + BIAS)
    norm = regularizers.contractive_dense(activation.derivative(code), tf.constant(KERNEL))
    with tf.Session() as session:
        found = session.run(norm, {x: X})
        brute = jacobian(lambda given: session.run(code, {x: given}), X)
    np.testing.assert_allclose(found, np.square(brute).sum((1, 2)), rtol=1e-6)


def test_the_estimate_over_many_probes_is_the_brute_force_jacobian():
    x = tf.placeholder(tf.float64, [None, 6])
    code = tf.tanh(tf.nn.softplus(x @ tf.constant(KERNEL)) @ tf.constant(KERNEL[:4, :3]))
    norm = regularizers.contractive(code, x, tf.constant([1, 2], tf.int64))
    probes = 4000
    with tf.Session() as session:
        found = session.run(norm, {x: np.repeat(X, probes, 0)}).reshape(len(X), probes)
        brute = jacobian(lambda given: session.run(code, {x: given}), X)
    want = np.square(brute).sum((1, 2))
    error = 5 * found.std(1) / np.sqrt(probes)
    assert (np.abs(found.mean(1) - want) < error).all()
    assert found.std(1).min() > 0  # the probes differ


def test_the_contractive_penalty_has_the_gradient_of_finite_differences():
    kernel = tf.placeholder(tf.float64, [6, 4])
    x = tf.constant(X)
    code = tf.nn.sigmoid(x @ kernel)
    loss = tf.reduce_sum(regularizers.contractive(code, x, tf.constant([1, 2], tf.int64)))
    gradient = tf.gradients(loss, kernel)[0]
    with tf.Session() as session:
        got = session.run(gradient, {kernel: KERNEL})
        for place in np.ndindex(6, 4):
            nudge = np.zeros_like(KERNEL)
            nudge[place] = 1e-6
            high, low = (session.run(loss, {kernel: KERNEL + s * nudge}) for s in (1, -1))
            np.testing.assert_allclose(got[place], (high - low) / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    'text, want',
    [
        ('l1:0.5', Regularizer('l1', 0.5)),
        ('contractive:0.5', Regularizer('contractive', 0.5)),
        ('orthogonality:0.5', Regularizer('orthogonality', 0.5)),
        ('kl_sparsity:0.05:3', Regularizer('kl_sparsity', 3, 0.05)),
        ('kl_sparsity:0.05:3:0.9', Regularizer('kl_sparsity', 3, 0.05, 0.9)),
    ],
)
def test_a_penalty_is_read_from_its_text_and_written_as_it(text, want):
    assert Regularizer.from_text(text) == want
    assert str(want) == text


@pytest.mark.parametrize(
    'text, want',
    [
        (
            'contractiv:1',
            "--regularizer is 'contractiv'; it must be one of l1, kl_sparsity, contractive, "
            'orthogonality, package.module:function; did you mean contractive',
        ),
        ('l1', "--regularizer is 'l1'; it must be l1:weight"),
        ('l1:x', "--regularizer is 'l1:x'; it must be l1:weight"),
        ('l1:-1', r'the weight must lie in \[0, inf\)'),
        ('l1:nan', r'the weight must lie in \[0, inf\)'),
        ('kl_sparsity:1', r'it must be kl_sparsity:target:weight\[:decay\]'),
        ('kl_sparsity:1:1', r'the target must lie in \(0, 1\)'),
        ('kl_sparsity:0.5:1:1', r'the decay in \[0, 1\)'),
    ],
)
def test_a_penalty_that_cannot_be_read_is_refused(text, want):
    with pytest.raises(errors.UsageError, match=want):
        Regularizer.from_text(text)


def batch(seed=(1, 2)):
    seed = None if seed is None else tf.constant(seed, tf.int64)
    return Batch(tf.constant(IMAGES), None, seed)


@pytest.mark.parametrize('family', ['dense', 'convolutional'])
@pytest.mark.parametrize(
    'regularizer', ['l1:0.5', 'kl_sparsity:0.1:2', 'contractive:0.3', 'orthogonality:0.2']
)
def test_a_penalty_is_added_to_the_loss_of_any_autoencoder(family, regularizer):
    of = {'dense': dense, 'convolutional': convolutional}[family]
    sizes = {'units': (8, 3)} if family == 'dense' else {'filters': (2, 3), 'units': (5,)}
    config = of.Config(**sizes, regularizer=(regularizer,), code_activation='sigmoid')
    objective = of.Model(config, (6, 6, 1)).objectives[0](batch())
    kind = regularizer.partition(':')[0]
    assert None not in tf.gradients(objective.loss, objective.variables)
    loss, terms = run(objective.loss, objective.terms)
    assert terms.keys() == {'reconstruction', kind}
    assert terms[kind] > 0
    np.testing.assert_allclose(loss, sum(terms.values()), rtol=1e-6)


@pytest.mark.parametrize('scope', ['', 'inference/'])
def test_weight_decay_is_collected_and_counts_each_kernel_of_its_layers_once(scope):
    """A run builds the graph of inference first: there the losses have names of its scope."""
    model = dense.Model(dense.Config(units=(8, 3), weight_decay=0.5), (6, 6, 1))
    with tf.name_scope(scope):
        model(batch().images)
    joint = model.objectives[0](batch())
    first = model.layerwise()[0].objective(batch())
    found = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    kernels = {v.op.name: v for v in tf.trainable_variables() if v.op.name.endswith('kernel')}
    assert len(found) == len(kernels) == 4
    decays, values = run([joint.terms['weight_decay'], first.terms['weight_decay']], kernels)
    halves = {key: 0.25 * np.square(value).sum() for key, value in values.items()}
    np.testing.assert_allclose(decays[0], sum(halves.values()), rtol=1e-5)
    layer_1 = halves['encoder/layer_1/kernel'] + halves['decoder/layer_1/kernel']
    np.testing.assert_allclose(decays[1], layer_1, rtol=1e-5)


def test_a_moving_mean_moves_with_the_updates_of_a_step_and_passes_the_batchs_gradient():
    config = dense.Config(
        units=(3,), code_activation='sigmoid', regularizer=('kl_sparsity:0.1:2:0.75',)
    )
    model = dense.Model(config, (6, 6, 1))
    objective = model.objectives[0](batch())
    code = model.encode(batch().images)
    moving = [v for v in tf.global_variables() if v.op.name.endswith('mean_activation')]
    (update,) = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert [v.op.name for v in moving] == ['encoder/layer_1/mean_activation']
    assert moving[0] not in tf.trainable_variables()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        mean = session.run(code).mean(0)
        moved = 0.75 * 0.1 + 0.25 * mean
        t = 0.1
        want = np.sum(t * np.log(t / moved) + (1 - t) * np.log((1 - t) / (1 - moved)))
        np.testing.assert_allclose(session.run(objective.terms['kl_sparsity']), 2 * want, rtol=1e-5)
        (bias,) = (v for v in objective.variables if v.op.name == 'encoder/layer_1/bias')
        (gradient,) = session.run(tf.gradients(objective.terms['kl_sparsity'], [bias]))
        values = session.run(code)
        slope = (1 - t) / (1 - moved) - t / moved
        passed = 2 * slope * (values * (1 - values)).mean(0)
        np.testing.assert_allclose(gradient, passed, rtol=1e-4)
        session.run(update)
        np.testing.assert_allclose(session.run(moving[0]), moved, rtol=1e-6)


def test_the_k_sparse_constraint_holds_in_training_and_at_inference():
    model = dense.Model(dense.Config(units=(8, 6), k_sparse=2), (6, 6, 1))
    for code in run(model(batch().images).code, model(batch().images, batch().seed).code):
        assert (np.count_nonzero(code, axis=1) <= 2).all()
        assert code.any()


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'regularizer': ('l1:1', 'l1:2')}, '--regularizer names a kind twice: l1:1,l1:2'),
        ({'k_sparse': 4}, '--k_sparse is 4; the code has only 3 dimensions'),
        ({'k_sparse': -1}, '--k_sparse is -1'),
        ({'weight_decay': -1.0}, r'--weight_decay is -1\.0'),
        (
            {'emphasis': (1.0,), 'corruption': ('masking:0.5',)},
            r'--emphasis is 1\.0; it must be two weights',
        ),
        (
            {'emphasis': (0.0, 0.0), 'corruption': ('masking:0.5',)},
            '--emphasis is 0,0; one of the two weights must be above 0, else there is no loss',
        ),
        ({'emphasis': (2.0, 1.0)}, '--emphasis needs --corruption=masking, salt_and_pepper or'),
    ],
)
def test_what_cannot_be_built_is_refused(fields, want):
    with pytest.raises(errors.UsageError, match=want):
        dense.Model(dense.Config(units=(3,), **fields), (6, 6, 1))


def test_kl_sparsity_wants_activations_that_are_probabilities():
    model = dense.Model(dense.Config(units=(3,), regularizer=('kl_sparsity:0.1:1',)), (6, 6, 1))
    with pytest.raises(errors.UsageError, match='activation of layer 1 is linear, it must be'):
        model.objectives[0](batch())


@pytest.mark.parametrize('kind', ['masking', 'salt_and_pepper', 'dropout'])
@pytest.mark.parametrize('likelihood', ['squared_error', 'bernoulli'])
def test_emphasis_weighs_what_noise_has_hit(kind, likelihood):
    level = 0.9 if kind == 'dropout' else 1.0
    config = dense.Config(
        units=(3,), corruption=(f'{kind}:{level}',), emphasis=(2.0, 0.5), likelihood=likelihood
    )
    model = dense.Model(config, (6, 6, 1))
    plain = dense.Model(
        dense.Config(units=(3,), corruption=config.corruption, likelihood=likelihood), (6, 6, 1)
    )
    both = [made.objectives[0](batch()).loss for made in (model, plain)]
    weighed, unweighed = run(*both)
    if level == 1:
        np.testing.assert_allclose(weighed, 2 * unweighed, rtol=1e-6)
    else:
        assert 0.5 * unweighed < weighed < 2 * unweighed
