"""`InputSpec`: what a layer asks of its inputs' static type and shape."""

from typing import Any

import tensorflow.compat.v1 as tf


class InputSpec:
    """What a layer asks of one input; `None` asks nothing.

    Args:
      dtype: the element type.
      shape: the full shape, `None` where a size is free.
      ndim: the rank.
      max_ndim: the greatest rank.
      min_ndim: the least rank.
      axes: axis -> size that this axis must have (a size of `None` asks nothing).
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
    ) -> None:
        self.dtype = None if dtype is None else tf.as_dtype(dtype).name
        self.shape = None if shape is None else tuple(tf.TensorShape(shape).as_list())
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}

    def check(self, who: str, tensor: Any) -> None:
        """Refuses a tensor whose static type or shape is known and not what is wanted.

        Raises: ValueError that names `who`, the shape that came and what is wanted.
        """
        if self.dtype is not None and tensor.dtype.base_dtype.name != self.dtype:
            raise ValueError(f'{who}: input is {tensor.dtype.name}; it must be {self.dtype}.')
        rank = tensor.shape.rank
        if rank is None:
            if (self.ndim, self.min_ndim, self.max_ndim) != (None, None, None) or self.axes:
                raise ValueError(f'{who}: input has unknown rank; it must have {self._ranks()}.')
            return
        if (
            (self.ndim is not None and rank != self.ndim)
            or (self.min_ndim is not None and rank < self.min_ndim)
            or (self.max_ndim is not None and rank > self.max_ndim)
        ):
            raise ValueError(
                f'{who}: input is {tensor.shape}, rank {rank}; it must have {self._ranks()}.'
            )
        for axis, size in [*self.axes.items(), *enumerate(self.shape or ())]:
            came = tensor.shape.as_list()[axis]
            if None not in (size, came) and size != came:
                raise ValueError(
                    f'{who}: input is {tensor.shape}, {came} on axis {axis}; it must be {size}.'
                )

    def _ranks(self) -> str:
        limits = [
            (f'rank {self.ndim}', self.ndim),
            (f'at least rank {self.min_ndim}', self.min_ndim),
            (f'at most rank {self.max_ndim}', self.max_ndim),
        ]
        return ' and '.join(text for text, limit in limits if limit is not None) or 'a rank'
