"""How others name and lay out the parameters of a network, and how that becomes ours.

A kernel of ours is `[h, w, in, out]`, that of a dense layer `[in, out]`, its inputs flattened as
rows, columns, channels. PyTorch has `[out, in, h, w]` and `[out, in]`, and flattens channels first,
so the kernel of the dense layer on top of the convolutions is permuted.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tfae.core import names

# What an image in [0, 1], RGB, becomes before the first layer sees it:
#   torchvision   its mean is taken away and it is divided by its deviation, by channel
#   bgr           255 times it, less its mean, channels from blue to red: Caffe, Keras
#   rgb           the same, channels from red to blue
Preprocessing = Literal['torchvision', 'bgr', 'rgb']


class Parameters(NamedTuple):
    """The kernel and the bias of one layer, and what others call the layer."""

    name: str
    kernel: tuple[int, ...]  # its shape here
    grid: tuple[int, int, int] | None = None  # rows, columns, channels that a dense one flattens
    torchvision: str = ''
    keras: str = ''  # empty: as here


class Tensor(NamedTuple):
    """One parameter, here and in a file."""

    variable: str
    layer: Parameters
    name: str  # in the file
    shape: tuple[int, ...]  # in the file
    permuted: bool  # whether it is a kernel as PyTorch has it

    def ours(self, values: np.ndarray) -> np.ndarray:
        """What lies in the file, as the variable has it."""
        if not self.permuted:
            return values
        if self.layer.grid:
            rows, columns, channels = self.layer.grid
            values = values.reshape(-1, channels, rows, columns)
        if values.ndim == 2:
            return values.T
        return values.transpose(2, 3, 1, 0).reshape(self.layer.kernel)


class Layout(NamedTuple):
    """The parameters of a network as a kind of file has them."""

    preprocessing: Preprocessing | None  # that of the networks whose weights lie so, if one
    tensors: list[Tensor]


def layout(kind: str, held: Iterable[str], layers: Sequence[Parameters]) -> Layout:
    """The layout of a file of this kind (see `Source`) that holds tensors of these names."""
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
    """Kernels and biases whose names are a prefix, by layer, and one of `parts`."""
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
    """Name of a layer -> what Keras 3 calls it: its kind, and its number among those from 1 on."""
    named, seen = {}, dict.fromkeys(('conv2d', 'dense'), 0)
    for layer in layers:
        kind = 'conv2d' if len(layer.kernel) == 4 else 'dense'
        named[layer.name] = f'{kind}_{seen[kind]}' if seen[kind] else kind
        seen[kind] += 1
    return named
