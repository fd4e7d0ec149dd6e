"""Stacked dense autoencoder. Hinton and Salakhutdinov, Science 313, 2006; Bengio et al., NIPS 2006.

    h_0 = x,  h_i = s(h_{i-1} W_i + b_i),  code z = h_L                       encoder/layer_i
    g_L = z,  g_{i-1} = s(g_i V_i + c_i),  x' = g_0                           decoder/layer_i

Layer i of the decoder inverts layer i of the encoder; with tied weights V_i = W_i^T. The loss,
joint or layer by layer, is that of `tfae.models.base.autoencoder`.
"""

import dataclasses
from collections.abc import Sequence

from tfae.core import errors
from tfae.core.config import option
from tfae.models.base import autoencoder
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder, Initializer, Kernels
from tfae.ops import activations
from tfae.ops.activations import Activation

Outputs = autoencoder.Outputs


@dataclasses.dataclass(frozen=True)
class Config(autoencoder.Config):
    """The layers."""

    units: tuple[int, ...] = option(
        (100, 30),
        'Units of each encoder layer; the last is the code size.',
        within='[1, inf) units',
    )
    activation: Activation = option(
        Activation.from_text('relu'), 'Activation of the hidden layers.'
    )
    code_activation: Activation = option(activations.LINEAR, 'Activation of the code.')
    tied: bool = option(
        False, 'Ties the weights: the decoder uses the transposed kernels of the encoder.'
    )
    kernel_initializer: Initializer = option(
        'glorot_uniform', 'Initial distribution of the kernels.'
    )


class Model(autoencoder.Autoencoder):
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        if not config.units:
            raise errors.UsageError('--units is empty; it must have at least one layer')
        *hidden, last = config.units
        layers = [
            *(Dense(units, config.activation) for units in hidden),
            Dense(last, config.code_activation),
        ]
        kernels = Kernels(config.kernel_initializer, config.weight_decay)
        encoder = Encoder(image_shape, layers, kernels)
        tied_to = encoder if config.tied else None
        super().__init__(config, encoder, Decoder(image_shape, layers, kernels, tied_to=tied_to))
