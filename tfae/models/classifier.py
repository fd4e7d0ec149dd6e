"""Classifier on top of an encoder. LeCun, Bottou, Bengio and Haffner, Proc. IEEE 86, 1998.

    h_0 = x,  h_i = s_i(layer_i(h_{i-1})),  code z = h_L                          encoder/layer_i
    p(class | x) = softmax(z W + b)                                                    classifier
    loss = mean over the batch of -log p(class | x)

The head is W and b; see `models.base.headed`.

B batch, H W C image, Z code, K classes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors, names
from tfae.core.config import option
from tfae.losses import supervised
from tfae.models.base import baseline, headed
from tfae.models.base.objective import Batch, Objective, trainable
from tfae.ops import corruption


@dataclasses.dataclass(frozen=True)
class Config(headed.Config):
    """The network; its last layer outputs the code."""

    dropout: float = option(
        0.0, 'Dropout rate applied to the code in training; 0: no dropout.', within='[0, 1)'
    )


class Outputs(NamedTuple):
    """Outputs of the classifier for a batch."""

    code: tf.Tensor  # [B, Z]
    probabilities: tf.Tensor  # [B, K], rows sum to 1
    class_logits: tf.Tensor  # [B, K], probabilities = softmax(class_logits)


class Model(headed.Model):
    """See `tfae.models` for the contract."""

    SCOPE = names.CLASSIFIER

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        errors.classes('classifier', classes)
        self.config = config = config.resolved(image_shape)
        super().__init__(config, image_shape)
        self.classes = classes

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes and classifies images.

        Args:
          images: `[B, H, W, C]` in [0, 1].
          seed: `[2]` of the dropout in training; None means inference.
        """
        code = self._encode(images, seed is not None)
        logits = self._head(code, seed)
        return Outputs(code, tf.nn.softmax(logits), logits)

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns the classification error, 0 or 1, and the cross-entropy in nats, both `[B]`."""
        logits = self(batch.images).class_logits
        return {
            'error': _wrong(batch.labels, logits),
            'cross_entropy': supervised.cross_entropy(batch.labels, logits),
        }

    def learned_nothing(self, means: Mapping[str, float], constants: baseline.Constants) -> str:
        """Returns why the classes are predicted no better than by their frequencies, or ''."""
        if means['error'] < constants.error:
            return ''  # overconfident at most
        value, constant = means[names.LOSS], constants.cross_entropy
        return baseline.no_better('the cross-entropy', value, constant, 'the class frequencies')

    def _objective(self, output: tf.Tensor, batch: Batch, *scopes: str) -> Objective:
        loss = tf.reduce_mean(supervised.cross_entropy(batch.labels, output))
        error = tf.reduce_mean(_wrong(batch.labels, output))
        return Objective(names.CLASSIFICATION, loss, trainable(*scopes), {'error': error})

    def _head(self, code: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Maps codes `[B, Z]` to logits `[B, K]`."""
        if seed is not None:
            dropped = corruption.Corruption('dropout', self.config.dropout)
            code = corruption.corrupt(code, dropped, seed)
        return layers.dense(code, self.classes, name=names.CLASSIFIER, reuse=tf.AUTO_REUSE)


def _wrong(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns `[B]`, 1 where the largest logit is not the label's."""
    return tf.cast(tf.not_equal(tf.argmax(logits, 1), labels), tf.float32)
