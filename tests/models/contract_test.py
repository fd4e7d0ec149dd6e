"""A module that lacks a part of the contract is refused in one line that names the part."""

import dataclasses
import types
from typing import Literal, NamedTuple

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import models, testing
from tfae.core import errors
from tfae.core.config import option
from tfae.models.base import contract, objective


@dataclasses.dataclass(frozen=True)
class Config:
    units: tuple[int, ...] = option((3,), 'Sizes.')
    rate: float = option(0.1, 'A number.')
    kind: Literal['a', 'b'] = option('a', 'A choice.')
    tied: bool = option(False, 'A switch.')


class Outputs(NamedTuple):
    code: tf.Tensor
    reconstruction: tf.Tensor


class Model:
    code_size = 3
    objectives = (print,)

    def __init__(self, config, image_shape, classes=0):
        pass

    def __call__(self, images, seed=None):
        raise NotImplementedError

    encode = decode = __call__


def family(**changed):
    """A module with the parts of a family; a part that is None is left out."""
    module = types.ModuleType('example')
    parts = {'Config': Config, 'Outputs': Outputs, 'Model': Model, **changed}
    vars(module).update({name: part for name, part in parts.items() if part is not None})
    return module


def config(**fields):
    """A frozen dataclass of these fields, name -> (type, field)."""
    made = [(name, *field) for name, field in fields.items()]
    return dataclasses.make_dataclass('Config', made, frozen=True)


def without(name):
    return type('Model', (), {key: value for key, value in vars(Model).items() if key != name})


@dataclasses.dataclass(frozen=True)
class Refusing(Config):
    def __post_init__(self):
        raise errors.UsageError('--units is none')


class PriorAlone:
    def __init__(self, config, image_shape, classes=0):
        pass

    def __call__(self, images, seed=None):
        raise NotImplementedError

    prior = __call__


LACKS = [
    ({'Config': None}, 'it has no Config; it must be a frozen dataclass'),
    ({'Config': dict}, 'Config is not a dataclass'),
    (
        {'Config': type('Config', (Config,), {'__annotations__': {'more': int}, 'more': 1})},
        'Config is not a dataclass itself; write @dataclasses.dataclass(frozen=True)',
    ),
    (
        {'Config': config(logdir=(str, option('', 'A folder.')))},
        'Config.logdir has the name of a flag of tfae train; rename it',
    ),
    *(
        (
            {'Config': config(**{name: (str, option('', 'A text.'))})},
            f'Config.{name} has the name of a flag of tfae train; rename it',
        )
        for name in ('dry_run', 'print_config', 'flagfile', 'help', 'h', 'undefok')
    ),
    ({'Config': Config()}, 'Config is not a dataclass'),
    ({'Config': dataclasses.make_dataclass('Config', [])}, 'Config is not frozen'),
    ({'Config': config(a=(int, dataclasses.field(default=1)))}, 'Config.a has no help text'),
    (
        {'Config': config(a=(int, dataclasses.field(metadata={'help': 'A.'})))},
        'Config.a has no default value',
    ),
    ({'Config': config(a=(dict, option(None, 'A.')))}, "Config.a is <class 'dict'> with default"),
    ({'Config': config(a=(int, option('x', 'A.')))}, "Config.a is <class 'int'> with default 'x'"),
    ({'Config': config(a=('Nowhere', option(1, 'A.')))}, 'the types of Config cannot be read'),
    ({'Config': Refusing}, 'Config() with its defaults raises UsageError: --units is none'),
    ({'Outputs': None}, 'it has no Outputs'),
    ({'Outputs': dict}, 'Outputs is not a NamedTuple'),
    ({'Outputs': NamedTuple('Outputs', [])}, 'Outputs has no fields'),
    (
        {'Outputs': NamedTuple('Outputs', [('logits', int), ('code', int)])},
        'code must be the first field of Outputs, which are logits, code',
    ),
    ({'Model': None}, 'it has no Model'),
    ({'Model': lambda *_: None}, 'Model is not a class'),
    ({'Model': without('__call__')}, 'Model lacks __call__(images, seed=None)'),
    ({'Model': without('__init__')}, 'Model(config, image_shape, classes) cannot be called'),
    ({'Model': without('encode')}, 'Model lacks encode, but its Outputs have a code'),
    ({'Model': without('decode')}, 'Model lacks decode, but its Outputs have a reconstruction'),
    (
        {'Outputs': NamedTuple('Outputs', [('score', int)])},
        'Model has encode, but its Outputs have no code',
    ),
    (
        {'Outputs': NamedTuple('Outputs', [('score', int)]), 'Model': PriorAlone},
        'Model has prior, but lacks decode',
    ),
]


def test_a_module_with_every_part_has_no_problem():
    assert contract.problem(family()) == ''
    assert [models.problem(models.load(name)) for name in models.names()] == [''] * len(
        models.names()
    )


@pytest.mark.parametrize('changed, text', LACKS, ids=[text for _, text in LACKS])
def test_a_lack_is_named(changed, text):
    assert contract.problem(family(**changed)).startswith(text)


@pytest.mark.parametrize(
    'name, value, text',
    [
        ('objectives', (), 'x: objectives of Model are (); they must be one function or more'),
        ('objectives', None, 'x: objectives of Model are None; '),
        ('objectives', (3,), 'x: objectives of Model are (3,); '),
        ('code_size', 0, 'x: code_size of Model is 0; it must be an integer of at least 1'),
        ('code_size', None, 'x: code_size of Model is None; '),
    ],
)
def test_a_model_without_objectives_or_code_size_is_refused(name, value, text):
    broken = family(Model=type('Model', (Model,), {name: value}))
    with pytest.raises(errors.UsageError) as caught:
        contract.model('x', broken, Config(), (8, 8, 1), 0)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize('only', ['encode', 'decode'])
def test_a_model_of_one_side_has_a_code_size_too(only):
    parts = {name: part for name, part in vars(Model).items() if name not in ('encode', 'decode')}
    half = type('Model', (), {**parts, only: Model.encode, 'code_size': 0})
    with pytest.raises(
        errors.UsageError, match='x: code_size of Model is 0; it must be an integer'
    ):
        contract.model('x', family(Model=half), Config(), (8, 8, 1), 0)


def test_load_names_the_module_and_what_it_lacks(tmp_path, monkeypatch):
    (tmp_path / 'family_without_parts.py').write_text('')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.UsageError) as caught:
        models.load('family_without_parts')
    assert str(caught.value) == (
        "--model is 'family_without_parts', a module that is not a family: it has no "
        'Config; it must be a frozen dataclass, whose fields become flags'
    )


def scale():
    return tf.get_variable('scale', [3])


class Working(Model):
    """Three codes of an image, of one variable; a subclass breaks a method."""

    def __init__(self, config, image_shape, classes=0):
        self.objectives = (self.whole,)

    def __call__(self, images, seed=None):
        code = self.encode(images)
        return Outputs(code, self.decode(code))

    def encode(self, images):
        with tf.variable_scope('', reuse=tf.AUTO_REUSE):
            return tf.reduce_mean(images, [2, 3])[:, :3] * scale()

    def decode(self, code):
        return tf.ones([1, 8, 8, 1]) * tf.reduce_mean(code, 1)[:, None, None, None]

    def whole(self, batch):
        loss = tf.reduce_mean(tf.square(self(batch.images).reconstruction - batch.images))
        return objective.Objective('whole', loss, tf.trainable_variables(), {})


def built(**methods):
    module = family(Model=type('Model', (Working,), methods), __file__=__file__)
    return contract.model_from_outside('x', module, Config(), (8, 8, 1), 0)


def refusing(self, config, image_shape, classes=0):
    raise ValueError('\n\nno such image\nand more')


def again(self, images):
    return tf.reduce_mean(images, [2, 3])[:, :3] * scale()


def test_a_model_from_outside_that_keeps_the_contract_is_built():
    with tf.Graph().as_default() as graph:
        assert isinstance(built(), Working)
        assert not graph.get_operations()


@pytest.mark.parametrize(
    'methods, text',
    [
        ({'whole': lambda self, batch: None}, 'objective <lambda> returns NoneType; it must re'),
        (
            {'whole': lambda self, batch: Working.whole(self, batch).loss},
            'objective <lambda> returns a tensor; it must return an Objective',
        ),
        (
            {'whole': lambda self, batch: Working.whole(self, batch)._replace(loss=batch.images)},
            'the loss of <lambda> is (?, 8, 8, 1); it must be a scalar tensor',
        ),
        (
            {'whole': lambda self, batch: Working.whole(self, batch)._replace(loss=0.5)},
            'the loss of <lambda> is of type float; it must be a scalar tensor',
        ),
        (
            {'whole': lambda self, batch: Working.whole(self, batch)._replace(variables=[])},
            'objective <lambda> lists no variables to train',
        ),
        (
            {'__call__': lambda self, images, seed=None: (self.encode(images), images)},
            'Model returns tuple for images; it must return Outputs, a NamedTuple of tensors',
        ),
        (
            {'__call__': lambda self, images, seed=None: Outputs(None, images)},
            'code of Outputs is of type NoneType; it must be a tensor (?, 3)',
        ),
        (
            {
                '__call__': lambda self, images, seed=None: Outputs(
                    Working.encode(self, images), images
                ),
                'encode': lambda self, images: None,
            },
            'the result of encode is of type NoneType; it must be a tensor (?, 3)',
        ),
        (
            {'encode': lambda self, images: None},
            'the result of encode is of type NoneType; it must be a tensor (?, 3)',
        ),
        (
            {
                '__call__': lambda self, images, seed=None: Outputs(self.encode(images), images),
                'decode': lambda self, code: code,
            },
            'the result of decode is (?, 3); it must be a tensor (?, 8, 8, 1)',
        ),
        ({'code_size': 2}, 'code of Outputs is (?, 3); it must be a tensor (?, 2)'),
        ({'encode': again}, 'building its graph raised ValueError: Variable scale already exists'),
        ({'__init__': refusing}, 'building its graph raised ValueError: no such image ('),
    ],
)
def test_a_broken_model_from_outside_is_refused_in_one_line(methods, text):
    with pytest.raises(errors.UsageError) as caught:
        built(**methods)
    found = str(caught.value).replace('None,', '?,')
    assert found.startswith(f'x: {text}')
    if 'raised' in text:
        assert __file__ in found.partition('raised')[2]


BAD = """
import dataclasses, sys
from typing import NamedTuple
import tensorflow.compat.v1 as tf
from tfae.core.config import option
from tfae.models import dense
Outputs = dense.Outputs
@dataclasses.dataclass(frozen=True)
class Config(dense.Config):
    kind: str = option('', 'How it fails.')
    {field}
class Model(dense.Model):
    def prior(self, count, seed):
        return {{}}[self.decode]
"""


def test_a_family_that_raises_ends_the_program_in_one_line_and_leaves_no_run(tmp_path):
    (tmp_path / 'bad_prior.py').write_text(BAD.format(field=''))
    words = ('train', '--model=bad_prior', '--dataset=digits', '--logdir=run', '--epochs=1')
    text = tfae_program.run(*words, cwd=tmp_path).refusal(2)
    assert '--model=bad_prior: building its graph raised KeyError: ' in text
    assert text.rstrip().endswith(f'({tmp_path}/bad_prior.py, line 14)')
    assert not (tmp_path / 'run').exists()


def test_a_field_that_training_has_is_refused_by_fit_and_by_the_check(tmp_path, monkeypatch):
    field = "epochs: int = option(3, 'Epochs.')"
    (tmp_path / 'bad_field.py').write_text(BAD.format(field=field))
    monkeypatch.chdir(tmp_path)
    text = 'bad_field: Config.epochs has the name of a flag of tfae train; rename it'
    with pytest.raises(errors.UsageError, match=f'model={text}'):
        tfae.fit('bad_field', np.zeros([120, 8, 8, 1], np.uint8), logdir=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()
    with pytest.raises(AssertionError, match=f'^{text}'):
        testing.check_family('bad_field')
