"""Flags of a network with convolutional and dense layers, shared by several families.

`--filters` lists the convolutional layers, `--units` the dense layers after them; either may be
empty.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from tfae.core.config import Part, broadcast, option
from tfae.models.base.encoder_decoder import Convolution, Dense, Initializer, Padding, Pooling
from tfae.ops.activations import Activation

C = TypeVar('C', bound='ConfigWithDefault')

_MIN_SIDE = 8  # pixels or steps of the examples that the default network convolves


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The network."""

    filters: tuple[int, ...] = option(
        (),
        'Filters of each convolutional layer, starting at the image; empty: no convolutional '
        'layers.',
        within='[1, inf) filters',
    )
    kernel_sizes: tuple[int, ...] = option(
        (3,),
        'Kernel sizes of the convolutional layers; one value applies to all.',
        within='[1, inf) pixels',
        needs=('--filters',),
    )
    strides: tuple[int, ...] = option(
        (1,),
        'Strides of the convolutional layers; one value applies to all.',
        within='[1, inf) pixels',
        needs=('--filters',),
    )
    padding: tuple[Padding, ...] = option(
        ('same',),
        'Padding of the convolutional layers; one value applies to all.',
        needs=('--filters',),
    )
    pooling: tuple[Pooling, ...] = option(
        ('none',),
        'Pooling after each convolutional layer; one value applies to all.',
        needs=('--filters',),
    )
    pool_sizes: tuple[int, ...] = option(
        (2,),
        'Sizes of the pooling windows, which are also their strides; one value applies to all.',
        within='[1, inf) pixels',
        needs=('--filters', '--pooling'),
    )
    units: tuple[int, ...] = option(
        (),
        'Units of each dense layer after the convolutional layers; empty: no dense layers.',
        within='[1, inf) units',
    )
    activation: Activation = option(
        Activation.from_text('relu'), 'Activation of the hidden layers.'
    )
    batch_normalization: bool = option(False, 'Applies batch normalization to each hidden layer.')
    kernel_initializer: Initializer = option(
        'glorot_uniform', 'Initial distribution of the kernels.'
    )


@dataclasses.dataclass(frozen=True)
class ConfigWithDefault(Config):
    """The network; without any layer it is that of `resolved`."""

    filters: tuple[int, ...] = option(
        (),
        'Filters of each convolutional layer, starting at the image. Without --filters and '
        '--units: 16, with max pooling, for images, sequences and volumes of at least 8 pixels or '
        'steps along each side.',
        within='[1, inf) filters',
    )
    units: tuple[int, ...] = option(
        (),
        'Units of each dense layer after the convolutional layers. Without --filters and '
        '--units: 200.',
        within='[1, inf) units',
    )

    def resolved(self: C, image_shape: Sequence[int]) -> C:
        """Returns the configuration of the network for `image_shape`, such as `(H, W, C)`."""
        if self.filters or self.units:
            return self
        if len(image_shape) == 1 or min(image_shape[:-1]) < _MIN_SIDE:
            return dataclasses.replace(self, units=(200,))
        return dataclasses.replace(self, filters=(16,), pooling=('max',), units=(200,))


def layers(config: Config) -> list[Convolution | Dense]:
    """Returns the hidden layers of `config`, input side first.

    Raises: UsageError if a list has neither one value nor one per layer.
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
