"""Stacked convolutional autoencoder. Masci, Meier, Ciresan and Schmidhuber, ICANN 2011.

    h_0 = x,  h_i = pool(s(h_{i-1} * W_i + b_i)),  code z = h_L, flattened        encoder/layer_i
    g_L = z,  g_{i-1} = s(upsample(g_i) * V_i + c_i),  x' = g_0                   decoder/layer_i

Layer i of the decoder inverts layer i of the encoder: its output has the shape of that layer's
input, by one of five upsampling methods (`tfae.models.base.upsampling`). With tied kernels,
V_i = W_i, transposed. Dense layers may follow the convolutional ones. The loss, joint or layer by
layer, is that of `tfae.models.base.autoencoder`.
"""

import dataclasses
from collections.abc import Sequence

from tfae.core import errors
from tfae.core.config import option
from tfae.models.base import autoencoder, network_flags
from tfae.models.base.encoder_decoder import Decoder, Encoder, Kernels, Pooling
from tfae.models.base.upsampling import Method
from tfae.ops import activations
from tfae.ops.activations import Activation

Outputs = autoencoder.Outputs


@dataclasses.dataclass(frozen=True)
class Config(network_flags.Config, autoencoder.Config):
    """The layers."""

    filters: tuple[int, ...] = option(
        (16, 32),
        'Filters of each convolutional layer, starting at the image.',
        within='[1, inf) filters',
    )
    units: tuple[int, ...] = option(
        (32,),
        'Units of each dense layer after the convolutional layers; the last is the code size. '
        'Empty: the code is the last feature map, flattened.',
        within='[1, inf) units',
    )
    pooling: tuple[Pooling, ...] = option(
        ('max',),
        'Pooling after each convolutional layer; one value applies to all.',
    )
    code_activation: Activation = option(activations.LINEAR, 'Activation of the code.')
    upsampling: Method = option(
        'subpixel',
        'Upsampling method by which the decoder inverts strides and pooling.',
        formerly='enlarging',
    )
    tied: bool = option(
        False, 'Ties the weights: the decoder uses the transposed kernels of the encoder.'
    )

    def __post_init__(self):
        super().__post_init__()
        if self.tied and self.batch_normalization:
            raise errors.UsageError('--tied and --batch_normalization exclude each other')
        if self.tied and self.upsampling != 'deconvolution':
            raise errors.UsageError(
                f'--tied shares the kernels of convolutions with deconvolutions; --upsampling is '
                f'{self.upsampling}, it must be deconvolution'
            )


class Model(autoencoder.Autoencoder):
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        if not config.filters:
            raise errors.UsageError(
                '--filters is empty; it must have at least one layer (--model=dense has none)'
            )
        *hidden, last = network_flags.layers(config)
        code = last._replace(activation=config.code_activation, normalized=False)
        kernels = Kernels(config.kernel_initializer, config.weight_decay)
        encoder = Encoder(image_shape, [*hidden, code], kernels)
        decoder = Decoder(
            image_shape,
            [*hidden, code],
            kernels,
            method=config.upsampling,
            tied_to=encoder if config.tied else None,
        )
        super().__init__(config, encoder, decoder)
