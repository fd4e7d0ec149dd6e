"""The layers of a convolutional or dense network as flags; one form for every family that has both.

`--filters` names the convolutional layers, `--units` the dense ones behind them; either may be
empty.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfae.core import errors
from tfae.core.config import Part, broadcast, option
from tfae.models.base.encoder_decoder import Convolution, Dense, Initializer, Padding, Pooling
from tfae.ops import activations

_OF_CONVOLUTIONS = ('kernel_sizes', 'strides', 'padding', 'pooling', 'pool_sizes')


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The network."""

    filters: tuple[int, ...] = option(
        (), 'Filters of the convolutional layers, the first at the picture; empty: none.'
    )
    kernel_sizes: tuple[int, ...] = option((3,), 'Their kernels; one value serves all.')
    strides: tuple[int, ...] = option((1,), 'Steps of their kernels; one value serves all.')
    padding: tuple[Padding, ...] = option(('same',), 'Their padding; one value serves all.')
    pooling: tuple[Pooling, ...] = option(
        ('none',), 'What follows each of them; one value serves all.'
    )
    pool_sizes: tuple[int, ...] = option((2,), 'Sides of the pools; one value serves all.')
    units: tuple[int, ...] = option((), 'Sizes of the dense layers behind them.')
    activation: activations.Name = option('relu', 'Activation of the hidden layers.')
    batch_normalization: bool = option(
        False, 'Normalise each hidden layer by the moments of its batch.'
    )
    kernel_initializer: Initializer = option(
        'glorot_uniform', 'Initial distribution of the kernels.'
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ('filters', 'kernel_sizes', 'strides', 'pool_sizes', 'units'):
            if min(getattr(self, name), default=1) < 1:
                value = ','.join(map(str, getattr(self, name)))
                raise errors.UsageError(f'--{name} is {value}; each must be 1 or more')
        if not self.filters:
            self.refuse_unread('--filters', *_OF_CONVOLUTIONS)
        elif not set(self.pooling) - {'none'}:
            self.refuse_unread('--pooling', 'pool_sizes')


def layers(config: Config) -> list[Convolution | Dense]:
    """The hidden layers of `config`, the image's first.

    Raises: UsageError if a list has neither one value nor one for each layer.
    """
    count, normalized = len(config.filters), config.batch_normalization

    def spread(name: str) -> tuple[Any, ...]:
        return broadcast(name, getattr(config, name), count) if count else ()

    fields = ('kernel_sizes', 'strides', 'padding', 'pooling', 'pool_sizes')
    lists: list[Sequence[Any]] = [
        config.filters,
        [config.activation] * count,
        *(spread(name) for name in fields),
        [normalized] * count,
    ]
    return [
        *(Convolution(*values) for values in zip(*lists, strict=True)),
        *(Dense(units, config.activation, normalized=normalized) for units in config.units),
    ]
