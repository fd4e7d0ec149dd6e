"""Names and axes of parameters in each layout, and their conversion.

In tfae a kernel is `[h, w, in, out]`, that of a dense layer `[in, out]`, with inputs flattened as
rows, columns, channels. In PyTorch they are `[out, in, h, w]` and `[out, in]`, with channels first,
so that the kernel of the first dense layer is permuted.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tfae.core import names

# Normalization of an RGB image in [0, 1] before the first layer:
#   torchvision   minus the mean, divided by the standard deviation, by channel
#   bgr           255 times the image minus the mean, channels in order BGR: Caffe, Keras
#   rgb           the same, channels in order RGB
Preprocessing = Literal['torchvision', 'bgr', 'rgb']


class Parameters(NamedTuple):
    """Kernel and bias of one layer, and the names of the layer elsewhere."""

    name: str
    kernel: tuple[int, ...]  # shape in tfae
    grid: tuple[int, int, int] | None = None  # rows, columns, channels before flattening
    torchvision: str = ''
    keras: str = ''  # empty: same as `name`


class Tensor(NamedTuple):
    """One parameter, as a variable and in a file."""

    variable: str
    layer: Parameters
    name: str  # in the file
    shape: tuple[int, ...]  # in the file
    permuted: bool  # whether it is a kernel with the axes of PyTorch

    def ours(self, values: np.ndarray) -> np.ndarray:
        """Converts the values in the file to those of the variable."""
        if not self.permuted:
            return values
        if self.layer.grid:
            rows, columns, channels = self.layer.grid
            values = values.reshape(-1, channels, rows, columns)
        if values.ndim == 2:
            return values.T
        return values.transpose(2, 3, 1, 0).reshape(self.layer.kernel)


class Layout(NamedTuple):
    """The parameters of a network in one layout."""

    preprocessing: Preprocessing | None  # of networks published in this layout; None if it varies
    tensors: list[Tensor]


def layout(kind: str, held: Iterable[str], layers: Sequence[Parameters]) -> Layout:
    """Returns the layout of a file.

    Args:
      kind: of the file, as in `Source`.
      held: names of the tensors in the file.
      layers: of the network.
    """
    if kind == 'torchvision':
        named = {p.name: f'{p.torchvision or p.name}.' for p in layers}
        return _layout('torchvision', layers, named, ('weight', 'bias'), permuted=True)
    if kind == 'keras':
        by_kind = {name.partition('/')[0] for name in held} & {'conv2d', 'dense'}
        named = _counted(layers) if by_kind else {p.name: p.keras or p.name for p in layers}
        return _layout('bgr', layers, {k: f'{v}/' for k, v in named.items()})
    if any(name.endswith('_W') for name in held):
        return _layout('rgb', layers, {p.name: f'{p.name}_' for p in layers}, ('W', 'b'))
    preprocessing: Preprocessing | None = 'bgr' if kind == 'lists' else None
    return _layout(preprocessing, layers, {p.name: f'{p.name}/' for p in layers})


def _layout(
    preprocessing: Preprocessing | None,
    layers: Sequence[Parameters],
    prefixes: Mapping[str, str],
    parts: tuple[str, str] = (names.KERNEL, names.BIAS),
    permuted: bool = False,
) -> Layout:
    """Returns the layout whose names are the prefix of a layer and one of `parts`."""
    tensors = []
    for layer in layers:
        kernel, bias = (prefixes[layer.name] + part for part in parts)
        shape = layer.kernel
        if permuted:
            shape = tuple(shape[i] for i in ((3, 2, 0, 1) if len(shape) == 4 else (1, 0)))
        own = f'{layer.name}/'
        tensors += [
            Tensor(own + names.KERNEL, layer, kernel, shape, permuted),
            Tensor(own + names.BIAS, layer, bias, layer.kernel[-1:], False),
        ]
    return Layout(preprocessing, tensors)


def _counted(layers: Sequence[Parameters]) -> dict[str, str]:
    """Returns layer -> its name in Keras 3: its type, numbered from the second one on."""
    named, seen = {}, dict.fromkeys(('conv2d', 'dense'), 0)
    for layer in layers:
        kind = 'conv2d' if len(layer.kernel) == 4 else 'dense'
        named[layer.name] = f'{kind}_{seen[kind]}' if seen[kind] else kind
        seen[kind] += 1
    return named
