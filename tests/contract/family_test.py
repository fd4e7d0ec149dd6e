"""The laws of `tfae.models`, run over every family of the tree, and what the tree adds to them."""

import dataclasses
import inspect

import pytest
import tensorflow.compat.v1 as tf

from tfae import models, testing
from tfae.core import errors, names

NOISE = ('masking:0.5',)
OWN_FUNCTIONS = {'encoder': 'own_functions:encoder', 'decoder': 'own_functions:decoder'}
SHAPES = {'custom': [(8, 8, 1)]}  # the functions are of one shape


def variants(name):
    """A family's defaults, and those with noise, tied kernels or normalization where it has any."""
    functions = OWN_FUNCTIONS if name == 'custom' else {}
    config = models.load(name).Config(**functions)
    yield 'defaults', config
    if isinstance(getattr(config, 'corruption', None), tuple):
        yield 'noisy', dataclasses.replace(config, corruption=NOISE)
    if hasattr(config, 'tied'):
        free = {'upsampling': 'deconvolution'} if hasattr(config, 'upsampling') else {}
        yield 'tied', dataclasses.replace(config, tied=True, **free)
    if hasattr(config, 'batch_normalization'):
        yield 'normalised', dataclasses.replace(config, batch_normalization=True)


CASES = [
    pytest.param(
        testing.Case(models.load(name), config, SHAPES.get(name, testing.SHAPES)),
        id=f'{name}, {kind}',
    )
    for name in models.names()
    for kind, config in variants(name)
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


def test_an_unknown_family_is_refused_with_the_nearest_name():
    with pytest.raises(errors.UsageError, match=r"--model is 'dens'; .* did you mean dense\?"):
        models.load('dens')
