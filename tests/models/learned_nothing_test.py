"""A run that learned nothing says so on stderr at its end; one that learned says nothing."""

import numpy as np
import pytest
import tfae_program
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss

from tfae import data
from tfae.models import classifier, regressor, siamese, variational
from tfae.models.base import baseline

SHORT = ('--dataset=digits', '--units=16', '--batch_size=128')
FAMILIES = {
    'dense': (('--epochs=30', '--learning_rate=0.01'), 'reconstruction loss', 'the mean image'),
    'convolutional': (
        ('--filters=4', '--epochs=15', '--learning_rate=0.01'), 'reconstruction loss', 'mean image',
    ),
    'variational': (
        ('--epochs=40', '--learning_rate=0.01', '--code_size=4'), 'KL divergence|ELBO', '',
    ),
    'classifier': (('--epochs=5', '--learning_rate=0.01'), 'cross-entropy', 'class frequencies'),
    'regressor': (('--epochs=5', '--learning_rate=0.01'), 'the absolute error', 'training median'),
    'siamese': (('--epochs=5', '--learning_rate=0.01'), 'the loss', 'one distance'),
    'gan': (('--epochs=2',), 'diversity', 'constant image'),
}  # fmt: skip
# Nothing is learned: generated images differ from the start.
FAILING = {'gan': ('--learning_rate=1e3',)}


@pytest.mark.parametrize('family', FAMILIES)
def test_a_run_that_learned_says_nothing(tmp_path, family):
    words, _, _ = FAMILIES[family]
    done = trained(tmp_path, family, *words)
    assert (done.code, done.warning) == (0, ''), done


@pytest.mark.parametrize('family', FAMILIES)
def test_a_run_that_learned_nothing_says_so_with_both_figures(tmp_path, family):
    _, measure, constant = FAMILIES[family]
    done = trained(tmp_path, family, '--epochs=1', *FAILING.get(family, ('--learning_rate=0',)))
    assert done.code == 0, done
    assert done.warning.startswith('tfae: warning: the run learned nothing: ')
    assert any(name in done.warning for name in measure.split('|')), done.warning
    assert constant in done.warning
    assert '--learning_rate' in done.warning


def trained(folder, family, *words):
    shape = () if family != 'convolutional' else ('--units=8',)
    argv = ('train', f'--model={family}', *SHORT, *shape, *words, '--logdir=run')
    return tfae_program.run(*argv, cwd=folder)


def test_constant_predictions_are_those_of_scikit_learn():
    loaded = data.load(data.Config(dataset='digits'))
    train, judged = (
        (data.pixels(split.images).astype(np.float64), split.labels)
        for split in (loaded.train, loaded.validation)
    )
    found = baseline.constants(loaded.train, loaded.validation, loaded.classes)
    mean = train[0].mean(0)
    assert found.squared_error == pytest.approx(np.square(judged[0] - mean).mean(), rel=1e-9)
    least = 0.5 / (len(train[0]) + 1)
    p = np.clip(mean, least, 1 - least)
    nats = -judged[0] * np.log(p) - (1 - judged[0]) * np.log1p(-p)
    assert found.bernoulli == pytest.approx(nats.mean())
    frequent = DummyClassifier(strategy='prior').fit(*train)
    wanted = log_loss(judged[1], frequent.predict_proba(judged[0]))
    assert found.cross_entropy == pytest.approx(wanted)
    assert found.error == pytest.approx(1 - np.bincount(judged[1]).max() / len(judged[1]))
    own = baseline.constants(loaded.train, loaded.train, loaded.classes)
    assert own.squared_error == pytest.approx(train[0].var(0).mean())


def test_one_validation_image_is_compared_with_the_mean_of_the_training_images():
    images = np.random.RandomState(0).uniform(size=[9, 2, 2, 1])
    train = data.Split(images[:8], np.array([0, 0, 0, 0, 0, 1, 1, 1]))
    one = data.Split(images[8:], np.array([0]))
    found = baseline.constants(train, one, 3)
    assert found.squared_error == pytest.approx(np.square(images[8] - images[:8].mean(0)).mean())
    assert found.cross_entropy == pytest.approx(-np.log(5 / 8))
    unseen = baseline.constants(train, data.Split(images[8:], np.array([2])), 3)
    assert (unseen.cross_entropy, unseen.error) == (pytest.approx(np.log(18)), 0)
    black = data.Split(np.zeros([3, 2, 2, 1]), None)
    assert np.isfinite(baseline.constants(black, one, 0).bernoulli)


def test_an_overconfident_classifier_has_learned():
    """Its cross-entropy is above that of the class frequencies, its error below."""
    model = classifier.Model(classifier.Config(units=(3,)), (2, 2, 1), 4)
    known = baseline.Constants(0.25, 0.7, np.log(4), 0.75)
    assert model.learned_nothing({'loss': 1.5, 'error': 0.5}, known) == ''
    assert 'cross-entropy is 1.5' in model.learned_nothing({'loss': 1.5, 'error': 0.75}, known)


def test_the_warning_of_a_siamese_network_states_its_loss():
    model = siamese.Model(siamese.Config(units=(3,)), (2, 2, 1), 4)
    known = baseline.Constants(0.25, 0.7, np.log(4), 0.75)
    assert 'the loss is 0.2499; ' in model.learned_nothing({'loss': 0.2499}, known)
    assert model.learned_nothing({'loss': 0.249}, known) == ''


@pytest.mark.parametrize('fields', [{'beta': 0.0}, {'free_bits': 1.0}, {'kl_warmup_steps': 9}])
def test_a_vae_is_not_judged_by_a_bound_that_it_does_not_train(fields):
    shape = (2, 2, 1)
    known = baseline.Constants(0.25, np.log(2), 0.0, 0.0)
    means = {'active_units': 2.0, 'kl': 9.0, 'elbo': -9.0}
    for given, warns in (({}, True), (fields, False)):
        model = variational.Model(variational.Config(units=(3,), **given), shape)
        assert bool(model.learned_nothing(means, known)) == warns


def test_constants_of_large_images_read_a_bounded_number_of_values(monkeypatch):
    monkeypatch.setattr(baseline, '_MAX_VALUES', 100)
    monkeypatch.setattr(baseline, '_CHUNK', 30)
    images = np.random.RandomState(0).uniform(size=[9, 4, 4, 1])
    split = data.Split(images, None)
    found = baseline.constants(split, split, 0)
    # At most six of nine, evenly spaced.
    assert found.squared_error == pytest.approx(images[::2].var(0).mean(), rel=1e-6)


def test_constants_of_a_set_sorted_by_class_are_those_of_all_classes(monkeypatch):
    monkeypatch.setattr(baseline, '_MAX_VALUES', 40)  # ten images
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    images = np.broadcast_to(labels[:, None, None, None] / 2, [100, 2, 2, 1]).astype(np.float32)
    split = data.Split(images, labels)
    found = baseline.constants(split, split, 3)
    assert found.squared_error == pytest.approx(images.var(0).mean())
    assert found.error == pytest.approx(0.5)


def test_a_regressor_is_compared_with_the_median_of_the_training_quantities():
    values = (7.0, 1.0, 30.0, 2.0)
    made = regressor.Model(regressor.Config(values=values, units=(3,)), (4, 4, 1), 4)
    random = np.random.RandomState(0)
    train, judged = (
        data.Split(
            np.zeros([count, 4, 4, 1], np.uint8), random.choice(4, count, p=[0.3, 0.3, 0.3, 0.1])
        )
        for count in (101, 40)
    )
    of = np.array(values)
    constant = np.abs(of[judged.labels] - np.median(of[train.labels])).mean()
    known = baseline.constants(train, judged, 4)
    assert not made.learned_nothing({'absolute_error': constant - 1e-3}, known)
    text = made.learned_nothing({'absolute_error': constant}, known)
    assert text == (
        f'the absolute error is {constant:.4g}; for the training median it is {constant:.4g}'
    )
