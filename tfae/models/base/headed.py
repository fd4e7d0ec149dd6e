"""A head on an encoder: the base of families that predict labels from a code.

    h_0 = x,  h_i = s_i(layer_i(h_{i-1})),  code z = h_L                          encoder/layer_i
    output = head(z)

The encoder's layers have the same names as in autoencoders, so that --restore_from loads a
pretrained encoder of the same sizes. --head_epochs then trains the head alone, on frozen codes,
before all layers are fine-tuned (Hinton and Salakhutdinov, Science 313, 2006; Bengio et al., NIPS
2006).

B batch, H W C image, Z code.
"""

import abc
import dataclasses
from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.core.config import option
from tfae.models.base import network_flags
from tfae.models.base.encoder_decoder import Encoder, Kernels
from tfae.models.base.objective import Batch, Objective
from tfae.ops.activations import Activation


@dataclasses.dataclass(frozen=True)
class Config(network_flags.ConfigWithDefault):
    """The network; its last layer outputs the code."""

    code_activation: Activation = option(
        Activation.from_text('relu'),
        'Activation of the code, the last encoder layer. With --restore_from, choose that of the '
        'pretrained run.',
    )


class Model(abc.ABC):
    """See `tfae.models` for the contract; a family adds the head and its objective."""

    MASKING = True  # the loss is of labels
    SCOPE: str  # of the head

    def __init__(self, config: Config, image_shape: Sequence[int]):
        """Builds the encoder of a configuration that is `resolved`."""
        *hidden, last = network_flags.layers(config)
        code = last._replace(activation=config.code_activation, normalized=False)
        self.encoder = Encoder(image_shape, [*hidden, code], Kernels(config.kernel_initializer))
        self.code_size = self.encoder.sizes[-1]
        self.objectives = (self._whole,)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the codes `[B, Z]` of images `[B, H, W, C]`."""
        return self._encode(images, False)

    def head(self, batch: Batch) -> Objective:
        """Returns the objective of the head alone; `batch.images` are codes `[B, Z]`."""
        return self._objective(self._head(batch.images, batch.seed), batch, self.SCOPE)

    def _whole(self, batch: Batch) -> Objective:
        output = self._head(self._encode(batch.images, batch.seed is not None), batch.seed)
        return self._objective(output, batch, names.ENCODER, self.SCOPE)

    def _encode(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        errors.rank('images', images, 1 + len(self.encoder.shapes[0]))
        return tf.reshape(self.encoder(images, training), [-1, self.code_size])

    @abc.abstractmethod
    def _head(self, code: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Maps codes `[B, Z]` to outputs `[B, ...]`; training if there is a `seed` `[2]`."""

    @abc.abstractmethod
    def _objective(self, output: tf.Tensor, batch: Batch, *scopes: str) -> Objective:
        """Returns the objective of outputs, which trains the variables of these scopes."""
