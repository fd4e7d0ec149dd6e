"""Variational autoencoder. Kingma and Welling, ICLR 2014; Rezende, Mohamed and Wierstra, ICML 2014.

    h = network(x)                                                            encoder/layer_i
    mean = h M + b,  log_variance = h V + c                  encoder/mean, encoder/log_variance
    z ~ q(z | x) = N(mean, variance),   p(z) = N(0, 1)
    x' = sigmoid(decoder(z)), under N only of images, else decoder(z)         decoder/layer_i
    p(x | z) = Bernoulli(x')  or  N(x', s^2), s^2 given or learned            decoder/log_variance

    nll = -log p(x | z),  kl = KL(q(z | x) | p(z)),  elbo = -nll - kl, nats per image
    loss = mean over the batch of nll + beta kl

With beta 1 the loss is -ELBO (else Higgins et al., ICLR 2017). beta may rise from 0, once or in
cycles (Fu et al., NAACL 2019). With a capacity C the loss is nll + beta |kl - C|, and C rises in
place of beta (Burgess et al., https://arxiv.org/abs/1804.03599, equation 8). With k samples it is
-log (1/k) sum_i w_i, w_i = p(x | z_i) p(z_i) / q(z_i | x) (Burda, Grosse and Salakhutdinov, ICLR
2016). A single learned s^2 balances reconstruction and KL divergence (Rybkin, Daniilidis and
Levine, ICML 2021).
Under the Bernoulli likelihood gray pixels are probabilities, and their entropy is part of the loss.
Counts in tables are Poisson(x') or NB(x', r), with x' = exp(decoder(z)) and a learned r for each
column (decoder/log_dispersion); the encoder sees log(1 + x) (Lopez et al., Nature Methods 2018).
With corruption the encoder's input is noisy and the target clean (Im et al., AAAI 2017).
With missing values nll is that of the values that there are, so that the ELBO bounds their
log-likelihood (Mattei and Frellsen, ICML 2019).

B batch, H W C image, Z code, k samples.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import data, layers, losses
from tfae.core import errors, names
from tfae.core.config import broadcast, option
from tfae.losses import variational
from tfae.models.base import baseline, network_flags
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder, Kernels
from tfae.models.base.objective import Batch, Objective, seed_or_zeros, trainable
from tfae.models.base.upsampling import Method
from tfae.ops import activations, corruption, stateless_random

_REPARAMETERIZATION = 1  # folded into the seed, which the corruption uses too


class Likelihood(losses.Likelihood):
    """The distribution p(x | z) of the pixels."""

    BUILT_IN: ClassVar[tuple[str, ...]] = (
        'bernoulli',
        'gaussian',
        'poisson',
        'negative_binomial',
    )

    @property
    def counts(self) -> bool:
        """Whether it is a distribution of counts."""
        return self.name in ('poisson', 'negative_binomial')


@dataclasses.dataclass(frozen=True)
class Config(network_flags.Config, corruption.Config):
    """The network, its distributions and the bound."""

    units: tuple[int, ...] = option(
        (400,),
        'Units of each dense layer after the convolutional layers.',
        within='[1, inf) units',
    )
    upsampling: Method = option(
        'subpixel',
        'Upsampling method by which the decoder inverts strides and pooling.',
        needs=('--filters',),
        formerly='enlarging',
    )
    code_size: int = option(20, 'Number of latent dimensions.', within='[1, inf) dimensions')
    likelihood: Likelihood = option(
        Likelihood('bernoulli'),
        'Distribution of the pixels: bernoulli, gaussian, poisson and negative_binomial (of counts '
        'in tables), or package.module:function, which takes images and reconstructions [B, ...] '
        'and returns -log p [B] in nats.',
    )
    variance: float = option(
        1.0,
        'Variance of Gaussian pixels; its initial value with --learn_variance.',
        within='(0, inf)',
        needs=('--likelihood=gaussian',),
    )
    learn_variance: bool = option(
        False,
        'Learns one variance for all Gaussian pixels.',
        needs=('--likelihood=gaussian',),
    )
    beta: float = option(
        1.0,
        'Weight of the KL divergence; with 1 the loss is the negative ELBO.',
        within='[0, inf)',
        needs=('--samples=1',),
    )
    kl_warmup_steps: int = option(
        0,
        'Steps over which the weight of the KL divergence, or its capacity, rises linearly from '
        '0; 0: no warm-up.',
        within='[0, inf) steps',
        needs=('--samples=1',),
    )
    kl_cycles: int = option(
        1,
        'Number of cycles of the warm-up. In each cycle the weight rises from 0 and then stays '
        'constant for as many steps; after the last cycle it stays constant.',
        within='[1, inf) cycles',
        needs=('--kl_warmup_steps',),
        excludes=('--kl_capacity',),
    )
    kl_capacity: float = option(
        0.0,
        'Capacity: penalizes the distance of the KL divergence from this target, instead of the '
        'divergence itself; 0: no target.',
        within='[0, inf) nats',
        needs=('--samples=1',),
        excludes=('--free_bits',),
    )
    free_bits: float = option(
        0.0,
        'Free bits: amount of KL divergence of each latent dimension, averaged over a batch, '
        'that is not penalized; 0: all is penalized.',
        within='[0, inf) nats',
        needs=('--samples=1',),
    )
    samples: int = option(
        1,
        'Number of codes sampled per image in training; more than 1 gives the '
        'importance-weighted bound.',
        within='[1, 10000] samples',
    )
    evaluation_samples: int = option(
        100,
        'Number of codes sampled per image to estimate the log-likelihood by importance sampling.',
        within='[1, inf) samples',
    )

    def __post_init__(self):
        super().__post_init__()
        if self.emphasis != (1, 1):
            raise errors.UsageError(
                f'--emphasis is {",".join(map(str, self.emphasis))}; a likelihood has no weights, '
                f'so with --model=variational it must be 1,1'
            )
        if self.kl_capacity and not self.beta:
            raise errors.UsageError('--kl_capacity needs a --beta above 0, which weights it')


class LinearOutputs(NamedTuple):
    """Outputs of an autoencoder of values that are neither pixels nor probabilities."""

    code: tf.Tensor  # [B, Z], as below
    reconstruction: tf.Tensor  # [B, ...]
    log_variance: tf.Tensor  # [B, Z] of q(z | x)


class Outputs(NamedTuple):
    """Outputs of the autoencoder for a batch."""

    code: tf.Tensor  # [B, Z], the mean of q(z | x); in training a sample of it
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]
    logits: tf.Tensor  # [B, H, W, C], reconstruction = sigmoid(logits)
    log_variance: tf.Tensor  # [B, Z] of q(z | x)


class Model:
    """See `tfae.models` for the contract."""

    MASKING = True

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        if config.likelihood.counts and not data.tabular(image_shape):
            raise errors.UsageError(
                f'--likelihood is {config.likelihood}, of counts in tables; the examples have '
                f'shape {tuple(image_shape)}'
            )
        self.config = config
        self.code_size = config.code_size
        self._values = math.prod(image_shape)
        self._linear = not data.is_image(image_shape) and config.likelihood.name != 'bernoulli'
        (self.corruption,) = broadcast('corruption', config.corruption, 1)
        hidden = network_flags.layers(config)
        kernels = Kernels(config.kernel_initializer)
        self.encoder = Encoder(image_shape, hidden, kernels)
        self.decoder = Decoder(
            image_shape,
            [*hidden, Dense(config.code_size, activations.LINEAR)],
            kernels,
            method=config.upsampling,
        )
        self.objectives = (self._bound,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> LinearOutputs | Outputs:
        """Encodes and decodes images.

        Args:
          images: `[B, H, W, C]` in [0, 1].
          seed: `[2]` of the noise in training; None means inference: the code is the mean.
        """
        training = seed is not None
        if seed is not None:
            images = self.corrupt(images, seed)
        mean, log_variance = self._posterior(images, training)
        code = mean if seed is None else _sample(mean, log_variance, seed)
        logits = self._logits(code, training)
        if self._linear:
            return LinearOutputs(code, self._mean(logits), log_variance)
        return Outputs(code, tf.nn.sigmoid(logits), logits, log_variance)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the mean codes `[B, Z]` of images `[B, H, W, C]`."""
        return self._posterior(images, False)[0]

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """Returns the mean images `[B, H, W, C]` in [0, 1] of codes `[B, Z]`."""
        return self._mean(self._logits(code, False))

    def prior(self, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Returns codes `[count, Z]` sampled from N(0, 1)."""
        return stateless_random.normal([count, self.code_size], seed)

    def corrupt(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns images `[B, H, W, C]` as the encoder receives them in training."""
        return corruption.corrupt(images, self.corruption, seed)

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns nats per image `[B]`, over `evaluation_samples` samples, and KL by dimension.

        elbo = -(reconstruction_nats + kl); log_likelihood is the importance-weighted bound;
        kl_by_dimension is `[B, Z]`.
        """
        mean, log_variance = self._posterior(batch.images, False)

        def sampled(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            z = _sample(mean, log_variance, tf.random.experimental.stateless_fold_in(batch.seed, i))
            nll = self._nll(batch.images, z, False, batch.present)
            return nll, _log_weights(nll, z, mean, log_variance)

        # One sample at a time, so that memory does not grow with their number.
        nll, log_weights = tf.map_fn(
            tf.autograph.experimental.do_not_convert(sampled),
            tf.range(self.config.evaluation_samples),
            fn_output_signature=(tf.float32, tf.float32),
            parallel_iterations=1,
        )
        kl_by_dimension = variational.kl_to_standard_normal(mean, log_variance)
        found = {
            'reconstruction_nats': tf.reduce_mean(nll, 0),
            'kl': tf.reduce_sum(kl_by_dimension, 1),
        }
        found['elbo'] = -tf.add_n([*found.values()])
        found['log_likelihood'] = variational.importance_bound(log_weights)
        found['kl_by_dimension'] = kl_by_dimension
        if self.config.learn_variance:
            found['variance'] = tf.zeros_like(found['kl']) + tf.exp(self._pixel_log_variance())
        return found

    def trouble(self, means: Mapping[str, float]) -> str:
        """Returns a warning of posterior collapse if no latent dimension is active, or ''."""
        if means['active_units'] >= 0.5:
            return ''
        return (
            'posterior collapse: no latent dimension is active; --kl_warmup_steps, --free_bits, a '
            'smaller --beta or a smaller --variance may help'
        )

    def learned_nothing(self, means: Mapping[str, float], constants: baseline.Constants) -> str:
        """Returns why the ELBO is no better than that of the mean image without a code, or ''."""
        if means['active_units'] < 0.5:
            return f'the KL divergence is {means["kl"]:.3g} nats, with no active latent dimension'
        config = self.config
        trained = config.beta, config.free_bits, config.kl_warmup_steps, config.samples
        likelihood = config.likelihood
        if likelihood.own or likelihood.counts or config.kl_capacity or trained != (1, 0, 0, 1):
            return ''  # another objective than the ELBO
        if likelihood.name == 'bernoulli':
            nats = constants.bernoulli
        else:
            variance = means.get('variance', self.config.variance)
            nats = (constants.squared_error / variance + math.log(2 * math.pi)) / 2
            nats += math.log(variance) / 2
        constant = nats * self._values * constants.present
        return baseline.no_better('the negative ELBO', -means['elbo'], constant, 'the mean image')

    def _bound(self, batch: Batch) -> Objective:
        k, training = self.config.samples, batch.seed is not None
        seen = batch.images if batch.seed is None else self.corrupt(batch.images, batch.seed)
        if batch.present is not None:
            seen *= batch.present  # no noise where a value is missing

        # Encode: q(z | x).
        mean, log_variance = self._posterior(seen, training)

        # Reparameterize: k samples of z for each image.
        copies = [k, *[1] * len(self.encoder.shapes[0])]
        x = tf.tile(batch.images, copies)
        present = None if batch.present is None else tf.tile(batch.present, copies)
        means, log_variances = (tf.tile(t, [k, 1]) for t in (mean, log_variance))
        z = _sample(means, log_variances, seed_or_zeros(batch.seed), copies=k)

        # Decode: -log p(x | z).
        nll_by_sample = self._nll(x, z, training, present)
        nll = tf.reduce_mean(nll_by_sample)

        # KL divergence of q(z | x) from the prior.
        kl_by_dimension = variational.kl_to_standard_normal(mean, log_variance)
        kl = tf.reduce_mean(tf.reduce_sum(kl_by_dimension, 1))

        # Bound.
        if k > 1:
            log_weights = _log_weights(nll_by_sample, z, means, log_variances)
            log_weights = tf.reshape(log_weights, [k, -1])
            loss = -tf.reduce_mean(variational.importance_bound(log_weights))
        else:
            loss = nll + self._penalty(kl_by_dimension, kl, training)

        # Terms, without warm-up, free bits and capacity.
        _, variances = tf.nn.moments(mean, [0])
        terms = {
            'elbo': -nll - kl,
            'reconstruction_nats': nll,
            'kl': kl,
            'active_units': tf.reduce_sum(tf.cast(variances > variational.ACTIVE, tf.float32)),
        }
        if self.config.learn_variance:
            terms['variance'] = tf.exp(self._pixel_log_variance())
        return Objective(names.BOUND, loss, trainable(names.ENCODER, names.DECODER), terms)

    def _penalty(self, kl_by_dimension: tf.Tensor, kl: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the weighted term of the KL divergence, a scalar.

        Args:
          kl_by_dimension: `[B, Z]` in nats.
          kl: their sum over dimensions, averaged over the batch.
          training: whether the warm-up counts; it is over at inference.
        """
        beta, rise = self.config.beta, self._rise() if training else 1.0
        if self.config.kl_capacity:
            return beta * tf.abs(kl - rise * self.config.kl_capacity)
        free = self.config.free_bits
        return beta * rise * (variational.free_bits(kl_by_dimension, free) if free else kl)

    def _rise(self) -> tf.Tensor | float:
        """Returns the fraction of the weight or of the capacity at this step, in [0, 1]."""
        steps, cycles = self.config.kl_warmup_steps, self.config.kl_cycles
        if not steps:
            return 1.0
        step = tf.train.get_or_create_global_step().read_value()
        cycle = tf.minimum(step // (2 * steps), cycles - 1)
        return tf.minimum(tf.cast(step - cycle * 2 * steps, tf.float32) / steps, 1)

    def _posterior(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and log-variance `[B, Z]` of q(z | x)."""
        errors.rank('images', images, 1 + len(self.encoder.shapes[0]))
        if self.config.likelihood.counts:
            # Noise of a corruption may be negative.
            images = tf.math.log1p(tf.maximum(images, 0))
        hidden = self.encoder(images, training)
        hidden = tf.reshape(hidden, [-1, self.encoder.sizes[-1]])
        # Without a new name scope, which would be numbered: `encoder_1`.
        with tf.variable_scope(names.ENCODER, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            mean, log_variance = (
                layers.dense(hidden, self.code_size, name=head)
                for head in (names.MEAN, names.LOG_VARIANCE)
            )
            kl = variational.kl_to_standard_normal(mean, log_variance)
            shown = tf.reduce_mean(kl, 0, name=names.KL_BY_DIMENSION)
        # Histograms in TensorBoard: means, log-variances, KL divergence by dimension.
        for tensor in (mean, log_variance, shown):
            tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, tensor)
        return mean, log_variance

    def _logits(self, z: tf.Tensor, training: bool) -> tf.Tensor:
        # The first call creates all variables of the decoder.
        if self.config.learn_variance:
            self._pixel_log_variance()
        if self.config.likelihood.name == 'negative_binomial':
            self._log_dispersion()
        return self.decoder(z, training)

    def _mean(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the mean of p(x | z) of the decoder's outputs."""
        if self.config.likelihood.counts:
            return tf.exp(logits)
        return logits if self._linear else tf.nn.sigmoid(logits)

    def _nll(
        self, x: tf.Tensor, z: tf.Tensor, training: bool, present: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns -log p(x | z) `[B]` of images `[B, H, W, C]` and codes `[B, Z]`.

        Only of the values where `present` `[B, H, W, C]` is 1, unless it is None.
        """
        logits = self._logits(z, training)
        likelihood = self.config.likelihood
        if likelihood.name == 'bernoulli':
            return losses.bernoulli(x, logits, present)
        if likelihood.own:
            if present is not None:
                raise errors.UsageError(
                    f'--missing=mask requires a built-in likelihood; --likelihood is {likelihood}'
                )
            return likelihood.own(x, self._mean(logits))
        if likelihood.name == 'poisson':
            return variational.poisson(x, logits, present)
        if likelihood.name == 'negative_binomial':
            return variational.negative_binomial(x, logits, self._log_dispersion(), present)
        return variational.normal(x, self._mean(logits), self._pixel_log_variance(), present)

    def _pixel_log_variance(self) -> tf.Tensor:
        """Returns log s^2, a scalar."""
        first = tf.constant(math.log(self.config.variance), tf.float32)
        if not self.config.learn_variance:
            return first
        with tf.variable_scope(names.DECODER, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.LOG_VARIANCE,
                [],
                initializer=tf.constant_initializer(math.log(self.config.variance)),
                use_resource=True,
            ).read_value()

    def _log_dispersion(self) -> tf.Tensor:
        """Returns log r `[D]` of the columns."""
        with tf.variable_scope(names.DECODER, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            return tf.get_variable(
                names.LOG_DISPERSION,
                [self._values],
                initializer=tf.zeros_initializer(),
                use_resource=True,
            ).read_value()


def _sample(
    mean: tf.Tensor, log_variance: tf.Tensor, seed: tf.Tensor, copies: int = 1
) -> tf.Tensor:
    """Returns a reparameterized sample z `[copies * B, Z]`: gradients reach mean and variance."""
    seed = tf.random.experimental.stateless_fold_in(seed, _REPARAMETERIZATION)
    noise = stateless_random.normal(tf.shape(mean), seed, copies=copies)
    return mean + tf.exp(log_variance / 2) * noise


def _log_weights(
    nll: tf.Tensor, z: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor
) -> tf.Tensor:
    """Returns log p(x | z) + log p(z) - log q(z | x) `[B]`."""
    zeros = tf.zeros_like(z)
    posterior = variational.normal(z, mean, log_variance)
    return -nll - (variational.normal(z, zeros, zeros) - posterior)
