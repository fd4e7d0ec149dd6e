"""Cases of training.py: a model, its batch size and its optimizer, on the same images.

The cases depend on no library; `_tfae.py`, `_keras.py` and `_torch.py` build each of them.
Bernoulli losses take logits, hidden layers have the case's activation, codes and discriminator
outputs are linear.
"""

from typing import Any, Literal, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A model and its training."""

    label: str
    family: Literal['dense', 'convolutional', 'variational', 'gan']
    batch: int
    config: dict[str, Any]  # the family's flags
    rate: float = 1e-3  # of Adam
    betas: tuple[float, float] = (0.9, 0.999)

    @property
    def kind(self) -> Literal['dense', 'families']:
        """Group of targets that the case belongs to."""
        return 'dense' if self.family == 'dense' else 'families'


def _shallow(batch: int) -> Case:
    config = {'units': (100, 30), 'activation': 'relu', 'likelihood': 'bernoulli'}
    return Case('784-100-30-100-784', 'dense', batch, config)


def _deep(batch: int) -> Case:
    config = {'units': (1000, 500, 250, 30), 'activation': 'relu', 'likelihood': 'bernoulli'}
    return Case('784-1000-500-250-30', 'dense', batch, config)


def _convolutional(batch: int) -> Case:
    # Kernel size minus stride is even in each layer. TensorFlow's `same` padding is then symmetric
    # as PyTorch's is, and the networks compute the same function without a shift of a pixel.
    config = {
        'filters': (16, 32, 8),
        'units': (),
        'kernel_sizes': (4, 4, 3),
        'strides': (2, 2, 1),
        'pooling': ('none',),
        'activation': 'relu',
        'upsampling': 'deconvolution',
        'likelihood': 'bernoulli',
    }
    return Case('conv 16-32-8 mirrored', 'convolutional', batch, config)


def _variational(batch: int) -> Case:
    config = {'units': (400,), 'code_size': 20, 'activation': 'relu', 'likelihood': 'bernoulli'}
    return Case('VAE 784-400-20-400-784', 'variational', batch, config)


def _adversarial(batch: int) -> Case:
    config = {
        'units': (150, 100),
        'code_size': 30,
        'activation': 'selu',
        'generator_activation': 'selu',
        'loss': 'wasserstein',
        'gradient_penalty': 10.0,
    }
    label = 'WGAN-GP 30-100-150-784-150-100-1'
    return Case(label, 'gan', batch, config, rate=5e-4, betas=(0.5, 0.9))


CASES = {
    'dense-32': _shallow(32),
    'dense-64': _shallow(64),
    'dense-256': _shallow(256),
    'deep-256': _deep(256),
    'conv-64': _convolutional(64),
    'conv-256': _convolutional(256),
    'vae-128': _variational(128),
    'gan-64': _adversarial(64),
}


def images(count: int) -> np.ndarray:
    """Returns uint8 images `[count, 28, 28, 1]`: MNIST if in TFAE_DATA_DIR, else fixed noise."""
    from tfae import data

    config = data.Config(dataset='mnist')
    if (data.folder('', 'mnist') / 'train-images-idx3-ubyte.gz').exists():
        return data.module('mnist').load(config)[0].images[:count]
    return np.random.RandomState(0).randint(0, 256, [count, 28, 28, 1], np.uint8)


def inputs(case: Case, count: int) -> np.ndarray:
    """Returns the images as float32 in [0, 1], the input of the other libraries.

    Returns: `[count, 28, 28, 1]` for convolutions, else `[count, 784]`.
    """
    scaled = images(count) / np.float32(255)
    return scaled if case.family == 'convolutional' else scaled.reshape(count, -1)
