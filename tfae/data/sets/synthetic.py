"""Synthetic images of any size, with known structure: `--dataset=synthetic`.

    bars     full rows or full columns on black, uint8; the class is the direction
    blobs    one soft spot, float32; the class is the quarter of the image that it lies in
    linear   0.5 + z w with z of four dimensions, float32; the class is the sign of z_1

Bars come from Foldiak, 1990, https://doi.org/10.1007/BF02331346. A linear autoencoder of four units
reconstructs `linear` without error, and so does PCA.

The channels are independent, so that exchanged channels show. A fixed fifth of the examples is the
test split.
"""

import math
import re

import numpy as np

from tfae.core import errors
from tfae.data import dataset, splits

FIELDS = ('synthetic_kind', 'synthetic_shape', 'synthetic_examples')

_MAX_BYTES = 2**32
_LATENTS = 4
_LATENT_LIMIT = 3.0  # standard deviations; a bounded z keeps pixels within [0, 1] without a bend


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Generates train and test splits of `synthetic_examples` images of `synthetic_shape`.

    Raises: UsageError if the kind is unknown, or the shape is malformed or too large.
    """
    makers = {'bars': _bars, 'blobs': _blobs, 'linear': _linear}
    make = makers[errors.one_of('--synthetic_kind', config.synthetic_kind, makers)]
    shape = (config.synthetic_examples, *_image_shape(config.synthetic_shape))
    if 4 * math.prod(shape) > _MAX_BYTES:
        raise errors.UsageError(
            f'--synthetic_shape and --synthetic_examples request {4 * math.prod(shape)} bytes; '
            f'they must request at most {_MAX_BYTES}'
        )
    # RandomState: its streams never change, those of a Generator may.
    images, labels, class_names = make(np.random.RandomState(0), shape)
    whole = splits.Split(images, labels.astype(np.int64))
    return *splits.with_test(whole, 'synthetic'), class_names


def _image_shape(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r'[1-9]\d{0,17}(x[1-9]\d{0,17}){2}', text, re.ASCII):
        raise errors.UsageError(
            f'--synthetic_shape is {text!r}; it must be height x width x channels, such as 16x16x1'
        )
    height, width, channels = map(int, text.split('x'))
    return height, width, channels


def _bars(random, shape):
    n, height, width, channels = shape
    labels = random.randint(2, size=n)
    rows = random.random_sample((n, height, 1, channels)) < 0.25
    columns = random.random_sample((n, 1, width, channels)) < 0.25
    # At least one bar, which shows the class.
    rows[np.arange(n), random.randint(height, size=n)] = True
    columns[np.arange(n), 0, random.randint(width, size=n)] = True
    lit = np.where(labels[:, None, None, None] == 0, rows, columns)
    return lit.astype(np.uint8) * np.uint8(255), labels, ('rows', 'columns')


def _blobs(random, shape):
    n, height, width, channels = shape
    vertical, horizontal = random.random_sample((2, n, 1)).astype(np.float32)
    peak = random.uniform(0.5, 1, (n, 1, 1, channels)).astype(np.float32)
    sigma = max(height, width) / 8
    down = _bell(height, vertical, sigma)[:, :, None, None]
    across = _bell(width, horizontal, sigma)[:, None, :, None]
    labels = 2 * (vertical[:, 0] >= 0.5) + (horizontal[:, 0] >= 0.5)
    return peak * down * across, labels, ('top left', 'top right', 'bottom left', 'bottom right')


def _bell(length, center, sigma):
    """Returns a Gaussian `[N, length]` around `center` `[N, 1]`, a fraction of the length."""
    offset = np.arange(length, dtype=np.float32) + np.float32(0.5) - center * np.float32(length)
    return np.exp(-0.5 * np.square(offset / np.float32(sigma)))


def _linear(random, shape):
    n = shape[0]
    z = np.clip(random.standard_normal((n, _LATENTS)), -_LATENT_LIMIT, _LATENT_LIMIT)
    w = random.standard_normal((_LATENTS, math.prod(shape[1:])))
    w *= 0.5 / _LATENT_LIMIT / np.abs(w).sum(0)
    images = np.float32(0.5) + z.astype(np.float32) @ w.astype(np.float32)
    # Only rounding can leave the range.
    return np.clip(images, 0, 1).reshape(shape), z[:, 0] > 0, ('z_1 <= 0', 'z_1 > 0')
