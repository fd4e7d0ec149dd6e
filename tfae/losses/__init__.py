"""Losses and regularizers as pure functions of tensors; the caller averages and weights them.

    reconstruction   squared_error, bernoulli, over_present
    variational      normal, poisson, negative_binomial, kl_to_standard_normal, free_bits,
                     importance_bound
    supervised       cross_entropy, distances, contrastive, triplet
    adversarial      discriminator, generator, gradient_penalty, diversity
    regularizers     l1, kl_sparsity, contractive, contractive_dense, orthogonality, k_sparse

A loss is per example, `[B]`, unless its function says otherwise. The modules hold the equations.
"""

from tfae.losses import adversarial, reconstruction, regularizers, supervised, variational
from tfae.losses.adversarial import discriminator, diversity, generator, gradient_penalty
from tfae.losses.reconstruction import Likelihood, bernoulli, over_present, squared_error
from tfae.losses.regularizers import (
    contractive,
    contractive_dense,
    k_sparse,
    kl_sparsity,
    l1,
    orthogonality,
)
from tfae.losses.supervised import contrastive, cross_entropy, distances, triplet
from tfae.losses.variational import (
    free_bits,
    importance_bound,
    kl_to_standard_normal,
    negative_binomial,
    normal,
    poisson,
)

__all__ = [
    'Likelihood',
    'adversarial',
    'bernoulli',
    'contractive',
    'contractive_dense',
    'contrastive',
    'cross_entropy',
    'discriminator',
    'distances',
    'diversity',
    'free_bits',
    'generator',
    'gradient_penalty',
    'importance_bound',
    'k_sparse',
    'kl_sparsity',
    'kl_to_standard_normal',
    'l1',
    'negative_binomial',
    'normal',
    'orthogonality',
    'over_present',
    'poisson',
    'reconstruction',
    'regularizers',
    'squared_error',
    'supervised',
    'triplet',
    'variational',
]


def __dir__() -> list[str]:
    return sorted([*__all__, '__doc__'])
