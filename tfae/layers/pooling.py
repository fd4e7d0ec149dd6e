"""Max pooling and average pooling of images.

Letters of shapes: B batch, H W image, C channels.
"""

from typing import Any

import tensorflow.compat.v1 as tf

from tfae.layers import arguments
from tfae.layers.base import Configured, InputSpec, apply
from tfae.layers.formats import on_channels_last


class _Pooling2D(Configured):
    _pool: Any = None  # tf.nn's function for NHWC

    def __init__(self, **options):
        super().__init__(**options)
        self.pool_size = arguments.pair(f'{self.name}: pool_size', self.pool_size)
        strides = self.pool_size if self.strides is None else self.strides
        self.strides = arguments.pair(f'{self.name}: strides', strides)
        self.padding = arguments.padding(self.name, self.padding)
        self.data_format = arguments.data_format(self.name, self.data_format)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs):
        """Maps [B, H, W, C] to [B, H', W', C]."""

        def pool(x):
            return self._pool(
                x, [1, *self.pool_size, 1], [1, *self.strides, 1], self.padding.upper()
            )

        return on_channels_last(self.data_format, pool, inputs)


class MaxPooling2D(_Pooling2D):
    """Max pooling; see `max_pooling2d`."""

    _pool = staticmethod(tf.nn.max_pool)

    def __init__(
        self,
        pool_size,
        strides,
        padding='valid',
        data_format='channels_last',
        name=None,
        **kwargs,
    ):
        super().__init__(**arguments.named(locals()))


class AveragePooling2D(_Pooling2D):
    """Average pooling; see `average_pooling2d`."""

    _pool = staticmethod(tf.nn.avg_pool)

    def __init__(
        self,
        pool_size,
        strides,
        padding='valid',
        data_format='channels_last',
        name=None,
        **kwargs,
    ):
        super().__init__(**arguments.named(locals()))


def max_pooling2d(
    inputs, pool_size, strides, padding='valid', data_format='channels_last', name=None
):
    """Returns the maximum over each window.

    Args:
      inputs: tensor [B, H, W, C], or [B, C, H, W] for `channels_first`.
      pool_size: height and width of the window in pixels, or one number for both.
      strides: strides in pixels, or one number for both; None is `pool_size`.
      padding: `valid`, or `same`: windows extend over the edge, and only pixels inside count.
      data_format: `channels_last` or `channels_first`.
      name: name scope of the operations.

    Returns: tensor of the inputs' format, with ceil((H - window + 1) / stride) rows for `valid`
      and ceil(H / stride) for `same`.

    Raises: ValueError if the rank is not 4 or an argument is not one of the above.
    """
    return apply(MaxPooling2D, locals())


def average_pooling2d(
    inputs, pool_size, strides, padding='valid', data_format='channels_last', name=None
):
    """Returns the mean over each window. Args, Returns, Raises: as `max_pooling2d`."""
    return apply(AveragePooling2D, locals())
