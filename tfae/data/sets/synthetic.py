"""Synthetic images, sequences and volumes of any size: `--dataset=synthetic`.

    bars     full rows or full columns on black, uint8; the class is the direction
    blobs    one soft spot, float32; the class is the quarter of the image that it lies in
    linear   0.5 + z w with z of four dimensions, float32; the class is the sign of z_1
    waves    sequences of one to four periods, float32 in [-1, 1]; the class is the shape of the
             wave: sine, square or sawtooth. Each channel has a phase and an amplitude of its own
    solids   volumes with one solid, float32 in [0, 1]; the class is its shape: ball or cube

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
# Axes of the examples that are not images, and a shape.
_AXES = {
    'waves': ('length x channels', '64x2'),
    'solids': ('depth x height x width x channels', '8x8x8x1'),
}
_MAX_PERIODS = 4
_LATENTS = 4
_LATENT_LIMIT = 3.0  # standard deviations; a bounded z keeps pixels within [0, 1] without a bend


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Generates train and test splits of `synthetic_examples` examples of `synthetic_shape`.

    Raises: UsageError if the kind is unknown, or the shape is malformed, of another kind or too
      large.
    """
    makers = {
        'bars': _bars,
        'blobs': _blobs,
        'linear': _linear,
        'waves': _waves,
        'solids': _solids,
    }
    make = makers[errors.one_of('--synthetic_kind', config.synthetic_kind, makers)]
    shape = (config.synthetic_examples, *_shape(config.synthetic_shape, config.synthetic_kind))
    if 4 * math.prod(shape) > _MAX_BYTES:
        raise errors.UsageError(
            f'--synthetic_shape and --synthetic_examples request {4 * math.prod(shape)} bytes; '
            f'they must request at most {_MAX_BYTES}'
        )
    # RandomState: its streams never change, those of a Generator may.
    images, labels, class_names = make(np.random.RandomState(0), shape)
    whole = splits.Split(images, labels.astype(np.int64))
    return *splits.with_test(whole, 'synthetic'), class_names


def _shape(text: str, kind: str) -> tuple[int, ...]:
    axes, example = _AXES.get(kind, ('height x width x channels', '16x16x1'))
    sides = example.count('x')
    if not re.fullmatch(rf'[1-9]\d{{0,17}}(x[1-9]\d{{0,17}}){{{sides}}}', text, re.ASCII):
        raise errors.UsageError(
            f'--synthetic_shape is {text!r}; of --synthetic_kind={kind} it must be {axes}, such as '
            f'{example}'
        )
    return tuple(map(int, text.split('x')))


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


def _waves(random, shape):
    n, length, channels = shape
    labels = random.randint(3, size=n)
    periods = random.uniform(1, _MAX_PERIODS, (n, 1, 1))
    phases = random.random_sample((n, 1, channels))
    amplitudes = random.uniform(0.5, 1, (n, 1, channels))
    turns = periods * np.arange(length)[:, None] / length + phases
    sines = np.sin(2 * np.pi * turns)
    kinds = np.stack([sines, np.sign(sines), 2 * (turns % 1) - 1])
    waves = amplitudes * kinds[labels, np.arange(n)]
    return waves.astype(np.float32), labels, ('sine', 'square', 'sawtooth')


def _solids(random, shape):
    n, *sides, channels = shape
    labels = random.randint(2, size=n)
    least = min(sides)
    radii = random.uniform(least / 5, least / 3, (n, 1, 1, 1))
    squares, farthest = 0.0, 0.0
    for axis, side in enumerate(sides):
        centers = random.uniform(side / 3, 2 * side / 3, (n, 1))
        offsets = np.abs(np.arange(side) + 0.5 - centers)
        offsets = offsets.reshape(n, *(side if k == axis else 1 for k in range(3)))
        squares, farthest = squares + np.square(offsets), np.maximum(farthest, offsets)
    # A ball and a cube of about the same volume; the edge is one voxel wide.
    distances = np.where(labels[:, None, None, None] == 0, np.sqrt(squares), farthest / 0.806)
    solid = np.clip(radii - distances + 0.5, 0, 1)[..., None]
    brightness = random.uniform(0.5, 1, (n, 1, 1, 1, channels))
    return (brightness * solid).astype(np.float32), labels, ('ball', 'cube')
