"""Losses: pure functions of tensors, per example `[B]`; the caller averages and weighs."""

from tfae.losses.reconstruction import Likelihood, bernoulli, squared_error

__all__ = ['Likelihood', 'bernoulli', 'squared_error']
