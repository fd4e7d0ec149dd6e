"""A run that learned nothing says so on stderr at its end; one that learned says nothing."""

import numpy as np
import pytest
import tfae_program
from sklearn.metrics import log_loss

from tfae import data
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
