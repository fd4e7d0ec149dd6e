"""The contract of `tfae.models` for every built-in family, and rules for built-in families."""

import dataclasses
import inspect

import pytest
import tensorflow.compat.v1 as tf

from tfae import models, testing
from tfae.core import errors, names
from tfae.models.base.objective import recorded_updates

NOISE = ('masking:0.5',)
OWN_FUNCTIONS = {'encoder': 'own_functions:encoder', 'decoder': 'own_functions:decoder'}
SHAPES = {'custom': [(8, 8, 1)]}  # the functions are of one shape
# Besides images; of odd sizes, which the decoder must meet.
OTHER_SHAPES = {'sequences': [(9, 2), (16, 1)], 'volumes': [(5, 4, 6, 2), (4, 4, 4, 1)]}


def variants(name):
    """Returns a family's defaults, and variants with noise, tied kernels and normalization."""
    functions = OWN_FUNCTIONS if name == 'custom' else {}
    config = models.load(name).Config(**functions)
    yield 'defaults', config
    if isinstance(getattr(config, 'corruption', None), tuple):
        yield 'noisy', dataclasses.replace(config, corruption=NOISE)
    if hasattr(config, 'tied'):
        free = {'upsampling': 'deconvolution'} if hasattr(config, 'upsampling') else {}
        yield 'tied', dataclasses.replace(config, tied=True, **free)
    if hasattr(config, 'batch_normalization'):
        # Two dense layers, since the last one may be the code, which is not normalized.
        # A critic is not normalized either.
        loss = {'loss': 'non_saturating'} if name == 'gan' else {}
        fields = {'batch_normalization': True, 'units': (12, 8), **loss}
        yield 'normalized', dataclasses.replace(config, **fields)


def small(name):
    """Returns a family with a convolutional and a dense layer, where it has such."""
    convolved = {'filters': (3,), 'pooling': ('max',)} if name != 'dense' else {}
    return models.load(name).Config(units=(5,), **convolved)


CASES = [
    pytest.param(
        testing.Case(models.load(name), config, SHAPES.get(name, testing.SHAPES)),
        id=f'{name}, {kind}',
    )
    for name in models.names()
    for kind, config in variants(name)
]
CASES += [
    pytest.param(testing.Case(models.load(name), small(name), shapes), id=f'{name}, {kind}')
    for name in models.names()
    if name != 'custom'
    for kind, shapes in OTHER_SHAPES.items()
]
every_case = pytest.mark.parametrize('case', CASES)
every_family = pytest.mark.parametrize('name', models.names())


@every_case
@pytest.mark.parametrize('law', testing.FAMILY_LAWS, ids=lambda law: law.__name__)
def test_every_family_keeps_the_law(law, case):
    testing.check(law, case)


@every_family
def test_a_family_of_the_tree_is_a_page_with_its_paper_and_shapes(name):
    family = models.load(name)
    assert not models.problem(family)
    assert any(char.isdigit() for char in family.__doc__.splitlines()[0] + family.__doc__[:400])
    lines = inspect.getsource(family.Outputs)
    assert all(f'{field}: ' in lines and '# [' in lines for field in family.Outputs._fields)


@every_case
def test_a_family_of_the_tree_names_its_variables_by_names_and_collects_activations(case):
    case.model()(case.batch().images)
    known = {value for key, value in vars(names).items() if key.isupper()}
    assert {v.op.name.split('/')[0] for v in tf.global_variables()} <= known
    assert tf.get_collection(tf.GraphKeys.ACTIVATIONS)


@pytest.mark.parametrize('case', [c for c in CASES if c.id.endswith('normalized')])
def test_layers_are_normalized_by_the_batch_in_training_and_by_moving_moments_else(case):
    """Moving averages are updated once per call and objective in training."""
    model = case.model()

    def moved(build):
        with recorded_updates() as updates:
            build()
        return sorted(update.inputs[0].op.name for update in updates)

    images, seed = case.batch().images, case.batch().seed
    calls = [lambda seed: model(images, seed)]
    calls += [
        lambda seed, build=build: build(case.batch()._replace(seed=seed))
        for build in model.objectives
    ]
    for call in calls:
        found = moved(lambda call=call: call(seed))
        assert found
        assert not moved(lambda call=call: call(None))
    averages = {v.op.name for v in tf.global_variables() if 'moving' in v.op.name}
    listed = [
        update.inputs[0].op.name
        for build in model.objectives
        for update in (build(case.batch()).updates or [])
    ] or moved(lambda: model.objectives[0](case.batch()))
    assert sorted(listed) == sorted(averages)  # each by one update


def test_an_unknown_family_is_refused_with_the_nearest_name():
    with pytest.raises(errors.UsageError, match=r"--model is 'dens'; .* did you mean dense\?"):
        models.load('dens')
