"""A run that learned nothing says so on stderr at its end; one that learned says nothing."""

import numpy as np
import pytest
import tfae_program
from sklearn.metrics import log_loss

from tfae import data
from tfae.models import classifier, siamese, variational
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
    'siamese': (('--epochs=5', '--learning_rate=0.01'), 'the loss', 'equal codes'),
    'gan': (('--epochs=2',), 'diversity', 'constant image'),
}  # fmt: skip
# Nothing is learned: siamese codes and generated images differ from the start.
FAILING = {'siamese': ('--learning_rate=1e6',), 'gan': ('--learning_rate=1e3',)}


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
    found = baseline.moments(loaded.validation, loaded.classes)
    images = data.pixels(loaded.validation.images).astype(np.float64)
    np.testing.assert_allclose(found.mean, images.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.variance, images.var(0), atol=1e-12)
    labels = loaded.validation.labels
    constant = np.tile(found.frequencies, [len(labels), 1])
    wanted = log_loss(labels, constant)
    assert baseline.entropy(found.frequencies).sum() == pytest.approx(wanted)
    p = np.clip(images.mean(0), 1e-12, 1 - 1e-12)
    nats = -images * np.log(p) - (1 - images) * np.log1p(-p)
    assert baseline.bernoulli(found) == pytest.approx(nats.mean())


def test_an_overconfident_classifier_has_learned():
    """Its cross-entropy is above that of the class frequencies, its error below."""
    model = classifier.Model(classifier.Config(units=(3,)), (2, 2, 1), 4)
    known = baseline.Moments(np.zeros([2, 2, 1]), np.ones([2, 2, 1]), np.full(4, 0.25))
    assert model.learned_nothing({'loss': 1.5, 'error': 0.5}, known) == ''
    assert 'cross-entropy is 1.5' in model.learned_nothing({'loss': 1.5, 'error': 0.75}, known)


def test_the_warning_of_a_siamese_network_states_its_loss():
    model = siamese.Model(siamese.Config(units=(3,)), (2, 2, 1), 4)
    known = baseline.Moments(np.zeros([2, 2, 1]), np.ones([2, 2, 1]), np.full(4, 0.25))
    assert 'the loss is 0.4999, ' in model.learned_nothing({'loss': 0.4999}, known)
    assert model.learned_nothing({'loss': 0.499}, known) == ''


@pytest.mark.parametrize('fields', [{'beta': 0.0}, {'free_bits': 1.0}, {'kl_warmup_steps': 9}])
def test_a_vae_is_not_judged_by_a_bound_that_it_does_not_train(fields):
    shape = (2, 2, 1)
    known = baseline.Moments(np.full(shape, 0.5), np.full(shape, 0.25), np.zeros(0))
    means = {'active_units': 2.0, 'kl': 9.0, 'elbo': -9.0}
    for given, warns in (({}, True), (fields, False)):
        model = variational.Model(variational.Config(units=(3,), **given), shape)
        assert bool(model.learned_nothing(means, known)) == warns


def test_moments_of_large_images_read_a_bounded_number_of_values(monkeypatch):
    monkeypatch.setattr(baseline, '_MAX_VALUES', 100)
    monkeypatch.setattr(baseline, '_CHUNK', 30)
    images = np.random.RandomState(0).uniform(size=[9, 4, 4, 1])
    found = baseline.moments(data.Split(images, None), 0)
    np.testing.assert_allclose(found.mean, images[:6].mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.variance, images[:6].var(0), rtol=1e-5)
