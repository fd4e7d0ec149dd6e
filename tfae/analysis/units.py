"""What images become on their way through a graph, and single units of it.

Any graph serves whose images come in through one tensor.

B batch, H W image, h w feature map, K units.
"""

from collections.abc import Iterable, Mapping, Sequence

import tensorflow.compat.v1 as tf

from tfae.core import errors

_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative', 'Conv2DBackpropInput')
_COPIES = ('Identity', 'Reshape')
_RECTIFIERS = ('Relu', 'Relu6')


class Ways:
    """The float tensors `[B, ...]` on the ways from images to what is made of them."""

    def __init__(self, images: tf.Tensor, outputs: Iterable[tf.Tensor]):
        """Looks through the graph as it is now; `images` is `[B, H, W, C]`."""
        self.images = images
        self.scope = images.op.name.rpartition('/')[0]
        self.tensors = _between(images, list(outputs))

    @property
    def names(self) -> dict[str, tf.Tensor]:
        """Name -> tensor, in the order of the graph; names lack the scope of the images."""
        return {self.name(tensor): tensor for tensor in self.tensors}

    def name(self, tensor: tf.Tensor) -> str:
        """The name of a tensor without the scope of the images and without `:0`."""
        return self._short(tensor.name)

    def find(self, who: str, name: str) -> tf.Tensor:
        """The tensor of that name, or the last one below the scope of that name.

        Raises: UsageError that names `who` and what is like that name.
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
            f'{who} is {name!r}; it must be a tensor that the images become'
            f'{near or "; --list prints them"}'
        )

    def _short(self, name: str) -> str:
        return name.removesuffix(':0').removeprefix(f'{self.scope}/' if self.scope else '')


def last_maps(images: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor | None:
    """What the last convolution before `tensor` becomes while it keeps its shape `[B, h, w, K]`.

    Its bias, normalization and activation are in it, pooling is not; None without a convolution.
    """
    between = [found for found in _between(images, [tensor]) if found is not tensor]
    maps = [found for found in between if found.op.type in _CONVOLUTIONS]
    if not maps:
        return None
    after = between[between.index(maps[-1]) :]
    return [found for found in after if found.shape.as_list() == maps[-1].shape.as_list()][-1]


def refuse_no_maps(who: str, images: tf.Tensor, layer: tf.Tensor, tensor: tf.Tensor) -> None:
    """Refuses a layer that is no feature map, has one place only, or that `tensor` is not made of.

    Raises: UsageError that names `who`.
    """
    if layer.shape.rank != 4:
        raise errors.UsageError(
            f'{who} {layer.op.name} has shape {layer.shape}; it must be a feature map [B, h, w, K]'
        )
    if tuple(layer.shape[1:3]) == (1, 1):
        raise errors.UsageError(
            f'{who} {layer.op.name} is 1 x 1: it tells no places of an image apart; the image '
            f'is too small for it, or an earlier layer must be named'
        )
    if not any(found is layer for found in _between(images, [tensor])) or layer is tensor:
        raise errors.UsageError(
            f'{who} {layer.op.name} does not lie on the way from the images to {tensor.op.name}'
        )


def before_rectifier(tensor: tf.Tensor) -> tf.Tensor:
    """What `tensor` is the rectified value of, where it is one; else itself.

    Both are largest for the same image, and where a rectified unit is off it has no slope.
    """
    found, shape = tensor, tensor.shape.as_list()
    while found.op.type in _COPIES and found.op.inputs[0].shape.as_list() == shape:
        found = found.op.inputs[0]
    return found.op.inputs[0] if found.op.type in _RECTIFIERS else tensor


def values(tensor: tf.Tensor, place: Sequence[int] = ()) -> tf.Tensor:
    """Units `[B, K]` of a tensor `[B]`, `[B, K]` or `[B, h, w, K]`.

    Args:
      tensor: of a feature map, the mean over its places is taken: a channel is one unit.
      place: `(row, column)` takes the units at this place instead.
    Raises: UsageError if there is no such place, or K is not known.
    """
    if tensor.shape.rank == 1:
        tensor = tensor[:, tf.newaxis]
    if tensor.shape[-1] is None:
        raise errors.UsageError(f'{tensor.op.name} has shape {tensor.shape}; K must be known')
    sides = tensor.shape.as_list()[1:-1]
    if not place:
        return tf.reduce_mean(tensor, list(range(1, len(sides) + 1)))
    inside = len(place) == len(sides) and all(
        0 <= at < (side or 0) for at, side in zip(place, sides, strict=True)
    )
    if not inside:
        raise errors.UsageError(
            f'place is {",".join(map(str, place))}; it must lie in {tensor.op.name}, which has '
            f'shape {tensor.shape}'
        )
    at = (slice(None), *place)
    return tensor[at]


def chosen(values: tf.Tensor, units: tf.Tensor) -> tf.Tensor:
    """One unit for each example: `values` `[B, K]`, `units` `[B]` -> `[B]`."""
    return tf.gather(values, units, axis=1, batch_dims=1)


def _between(images: tf.Tensor, outputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Float tensors `[B, ...]` made of `images` that `outputs` are made of, in graph order."""
    needed = _ancestors(outputs)
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


def _ancestors(outputs: Sequence[tf.Tensor]) -> Mapping[tf.Operation, None]:
    found: dict[tf.Operation, None] = {}
    waiting = [tensor.op for tensor in outputs]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found[op] = None
            waiting += [tensor.op for tensor in op.inputs]
    return found


def _is_batch(tensor: tf.Tensor, images: tf.Tensor) -> bool:
    rank = tensor.shape.rank
    return bool(rank) and tensor.shape.as_list()[0] == images.shape.as_list()[0]
