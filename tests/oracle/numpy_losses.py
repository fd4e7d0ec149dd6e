"""Losses of every family in numpy: `(variables, images, labels, training) -> term -> value`.

Each is a page of its paper, written again from variables and settings; nothing of tfae is imported.
Variational runs that are held against these have codes that hardly vary: their noise is not known
here, and need not be.
"""

import numpy as np
from numpy_networks import ACTIVATIONS, Layer, Network, affine, convolution, flat
from scipy import special
from scipy.spatial import distance


def halved(x):
    """`own_functions.halved`, a corruption."""
    return 0.5 * x + 0.25


def nats_of_bernoulli(x, logits):
    """Returns the cross-entropy of each pixel."""
    return np.logaddexp(0, logits) - x * logits


def autoencoder(
    network, likelihood='squared_error', output='sigmoid', noise=None, extra=None, weight=1
):
    """Returns the mean loss per pixel; `extra` adds terms, `weight` applies in training only."""

    def loss(v, x, y, training):
        seen = noise(x) if noise and training else x
        code = network.encode(v, seen, training)
        logits = network.decode(v, code, x.shape[1:], training)
        each = np.square(x - ACTIVATIONS[output](logits))
        if likelihood == 'bernoulli':
            each = nats_of_bernoulli(x, logits)
        terms = {'reconstruction': (weight if training else 1) * each.mean()}
        terms |= extra(v, seen, code) if extra else {}
        return {'loss': sum(terms.values()), **(terms if len(terms) > 1 else {})}

    return loss


def sparse(v, x, code):
    """l1:0.1, kl_sparsity:0.3:0.2, orthogonality:0.05 (two layers), weight decay 0.01."""
    mean, t = code.mean(0), 0.3
    divergence = t * np.log(t / mean) + (1 - t) * np.log((1 - t) / (1 - mean))
    grams = [
        np.square(kernel.T @ kernel - np.eye(kernel.shape[1])).sum()
        for kernel in (v[f'encoder/layer_{i}/kernel'] for i in (1, 2))
    ]
    return {
        'l1': 0.1 * np.abs(code).sum(1).mean(),
        'kl_sparsity': 0.2 * divergence.sum(),
        'orthogonality': 0.05 * sum(grams),
        'weight_decay': decay(v),
    }


def decay(v, weight=0.01):
    """Returns half the sum of squares of the kernels, without optimizer slots."""
    kernels = [a for name, a in v.items() if name.endswith('kernel') and name.count('/') == 2]
    return weight / 2 * sum(np.square(kernel).sum() for kernel in kernels)


def lasso(v, x, code):
    """Penalties l1:0.1 and weight decay 0.01."""
    return {'l1': 0.1 * np.abs(code).sum(1).mean(), 'weight_decay': decay(v)}


def contractive(v, x, code):
    """Penalty contractive:0.5 of one dense sigmoid layer, at its corrupted input."""
    norms = np.square(code * (1 - code)) @ np.square(v['encoder/layer_1/kernel']).sum(0)
    return {'contractive': 0.5 * norms.mean()}


class KSparse(Network):
    """Keeps the two largest values of each code."""

    def encode(self, v, x, training=False):
        code = super().encode(v, x, training)
        return np.where(code >= np.sort(code)[:, -2:-1], code, 0)


class OwnFunctions(Network):
    """`own_functions.encoder` and `.decoder`, with a k-sparse code of k = 2."""

    def encode(self, v, x, training=False):
        h = convolution(x, v['encoder/conv2d/kernel'], 2, 'valid') + v['encoder/conv2d/bias']
        code = affine(v, 'encoder/dense', np.maximum(h, 0))
        code = ACTIVATIONS[self.layers[0].activation](code)
        return np.where(code >= np.sort(code)[:, -2:-1], code, 0)

    def decode(self, v, z, image_shape, training=False):
        z = np.maximum(affine(v, 'decoder/dense', z), 0).reshape(-1, 4, 4, 4)
        y = convolution(z, v['decoder/subpixel_conv2d/kernel']) + v['decoder/subpixel_conv2d/bias']
        return y.reshape(-1, 4, 4, 2, 2, 1).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 8, 8, 1)


class Variational:
    """A variational autoencoder: mean and log-variance of codes, and -log p of images."""

    def __init__(self, network, variance=None):
        """`variance` of Gaussian pixels, 'learned', or None for Bernoulli pixels."""
        self.network, self.variance = network, variance

    def posterior(self, v, x, training=False):
        """Mean and log-variance `[B, Z]`."""
        hidden = self.network.encode(v, x, training)
        return affine(v, 'encoder/mean', hidden), affine(v, 'encoder/log_variance', hidden)

    def logits(self, v, z, image_shape, training=False):
        """Decodes; the code layer is a dense layer after the last of the network."""
        count = len(self.network.layers) + 1
        code = {f'encoder/layer_{count}/kernel': v[f'decoder/layer_{count}/kernel'].T}
        side = self.network._replace(layers=(*self.network.layers, Layer('linear')))
        return side.decode({**v, **code}, z, image_shape, training)

    def nll(self, v, x, z, training=False):
        """-log p(x | z) `[B]`."""
        logits = self.logits(v, z, x.shape[1:], training)
        if self.variance is None:
            return flat(nats_of_bernoulli(x, logits)).sum(1)
        s2 = np.exp(v['decoder/log_variance']) if self.variance == 'learned' else self.variance
        squares = np.square(x - special.expit(logits))
        return flat((squares / s2 + np.log(2 * np.pi * s2)) / 2).sum(1)


def divergence(mean, log_variance):
    """Returns the KL divergence from N(0, 1) per dimension `[B, Z]`."""
    return (np.exp(log_variance) - 1 - log_variance + np.square(mean)) / 2


def log_weights(nll, z, mean, log_variance):
    """log p(x, z) - log q(z | x) `[B]`."""
    prior = (np.square(z) + np.log(2 * np.pi)).sum(1) / 2
    spread = np.square(z - mean) / np.exp(log_variance) + log_variance + np.log(2 * np.pi)
    return -nll - prior + spread.sum(1) / 2


def variational(network, beta=1.0, free_bits=0.0, noise=None, variance=None):
    """Returns the ELBO at the posterior mean."""
    model = Variational(network, variance)

    def loss(v, x, y, training):
        mean, log_variance = model.posterior(v, noise(x) if noise and training else x, training)
        nll = model.nll(v, x, mean, training).mean()
        kl = divergence(mean, log_variance)
        counted = np.maximum(kl.mean(0), free_bits).sum() if free_bits else kl.sum(1).mean()
        terms = {
            'loss': nll + beta * counted,
            'reconstruction_nats': nll,
            'kl': kl.sum(1).mean(),
            'elbo': -nll - kl.sum(1).mean(),
            'active_units': np.sum(mean.var(0) > 0.01),
        }
        if variance == 'learned':
            terms['variance'] = np.exp(v['decoder/log_variance'])
        return terms

    return loss


def cross_entropy(y, logits):
    """-log softmax(logits)[y] `[B]`."""
    return special.logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]


def classifier(network):
    """Returns the cross-entropy of a dense layer on the code."""

    def loss(v, x, y, training):
        logits = affine(v, 'classifier', network.encode(v, x, training))
        return {'loss': cross_entropy(y, logits).mean(), 'error': np.mean(logits.argmax(1) != y)}

    return loss


def regressor(network, values):
    """Returns the absolute error in units of half the range of the quantities."""
    values = np.array(values)
    middle, radius = (values.max() + values.min()) / 2, np.ptp(values) / 2

    def loss(v, x, y, training):
        output = affine(v, 'regressor', network.encode(v, x, training))
        error = np.abs(middle + radius * output[:, 0] - values[y]).mean()
        return {'loss': error / radius, 'absolute_error': error}

    return loss


def siamese(network, kind, margin, unit=False):
    """Returns the loss of all pairs of even and odd examples, normalized as one batch."""

    def loss(v, x, y, training):
        code = network.encode(v, x, training)
        if unit:
            code = code / np.linalg.norm(code, axis=1, keepdims=True)
        d = distance.cdist(code[0::2], code[1::2])
        same = y[0::2, None] == y[1::2]
        each = []
        for row, k in zip(d, same, strict=True):
            if kind == 'triplet':
                each.append(max(0, margin + max(row[k], default=-np.inf) - row[~k].min()))
            else:
                together = np.mean(row[k] ** 2) if k.any() else 0
                each.append((together + np.mean(np.maximum(0, margin - row[~k]) ** 2)) / 2)
        means = {'distance_together': d[same].mean(), 'distance_apart': d[~same].mean()}
        return {'loss': np.mean(each), **means}

    return loss


class Adversarial:
    """A discriminator, and a generator that mirrors its layers."""

    def __init__(self, discriminator, generator):
        self.discriminator, self.generator = discriminator, generator

    def score(self, v, x, training=False):
        """`[B]`."""
        return affine(v, 'discriminator/score', self.discriminator.encode(v, x, training))[:, 0]

    def generate(self, v, z, image_shape, training=False):
        """Codes `[B, Z]` -> images `[B, H, W, C]`."""
        # The generator mirrors the sizes of the discriminator, followed by the code.
        count = len(self.generator.layers)
        sizes = {k.replace('discriminator', 'sizes'): a for k, a in v.items() if 'discr' in k}
        sizes |= {k: 0 * a for k, a in sizes.items()}
        sizes[f'sizes/layer_{count}/kernel'] = v[f'generator/layer_{count}/kernel'].T
        for i in range(1, count):
            for name in ('moving_mean', 'moving_variance', 'gamma', 'beta'):
                sizes[f'sizes/layer_{i}/normalization/{name}'] = 1.0
        return special.expit(self.generator.decode({**v, **sizes}, z, image_shape, training))


TELLING = {
    'non_saturating': lambda real, fake: np.logaddexp(0, -real) + np.logaddexp(0, fake),
    'least_squares': lambda real, fake: (np.square(real - 1) + np.square(fake)) / 2,
    'hinge': lambda real, fake: np.maximum(0, 1 - real) + np.maximum(0, 1 + fake),
    'wasserstein': lambda real, fake: fake - real,
}
PASSING = {
    'non_saturating': lambda fake: np.logaddexp(0, -fake),
    'least_squares': lambda fake: np.square(fake - 1) / 2,
    'hinge': lambda fake: -fake,
    'wasserstein': lambda fake: -fake,
}
REAL_FROM = {'non_saturating': 0, 'least_squares': 0.5, 'hinge': 0}


def diversity(fake, real):
    """Returns the mean distance of two generated images over that of two real ones."""
    return distance.pdist(flat(fake)).mean() / distance.pdist(flat(real)).mean()
