"""The layers of a convolutional or dense network as flags; one form for every family that has both.

`--filters` names the convolutional layers, `--units` the dense ones behind them; either may be
empty.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfae.core.config import Part, broadcast, option
from tfae.models.base.encoder_decoder import Convolution, Dense, Initializer, Padding, Pooling
from tfae.ops.activations import Activation


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The network."""

    filters: tuple[int, ...] = option(
        (),
        'Filters of the convolutional layers, the first at the image; empty: none.',
        within='[1, inf) filters',
    )
    kernel_sizes: tuple[int, ...] = option(
        (3,), 'Their kernels; one value serves all.', within='[1, inf) pixels', needs=('--filters',)
    )
    strides: tuple[int, ...] = option(
        (1,),
        'Steps of their kernels; one value serves all.',
        within='[1, inf) pixels',
        needs=('--filters',),
    )
    padding: tuple[Padding, ...] = option(
        ('same',), 'Their padding; one value serves all.', needs=('--filters',)
    )
    pooling: tuple[Pooling, ...] = option(
        ('none',), 'What follows each of them; one value serves all.', needs=('--filters',)
    )
    pool_sizes: tuple[int, ...] = option(
        (2,),
        'Sides of the pools; one value serves all.',
        within='[1, inf) pixels',
        needs=('--filters', '--pooling'),
    )
    units: tuple[int, ...] = option(
        (), 'Sizes of the dense layers behind them.', within='[1, inf) units'
    )
    activation: Activation = option(
        Activation.from_text('relu'), 'Activation of the hidden layers.'
    )
    batch_normalization: bool = option(
        False, 'Normalize each hidden layer by the moments of its batch.'
    )
    kernel_initializer: Initializer = option(
        'glorot_uniform', 'Initial distribution of the kernels.'
    )


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
