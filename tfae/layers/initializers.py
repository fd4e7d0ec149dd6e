"""ICNR: initializes a sub-pixel convolution to nearest-neighbor upsampling.

The output pixels of a block, r*r of an image, come from as many kernels. Independent random
kernels give independent pixels: a checkerboard artifact that training must first remove. Equal
kernels make the initial layer a convolution followed by nearest-neighbor upsampling.

Source: Aitken, Ledig, Theis, Caballero, Wang and Shi, Checkerboard artifact free sub-pixel
convolution, https://arxiv.org/abs/1707.02937, section 3.2.
"""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.layers import arguments
from tfae.ops import subpixel


class ICNR:
    """Initializer of a sub-pixel convolution's kernel: one sub-kernel for all pixels of a block.

    Args:
      block_size: in pixels, one number for each spatial axis: `[r]`, `[rh, rw]` or
        `[rd, rh, rw]`; a single number stands for both axes of an image.
      initializer: of the sub-kernel [..., F], whose fans are those of the convolution before
        upsampling: an initializer, or its name in `tf.initializers`; None is Glorot's uniform.
      mode: channel order, 'DCR' or 'CRD', as in `tfae.ops.subpixel`.

    Raises: ValueError for a block size below 1, an unknown mode or an unknown initializer.
    """

    def __init__(self, block_size: Any, initializer: Any = None, mode: str = 'DCR') -> None:
        who = type(self).__name__
        axes = len(block_size) if isinstance(block_size, Sequence) else 2
        rank = axes if axes in (1, 3) else 2
        self.block_size = arguments.sizes(f'{who}: block_size', block_size, rank)
        self.mode = errors.one_of(f'{who}: mode', mode, subpixel.MODES)
        initializer = arguments.initializer(who, initializer)
        if initializer is None:
            initializer = tf.glorot_uniform_initializer
        self.initializer = initializer() if isinstance(initializer, type) else initializer

    def __call__(self, shape: Any, dtype: Any = tf.float32, partition_info: Any = None) -> Any:
        """Returns the initial value of a kernel.

        Args:
          shape: `[..., F*r]`, r pixels to a block.
          dtype: its type.
          partition_info: passed by `get_variable` for a slice of a partitioned variable.
        Returns: tensor of that shape, the sub-kernels of a block equal.
        Raises: ValueError if r does not divide the channels, or if a partition splits them.
        """
        shape = tf.TensorShape(shape).as_list()
        options = {}
        if partition_info is not None:
            full = tf.TensorShape(partition_info.full_shape).as_list()
            if full[-1] != shape[-1]:
                raise ValueError(
                    f'ICNR: a slice has {shape[-1]} of {full[-1]} channels; a partition must keep '
                    'the last axis whole, because the kernels of a block are equal.'
                )
            options['partition_info'] = SimpleNamespace(
                full_shape=self._before(full), var_offset=partition_info.var_offset
            )
        kernel = self.initializer(self._before(shape), dtype=dtype, **options)
        copies = [kernel] * math.prod(self.block_size)
        if self.mode == 'DCR':
            return tf.concat(copies, -1)
        return tf.reshape(tf.stack(copies, -1), shape)

    def _before(self, shape: list[int]) -> list[int]:
        """Returns the shape of the sub-kernel `[..., F]`."""
        pixels = math.prod(self.block_size)
        if shape[-1] % pixels:
            raise ValueError(
                f'ICNR: shape is {shape}; its last axis must be a multiple of {pixels}, the pixels '
                'of a block.'
            )
        return [*shape[:-1], shape[-1] // pixels]
