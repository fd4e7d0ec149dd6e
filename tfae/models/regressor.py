"""Regression of a quantity on top of an encoder, by absolute error.

    h_0 = x,  h_i = s_i(layer_i(h_{i-1})),  code z = h_L                          encoder/layer_i
    y = m + r (z W + b)                                                                 regressor
    loss = mean over the batch of |y - v[label]| / r

v[k] is the quantity of class k, such as the age of the class "20-29"; m and r are the middle and
half of the range of v, so that neither the loss nor the learning rate depends on the unit. The
minimum of the expected absolute error is the median (Koenker and Bassett, Econometrica 46, 1978).

The head is W and b; see `models.base.headed`.

B batch, H W C image, Z code, K classes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors, names
from tfae.core.config import option
from tfae.data import attributes
from tfae.models.base import baseline, headed
from tfae.models.base.objective import Batch, Objective, trainable


@dataclasses.dataclass(frozen=True)
class Config(headed.Config):
    """The network, and the quantities of the classes."""

    values: tuple[float, ...] = option(
        (),
        'Quantity that each class stands for, in class order (default: the number in the name of '
        'the class, such as 24.5 for 20-29 and 70 for "more than 70"; if classes have no names, '
        'their indices).',
        within='(-inf, inf)',
    )

    def of_classes(self, class_names: Sequence[str]) -> 'Config':
        """Returns the configuration with the quantities of classes of these names.

        Raises: UsageError if a name contains no number.
        """
        if self.values or not class_names:
            return self
        values = []
        for name in class_names:
            value = attributes.quantity(name)
            if value is None:
                raise errors.UsageError(
                    f'--model=regressor predicts a quantity, but class {name!r} is not a number; '
                    'choose another --target, or set --values'
                )
            values.append(value)
        return dataclasses.replace(self, values=tuple(values))


class Outputs(NamedTuple):
    """Outputs of the regression for a batch."""

    code: tf.Tensor  # [B, Z]
    prediction: tf.Tensor  # [B], in the unit of the quantity


class Model(headed.Model):
    """See `tfae.models` for the contract."""

    SCOPE = names.REGRESSOR

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        errors.classes('regressor', classes)
        self.config = config = config.resolved(image_shape)
        values = config.values or tuple(map(float, range(classes)))
        if len(values) != classes:
            raise errors.UsageError(
                f'--values has {len(values)} quantities; there are {classes} classes'
            )
        self.values = np.array(values, np.float32)
        if not np.ptp(self.values):
            raise errors.UsageError(
                f'--values are all {values[0]:g}; there must be two different quantities'
            )
        self._middle = (self.values.max() + self.values.min()) / 2
        self._radius = np.ptp(self.values) / 2
        super().__init__(config, image_shape)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes images `[B, H, W, C]` in [0, 1] and predicts; training if there is a `seed`."""
        code = self._encode(images, seed is not None)
        return Outputs(code, self._head(code, seed))

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns the absolute and the squared error in the unit of the quantity, both `[B]`."""
        error = self._error(self(batch.images).prediction, batch)
        return {'absolute_error': tf.abs(error), 'squared_error': tf.square(error)}

    def learned_nothing(self, means: Mapping[str, float], constants: baseline.Constants) -> str:
        """Returns why the quantity is predicted no better than by its median, or ''."""
        known, judged = constants.frequencies
        order = np.argsort(self.values)
        median = self.values[order[np.searchsorted(np.cumsum(known[order]), 0.5)]]
        constant = float(judged @ np.abs(self.values - median))
        value = means['absolute_error']
        return baseline.no_better('the absolute error', value, constant, 'the training median')

    def _objective(self, output: tf.Tensor, batch: Batch, *scopes: str) -> Objective:
        error = tf.reduce_mean(tf.abs(self._error(output, batch)))
        terms = {'absolute_error': error}
        return Objective(names.REGRESSION, error / self._radius, trainable(*scopes), terms)

    def _error(self, prediction: tf.Tensor, batch: Batch) -> tf.Tensor:
        return prediction - tf.gather(self.values, batch.labels)

    def _head(self, code: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Maps codes `[B, Z]` to quantities `[B]`."""
        del seed
        output = layers.dense(code, 1, name=names.REGRESSOR, reuse=tf.AUTO_REUSE)
        return self._middle + self._radius * tf.squeeze(output, 1)
