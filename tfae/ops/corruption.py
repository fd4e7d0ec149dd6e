"""Corruption of inputs for denoising autoencoders. Vincent et al., ICML 2008 and JMLR 2010.

Noise is a function of a seed tensor, itself a function of (run seed, step): the same step of the
same run always corrupts the same pixels, and each example of a batch has independent noise.
A flag writes a corruption as `kind:level`, for example `masking:0.3`, or as
`package.module:function`: a function of a batch `[B, H, W, C]` (codes `[B, Z]` in greedy phases
after the first) and a seed `[2]` to a batch of that shape, whose randomness must come from the seed
alone.
"""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors, plugins
from tfae.core.config import Part, number, option
from tfae.ops import own_functions, stateless_random

KINDS = ('none', 'masking', 'gaussian', 'salt_and_pepper', 'dropout')
_REPLACING = ('masking', 'salt_and_pepper', 'dropout')


@dataclasses.dataclass(frozen=True)
class Corruption:
    """One kind of noise and its strength, or a user-defined function."""

    kind: str
    level: float = 0.0  # probability of corrupting a value; standard deviation for `gaussian`
    own: own_functions.Function | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def from_text(cls, text: str, who: str = '--corruption') -> 'Corruption':
        """Parses `'masking:0.3'` as `Corruption('masking', 0.3)`; `'none'` takes no level.

        Raises: UsageError that names `who`, the text and what is wanted.
        """
        kind, _, level = text.partition(':')
        if kind not in KINDS:
            own = plugins.choice(who, text if plugins.names_function(text) else kind, KINDS)
            assert own, text
            return cls(text, own=own_functions.checked(who, text, own, own_functions.same_shape))
        if kind == 'none' and not level:
            return cls('none')
        try:
            value = float(level)
        except ValueError:
            raise errors.UsageError(
                f'{who} is {text!r}; it must be none or kind:level, as in masking:0.3'
            ) from None
        high = {'none': 0, 'gaussian': math.inf}.get(kind, 1)
        below = kind in ('gaussian', 'dropout')  # at 1, dropout would divide by 0
        if not (0 <= value < high or (value == high and not below)):
            range_ = f'[0, {high}{")" if below else "]"}'
            raise errors.UsageError(f'{who} is {text!r}; the level must lie in {range_}')
        return cls(kind, value)

    def __str__(self) -> str:
        plain = self.own or self.kind == 'none'
        return self.kind if plain else f'{self.kind}:{number(self.level)}'


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Corruption of the input of an autoencoder in training."""

    corruption: tuple[Corruption, ...] = option(
        (Corruption('none'),),
        'Noise added to the input of each layer in training. One value applies to all layers; '
        'joint training applies only the first, to the image. kind:level: masking and dropout '
        'set values to 0 with probability level (dropout rescales the rest), salt_and_pepper '
        'sets them to 0 or 1, gaussian adds noise of standard deviation level. '
        'package.module:function takes a batch [B, ...] and a seed [2] and returns the batch.',
    )
    emphasis: tuple[float, ...] = option(
        (1.0, 1.0),
        'Two loss weights: one for values that the noise replaced, one for the others. The '
        'likelihoods of --model=variational have none.',
        within='[0, inf)',
        needs=(f'--corruption={",".join(_REPLACING)}',),
    )

    def __post_init__(self):
        super().__post_init__()
        if len(self.emphasis) != 2:
            came = ','.join(map(str, self.emphasis))
            raise errors.UsageError(f'--emphasis is {came}; it must be two weights')
        if not any(self.emphasis):
            raise errors.UsageError(
                '--emphasis is 0,0; one of the two weights must be above 0, else there is no loss'
            )


def corrupt(x: tf.Tensor, corruption: Corruption, seed: tf.Tensor) -> tf.Tensor:
    """Returns `x` with noise, independent for each of its values.

    Args:
      x: float tensor `[B, ...]`.
      corruption: kind and level. `masking` sets inputs to 0; `dropout` does too and scales the
        rest by 1 / (1 - level); `salt_and_pepper` sets them to 0 or 1 with equal probability;
        `gaussian` adds noise, without clipping.
      seed: int tensor `[2]`, from (run seed, step).
    Returns: float tensor of the shape of `x`.
    """
    kind, level = corruption.kind, corruption.level
    if corruption.own:
        return corruption.own(x, seed)
    if kind == 'none' or level == 0:
        return x
    with tf.name_scope(kind):
        shape = tf.shape(x)
        if kind == 'gaussian':
            return x + level * stateless_random.normal(shape, seed, dtype=x.dtype)
        uniform = stateless_random.uniform(shape, seed, dtype=x.dtype)
        if kind == 'salt_and_pepper':
            salt = tf.cast(uniform < level / 2, x.dtype)
            return tf.where(uniform < level, salt, x)
        kept = tf.cast(uniform >= level, x.dtype)
        return x * kept / (1 - level) if kind == 'dropout' else x * kept


def emphasis(
    x: tf.Tensor, corruption: Corruption, seed: tf.Tensor, weights: Sequence[float]
) -> tf.Tensor | None:
    """Returns the loss weight of each value of `x`, by whether `corrupt` replaces it.

    Args:
      x: float tensor `[B, ...]`.
      corruption, seed: as in `corrupt`.
      weights: of the values that are replaced and of the others (Vincent et al., JMLR 2010, section
        4.2).
    Returns: float tensor of the shape of `x`, or None where all weights are 1.
    """
    replaced, kept = weights
    if (replaced, kept) == (1, 1) or corruption.kind not in _REPLACING:
        return None
    uniform = stateless_random.uniform(tf.shape(x), seed, dtype=x.dtype)
    return tf.where(uniform < corruption.level, replaced * tf.ones_like(x), kept * tf.ones_like(x))
