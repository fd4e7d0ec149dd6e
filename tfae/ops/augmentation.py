"""Augmentation of training images by flips, crops and jitter.

Like noise, it is a function of a seed tensor, itself a function of (run seed, step), and differs
between the examples of a batch. Flags write it as `flip,crop:4,jitter:0.1`, applied in that order.

B batch, H x W image, C channels.
"""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.core.config import number
from tfae.ops import stateless_random

KINDS = ('flip', 'crop', 'jitter')


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """One kind of augmentation and its strength."""

    kind: str
    level: float = 0.0  # pixels for `crop`, largest relative change for `jitter`

    @classmethod
    def from_text(cls, text: str, who: str = '--augment') -> 'Augmentation':
        """Parses `'crop:4'` as `Augmentation('crop', 4)`; `'flip'` takes no level.

        Raises: UsageError that names `who`, the text and what is wanted.
        """
        kind, _, level = text.partition(':')
        errors.one_of(who, kind, KINDS)
        try:
            value = float(level or (kind == 'flip') - 1)
        except ValueError:
            value = -1.0
        wanted = {
            'flip': value == 0 and not level,
            'crop': 1 <= value < math.inf and value == int(value),
            'jitter': 0 < value < 1,
        }
        if not wanted[kind]:
            raise errors.UsageError(
                f'{who} is {text!r}; it must be flip, crop:pixels with 1 pixel or more, or '
                f'jitter:fraction with a fraction in (0, 1)'
            )
        return cls(kind, value)

    def __str__(self) -> str:
        return self.kind if self.kind == 'flip' else f'{self.kind}:{number(self.level)}'


def augment(images: tf.Tensor, augmentations: Sequence[Augmentation], seed: tf.Tensor) -> tf.Tensor:
    """Augments images at random.

    Args:
      images: float tensor `[B, H, W, C]` in [0, 1], of known shape.
      augmentations: `flip` mirrors half of them horizontally; `crop:n` shifts each by up to n
        pixels in either direction, with reflection at the edges; `jitter:p` multiplies contrast
        and brightness, each by a factor in [1 - p, 1 + p], and clips.
      seed: int64 tensor `[2]`, from (run seed, step).
    Returns: float tensor `[B, H, W, C]` in [0, 1].
    Raises: UsageError if a crop is not smaller than the images.
    """
    apply = {'flip': _flip, 'crop': _shift, 'jitter': _jitter}
    for salt, chosen in enumerate(augmentations):
        own = tf.random.experimental.stateless_fold_in(seed, salt)
        with tf.name_scope(chosen.kind):
            images = apply[chosen.kind](images, chosen.level, own)
    return images


def _flip(images: tf.Tensor, _: float, seed: tf.Tensor) -> tf.Tensor:
    mirrored = stateless_random.uniform([images.shape[0], 1, 1, 1], seed) < 0.5
    return tf.where_v2(mirrored, tf.reverse(images, [2]), images)


def _shift(images: tf.Tensor, level: float, seed: tf.Tensor) -> tf.Tensor:
    pixels = int(level)
    count, height, width, _ = images.shape.as_list()
    if pixels >= min(height, width):
        raise errors.UsageError(
            f'--augment is crop:{pixels}; it must be smaller than the images of {height}x{width}'
        )
    padded = tf.pad(images, [[0, 0], [pixels] * 2, [pixels] * 2, [0, 0]], 'REFLECT')
    start = stateless_random.uniform([2, count, 1], seed, 0, 2 * pixels + 1, tf.int32, axis=1)
    rows = tf.gather(padded, start[0] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, start[1] + tf.range(width), axis=2, batch_dims=1)


def _jitter(images: tf.Tensor, level: float, seed: tf.Tensor) -> tf.Tensor:
    contrast, brightness = tf.unstack(
        stateless_random.uniform([2, images.shape[0], 1, 1, 1], seed, 1 - level, 1 + level, axis=1)
    )
    mean = tf.reduce_mean(images, [1, 2, 3], keepdims=True)
    return tf.clip_by_value((mean + contrast * (images - mean)) * brightness, 0, 1)
