"""The laws of `tfae.models`, run over every family: a new file has these tests at once."""

import dataclasses
import inspect

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae import models
from tfae.core import errors, names
from tfae.models import Batch
from tfae.ops import corruption
from tfae.training import step as training

SHAPES = [(8, 8, 1), (28, 28, 1), (33, 47, 3)]
NOISE = ('masking:0.5',)
CLASSES = 10


def variants(name):
    """A family's defaults, and those with noise where it knows any."""
    config = models.load(name).Config()
    yield 'defaults', config
    if isinstance(getattr(config, 'corruption', None), tuple):
        yield 'noisy', dataclasses.replace(config, corruption=NOISE)
    if hasattr(config, 'tied'):
        free = {'enlarging': 'deconvolution'} if hasattr(config, 'enlarging') else {}
        yield 'tied', dataclasses.replace(config, tied=True, **free)
    if hasattr(config, 'batch_normalization'):
        yield 'normalised', dataclasses.replace(config, batch_normalization=True)


CASES = [
    pytest.param(name, config, id=f'{name}, {kind}')
    for name in models.names()
    for kind, config in variants(name)
]
every_model = pytest.mark.parametrize('name, config', CASES)
every_family = pytest.mark.parametrize('name', models.names())


def made(name, config, shape=(8, 8, 1)):
    return models.load(name).Model(config, shape, CLASSES)


def pictures(shape=(8, 8, 1), count=4, seed=0):
    return np.random.RandomState(seed).uniform(size=[count, *shape]).astype(np.float32)


def batch(shape=(8, 8, 1), count=4):
    labels = np.arange(count, dtype=np.int64) // 2 % CLASSES  # two of a class
    return Batch(tf.constant(pictures(shape, count)), tf.constant(labels), seed())


def seed(step=2):
    return tf.constant([1, step], tf.int64)


def variables():
    return [v.op.name for v in tf.global_variables()]


@pytest.fixture(autouse=True)
def _seeded():
    tf.set_random_seed(0)


def opened():
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return session


def on_codes(model):
    codes = np.random.RandomState(0).normal(size=[4, model.code_size]).astype(np.float32)
    return batch()._replace(images=tf.constant(codes))


def layers_of(model):
    return model.layerwise() if hasattr(model, 'layerwise') else []


def layer_batches(model):
    """`(layer, batch)` of each layer, on the codes of those below."""
    below = batch().images
    for layer in layers_of(model):
        yield layer, Batch(below, None, seed())
        below = tf.stop_gradient(layer.encode(below))


@every_family
def test_a_family_is_a_page_with_its_paper_and_the_members_of_the_contract(name):
    family = models.load(name)
    assert any(char.isdigit() for char in family.__doc__.splitlines()[0] + family.__doc__[:400])
    assert dataclasses.is_dataclass(family.Config)
    assert family.Config.__dataclass_params__.frozen
    fields = family.Outputs._fields
    assert hasattr(family.Model, 'encode') == (fields[0] == 'code')
    assert ('reconstruction' in fields) <= hasattr(family.Model, 'decode')
    lines = inspect.getsource(family.Outputs)
    assert all(f'{field}: ' in lines and '# [' in lines for field in family.Outputs._fields)


def test_an_unknown_family_is_refused_with_the_nearest_name():
    with pytest.raises(errors.UsageError, match=r"--model is 'dens'; .* did you mean dense\?"):
        models.load('dens')


@every_model
def test_the_constructor_touches_no_graph(name, config):
    model = made(name, config)
    assert not tf.get_default_graph().get_operations()
    if hasattr(model, 'encode') or hasattr(model, 'decode'):
        assert model.code_size >= 1
    assert all(callable(build) for build in model.objectives)
    layers_of(model)
    assert not tf.get_default_graph().get_operations()


@every_model
def test_later_calls_add_no_variables(name, config):
    model = made(name, config)
    x = batch().images
    model(x)
    known = variables()
    assert known
    model(x, seed())
    if hasattr(model, 'encode'):
        model.encode(x)
    if hasattr(model, 'decode'):
        model.decode(tf.zeros([2, model.code_size]))
    if hasattr(model, 'measures'):
        model.measures(batch())
    if hasattr(model, 'head'):
        model.head(on_codes(model))
    for build in model.objectives:
        build(batch())
    for layer, given in layer_batches(model):
        layer.objective(given)
    assert variables() == known


@every_model
def test_any_call_may_be_the_first(name, config):
    model = made(name, config)
    found = set()
    for first in (
        lambda: model(batch().images),
        lambda: model(batch().images, seed()),
        lambda: hasattr(model, 'encode') and model.encode(batch().images),
        lambda: hasattr(model, 'decode') and model.decode(tf.zeros([2, model.code_size])),
        lambda: [build(batch()) for build in model.objectives],
    ):
        with tf.Graph().as_default():
            first()
            model(batch().images)
            found.add(tuple(sorted(variables())))
    assert len(found) == 1


@every_model
def test_every_variable_gets_a_gradient_from_one_objective_and_is_moved_by_no_other(name, config):
    model = made(name, config)
    objectives = [build(batch()) for build in model.objectives]
    for objective in objectives:
        gradients = tf.gradients(objective.loss, objective.variables)
        assert objective.variables
        assert None not in gradients, objective.name
    moved = [v.op.name for objective in objectives for v in objective.variables]
    assert sorted(moved) == sorted(v.op.name for v in tf.trainable_variables())
    assert len({objective.name for objective in objectives}) == len(objectives)


@every_model
def test_a_step_of_an_objective_moves_its_variables_and_no_others(name, config):
    model = made(name, config)
    model(batch().images)
    settings = training.Config(optimizer='sgd', batch_size=4)
    for build in model.objectives:
        step = training.training_step([build], batch(), tf.constant(0.1), settings)
        mine = {v.op.name for v in build(batch()).variables}
        with opened() as session:
            before = {v.op.name: session.run(v).tobytes() for v in tf.trainable_variables()}
            session.run(step.op)
            after = {v.op.name: session.run(v).tobytes() for v in tf.trainable_variables()}
        changed = {key for key in after if after[key] != before[key]}
        assert changed <= mine
        assert changed


@every_model
def test_each_layer_of_a_stack_has_variables_of_its_own_and_together_they_are_all(name, config):
    model = made(name, config)
    model(batch().images)
    objectives = [layer.objective(given) for layer, given in layer_batches(model)]
    for objective in objectives:
        assert None not in tf.gradients(objective.loss, objective.variables), objective.name
    moved = [v.op.name for objective in objectives for v in objective.variables]
    assert len(set(moved)) == len(moved)
    if objectives:
        assert set(moved) == {v.op.name for v in tf.trainable_variables()}


@every_model
def test_layers_after_each_other_are_the_encoder(name, config):
    model = made(name, config)
    code = x = batch().images
    for layer in layers_of(model):
        code = layer.encode(code)
        assert code.shape.as_list() == [4, layer.size]
    if layers_of(model):
        with opened() as session:
            got, want = session.run([code, model.encode(x)])
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@every_model
def test_a_variable_lies_under_a_scope_that_names_knows(name, config):
    made(name, config)(batch().images)
    known = {value for key, value in vars(names).items() if key.isupper()}
    assert {variable.split('/')[0] for variable in variables()} <= known


@every_model
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_pictures_of_any_size_come_back_in_their_shape_and_range(name, config, shape):
    model = made(name, config, shape)
    x = tf.placeholder(tf.float32, [None, *shape])
    outputs = model(x)
    wanted = {'code': [model.code_size], 'reconstruction': shape, 'probabilities': [CLASSES]}
    wanted = {key: wanted[key] for key in outputs._fields if key in wanted}
    for key, rest in wanted.items():
        assert getattr(outputs, key).shape.as_list() == [None, *rest], key
    losses = [build(batch(shape)).loss for build in model.objectives]
    assert all(loss.shape.rank == 0 for loss in losses)
    with opened() as session:
        for count in (1, 3):
            found = session.run(outputs, {x: pictures(shape, count)})
            for key, rest in wanted.items():
                assert getattr(found, key).shape == (count, *rest), key
                if key != 'code':
                    assert 0 <= getattr(found, key).min() <= getattr(found, key).max() <= 1
            assert all(np.isfinite(value).all() for value in found)
        assert np.isfinite(session.run(losses)).all()


@every_model
def test_encode_decode_and_outputs_agree(name, config):
    model = made(name, config)
    x = batch().images
    outputs = model(x)
    pairs = []
    if hasattr(outputs, 'code'):
        pairs.append([outputs.code, model.encode(x)])
    if hasattr(outputs, 'reconstruction'):
        pairs.append([outputs.reconstruction, model.decode(outputs.code)])
    with opened() as session:
        for one, other in session.run(pairs) if pairs else []:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@every_model
def test_inference_is_free_of_noise(name, config):
    model = made(name, config)
    outputs = model(batch().images)
    clean = [build(batch()._replace(seed=None)).loss for build in model.objectives]
    with opened() as session:
        first, second = (session.run([outputs, clean]) for _ in range(2))
    for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        assert np.array_equal(a, b)


@every_model
def test_an_example_is_encoded_alone_as_it_is_among_others(name, config):
    model = made(name, config)
    x = tf.constant(pictures())
    made_of = [model(x), model(x[1:2])]
    with opened() as session:
        whole, one = session.run(made_of)
    for a, b in zip(whole, one, strict=True):
        np.testing.assert_allclose(a[1:2], b, rtol=1e-4, atol=1e-5)


@every_model
def test_noise_is_a_function_of_the_seed(name, config):
    model = made(name, config)
    x = batch().images
    found = [model(x, seed(step)) for step in (1, 1, 2)]
    with opened() as session:
        first, again, other = (np.concatenate([v.ravel() for v in o]) for o in session.run(found))
    assert np.array_equal(first, again)
    noisy = [corruption.parse(text).level for text in getattr(config, 'corruption', ('none',))]
    if any(noisy):
        assert not np.array_equal(first, other)


@every_model
def test_two_models_live_under_two_scopes(name, config):
    for scope in ('left', 'right'):
        with tf.variable_scope(scope):
            model = made(name, config)
            model(batch().images)
            for build in model.objectives:
                mine = [v.op.name for v in build(batch()).variables]
                assert mine
                assert all(variable.startswith(f'{scope}/') for variable in mine)
    found = {
        scope: {n.partition('/')[2] for n in variables() if n.startswith(f'{scope}/')}
        for scope in ('left', 'right')
    }
    assert found['left'] == found['right']
    assert sum(map(len, found.values())) == len(variables())
    with tf.Graph().as_default():
        made(name, config)(batch().images)
        assert set(variables()) == found['left']


@every_model
def test_the_activations_of_a_pass_are_collected(name, config):
    model = made(name, config)
    counts = []
    for _ in range(2):
        model(batch().images)
        counts.append(len(tf.get_collection(tf.GraphKeys.ACTIVATIONS)))
    assert counts[1] == 2 * counts[0] > 0


@every_model
def test_losses_are_a_function_of_the_seed(name, config):
    model = made(name, config)
    given = [batch()._replace(seed=seed(step)) for step in (1, 1)]
    found = [[build(each).loss for build in model.objectives] for each in given]
    with opened() as session:
        first, again = session.run(found)
    assert first == again


@every_model
def test_a_head_moves_variables_of_its_own_on_top_of_the_code(name, config):
    model = made(name, config)
    if not hasattr(model, 'head'):
        return
    model(batch().images)
    objective = model.head(on_codes(model))
    assert objective.variables
    assert None not in tf.gradients(objective.loss, objective.variables)
    others = set(tf.trainable_variables()) - set(objective.variables)
    assert tf.gradients(objective.loss, list(others)) == [None] * len(others)


@every_model
def test_the_prior_gives_codes_that_the_seed_alone_decides(name, config):
    model = made(name, config)
    if not hasattr(model, 'prior'):
        return
    count = tf.placeholder(tf.int32, [])
    codes = [model.prior(count, seed(step)) for step in (1, 1, 2)]
    shown = model.decode(codes[0])
    with opened() as session:
        (first, again, other), made_of = session.run([codes, shown], {count: 5})
    assert first.shape == (5, model.code_size)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert made_of.shape == (5, 8, 8, 1)


@every_model
def test_measures_are_finite_and_one_for_each_example(name, config):
    model = made(name, config)
    if not hasattr(model, 'measures'):
        return
    found = model.measures(batch())
    with opened() as session:
        for key, value in session.run(found).items():
            assert value.shape[0] == 4, key
            assert np.isfinite(value).all(), key
