"""Intermediate activations of a graph, and single units of them.

Works for any graph that takes images through one tensor.

B batch, H W image, h w feature map, K units.
"""

from collections.abc import Iterable, Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.ops.dependencies import ancestors

_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative', 'Conv2DBackpropInput')
_COPIES = ('Identity', 'Reshape')
_RECTIFIERS = ('Relu', 'Relu6')


class Activations:
    """The float tensors `[B, ...]` between images and outputs of a graph."""

    def __init__(self, images: tf.Tensor, outputs: Iterable[tf.Tensor]):
        """Searches the graph as it is now; `images` is `[B, H, W, C]`."""
        self.images = images
        self.scope = images.op.name.rpartition('/')[0]
        self.tensors = _between(images, list(outputs))

    @property
    def names(self) -> dict[str, tf.Tensor]:
        """Name -> tensor, in graph order; names lack the scope of the images."""
        return {self.name(tensor): tensor for tensor in self.tensors}

    def name(self, tensor: tf.Tensor) -> str:
        """Returns the name of a tensor without the scope of the images and without `:0`."""
        return self._short(tensor.name)

    def find(self, who: str, name: str) -> tf.Tensor:
        """Returns the tensor of a name, or the last tensor below the scope of that name.

        Raises: UsageError that names `who` and similar names.
        """
        known, wanted = self.names, self._short(name)
        below = [tensor for key, tensor in known.items() if key.startswith(f'{wanted}/')]
        if wanted in known:
            return known[wanted]
        if wanted and below:
            return below[-1]
        holding = [key for key in known if wanted and wanted in key][-3:]
        near = f'; did you mean {", ".join(holding)}?' if holding else errors.nearest(wanted, known)
        raise errors.UsageError(
            f'{who} is {name!r}; it must be a tensor computed from the images'
            f'{near or "; --list prints them"}'
        )

    def _short(self, name: str) -> str:
        return name.removesuffix(':0').removeprefix(f'{self.scope}/' if self.scope else '')


def last_maps(images: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor | None:
    """Returns the last feature map `[B, h, w, K]` before `tensor`; None without a convolution.

    It is the output of the last convolution with its bias, normalization and activation, before
    pooling.
    """
    between = [found for found in _between(images, [tensor]) if found is not tensor]
    maps = [found for found in between if found.op.type in _CONVOLUTIONS]
    if not maps:
        return None
    after = between[between.index(maps[-1]) :]
    return [found for found in after if found.shape.as_list() == maps[-1].shape.as_list()][-1]


def refuse_no_maps(who: str, images: tf.Tensor, layer: tf.Tensor, tensor: tf.Tensor) -> None:
    """Refuses a layer that is not a feature map, is 1 x 1, or does not lead to `tensor`.

    Raises: UsageError that names `who`.
    """
    if layer.shape.rank != 4:
        raise errors.UsageError(
            f'{who} {layer.op.name} has shape {layer.shape}; it must be a feature map [B, h, w, K]'
        )
    if tuple(layer.shape[1:3]) == (1, 1):
        raise errors.UsageError(
            f'{who} {layer.op.name} is 1 x 1, which has no spatial resolution; name an earlier '
            f'layer, or use larger images'
        )
    if not any(found is layer for found in _between(images, [tensor])) or layer is tensor:
        raise errors.UsageError(
            f'{who} {layer.op.name} does not lie between the images and {tensor.op.name}'
        )


def before_rectifier(tensor: tf.Tensor) -> tf.Tensor:
    """Returns the input of the rectifier that made `tensor`, or `tensor` if none did.

    Both are largest for the same image, and an inactive rectified unit has no gradient.
    """
    found, shape = tensor, tensor.shape.as_list()
    while found.op.type in _COPIES and found.op.inputs[0].shape.as_list() == shape:
        found = found.op.inputs[0]
    return found.op.inputs[0] if found.op.type in _RECTIFIERS else tensor


def values(tensor: tf.Tensor, place: Sequence[int] = ()) -> tf.Tensor:
    """Returns the units `[B, K]` of a tensor.

    Args:
      tensor: `[B]`, `[B, K]` or a feature map `[B, h, w, K]`, whose channels are units: the mean
        over positions.
      place: `(row, column)` selects the units at this position instead of the mean.
    Raises: UsageError if the position lies outside, or K is not static.
    """
    if tensor.shape.rank == 1:
        tensor = tensor[:, tf.newaxis]
    if tensor.shape[-1] is None:
        raise errors.UsageError(f'{tensor.op.name} has shape {tensor.shape}; K must be static')
    sides = tensor.shape.as_list()[1:-1]
    if not place:
        return tf.reduce_mean(tensor, list(range(1, len(sides) + 1)))
    inside = len(place) == len(sides) and all(
        0 <= at < (side or 0) for at, side in zip(place, sides, strict=True)
    )
    if not inside:
        raise errors.UsageError(
            f'--place is {",".join(map(str, place))}; it must lie in {tensor.op.name}, which has '
            f'shape {tensor.shape}'
        )
    at = (slice(None), *place)
    return tensor[at]


def chosen(values: tf.Tensor, units: tf.Tensor) -> tf.Tensor:
    """Selects one unit per example: `values` `[B, K]`, `units` `[B]` -> `[B]`."""
    return tf.gather(values, units, axis=1, batch_dims=1)


def _between(images: tf.Tensor, outputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Float tensors `[B, ...]` computed from `images` that `outputs` depend on, in graph order."""
    needed = ancestors(tensor.op for tensor in outputs)
    made: dict[tf.Operation, bool] = {}
    for op in images.graph.get_operations():
        made[op] = op is images.op or any(made.get(tensor.op, False) for tensor in op.inputs)
    return [
        tensor
        for op in images.graph.get_operations()
        if op in needed and made[op] and op is not images.op
        for tensor in op.outputs
        if tensor.dtype.is_floating and _is_batch(tensor, images)
    ]


def _is_batch(tensor: tf.Tensor, images: tf.Tensor) -> bool:
    rank = tensor.shape.rank
    return bool(rank) and tensor.shape.as_list()[0] == images.shape.as_list()[0]
