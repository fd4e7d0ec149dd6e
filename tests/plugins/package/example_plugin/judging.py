"""Autoencoder whose code is classified too. Le, Patterson and White, NeurIPS 2018.

    z = s(x W + b),  x' = z V + c,  p = softmax(z U + d)
    loss = mean of (x - x')^2 + weight * mean of -log p(class)

It does whatever a family can do, so that every command has something to work on.
"""

import dataclasses
import math
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers
from tfae.core import errors
from tfae.core.config import option
from tfae.models import Batch, Objective, trainable
from tfae.ops import corruption, stateless_random


@dataclasses.dataclass(frozen=True)
class Config:
    code_size: int = option(4, 'Latent dimensions.')
    noise: float = option(0.1, 'Standard deviation of the noise on the images.')
    label_weight: float = option(0.1, 'Weight of the cross-entropy.')


class Outputs(NamedTuple):
    code: tf.Tensor  # [B, Z]
    reconstruction: tf.Tensor  # [B, H, W, C]
    probabilities: tf.Tensor  # [B, K]


class Model:
    def __init__(self, config, image_shape, classes=0):
        errors.in_range('--code_size', config.code_size, 1, math.inf)
        errors.classes('judging', classes)
        self.config = config
        self.code_size = config.code_size
        self.objectives = (self.whole,)
        self._shape = tuple(image_shape)
        self._classes = classes

    def __call__(self, images, seed=None):
        if seed is not None:
            images = self.corrupt(images, seed)
        code = self.encode(images)
        return Outputs(code, self.decode(code), tf.nn.softmax(self._logits(code)))

    def encode(self, images):
        flat = tf.reshape(images, [-1, math.prod(self._shape)])
        code = layers.dense(flat, self.code_size, tf.nn.tanh, name='into', reuse=tf.AUTO_REUSE)
        self._logits(code)  # whichever call is the first makes every variable
        self._decoded(code)
        tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, code)
        return code

    def decode(self, code):
        self.encode(tf.zeros([1, *self._shape]))
        return tf.clip_by_value(self._decoded(code), 0.0, 1.0)

    def prior(self, count, seed):
        return stateless_random.normal([count, self.code_size], seed)

    def corrupt(self, images, seed):
        noise = corruption.Corruption('gaussian', self.config.noise)
        return corruption.corrupt(images, noise, seed)

    def measures(self, batch):
        made = self(batch.images).reconstruction
        return {'worst_pixel': tf.reduce_max(tf.abs(made - batch.images), [1, 2, 3])}

    def head(self, batch):
        loss = self._cross_entropy(batch.images, batch.labels)
        return Objective('classes', loss, trainable('classes'), {})

    def trouble(self, means):
        return '' if means['loss'] < 100 else 'the loss is beyond hope'

    def whole(self, batch: Batch):
        images = batch.images if batch.seed is None else self.corrupt(batch.images, batch.seed)
        code = self.encode(images)
        error = tf.reduce_mean(tf.math.squared_difference(batch.images, self._decoded(code)))
        loss = error + self.config.label_weight * self._cross_entropy(code, batch.labels)
        variables = trainable('into', 'back', 'classes')
        return Objective('judged_reconstruction', loss, variables, {'error': error})

    def _decoded(self, code):
        flat = layers.dense(code, math.prod(self._shape), name='back', reuse=tf.AUTO_REUSE)
        return tf.reshape(flat, [-1, *self._shape])

    def _logits(self, code):
        return layers.dense(code, self._classes, name='classes', reuse=tf.AUTO_REUSE)

    def _cross_entropy(self, code, labels):
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=self._logits(code))
        )
