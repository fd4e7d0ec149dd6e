"""The cases of training.py, written as a user of Keras 3 would.

Models with a loss of targets and outputs are compiled with it. The others are a `Model` with its
own `train_step`, as in Keras' examples `vae` and `wgan_gp`.

B batch.
"""

from collections.abc import Sequence

import _cases
import keras
import tensorflow as tf
from keras import layers, ops

_PIXELS = 784


class Variational(keras.Model):
    """https://keras.io/examples/generative/vae, with the sum over pixels."""

    def __init__(self, case: _cases.Case):
        super().__init__()
        units, size = case.config['units'], case.config['code_size']
        activation = case.config['activation']
        x = keras.Input([_PIXELS])
        hidden = _network(_PIXELS, units, activation)(x)
        self.encoder = keras.Model(x, [layers.Dense(size)(hidden) for _ in range(2)])
        self.decoder = _network(size, units[::-1], activation, _PIXELS)
        self.seeds = keras.random.SeedGenerator(0)
        names = ('loss', 'reconstruction', 'kl')
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def metrics(self):
        """Metrics that `fit` resets at the start of an epoch."""
        return self.trackers

    def train_step(self, data):
        """One update on images `[B, 784]`."""
        with tf.GradientTape() as tape:
            mean, log_variance = self.encoder(data, training=True)
            noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
            logits = self.decoder(mean + ops.exp(log_variance / 2) * noise, training=True)
            nats = ops.binary_crossentropy(data, logits, from_logits=True)
            reconstruction = ops.mean(ops.sum(nats, 1))
            kl = (ops.exp(log_variance) + ops.square(mean) - 1 - log_variance) / 2
            kl = ops.mean(ops.sum(kl, 1))
            loss = reconstruction + kl
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


class Adversarial(keras.Model):
    """https://keras.io/examples/generative/wgan_gp, with one update of either network per step."""

    def __init__(self, case: _cases.Case):
        super().__init__()
        config = case.config
        units, size = config['units'], config['code_size']
        self.size, self.weight = size, config['gradient_penalty']
        self.critic = _network(_PIXELS, units, config['activation'], 1)
        hidden = config['generator_activation']
        self.generator = _network(size, units[::-1], hidden, _PIXELS, 'sigmoid')
        self.seeds = keras.random.SeedGenerator(0)

    def compile(self, critic_optimizer, generator_optimizer):
        """Sets the optimizers of both networks."""
        super().compile()
        self.critic_optimizer = critic_optimizer
        self.generator_optimizer = generator_optimizer

    def train_step(self, data):
        """One update of the critic, then one of the generator, on images `[B, 784]`."""
        with tf.GradientTape() as tape:
            fake = self._generated(data)
            scores = self.critic(data, training=True), self.critic(fake, training=True)
            critic_loss = ops.mean(scores[1]) - ops.mean(scores[0])
            critic_loss += self.weight * self._penalty(data, fake)
        self._update(tape, critic_loss, self.critic, self.critic_optimizer)
        with tf.GradientTape() as tape:
            score = self.critic(self._generated(data), training=True)
            generator_loss = -ops.mean(score)
        self._update(tape, generator_loss, self.generator, self.generator_optimizer)
        return {'critic_loss': critic_loss, 'generator_loss': generator_loss}

    def _generated(self, data):
        shape = ops.shape(data)[0], self.size
        return self.generator(keras.random.normal(shape, seed=self.seeds), training=True)

    def _penalty(self, data, fake):
        fraction = keras.random.uniform((ops.shape(data)[0], 1), seed=self.seeds)
        between = data + fraction * (fake - data)
        with tf.GradientTape() as tape:
            tape.watch(between)
            score = self.critic(between, training=True)
        norm = ops.sqrt(ops.sum(ops.square(tape.gradient(score, between)), 1))
        return ops.mean(ops.square(norm - 1))

    def _update(self, tape, loss, side, optimizer):
        weights = side.trainable_weights
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))


def compiled(case: _cases.Case) -> keras.Model:
    """Builds and compiles the model of a case."""
    if case.family == 'variational':
        model = Variational(case)
        model.compile(_adam(case))
    elif case.family == 'gan':
        model = Adversarial(case)
        model.compile(_adam(case), _adam(case))
    else:
        model = _convolutional(case) if case.family == 'convolutional' else _dense(case)
        model.compile(_adam(case), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def _adam(case: _cases.Case) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(case.rate, *case.betas)


def _network(
    size: int,
    units: Sequence[int],
    activation: str,
    last: int = 0,
    last_activation: str | None = None,
) -> keras.Sequential:
    """Builds dense layers on `[B, size]`, and an output layer of `last` units unless it is 0."""
    model = keras.Sequential([keras.Input([size])])
    for n in units:
        model.add(layers.Dense(n, activation))
    if last:
        model.add(layers.Dense(last, last_activation))
    return model


def _dense(case: _cases.Case) -> keras.Sequential:
    *hidden, code = case.config['units']
    activation = case.config['activation']
    encoder = _network(_PIXELS, hidden, activation, code)
    decoder = _network(code, hidden[::-1], activation, _PIXELS)
    return keras.Sequential([keras.Input([_PIXELS]), *encoder.layers, *decoder.layers])


def _convolutional(case: _cases.Case) -> keras.Sequential:
    config = case.config
    rows = [*zip(config['filters'], config['kernel_sizes'], config['strides'], strict=True)]
    activation = config['activation']
    model = keras.Sequential([keras.Input([28, 28, 1])])
    for i, (filters, kernel, stride) in enumerate(rows, 1):
        last = i == len(rows)
        function = None if last else activation
        model.add(layers.Conv2D(filters, kernel, stride, 'same', activation=function))
    below = [1, *config['filters'][:-1]]
    for filters, (_, kernel, stride) in zip(below[::-1], rows[::-1], strict=True):
        function = None if filters == 1 else activation
        model.add(layers.Conv2DTranspose(filters, kernel, stride, 'same', activation=function))
    return model
