"""Oracles of `tests/oracle/` use only the public entry points of tfae, and cover every flag."""

import ast
import pathlib
import sys

import data_flags_test
import losses_test
import options_test
import pytest
import training_test

from tfae import data, models
from tfae.core import config
from tfae.runs import options
from tfae.training import phases
from tfae.training.config import TrainingConfig

ORACLES = pathlib.Path(__file__).parents[1] / 'oracle'
OUTSIDE = {
    'hashlib',
    'json',
    'math',
    'pathlib',
    'typing',
    'numpy',
    'scipy',
    'sklearn',
    'pytest',
    'PIL',
}
# The program, its files read by TensorFlow only, and functions given by name.
SUPPORT = {'tfae_program'}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module, {name.name for name in node.names}
        elif isinstance(node, ast.Import):
            yield from ((name.name, set()) for name in node.names)


@pytest.mark.parametrize('path', sorted(ORACLES.glob('*.py')), ids=lambda path: path.name)
def test_an_oracle_imports_nothing_of_tfae_but_its_face(path):
    own = {path.stem for path in ORACLES.glob('*.py')}
    for module, names in imports(path):
        if module == 'tfae':
            assert names <= {'open'}
        else:
            assert module.partition('.')[0] in OUTSIDE | SUPPORT | own, module


def test_the_support_of_oracles_imports_nothing_of_tfae():
    for name in SUPPORT:
        modules = {module for module, _ in imports(pathlib.Path(sys.modules[name].__file__))}
        assert not [module for module in modules if module.partition('.')[0] == 'tfae']


def flags(words):
    return {word.partition('=')[0].removeprefix('--') for word in words}


def walked(family):
    """Returns the flags in runs of a family that numpy recomputes."""
    cases = [
        *(words for words, _ in {**losses_test.DENSE, **losses_test.ODD}.values()),
        *losses_test.NOISY.values(),
        *(words for words, *_ in losses_test.GAN.values()),
    ]
    of_family = f'--model={family}'
    return {
        flag
        for words in cases
        if of_family in words or (family == 'dense' and not any('--model' in w for w in words))
        for flag in flags(words)
    }


@pytest.mark.parametrize('family', models.FAMILIES)
def test_every_flag_of_a_family_has_an_oracle(family):
    refused = {'variational': {'emphasis'}}  # which is refused but at its default
    known = walked(family) | losses_test.ELSEWHERE.get(family, {}).keys()
    assert set(config.field_types(models.load(family).Config)) - refused.get(family, set()) <= known


def test_every_flag_of_training_has_an_oracle():
    wanted = {*config.field_types(TrainingConfig), *config.field_types(phases.Config)}
    assert wanted <= {flag for words in training_test.WALKED for flag in flags(words)}


def test_every_option_of_a_run_has_an_oracle():
    wanted = config.field_types(options.Config)
    assert set(wanted) <= {flag for words in options_test.WALKED for flag in flags(words)}


def test_every_flag_of_data_has_an_oracle():
    walked = {flag for words in data_flags_test.WALKED for flag in flags(words)}
    assert set(config.field_types(data.Config)) <= walked
