"""tools/experiments/recipes.py: what it says of targets, and that every target can be missed."""

import importlib.util
import pathlib
import re

import numpy as np
import pytest

from tfae import data
from tfae.data.formats import idx

ROOT = pathlib.Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / 'tfae' / 'recipes').glob('*.flags'))

# What comes of showing the mean image of the training set for everything, so that a code says
# nothing, a classifier guesses the most frequent class and a generator draws one image. A VAE
# whose code is ignored has an elbo of -784 bce.
MEAN_IMAGE = {
    'mnist': {'mse': 0.06816, 'bce': 0.26487, 'elbo': -207.66, 'error': 0.8865},
    'fashion_mnist': {'mse': 0.0866, 'bce': 0.4911, 'elbo': -385.0, 'error': 0.9},
    'fairface': {'mse': 0.05},
}
NOTHING = {
    **{'auroc': 0.5, 'mixture_accuracy': 0.1135, 'spherical_kmeans_accuracy': 0.1135},
    **{'probe_error': 0.8865, 'knn_error': 0.8865, 'kmeans_accuracy': 0.1135},
    **{'classes_seen': 1, 'diversity': 0.0, 'frechet': 100.0, 'sharpness': 0.35},
    **{'log_likelihood': -205.8, 'denoised_psnr': 11.7, 'jacobian_squared_norm': 1.0},
    'noise_mse': 0.0,  # of the identity
}
# A code that is dead, and that of a sigmoid before training.
ACTIVATIONS = (1e-6, 0.5)


@pytest.fixture
def recipes():
    path = ROOT / 'tools' / 'experiments' / 'recipes.py'
    spec = importlib.util.spec_from_file_location('recipes', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(recipes, monkeypatch, measures, other=None):
    """What another recipe, PCA and the pixels themselves show: the same, so that nothing is gained.

    `other` are figures that they show instead.
    """

    def value(name, measure):
        word = re.sub('^(pca|linear|pixels)_', '', measure.rpartition('.')[2])
        return (other or {}).get(word, measures[word]) if word != measure else measures[word]

    monkeypatch.setattr(recipes, 'value', value)


@pytest.mark.parametrize('name', NAMES)
def test_a_model_that_learned_nothing_misses_each_target(recipes, monkeypatch, name):
    text = (ROOT / 'tfae' / 'recipes' / f'{name}.flags').read_text()
    (dataset,) = (k for k in MEAN_IMAGE if f'--dataset={k}\n' in text)
    for target in recipes.header(name)['Target']:
        reached = []
        for activation in ACTIVATIONS:
            here = NOTHING | MEAN_IMAGE[dataset] | {'mean_activation': activation}
            for other in ({}, {'mse': 0.01}):
                measured(recipes, monkeypatch, here, other)
                reached.append(recipes.judge(name, target)[1])
        assert not all(reached), target


def test_what_says_nothing_of_a_model_is_found(recipes, monkeypatch):
    """A bound lies below its own importance-weighted bound whatever the model is."""
    measured(recipes, monkeypatch, NOTHING | {'elbo': -205.8})
    assert recipes.judge('vae_dense_mnist', 'log_likelihood - elbo >= 0')[1]


@pytest.fixture(scope='module')
def projection(data_dir):
    """Number of components -> errors of PCA on the test set and on noise."""
    train, test = pixels(data_dir, 'train'), pixels(data_dir, 't10k')
    mean = train.mean(0)
    noise = np.random.RandomState(0).uniform(size=test.shape).astype(np.float32)
    _, directions = np.linalg.eigh(np.cov((train - mean).T))
    # What is lost is what stands in the other directions.
    lost = [np.square((x - mean) @ directions.astype(np.float32)).mean(0) for x in (test, noise)]
    return lambda components: [float(np.sum(part[:-components])) / 784 for part in lost]


@pytest.mark.parametrize('components', [10, 40, 400, 784])
def test_projections_miss_the_targets_of_the_overcomplete_code(
    recipes, monkeypatch, projection, components
):
    """PCA of few components loses digits, of many it brings back noise: so must the network not."""
    measures = dict(zip(('mse', 'noise_mse'), projection(components), strict=True))
    measured(recipes, monkeypatch, measures)
    targets = recipes.header('overcomplete_mnist')['Target']
    assert not all(recipes.judge('overcomplete_mnist', target)[1] for target in targets)


def pixels(data_dir, part, dataset='mnist'):
    (path,) = (data_dir / dataset).glob(f'{part}-images*')
    images = idx.read(path, magic=2051)
    return data.pixels(images[:: len(images) // 10_000]).reshape(-1, 784).astype(np.float32)


@pytest.mark.parametrize('dataset', ['mnist', 'fashion_mnist'])
def test_the_figures_of_the_mean_image(data_dir, dataset):
    train, test = (pixels(data_dir, part, dataset) for part in ('train', 't10k'))
    mean = train.mean(0, dtype=np.float64)
    sure = np.clip(mean, 1e-6, 1 - 1e-6)
    bce = -np.mean(test * np.log(sure) + (1 - test) * np.log1p(-sure))
    figures = MEAN_IMAGE[dataset]
    assert figures['mse'] == pytest.approx(np.mean((test - mean) ** 2), abs=1e-4)
    assert figures['bce'] == pytest.approx(bce, abs=1e-4)
    assert figures['elbo'] == pytest.approx(-784 * bce, abs=0.1)


def test_a_target_is_judged_by_its_sign(recipes, monkeypatch):
    measured(recipes, monkeypatch, {'a': 3.0, 'b': 2.0})
    assert recipes.judge('any', 'a <= 3') == ('**a = 3**', True)
    assert recipes.judge('any', 'a <= 2.9') == ('**a = 3** (missed)', False)
    assert recipes.judge('any', 'a / b >= 1.5') == ('**a / b = 1.5**', True)
    assert recipes.judge('any', 'other.a - b >= 1.1') == ('**other.a - b = 1** (missed)', False)
