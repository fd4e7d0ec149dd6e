"""Max pooling and average pooling of sequences, images and volumes.

Letters of shapes: B batch, W or H W or D H W the spatial sizes, C channels.
"""

import tensorflow.compat.v1 as tf

from tfae.layers import arguments
from tfae.layers.configured import Configured, function
from tfae.layers.formats import on_channels_last
from tfae.layers.input_spec import InputSpec


class _Pooling(Configured):
    rank: int  # number of spatial dimensions
    _operation: staticmethod  # tf.nn's function for channels last

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
        self.pool_size = arguments.sizes(f'{self.name}: pool_size', pool_size, self.rank)
        self.strides = arguments.sizes(f'{self.name}: strides', strides, self.rank)
        self.padding = arguments.padding(self.name, padding)
        self.data_format = arguments.data_format(self.name, data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        """Maps [B, ..., C] to [B, ..., C] with fewer points."""
        return on_channels_last(self.data_format, self._pool, inputs)

    def _pool(self, x):
        row = [1] if self.rank == 1 else []  # a sequence is pooled as an image of one row
        outputs = self._operation(
            tf.expand_dims(x, 1) if row else x,
            [1, *row, *self.pool_size, 1],
            [1, *row, *self.strides, 1],
            self.padding.upper(),
        )
        return tf.squeeze(outputs, [1]) if row else outputs


class MaxPooling1D(_Pooling):
    """Maximum over each window of sequences [B, W, C]. Args: as `MaxPooling2D`."""

    rank = 1
    _operation = staticmethod(tf.nn.max_pool)


class MaxPooling2D(_Pooling):
    """Maximum over each window of images [B, H, W, C], or [B, C, H, W] for `channels_first`.

    Args:
      pool_size: height and width of the window in pixels, or one number for both.
      strides: strides in pixels, or one number for both.
      padding: `valid`, or `same`: windows extend over the edge, and only pixels inside count.
      data_format: `channels_last` or `channels_first`.
      name: name scope of the operations.

    The output has ceil((H - window + 1) / stride) rows for `valid`, ceil(H / stride) for `same`.

    Raises: ValueError if the rank is not 4 or an argument is not one of the above.
    """

    rank = 2
    _operation = staticmethod(tf.nn.max_pool)


class MaxPooling3D(_Pooling):
    """Maximum over each window of volumes [B, D, H, W, C]. Args: as `MaxPooling2D`."""

    rank = 3
    _operation = staticmethod(tf.nn.max_pool3d)


class AveragePooling1D(_Pooling):
    """Mean over each window of sequences [B, W, C]. Args: as `MaxPooling2D`."""

    rank = 1
    _operation = staticmethod(tf.nn.avg_pool)


class AveragePooling2D(_Pooling):
    """Mean over each window of images [B, H, W, C]. Args: as `MaxPooling2D`."""

    rank = 2
    _operation = staticmethod(tf.nn.avg_pool)


class AveragePooling3D(_Pooling):
    """Mean over each window of volumes [B, D, H, W, C]. Args: as `MaxPooling2D`."""

    rank = 3
    _operation = staticmethod(tf.nn.avg_pool3d)


max_pooling1d = function(MaxPooling1D)
max_pooling2d = function(MaxPooling2D)
max_pooling3d = function(MaxPooling3D)
average_pooling1d = function(AveragePooling1D)
average_pooling2d = function(AveragePooling2D)
average_pooling3d = function(AveragePooling3D)
