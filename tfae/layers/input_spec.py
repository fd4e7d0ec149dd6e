"""Requirements of a layer on its inputs."""

from typing import Any

import tensorflow.compat.v1 as tf


class InputSpec:
    """Requirements of a layer on one input; `None` requires nothing.

    Args:
      dtype: element type.
      shape: full shape, `None` where a size is free.
      ndim: rank.
      max_ndim: maximum rank.
      min_ndim: minimum rank.
      axes: axis -> size that this axis must have (`None` allows any).
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


def check(who: str, spec: Any, shape: Any, dtype: str | None = None) -> None:
    """Raises ValueError if the static type or shape of an input does not fit.

    Args:
      who: name of the input, for the error.
      spec: `InputSpec`, or that of Keras, which has the same attributes.
      shape: `TensorShape` of the input.
      dtype: name of its type; None is not checked.
    Raises: ValueError that names `who`, the actual shape and the required one.
    """

    def refuse(wanted: str, found: Any) -> None:
        raise ValueError(f'{who}: input is {shape}; expected {wanted}, found {found}.')

    if None not in (spec.dtype, dtype) and dtype != spec.dtype:
        refuse(f'dtype={spec.dtype}', dtype)
    rank = shape.rank
    ranks = {name: getattr(spec, name) for name in ('ndim', 'min_ndim', 'max_ndim')}
    ranks = {name: limit for name, limit in ranks.items() if limit is not None}
    if rank is None:
        if ranks or spec.axes:
            wanted = ', '.join(f'{name}={limit}' for name, limit in ranks.items())
            refuse(wanted or f'axes {sorted(spec.axes)}', 'an unknown rank')
        return
    for name, limit in ranks.items():
        if {'ndim': rank != limit, 'min_ndim': rank < limit, 'max_ndim': rank > limit}[name]:
            refuse(f'{name}={limit}', f'ndim={rank}')
    sizes = shape.as_list()
    for axis, size in (spec.axes or {}).items():
        if not -rank <= axis < rank or None not in (size, sizes[axis]) and size != sizes[axis]:
            refuse(f'axis {axis} of size {size}', shape)
    for size, found in zip(spec.shape or (), sizes, strict=False):
        if None not in (size, found) and size != found:
            refuse(f'shape={spec.shape}', shape)
