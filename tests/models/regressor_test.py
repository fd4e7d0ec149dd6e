"""The regressor: quantities of classes, its oracle of constants, and whole runs on faces' ages."""

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program
from PIL import Image

from tfae import data
from tfae.core import errors
from tfae.data import attributes
from tfae.models import Batch, regressor


@pytest.mark.parametrize(
    'text, value',
    [
        ('3.5', 3.5),
        ('-2', -2),
        ('1e3', 1000),
        ('20-29', 24.5),
        ('more than 70', 70),
        ('0-2', 1),
        ('20_29', 24.5),
        ('age-5', 5),
        ('20 - 29', 24.5),
        ('-5 °C', -5),
        ('-10--5', -7.5),
        ('-5 to 5', 0),
        ('5 to -2', 1.5),
        ('.5 kg', 0.5),
        ('1e-3 m', 0.001),
        ('1,000', 1000),
        ('from 1,000 to 2,500.5', 1750.25),
        ('1,5', None),
        ('1,00,000', None),
        ('cat', None),
        ('', None),
        ('nan', None),
        ('inf', None),
        ('9' * 400, None),
    ],
)
def test_the_number_of_a_text(text, value):
    assert attributes.quantity(text) == value


def test_names_of_classes_become_quantities_unless_they_are_given():
    config = regressor.Config(units=(3,))
    assert config.of_classes(['3-9', '20-29', 'more than 70']).values == (6, 24.5, 70)
    assert config.of_classes([]) == config
    given = regressor.Config(units=(3,), values=(1.0, 2.0))
    assert given.of_classes(['a', 'b']) == given
    with pytest.raises(
        errors.UsageError, match="predicts a quantity, but class 'cat' is not a number; c"
    ):
        config.of_classes(['3', 'cat'])


@pytest.mark.parametrize(
    'values, classes, text',
    [
        ((1.0,), 2, '--values has 1 quantities; there are 2 classes'),
        ((2.0, 2.0), 2, '--values are all 2; there must be two different quantities'),
        ((), 0, 'the data set has 0 classes; it must have 2 or more'),
    ],
)
def test_quantities_that_do_not_fit_are_refused(values, classes, text):
    with pytest.raises(errors.UsageError, match=text):
        regressor.Model(regressor.Config(units=(3,), values=values), (2, 2, 1), classes)


def test_the_gradient_moves_the_prediction_to_the_quantity():
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        model = regressor.Model(regressor.Config(units=(3,), values=(10.0, 30.0)), (2, 2, 1), 2)
        images = tf.constant(np.random.RandomState(0).uniform(size=[4, 2, 2, 1]), tf.float32)
        batch = Batch(images, tf.constant([0, 1, 1, 0]), tf.constant([1, 2], tf.int64))
        objective = model.objectives[0](batch)
        step = tf.train.GradientDescentOptimizer(0.05).minimize(
            objective.loss, var_list=objective.variables
        )
        session.run(tf.global_variables_initializer())
        prediction = session.run(model(images).prediction)
        assert prediction.shape == (4,)
        error = np.abs(prediction - [10, 30, 30, 10]).mean()
        loss, terms = session.run([objective.loss, objective.terms])
        assert (loss, terms['absolute_error']) == pytest.approx((error / 10, error), rel=1e-5)
        for _ in range(200):
            session.run(step)
        assert session.run(objective.loss) < 0.7 * loss


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Images whose brightness is the quantity, and a table with a band for each."""
    folder = tmp_path_factory.mktemp('regressor')
    (folder / 'files').mkdir()
    random, lines = np.random.RandomState(0), ['file,brightness,kind']
    for k in range(200):
        band = k % 4
        pixels = random.randint(40 * band, 40 * band + 120, [9, 9])
        Image.fromarray(pixels.astype(np.uint8)).save(folder / 'files' / f'{k}.png')
        lines.append(f'{k}.png,{10 * band}-{10 * band + 9},{"ab"[band % 2]}')
    (folder / 'table.csv').write_text('\n'.join(lines) + '\n')
    return folder


DATA = ('--dataset=images', '--data_dir=files', '--attributes=table.csv')


def test_a_column_is_predicted_better_than_by_a_constant(folder):
    words = ('train', '--model=regressor', *DATA, '--target=brightness', '--units=8')
    words = (*words, '--epochs=40', '--learning_rate=0.01', '--batch_size=32', '--logdir=run')
    done = tfae_program.run(*words, cwd=folder)
    assert (done.code, done.warning) == (0, ''), done
    config = json.loads((folder / 'run' / 'config.json').read_text())
    assert config['family']['values'] == [4.5, 14.5, 24.5, 34.5]
    assert config['signature']['class_names'] == ['0-9', '10-19', '20-29', '30-39']
    done = tfae_program.run('evaluate', '--logdir=run', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    found = json.loads((folder / 'run' / 'evaluation.json').read_text())
    assert found['absolute_error'] < 0.5 * found['constant_absolute_error']
    assert 7 < found['constant_absolute_error'] < 12
    assert found['ridge_absolute_error'] < found['constant_absolute_error']


def test_a_classifier_takes_a_column_too(folder):
    words = ('train', '--model=classifier', *DATA, '--target=kind', '--units=4', '--epochs=1')
    assert tfae_program.run(*words, '--logdir=kinds', cwd=folder).code == 0
    config = json.loads((folder / 'kinds' / 'config.json').read_text())
    assert config['signature']['class_names'] == ['a', 'b']


def test_images_without_a_value_are_counted(folder):
    lines = (folder / 'table.csv').read_text().splitlines()
    (folder / 'half.csv').write_text('\n'.join(line for line in lines if line[0] != '1'))
    words = ('train', '--model=classifier', *DATA[:2], '--attributes=half.csv', '--target=kind')
    done = tfae_program.run(*words, '--units=4', '--epochs=0', '--logdir=half', cwd=folder)
    (line,) = (line for line in done.out.splitlines() if 'left out' in line)
    assert line.startswith(
        'data set images: warning: left out: 111 of 200 images without a value of kind, such as 1'
    )


@pytest.mark.parametrize(
    'words, code, text',
    [
        ((*DATA, '--target=kind'), 2, "predicts a quantity, but class 'a' is not a number"),
        ((*DATA, '--target=age'), 2, "--target is 'age'; it must be one of brightness, kind"),
        (DATA, 2, '--attributes needs --target'),
        (('--target=age',), 2, '--target needs --attributes'),
        (
            ('--dataset=digits', '--attributes=table.csv', '--target=kind'),
            2,
            "--target is 'kind'; the images of data set digits have no names",
        ),
        (
            (*DATA[:2], '--attributes=other.csv', '--target=age'),
            1,
            '--attributes other.csv gives no training image of images a value of age',
        ),
        (
            (*DATA[:2], '--attributes=train.csv', '--target=age'),
            1,
            '--attributes train.csv gives no test image of images a value of age',
        ),
        ((*DATA[:2], '--attributes=none.csv', '--target=age'), 1, 'none.csv does not exist'),
    ],
)
def test_other_columns_are_refused(folder, words, code, text):
    (folder / 'other.csv').write_text('file,age\nx.png,3\n')
    training = data.load(data.Config('images', str(folder / 'files'))).train.images.names
    lines = [f'{name},{k % 3}' for k, name in enumerate(training)]
    (folder / 'train.csv').write_text('\n'.join(['file,age', *lines]))
    words = ('train', '--model=regressor', *words, '--logdir=refused')
    assert text in tfae_program.run(*words, cwd=folder).refusal(code)
    assert not (folder / 'refused').exists()
