"""Variational autoencoder. Kingma and Welling, ICLR 2014; Rezende, Mohamed and Wierstra, ICML 2014.

    h = network(x)                                                            encoder/layer_i
    m = h M + b,  log v = h V + c                            encoder/mean, encoder/log_variance
    z ~ q(z | x) = N(m, v),   p(z) = N(0, 1)
    x' = sigmoid(undone(z))                                                   decoder/layer_i
    p(x | z) = Bernoulli(x')  or  N(x', s^2), s^2 given or learned            decoder/log_variance

    loss = mean over the batch of -log p(x | z) + beta KL(q(z | x) | p(z)), nats per picture

With beta 1 the loss is -ELBO (else Higgins et al., ICLR 2017). With k samples it is
-log (1/k) sum_i p(x | z_i) p(z_i) / q(z_i | x) (Burda, Grosse and Salakhutdinov, ICLR 2016). One
s^2, learned, weighs the reconstruction as the data have it (Rybkin, Daniilidis and Levine, ICML
2021). Grey pixels count as probabilities under Bernoulli's distribution: their own entropy is in
the loss. With corruption the encoder sees noise and the target is clean (Im et al., AAAI 2017).

B batch, H W C picture, Z code, k samples.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import tensorflow.compat.v1 as tf

from tfae import layers, losses
from tfae.core import errors, names
from tfae.core.config import broadcast, option
from tfae.losses import variational
from tfae.models.base import network_flags
from tfae.models.base.encoder_decoder import Dense, Stack
from tfae.models.base.objective import Batch, Objective, drawing_seed, trainable
from tfae.models.base.upsampling import Method
from tfae.ops import corruption, stateless_random

_DRAW = 1  # what is folded into the seed, so that draws and corruption are independent


@dataclasses.dataclass(frozen=True)
class Config(network_flags.Config, corruption.Config):
    """The network, its distributions and how the bound is made large."""

    units: tuple[int, ...] = option((400,), 'Sizes of the dense layers behind them.')
    enlarging: Method = option('subpixel', 'How the decoder undoes strides and pooling.')
    code_size: int = option(20, 'Numbers of the code.')
    likelihood: Literal['bernoulli', 'gaussian'] = option('bernoulli', 'Distribution of a pixel.')
    variance: float = option(1.0, 'Variance of Gaussian pixels, the first one if it is learned.')
    learn_variance: bool = option(False, 'Learn one variance for all Gaussian pixels.')
    beta: float = option(1.0, 'Weight of the divergence; 1 makes the loss a bound.')
    kl_warmup_steps: int = option(0, 'Steps in which the weight of the divergence rises from 0.')
    free_bits: float = option(
        0.0, 'Nats of divergence that each number of the code has for nothing, on average.'
    )
    samples: int = option(1, 'Codes drawn a picture, for the importance-weighted bound if several.')
    evaluation_samples: int = option(
        100, 'Codes drawn a picture to measure the likelihood by importance sampling.'
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ('code_size', 'samples', 'evaluation_samples'):
            errors.in_range(f'--{name}', getattr(self, name), 1, math.inf)
        for name in ('beta', 'kl_warmup_steps', 'free_bits'):
            errors.in_range(f'--{name}', getattr(self, name), 0, math.inf)
        if not 0 < self.variance < math.inf:
            raise errors.UsageError(f'--variance is {self.variance}; it must lie in (0, inf)')
        if self.emphasis != (1, 1):
            raise errors.UsageError(
                '--emphasis weighs pixels; in a likelihood each must weigh 1, leave it out'
            )
        if self.likelihood != 'gaussian':
            self.refuse_unread('--likelihood=gaussian', 'variance', 'learn_variance')
        if self.samples > 1:  # the divergence is then no term of its own
            self.refuse_unread('--samples=1', 'beta', 'kl_warmup_steps', 'free_bits')
        if not self.filters:
            self.refuse_unread('--filters', 'enlarging')


class Outputs(NamedTuple):
    """What the autoencoder makes of a batch."""

    code: tf.Tensor  # [B, Z], the mean of q(z | x); in training a draw from it
    reconstruction: tf.Tensor  # [B, H, W, C] in [0, 1]
    logits: tf.Tensor  # [B, H, W, C], reconstruction = sigmoid(logits)
    log_variance: tf.Tensor  # [B, Z] of q(z | x)


class Model:
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        self.config = config
        self.code_size = config.code_size
        noises = [corruption.parse(text) for text in config.corruption]
        (self.corruption,) = broadcast('corruption', noises, 1)
        # The last layer is undone by the decoder; the encoder has the heads in its place.
        self.stack = Stack(
            image_shape,
            [*network_flags.specifications(config), Dense(config.code_size, 'linear')],
            enlarge=config.enlarging,
            batch_normalization=config.batch_normalization,
            kernel_initializer=config.kernel_initializer,
        )
        self.objectives = (self._bound,)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Outputs:
        """Encodes and decodes `[B, H, W, C]`."""
        training = seed is not None
        if seed is not None:
            images = self.corrupt(images, seed)
        code, log_variance = self._posterior(images, training)
        if seed is not None:
            code = _draw(code, log_variance, seed)
        logits = self._logits(code, training)
        return Outputs(code, tf.nn.sigmoid(logits), logits, log_variance)

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """`[B, H, W, C]` -> mean codes `[B, Z]`."""
        return self._posterior(images, False)[0]

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """`[B, Z]` -> mean pictures `[B, H, W, C]` in [0, 1]."""
        return tf.nn.sigmoid(self._logits(code, False))

    def prior(self, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Codes `[count, Z]` from N(0, 1)."""
        return stateless_random.normal([count, self.code_size], seed)

    def corrupt(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Pictures `[B, H, W, C]` as the encoder sees them in training."""
        return corruption.corrupt(images, self.corruption, seed)

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Nats per picture `[B]`, the divergence by unit `[B, Z]`, over `evaluation_samples` draws.

        elbo = -(reconstruction_nats + kl); log_likelihood is the importance-weighted bound.
        """
        mean, log_variance = self._posterior(batch.images, False)

        def drawn(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            seed = tf.random.experimental.stateless_fold_in(batch.seed, i)
            return self._drawn(batch._replace(seed=seed), mean, log_variance, False)

        # One draw at a time: memory does not grow with their number.
        nats, ratio = tf.map_fn(
            tf.autograph.experimental.do_not_convert(drawn),
            tf.range(self.config.evaluation_samples),
            fn_output_signature=(tf.float32, tf.float32),
            parallel_iterations=1,
        )
        by_unit = variational.kl_to_standard_normal(mean, log_variance)
        found = {'reconstruction_nats': tf.reduce_mean(nats, 0), 'kl': tf.reduce_sum(by_unit, 1)}
        found['elbo'] = -tf.add_n([*found.values()])
        found['log_likelihood'] = variational.importance_bound(-nats - ratio)
        found['kl_by_dimension'] = by_unit
        if self.config.learn_variance:
            found['variance'] = tf.zeros_like(found['kl']) + tf.exp(self._pixel_log_variance())
        return found

    def trouble(self, means: Mapping[str, float]) -> str:
        """Says that the posterior has collapsed, where no unit of the code is active."""
        if means['active_units'] >= 0.5:
            return ''
        return (
            'posterior collapse: no number of the code depends on the picture; --kl_warmup_steps, '
            '--free_bits, a smaller --beta or --variance may help'
        )

    def _bound(self, batch: Batch) -> Objective:
        training = batch.seed is not None
        clean, k = batch.images, self.config.samples
        noisy = clean if batch.seed is None else self.corrupt(clean, batch.seed)
        mean, log_variance = self._posterior(noisy, training)
        by_unit = variational.kl_to_standard_normal(mean, log_variance)
        many = Batch(tf.tile(clean, [k, 1, 1, 1]), None, drawing_seed(batch.seed))
        means, log_variances = (tf.tile(t, [k, 1]) for t in (mean, log_variance))
        each, ratio = self._drawn(many, means, log_variances, training)
        nats = tf.reduce_mean(each)
        kl = tf.reduce_mean(tf.reduce_sum(by_unit, 1))
        if k > 1:
            log_weights = tf.reshape(-each - ratio, [k, -1])
            loss = -tf.reduce_mean(variational.importance_bound(log_weights))
        else:
            least = self.config.free_bits
            held = variational.free_bits(by_unit, least) if least else kl
            loss = nats + self._weight(training) * held
        _, variances = tf.nn.moments(mean, [0])
        terms = {
            'elbo': -nats - kl,
            'reconstruction_nats': nats,
            'kl': kl,
            'active_units': tf.reduce_sum(tf.cast(variances > variational.ACTIVE, tf.float32)),
        }
        if self.config.learn_variance:
            terms['variance'] = tf.exp(self._pixel_log_variance())
        return Objective(names.BOUND, loss, trainable(names.ENCODER, names.DECODER), terms)

    def _weight(self, training: bool) -> tf.Tensor | float:
        """Of the divergence; full outside training."""
        if not training or not self.config.kl_warmup_steps:
            return self.config.beta
        step = tf.cast(tf.train.get_or_create_global_step().read_value(), tf.float32)
        return self.config.beta * tf.minimum(step / self.config.kl_warmup_steps, 1)

    def _posterior(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log-variance `[B, Z]` of q(z | x)."""
        errors.rank('images', images, 4)
        hidden = self.stack.encode(self.stack.all[:-1], images, training)
        hidden = tf.reshape(hidden, [-1, self.stack.sizes[-2]])
        # No name scope: beside the stack's it would be `encoder_1`.
        with tf.variable_scope(names.ENCODER, reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            mean, log_variance = (
                layers.dense(hidden, self.code_size, name=head)
                for head in (names.MEAN, names.LOG_VARIANCE)
            )
            kl = variational.kl_to_standard_normal(mean, log_variance)
            shown = tf.reduce_mean(kl, 0, name=names.KL_BY_DIMENSION)
        # Histograms in TensorBoard: codes, their spread, how much each number of the code says.
        for tensor in (mean, log_variance, shown):
            tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, tensor)
        return mean, log_variance

    def _logits(self, code: tf.Tensor, training: bool) -> tf.Tensor:
        if self.config.learn_variance:
            self._pixel_log_variance()  # whoever decodes first makes every variable of the decoder
        return self.stack.decode(self.stack.all[::-1], code, training)

    def _drawn(
        self, batch: Batch, mean: tf.Tensor, log_variance: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Of one draw z for each picture: -log p(x | z) and log q(z | x) - log p(z), `[B]` both."""
        code = _draw(mean, log_variance, batch.seed, self.config.samples)
        logits = self._logits(code, training)
        if self.config.likelihood == 'bernoulli':
            nats = losses.bernoulli(batch.images, logits)
        else:
            shared = self._pixel_log_variance()
            nats = variational.normal(batch.images, tf.nn.sigmoid(logits), shared)
        zeros = tf.zeros_like(code)
        posterior = variational.normal(code, mean, log_variance)
        return nats, variational.normal(code, zeros, zeros) - posterior

    def _pixel_log_variance(self) -> tf.Tensor:
        """log s^2, a scalar."""
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


def _draw(mean: tf.Tensor, log_variance: tf.Tensor, seed: tf.Tensor, copies: int = 1) -> tf.Tensor:
    """One z for each row `[copies * B, Z]`, through which gradients reach both."""
    seed = tf.random.experimental.stateless_fold_in(seed, _DRAW)
    drawn = stateless_random.normal(tf.shape(mean), seed, copies=copies)
    return mean + tf.exp(log_variance / 2) * drawn
