"""Forward passes of trained networks in numpy, float64, from variables and settings.

Nothing of tfae is imported here. Letters of shapes: B batch, H W image, C channels, F filters.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import special

EPSILON = 1e-3  # of batch normalization
_SELU, _ALPHA = 1.0507009873554805, 1.6732632423543772

ACTIVATIONS = {
    'linear': lambda x: x,
    'relu': lambda x: np.maximum(x, 0),
    'leaky_relu': lambda x: np.where(x > 0, x, 0.2 * x),
    'elu': lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    'selu': lambda x: _SELU * np.where(x > 0, x, _ALPHA * np.expm1(np.minimum(x, 0))),
    'sigmoid': special.expit,
    'tanh': np.tanh,
    'softplus': lambda x: np.logaddexp(0, x),
}


class Layer(NamedTuple):
    """Settings of a layer that its variables do not determine."""

    activation: str = 'relu'
    normalized: bool = False
    strides: int = 1
    padding: str = 'same'
    pooling: str = 'none'
    pool_size: int = 2

    @property
    def factor(self):
        return self.strides * (1 if self.pooling == 'none' else self.pool_size)


class Network(NamedTuple):
    """An encoder and its mirrored decoder."""

    layers: tuple  # of Layer, the image's first
    method: str = 'subpixel'  # of upsampling
    tied: bool = False
    encoder: str = 'encoder'  # scope of the variables
    decoder: str = 'decoder'

    def hidden(self, v, x, training=False):
        """`[B, H, W, C]` -> h_0 ... h_L; in training normalized by the moments of the batch."""
        found = [np.asarray(x, np.float64)]
        for i, layer in enumerate(self.layers, 1):
            found.append(_forward(v, f'{self.encoder}/layer_{i}', layer, found[-1], training))
        return found

    def encode(self, v, x, training=False):
        """`[B, H, W, C]` -> codes `[B, Z]`."""
        return flat(self.hidden(v, x, training)[-1])

    def decode(self, v, z, image_shape, training=False):
        """Codes `[B, Z]` -> the last step of the decoder `[B, H, W, C]`, without its activation."""
        shapes = [h.shape[1:] for h in self.hidden(v, np.zeros([1, *image_shape]))]
        x = np.asarray(z, np.float64)
        for i in range(len(self.layers), 0, -1):
            x = self.undo(v, i, x, shapes[i - 1 : i + 1], training)
        return x

    def undo(self, v, i, x, shapes, training=False):
        """g_i -> g_{i-1}; `shapes` are those of h_{i-1} and h_i."""
        layer, below = self.layers[i - 1], self.layers[i - 2] if i > 1 else Layer('linear')
        name = f'{self.decoder}/layer_{i}'
        kernel = v[f'{self.encoder}/layer_{i}/kernel' if self.tied else f'{name}/kernel']
        x = x.reshape(len(x), *shapes[1])
        if kernel.ndim == 2:
            x = flat(x) @ (kernel.T if self.tied else kernel) + v.get(f'{name}/bias', 0)
        else:
            bias = v.get(f'{name}/bias', 0)
            x = upsampled(x, kernel, bias, shapes[0][:2], layer.factor, self.method)
        if below.normalized:
            x = normalize(v, f'{name}/normalization', x, training)
        return ACTIVATIONS[below.activation](x).reshape(len(x), *shapes[0])


def flat(x):
    return x.reshape(len(x), -1)


def affine(v, name, x):
    """A dense layer `[B, ...]` -> `[B, units]` without activation."""
    return flat(x) @ v[f'{name}/kernel'] + v.get(f'{name}/bias', 0)


def normalize(v, name, x, training):
    """Batch normalization over all axes but the last."""
    mean, variance = v[f'{name}/moving_mean'], v[f'{name}/moving_variance']
    if training:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes)
    return v[f'{name}/gamma'] * (x - mean) / np.sqrt(variance + EPSILON) + v[f'{name}/beta']


def convolution(x, kernel, strides=1, padding='same'):
    """`[B, H, W, C]`, kernel `[k, l, C, F]` -> `[B, H', W', F]`."""
    if padding == 'same':
        x = np.pad(x, [(0, 0), *(_same(n, k, strides) for n, k in _pairs(x, kernel)), (0, 0)])
    windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::strides, ::strides]
    return np.einsum('bhwckl,klcf->bhwf', windows, kernel, optimize=True)


def transposed_convolution(x, kernel, strides, sides):
    """The adjoint of a convolution: kernel `[k, l, F, C]`, `[B, h, w, C]` -> `[B, *sides, F]`.

    Of `same` padding where the sides are `strides` times as long, else of `valid`, cropped.
    """
    small, size = x.shape[1:3], kernel.shape[:2]
    same = all(n * strides == wanted for n, wanted in zip(small, sides, strict=True))
    whole = [(n - 1) * strides + k for n, k in zip(small, size, strict=True)]
    made = np.zeros([len(x), *whole, kernel.shape[2]])
    for i, j in np.ndindex(*small):
        part = np.einsum('bc,klfc->bklf', x[:, i, j], kernel)
        made[:, i * strides :, j * strides :][:, : size[0], : size[1]] += part
    for axis in (0, 1):
        length = small[axis] * strides + (0 if same else max(size[axis] - strides, 0))
        before = _same(length, size[axis], strides)[0] if same else 0
        made = np.pad(made, _at(axis + 1, (0, max(length - whole[axis], 0))))
        made = np.take(made, np.arange(before, before + length), axis + 1)
    return fitted(made, sides)


def upsampled(x, kernel, bias, sides, factor, method):
    """A layer of a decoder `[B, h, w, C]` -> `[B, *sides, F]`."""
    if method == 'deconvolution':
        return transposed_convolution(x, kernel, factor, sides) + bias
    if method == 'subpixel' and factor > 1:
        wanted = [-(-side // factor) for side in sides]
        y = _convolved_to(x, kernel, wanted) + bias
        b, h, w, c = y.shape
        y = y.reshape(b, h, w, factor, factor, c // factor**2).transpose(0, 1, 3, 2, 4, 5)
        return fitted(y.reshape(b, h * factor, w * factor, -1), sides)
    if factor > 1:
        rows, columns = (_interpolation(n, factor, method) for n in x.shape[1:3])
        x = np.einsum('Hh,bhwc,Ww->bHWc', rows, x, columns, optimize=True)
    return fitted(_convolved_to(x, kernel, sides) + bias, sides)


def fitted(x, sides):
    """Crops about the center, or mirrors the edges."""
    for axis, wanted in enumerate(sides, 1):
        gap = x.shape[axis] - wanted
        if gap > 0:
            x = np.take(x, np.arange(gap // 2, gap // 2 + wanted), axis)
        elif gap < 0:
            x = np.pad(x, _at(axis, (-gap // 2, -gap - -gap // 2)), 'symmetric')
    return x


def pooled(x, kind, size):
    """Pools windows without overlap; drops an incomplete window at the end."""
    windows = sliding_window_view(x, (size, size), axis=(1, 2))[:, ::size, ::size]
    return windows.max((4, 5)) if kind == 'max' else windows.mean((4, 5))


def _forward(v, name, layer, x, training):
    kernel = v[f'{name}/kernel']
    if kernel.ndim == 2:
        x = affine(v, name, x)
    else:
        x = convolution(x, kernel, layer.strides, layer.padding) + v.get(f'{name}/bias', 0)
    if layer.normalized:
        x = normalize(v, f'{name}/normalization', x, training)
    x = ACTIVATIONS[layer.activation](x)
    return x if layer.pooling == 'none' else pooled(x, layer.pooling, layer.pool_size)


def _convolved_to(x, kernel, sides):
    """Pads so that a `valid` convolution has these output sides; `same` if they are equal."""
    if x.shape[1:3] == tuple(sides):
        return convolution(x, kernel)
    for axis, (wanted, size) in enumerate(zip(sides, kernel.shape[:2], strict=True), 1):
        margin = max(wanted - x.shape[axis] + size - 1, 0)
        x = np.pad(x, _at(axis, (margin // 2, margin - margin // 2)))
    return convolution(x, kernel, padding='valid')


def _interpolation(count, factor, method):
    """Returns weights `[count * factor, count]` for half-pixel centers."""
    places = (np.arange(count * factor) + 0.5) / factor - 0.5
    if method == 'nearest':
        return np.repeat(np.eye(count), factor, 0)
    d = np.abs(places[:, None] - np.arange(count))
    if method == 'bilinear':
        weights = np.maximum(1 - d, 0)
    else:
        near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        weights = np.where(d < 1, near, np.where(d < 2, far, 0))
    return weights / weights.sum(1, keepdims=True)


def _pairs(x, kernel):
    return zip(x.shape[1:3], kernel.shape[:2], strict=True)


def _same(length, size, strides):
    """Returns the zeros before and after an axis under `same` padding."""
    total = max((-(-length // strides) - 1) * strides + size - length, 0)
    return total // 2, total - total // 2


def _at(axis, margin):
    """Returns the padding of one axis for an array of rank 4."""
    return [margin if i == axis else (0, 0) for i in range(4)]
