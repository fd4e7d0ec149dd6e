"""`tfae.testing.check_family`: a valid family passes; for others it names the violated rule."""

import pathlib
import subprocess
import sys
import types

import pytest
import tensorflow.compat.v1 as tf

from tfae import testing
from tfae.core import errors
from tfae.models import dense

PACKAGE = pathlib.Path(__file__).parents[1] / 'plugins' / 'package'


@pytest.fixture
def judging(monkeypatch):
    """Returns the family of the example package."""
    monkeypatch.syspath_prepend(str(PACKAGE))
    from example_plugin import judging

    return judging


def broken(family, **changed):
    """Returns the family with some methods of its Model replaced."""
    module = types.ModuleType('broken_family')
    vars(module).update(vars(family), __name__='broken_family')
    module.Model = type('Model', (family.Model,), changed)
    return module


def law(family):
    """Returns the error message for a family."""
    with pytest.raises(AssertionError) as caught:
        testing.check_family(family, shapes=[(6, 6, 1)], classes=3)
    return str(caught.value)


def test_a_family_that_keeps_every_law_passes_by_module_and_by_spelling(judging):
    testing.check_family(judging)
    config = judging.Config(code_size=2, noise=0.0)
    testing.check_family('example_plugin.judging', config, shapes=[(6, 6, 1)], classes=3)


def test_it_needs_no_test_framework(judging):
    code = 'import sys; from tfae import testing; sys.exit("pytest" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_a_missing_part_is_named(judging):
    module = broken(judging)
    del module.Config
    assert law(module).startswith('broken_family: it has no Config')


def unseeded(self, images, seed):
    return images + tf.random_normal(tf.shape(images))


def squeezed(self, images, seed):
    return tf.squeeze(images, -1)


def failing(self, means):
    return means['nothing']


def of_the_batch(self, images):
    return type(self).__mro__[1].encode(self, images - tf.reduce_mean(images, 0, keepdims=True))


def bright(self, code):
    return 2 + type(self).__mro__[1].decode(self, code)


def forgetful(self, batch):
    objective = type(self).__mro__[1].whole(self, batch)
    return objective._replace(variables=objective.variables[1:])


def two_losses(self, batch):
    objective = type(self).__mro__[1].whole(self, batch)
    return objective._replace(loss=objective.loss * tf.ones([2]))


def with_a_new_variable(self, images):
    tf.Variable(1.0)
    return type(self).__mro__[1].encode(self, images)


def with_other_variables(self, batch):
    objective = type(self).__mro__[1].head(self, batch)
    return objective._replace(variables=tf.trainable_variables())


def without_seed(self, count, seed):
    return tf.zeros([count, self.code_size])


def infinite(self, batch):
    return {'measure': tf.fill([4], float('inf'))}


def scalar(self, batch):
    return {'measure': tf.constant(1.0)}


def touching(self, config, image_shape, classes=0):
    type(self).__mro__[1].__init__(self, config, image_shape, classes)
    tf.constant(1.0)


def early(self, code):
    if not tf.global_variables():
        tf.get_variable('made_early', [], trainable=False)
    return type(self).__mro__[1].decode(self, code)


def rooted(self, images):
    root = tf.VariableScope(tf.AUTO_REUSE, '')
    with tf.variable_scope(root, auxiliary_name_scope=False):
        tf.get_variable('rooted', [], trainable=False)
    return type(self).__mro__[1].encode(self, images)


def doubling(self, images):
    code = type(self).__mro__[1].encode(self, images)
    found = tf.get_collection_ref(tf.GraphKeys.ACTIVATIONS)
    found += found[:]
    return code


def displaced(self, images, seed=None):
    outputs = type(self).__mro__[1].__call__(self, images, seed)
    return outputs._replace(code=outputs.code + 1)


def drawing_at_inference(self, batch):
    objective = type(self).__mro__[1].whole(self, batch)
    return objective._replace(loss=objective.loss + _noise(batch.seed is None))


def drawing_in_training(self, batch):
    objective = type(self).__mro__[1].whole(self, batch)
    return objective._replace(loss=objective.loss + _noise(batch.seed is not None))


def _noise(drawn):
    return tf.random_normal([]) if drawn else 0.0


def reaching(self, batch):
    objective = type(self).__mro__[1].head(self, batch)
    (kernel,) = (v for v in tf.trainable_variables() if v.op.name == 'into/kernel')
    return objective._replace(loss=objective.loss + tf.reduce_sum(kernel))


def of_one_name(self, config, image_shape, classes=0):
    _share_out(self, config, image_shape, classes, rename=lambda name, _: name)


def moving_more(self, config, image_shape, classes=0):
    _share_out(self, config, image_shape, classes, rename=lambda name, i: f'{name}_{i}')
    first, second = self.objectives

    def greedy(batch):
        objective, other = first(batch), second(batch).variables[0]
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, other.assign_add(tf.ones_like(other)).op)
        return objective

    self.objectives = (greedy, second)


def _share_out(self, config, image_shape, classes, rename):
    """Two objectives, which split the variables of the one."""
    whole = type(self).__mro__[1].whole
    type(self).__mro__[1].__init__(self, config, image_shape, classes)

    def part(i):
        def build(batch):
            objective = whole(self, batch)
            listed = objective.variables
            return objective._replace(
                name=rename(objective.name, i), variables=listed[2:] if i else listed[:2]
            )

        return build

    self.objectives = (part(0), part(1))


@pytest.mark.parametrize(
    'changed, name, detail',
    [
        ({'__init__': touching}, 'The constructor adds nothing', 'it adds Const'),
        ({'encode': with_a_new_variable}, 'Calls after the first add no variables', 'adds Variab'),
        ({'whole': forgetful}, 'Each trainable variable is listed by one', 'the objectives list'),
        (
            {'corrupt': squeezed},
            'Outputs have the required shapes',
            'corrupt is [None, 6, 6], expected',
        ),
        ({'trouble': failing}, 'trouble and learned_nothing', "KeyError: 'nothing'"),
        ({'learned_nothing': lambda *_: None}, 'trouble and learned', 'learned_nothing returns No'),
        ({'decode': bright}, 'Outputs have the required shapes', 'reconstruction lies in [2.'),
        ({'corrupt': unseeded}, 'Outputs and losses in training', 'differs by up to'),
        ({'encode': of_the_batch}, 'the outputs of an image do not depend', 'code differs by'),
        ({'head': with_other_variables}, "A head's loss has gradients", 'gives no gradient to'),
        ({'prior': without_seed}, 'The prior returns codes', 'two seeds give one sample'),
        ({'measures': infinite}, 'Measures are finite', 'measure is [inf inf inf inf]'),
        ({'measures': scalar}, 'Measures are finite', 'measure is () for 4 images'),
        ({'decode': early}, 'The variables are the same', "after decode they are ['back/bias'"),
        ({'__init__': of_one_name}, 'Each trainable variable', 'two objectives have one name'),
        ({'__init__': moving_more}, 'A training step', 'greedy changes back/kernel'),
        ({'__call__': displaced}, 'encode returns the code', 'outputs.code and encode differ'),
        ({'whole': drawing_at_inference}, 'Without a seed, outputs and losses', 'they differ by'),
        ({'whole': drawing_in_training}, 'Outputs and losses in training', 'losses of one seed'),
        ({'encode': rooted}, 'Two models under two variable', 'outside of both scopes there is r'),
        ({'encode': doubling}, 'Every call adds the same number', 'the first adds'),
        ({'head': reaching}, "A head's loss has gradients", 'the loss depends on into/kernel'),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value.values())).__name__,
)
def test_a_broken_law_is_named_with_what_came(judging, changed, name, detail):
    text = law(broken(judging, **changed))
    assert text.startswith('broken_family breaks the law "')
    assert name in text.partition('";')[0]
    assert detail in text.partition('";')[2]


def refusing(self, config, image_shape, classes=0):
    raise errors.UsageError('--noise is wrong')


def uncoded(self, config, image_shape, classes=0):
    type(self).__mro__[1].__init__(self, config, image_shape, classes)
    del self.code_size


def without_objectives(self, config, image_shape, classes=0):
    type(self).__mro__[1].__init__(self, config, image_shape, classes)
    self.objectives = ()


@pytest.mark.parametrize(
    'changed, text',
    [
        ({'whole': two_losses}, 'the loss of two_losses is (2,); it must be a scalar tensor'),
        ({'__init__': refusing}, 'noise is wrong'),
        ({'__init__': uncoded}, 'code_size of Model is None; it must be an integer of at least'),
        ({'__init__': without_objectives}, 'objectives of Model are (); they must be one func'),
        ({'__call__': lambda self, images, seed=None: (images,)}, 'Model returns tuple for imag'),
        ({'__init__': lambda *_: {}['x']}, "building its graph raised KeyError: 'x'"),
    ],
)
def test_a_broken_part_of_the_model_is_named(judging, changed, text):
    assert law(broken(judging, **changed)).startswith(f'broken_family: {text}')


def test_an_unknown_module_is_named_as_an_argument():
    with pytest.raises(errors.UsageError, match='^model is '):
        testing.check_family('no_such.module')


def doubled(self):
    first, *rest = type(self).__mro__[1].layerwise(self)
    return [first._replace(encode=lambda codes: 2 * first.encode(codes)), *rest]


def overlapping(self):
    first, second = type(self).__mro__[1].layerwise(self)

    def objective(batch):
        (kernel,) = (v for v in tf.trainable_variables() if v.op.name == 'encoder/layer_1/kernel')
        found = second.objective(batch)
        loss = found.loss + tf.reduce_sum(kernel)
        return found._replace(loss=loss, variables=[*found.variables, kernel])

    return [first, second._replace(objective=objective)]


@pytest.mark.parametrize(
    'changed, name, detail',
    [
        (doubled, 'The layers of a stack, applied in order', 'the last layer and encode differ'),
        (overlapping, 'The layers of a stack train disjoint', 'two layers share a variable: '),
    ],
)
def test_a_broken_law_of_a_stack_is_named_with_what_came(changed, name, detail):
    module = broken(dense, layerwise=changed)
    with pytest.raises(AssertionError) as caught:
        testing.check_family(module, dense.Config(units=(5, 3)), shapes=[(6, 6, 1)], classes=0)
    assert name in str(caught.value).partition('";')[0]
    assert detail in str(caught.value).partition('";')[2]


def test_an_exception_of_the_family_is_named_with_the_law(judging):
    text = law(broken(judging, measures=lambda self, batch: {}['nothing']))
    assert text == (
        'broken_family breaks the law "Calls after the first add no variables"; '
        "KeyError: 'nothing'"
    )
