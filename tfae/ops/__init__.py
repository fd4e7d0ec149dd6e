"""Operations on tensors, without variables.

subpixel           shuffle, unshuffle: channels into space and back, `[N, H, W, C*r*r]`
subpixel_nd        shuffle_1d, unshuffle_1d, shuffle_3d, unshuffle_3d
subpixel_fused     shuffle_bias_activation, what follows a convolution, in one pass
activations        functions by name, and their derivatives as functions of the output
dependencies       ancestors: operations that others depend on
corruption         corrupt: noise for denoising autoencoders
augmentation       augment: flips, crops and jitter of training images
stateless_random   uniform and normal noise as a function of a seed tensor
op_library         the library of compiled ops
own_functions      user-defined functions, with checks of their results
"""

from tfae.ops import (
    activations,
    augmentation,
    corruption,
    dependencies,
    op_library,
    own_functions,
    stateless_random,
    subpixel,
    subpixel_fused,
    subpixel_nd,
)
from tfae.ops.augmentation import augment
from tfae.ops.corruption import corrupt
from tfae.ops.subpixel import shuffle, unshuffle
from tfae.ops.subpixel_fused import shuffle_bias_activation
from tfae.ops.subpixel_nd import shuffle_1d, shuffle_3d, unshuffle_1d, unshuffle_3d

__all__ = [
    'activations',
    'augment',
    'augmentation',
    'corrupt',
    'corruption',
    'dependencies',
    'op_library',
    'own_functions',
    'shuffle',
    'shuffle_1d',
    'shuffle_3d',
    'shuffle_bias_activation',
    'stateless_random',
    'subpixel',
    'subpixel_fused',
    'subpixel_nd',
    'unshuffle',
    'unshuffle_1d',
    'unshuffle_3d',
]


def __dir__() -> list[str]:
    return sorted([*__all__, '__doc__'])
