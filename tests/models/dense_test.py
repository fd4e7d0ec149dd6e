"""The stack against numpy, layer by layer."""

import dataclasses

import numpy as np
import pytest
import scipy.special
import sklearn.decomposition
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.models import Batch, dense
from tfae.training.config import TrainingConfig
from tfae.training.step import training_step

SHAPE = (3, 2, 2)
UNITS = (7, 5, 2)
ACTIVATIONS = {
    'linear': lambda x: x,
    'relu': lambda x: np.maximum(x, 0),
    'leaky_relu': lambda x: np.where(x > 0, x, 0.2 * x),
    'elu': lambda x: np.where(x > 0, x, np.expm1(x)),
    'selu': lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    'sigmoid': scipy.special.expit,
    'tanh': np.tanh,
    'softplus': lambda x: np.logaddexp(0, x),
}


def model(**fields):
    return dense.Model(dataclasses.replace(dense.Config(units=UNITS), **fields), SHAPE)


def images(count=6):
    return np.random.RandomState(0).uniform(size=[count, *SHAPE]).astype(np.float32)


def batch(seed=None):
    return Batch(tf.constant(images()), None, seed)


def opened():
    """A session whose variables are drawn, biases too."""
    session = tf.Session()
    random = np.random.RandomState(1)
    for variable in tf.global_variables():
        value = random.normal(size=variable.shape.as_list())
        variable.load(value.astype(np.float32), session)
    return session


def kernels(session):
    """Name -> value, with the transposed kernel where there is none of a decoder layer."""
    found = {v.op.name: session.run(v).astype(np.float64) for v in tf.global_variables()}
    for i in range(1, len(UNITS) + 1):
        found.setdefault(f'decoder/layer_{i}/kernel', found[f'encoder/layer_{i}/kernel'].T)
    return found


def affine(side, i, x, of):
    return x @ of[f'{side}/layer_{i}/kernel'] + of[f'{side}/layer_{i}/bias']


def forward(config, x, of):
    """`(codes of every layer, logits)`."""
    s, z = ACTIVATIONS[str(config.activation)], ACTIVATIONS[str(config.code_activation)]
    codes = [x.reshape(len(x), -1).astype(np.float64)]
    for i in range(1, len(UNITS) + 1):
        codes.append((z if i == len(UNITS) else s)(affine('encoder', i, codes[-1], of)))
    g = codes[-1]
    for i in range(len(UNITS), 0, -1):
        g = affine('decoder', i, g, of)
        g = s(g) if i > 1 else g
    return codes, g.reshape(x.shape)


@pytest.mark.parametrize('tied', [False, True])
@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_a_pass_equals_numpy(activation, tied):
    made = model(activation=activation, code_activation='tanh', tied=tied)
    outputs = made(batch().images)
    with opened() as session:
        found = session.run(outputs)
        codes, logits = forward(made.config, images(), kernels(session))
    np.testing.assert_allclose(found.code, codes[-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-4)
    want = scipy.special.expit(logits)
    np.testing.assert_allclose(found.reconstruction, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_the_code_has_an_activation_of_its_own(activation):
    made = model(code_activation=activation)
    code = made(batch().images).code
    with opened() as session:
        found = session.run(code)
        want = forward(made.config, images(), kernels(session))[0][-1]
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_variables_have_the_names_and_shapes_that_readers_expect():
    model()(batch().images)
    sizes = [12, *UNITS]
    want = {}
    for i in (1, 2, 3):
        want[f'encoder/layer_{i}/kernel'] = [sizes[i - 1], sizes[i]]
        want[f'encoder/layer_{i}/bias'] = [sizes[i]]
        want[f'decoder/layer_{i}/kernel'] = [sizes[i], sizes[i - 1]]
        want[f'decoder/layer_{i}/bias'] = [sizes[i - 1]]
    assert {v.op.name: v.shape.as_list() for v in tf.trainable_variables()} == want
    assert [v.op.name for v in tf.trainable_variables('encoder/layer_1')] == [
        'encoder/layer_1/kernel',
        'encoder/layer_1/bias',
    ]


def test_tied_weights_are_one_kernel_that_gets_both_gradients():
    made = model(tied=True, activation='tanh')
    objective = made.objectives[0](batch())
    assert len(tf.trainable_variables()) == 9
    assert not [v for v in tf.trainable_variables(names.DECODER) if v.op.name.endswith('kernel')]
    kernel = tf.trainable_variables('encoder/layer_2/kernel')[0]
    with opened() as session:
        got, of = session.run(tf.gradients(objective.loss, kernel)[0]), kernels(session)

    def loss(nudge_encoder, nudge_decoder):
        moved = dict(of)
        moved['encoder/layer_2/kernel'] = of['encoder/layer_2/kernel'] + nudge_encoder
        moved['decoder/layer_2/kernel'] = of['decoder/layer_2/kernel'] + nudge_decoder.T
        logits = forward(made.config, images(), moved)[1]
        return np.mean(np.square(scipy.special.expit(logits) - images()))

    parts = np.zeros([3, *got.shape])
    for place in np.ndindex(*got.shape):
        step = np.zeros(got.shape)
        step[place] = 1e-6
        none = np.zeros(got.shape)
        for k, (a, b) in enumerate([(step, step), (step, none), (none, step)]):
            parts[k][place] = (loss(a, b) - loss(-a, -b)) / 2e-6
    np.testing.assert_allclose(got, parts[0], rtol=1e-3, atol=1e-6)
    assert all(np.abs(part).max() > 1e-6 for part in parts[1:])


@pytest.mark.parametrize('likelihood', ['squared_error', 'bernoulli'])
def test_the_joint_loss_is_per_pixel(likelihood):
    made = model(likelihood=likelihood)
    objective = made.objectives[0](batch())
    with opened() as session:
        loss, terms = session.run([objective.loss, objective.terms])
        x, logits = images(), forward(made.config, images(), kernels(session))[1]
    mse = np.mean(np.square(x - scipy.special.expit(logits)))
    nats = np.mean(np.logaddexp(0, logits) - x * logits)
    np.testing.assert_allclose(loss, nats if likelihood == 'bernoulli' else mse, rtol=1e-5)
    assert set(terms) == ({'mse'} if likelihood == 'bernoulli' else set())
    for value in terms.values():
        np.testing.assert_allclose(value, mse, rtol=1e-5)


def test_a_linear_output_is_cut_where_it_is_shown_and_not_where_it_is_trained():
    """A pixel out of [0, 1] has a gradient that brings it back."""
    made = model(output_activation='linear')
    given = batch().images
    outputs, objective = made(given), made.objectives[0](batch())
    layer = made.layerwise()[0].objective(batch())
    with opened() as session:
        shown, decoded = session.run([outputs.reconstruction, made.decode(outputs.code)])
        losses = session.run([objective.loss, layer.loss])
        of = kernels(session)
    x = images()
    logits = forward(made.config, x, of)[1]
    assert logits.min() < 0 < 1 < logits.max()
    np.testing.assert_allclose(shown, np.clip(logits, 0, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(shown, decoded)
    first = affine(
        'decoder',
        1,
        ACTIVATIONS[str(made.config.activation)](affine('encoder', 1, x.reshape(6, -1), of)),
        of,
    )
    want = [np.mean(np.square(x - logits)), np.mean(np.square(x.reshape(6, -1) - first))]
    np.testing.assert_allclose(losses, want, rtol=1e-5)
    assert not hasattr(outputs, names.LOGITS)


def test_probabilities_need_a_sigmoid():
    with pytest.raises(errors.UsageError, match='--likelihood=bernoulli requires --output'):
        dense.Config(likelihood='bernoulli', output_activation='linear')


@pytest.mark.parametrize('activation', ['sigmoid', 'tanh', 'relu'])
@pytest.mark.parametrize('likelihood', ['squared_error', 'bernoulli'])
@pytest.mark.parametrize('i', [1, 2, 3])
def test_the_greedy_loss_of_a_layer_equals_numpy(i, likelihood, activation):
    """Codes are probabilities where their activation is a sigmoid, else real numbers."""
    made = model(likelihood=likelihood, activation=activation)
    made(batch().images)
    with opened() as session:
        of = kernels(session)
        clean = forward(made.config, images(), of)[0][i - 1]
        given = batch().images if i == 1 else tf.constant(clean, tf.float32)
        objective = made.layerwise()[i - 1].objective(Batch(given, None, None))
        loss = session.run(objective.loss)
    s = ACTIVATIONS[activation]
    code = (s if i < 3 else ACTIVATIONS['linear'])(affine('encoder', i, clean, of))
    logits = affine('decoder', i, code, of)
    below = 'sigmoid' if i == 1 else activation
    if likelihood == 'bernoulli' and below == 'sigmoid':
        want = np.mean(np.logaddexp(0, logits) - clean * logits)
    else:
        want = np.mean(np.square(clean - ACTIVATIONS[below](logits)))
    np.testing.assert_allclose(loss, want, rtol=1e-4)
    assert objective.name == f'layer_{i}'
    assert sorted(v.op.name for v in objective.variables) == sorted(
        f'{side}/layer_{i}/{of}' for side in ('encoder', 'decoder') for of in ('kernel', 'bias')
    )


def test_layer_one_and_layer_ten_are_told_apart():
    made = dense.Model(dense.Config(units=(4,) * 11), SHAPE)
    made(batch().images)
    objective = made.layerwise()[0].objective(batch())
    assert len(objective.variables) == 4


def test_a_corrupted_input_is_held_against_the_clean_one():
    made = model(corruption=('masking:1',))
    objective = made.objectives[0](batch(tf.constant([1, 2], tf.int64)))
    with opened() as session:
        loss, of = session.run(objective.loss), kernels(session)
    logits = forward(made.config, 0 * images(), of)[1]
    np.testing.assert_allclose(
        loss, np.mean(np.square(images() - scipy.special.expit(logits))), rtol=1e-5
    )


def test_noise_is_spread_over_the_layers_and_each_layer_takes_its_own():
    assert len(set(model(corruption=('masking:0.5',)).corruption)) == 1
    made = model(corruption=('none', 'masking:1', 'none'), activation='tanh')
    made(batch().images)
    codes = tf.constant(images(4).reshape(4, 12)[:, :7])
    noisy = Batch(codes, None, tf.constant([1, 2], tf.int64))
    pairs = []
    given_to_each = (noisy, noisy._replace(images=codes[:, :5]))
    for layer, given in zip(made.layerwise()[1:], given_to_each, strict=True):
        clean = given._replace(seed=None)
        pairs.append([layer.objective(given).loss, layer.objective(clean).loss])
    with opened() as session:
        (second, second_clean), (third, third_clean) = session.run(pairs)
    assert second != second_clean
    assert third == third_clean


def test_trained_jointly_the_first_noise_alone_is_applied():
    seed = tf.constant([1, 2], tf.int64)
    made = model(corruption=('none', 'masking:1', 'masking:1'))
    with_noise, without = made(batch().images, seed), made(batch().images)
    with opened() as session:
        a, b = session.run([with_noise.code, without.code])
    assert np.array_equal(a, b)


@pytest.mark.parametrize('kind', ['glorot_uniform', 'he_normal', 'lecun_normal'])
def test_initial_kernels_have_the_variance_of_their_name(kind):
    made = dense.Model(dense.Config(units=(300,), kernel_initializer=kind), (20, 20, 1))
    made(tf.zeros([1, 20, 20, 1]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = {v.op.name: session.run(v) for v in tf.global_variables()}
    wanted = {'glorot_uniform': 2 / 700, 'he_normal': 2 / 400, 'lecun_normal': 1 / 400}[kind]
    np.testing.assert_allclose(found['encoder/layer_1/kernel'].var(), wanted, rtol=0.03)
    assert not found['encoder/layer_1/bias'].any()


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'units': ()}, '--units is empty; it must have at least one layer'),
        ({'units': (3, 0)}, r'--units is 3,0; each must lie in \[1, inf\)'),
        ({'units': (-3,)}, r'--units is -3; each must lie in \[1, inf\)'),
        ({'corruption': ('none', 'none')}, '--corruption has 2 values .* it must have 1 or 3'),
        ({'corruption': ('mask:1',)}, "--corruption is 'mask'; .* did you mean masking"),
    ],
)
def test_what_cannot_be_built_is_refused(fields, want):
    with pytest.raises(errors.UsageError, match=want):
        model(**fields)


def test_images_of_the_wrong_rank_are_refused():
    with pytest.raises(ValueError, match=r'^images: shape is \(2, 12\), rank 2; .* rank 4'):
        model().encode(tf.zeros([2, 12]))


def test_a_linear_autoencoder_reaches_the_error_of_pca():
    """Images near gray: there the sigmoid is a straight line. Baldi and Hornik, 1989."""
    tf.set_random_seed(0)
    random = np.random.RandomState(0)
    flat = random.normal(size=[256, 12]) * np.repeat([0.08, 0.02], [3, 9])
    flat = (0.5 + flat @ np.linalg.qr(random.normal(size=[12, 12]))[0]).astype(np.float32)
    pca = sklearn.decomposition.PCA(3).fit(flat)
    floor = np.mean(np.square(pca.inverse_transform(pca.transform(flat)) - flat))
    made = dense.Model(dense.Config(units=(3,)), SHAPE)
    batch = Batch(tf.constant(flat.reshape(-1, *SHAPE)), None, None)
    settings = TrainingConfig(batch_size=256)
    rate = tf.placeholder(tf.float32, [])
    step = training_step(made.objectives, batch, rate, settings)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(step.scalars[names.LOSS])
        for done in range(3000):
            session.run(step.op, {rate: 0.1 * (1 - done / 3000)})
        after = session.run(step.scalars[names.LOSS])
    assert before > 10 * floor
    assert 0.98 * floor < after < 1.02 * floor
