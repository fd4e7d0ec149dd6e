"""Images that maximize the activation of a unit. Erhan, Bengio, Courville and Vincent, 2009.

Adam ascends from noise in the Fourier coefficients z of the image x:

    x = sigmoid(M F^-1(z / f))     F^-1 the inverse Fourier transform, f the frequency,
                                   M the square root of the covariance of the channels
    step = gradient of the unit at a randomly shifted x  -  weight * gradient of total variation

The gradient of the unit is scaled to a mean square of 1 per pixel. In z, neighboring pixels and
channels are decorrelated, so ascent does not end in high-frequency noise (Olah, Mordvintsev and
Schubert, Feature visualization, Distill 2017). The random shift is their jitter. Every few steps x
is blurred a little (Yosinski et al., 2015), which is a product in z.

B images, H W C image, which is optimized with a margin as wide as the largest shift.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.analysis._gradient import Fetch, gradient

_INITIAL_DEVIATION = 0.01  # of z
_BLUR_STEPS = 4  # between two blurs
_DECAYS = (0.9, 0.999)  # of Adam's two moments


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of gradient ascent."""

    steps: int = 256
    rate: float = 0.05  # Adam's learning rate
    jitter: int = 2  # largest shift in each direction, in pixels
    blur: float = 0.4  # standard deviation in pixels; 0 for none
    total_variation: float = 0.3  # penalty weight, for a unit gradient of 1 per pixel
    seed: int = 0


class Ascent(NamedTuple):
    """Optimized images and the scores before and after."""

    images: np.ndarray  # [B, H, W, C] in [0, 1]
    start: np.ndarray  # [B], score of the initial noise
    end: np.ndarray  # [B], score of the images


class Fourier:
    """Images `[B, H, W, C]` as whitened coefficients `[B, H, W // 2 + 1, C, 2]`."""

    def __init__(self, height: int, width: int, colors: np.ndarray):
        """`colors` `[C, C]` mixes independent channels; see `color_root`."""
        self.height, self.width, self.colors = height, width, colors
        across = np.fft.rfftfreq(width)
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], across[None])
        self.frequency = frequency[..., None]  # cycles a pixel
        scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width))
        self._scale = scale[..., None]
        # The transform of a real image keeps half of its waves: most stand for two.
        twice = (across > 0) & (across < 0.5)
        self._weight = np.where(twice, 2, 1)[:, None] / (height * width)

    def image(self, z: np.ndarray) -> np.ndarray:
        """Coefficients -> images with unbounded pixels."""
        waves = self._scale * (z[..., 0] + 1j * z[..., 1])
        return np.fft.irfft2(waves, (self.height, self.width), (1, 2)) @ self.colors.T

    def gradient(self, images: np.ndarray) -> np.ndarray:
        """Converts a gradient by images to the gradient by coefficients."""
        waves = np.fft.rfft2(images @ self.colors, axes=(1, 2)) * self._weight * self._scale
        return np.stack([waves.real, waves.imag], -1)

    def blurred(self, z: np.ndarray, deviation: float) -> np.ndarray:
        """Coefficients of the images after a Gaussian blur of `deviation` pixels."""
        kept = np.exp(-2 * np.square(np.pi * deviation * self.frequency))
        return z * kept[..., None]


def color_root(images: np.ndarray) -> np.ndarray:
    """Returns the square root `[C, C]` of the channel covariance; its rows have norm <= 1.

    The identity where no channel varies.
    """
    channels = images.shape[-1]
    covariance = np.cov(images.reshape(-1, channels).T.astype(np.float64)).reshape(channels, -1)
    if not np.trace(covariance) > 0:
        return np.eye(channels)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    return root / np.linalg.norm(root, axis=1).max()


def total_variation(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sum `[B]` of |x_right - x| and |x_below - x|, and its gradient `[B, H, W, C]`.

    Absolute values below 0.01 are smoothed to be differentiable.
    """
    value, gradient = np.zeros(len(x)), np.zeros(x.shape)
    for axis in (1, 2):
        step = np.diff(x, axis=axis)
        length = np.sqrt(np.square(step) + 1e-4)
        value += np.sum(length - 1e-2, (1, 2, 3))
        back, on = [(0, 0)] * 4, [(0, 0)] * 4
        back[axis], on[axis] = (0, 1), (1, 0)
        gradient += np.pad(step / length, on) - np.pad(step / length, back)
    return value, gradient


def ascend(
    fetch: Fetch,
    score: tf.Tensor,
    images: tf.Tensor,
    numbers: Sequence[int],
    settings: Settings,
    colors: np.ndarray | None = None,
) -> Ascent:
    """Optimizes images so that each maximizes its own score.

    Args:
      fetch: evaluates tensors with a feed dictionary, as a session's `run`.
      score: `[B]`, a function of `images`.
      images: `[B, H, W, C]`, the tensor through which images are fed.
      numbers: one per image; the initial noise is a function of it and the seed.
      settings: of the ascent.
      colors: `[C, C]` as `color_root` returns it; None for independent channels.
    Returns: the images, with their scores before and after.
    Raises: ValueError if the shift is half of a side or more, and as `_gradient.gradient` does.
    """
    # Build the gradient and the coefficients of the noise.
    of_score = gradient('activation maximization', score, images)
    height, width, channels = images.shape.as_list()[1:]
    margin = settings.jitter
    if 2 * margin >= min(height, width):
        raise ValueError(
            f'activation maximization: jitter is {margin}; it must be below half of the shorter '
            f'side of {height} x {width} images'
        )
    colors = np.eye(channels) if colors is None else colors
    basis = Fourier(height + 2 * margin, width + 2 * margin, colors)
    z = _start(basis, numbers, settings.seed, channels)
    middle = (slice(None), slice(margin, margin + height), slice(margin, margin + width))
    first = _sigmoid(basis.image(z))[middle]
    shifts = np.random.RandomState(settings.seed).randint(0, 2 * margin + 1, [settings.steps, 2])
    adam = _Adam(z, settings.rate)
    # Ascend.
    for step, (down, right) in enumerate(shifts):
        x = _sigmoid(basis.image(z))
        seen = (slice(None), slice(down, down + height), slice(right, right + width))
        by_pixel = np.zeros(x.shape)
        by_pixel[seen] = _scaled(fetch(of_score, {images: x[seen]}))
        by_pixel -= settings.total_variation * total_variation(x)[1]
        z = z + adam(basis.gradient(by_pixel * x * (1 - x)))
        if settings.blur and step % _BLUR_STEPS == 0:
            z = basis.blurred(z, settings.blur)
    last = _sigmoid(basis.image(z))[middle]
    return Ascent(last, fetch(score, {images: first}), fetch(score, {images: last}))


class _Adam:
    """Steps of Adam, Kingma and Ba, ICLR 2015."""

    def __init__(self, z: np.ndarray, rate: float):
        self._rate, self._count = rate, 0
        self._mean, self._square = np.zeros_like(z), np.zeros_like(z)

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        first, second = _DECAYS
        self._count += 1
        self._mean += (1 - first) * (gradient - self._mean)
        self._square += (1 - second) * (np.square(gradient) - self._square)
        mean = self._mean / (1 - first**self._count)
        return self._rate * mean / (np.sqrt(self._square / (1 - second**self._count)) + 1e-8)


def _start(basis: Fourier, numbers: Sequence[int], seed: int, channels: int) -> np.ndarray:
    shape = [basis.height, basis.width // 2 + 1, channels, 2]
    noise = [np.random.RandomState([seed, number]).normal(size=shape) for number in numbers]
    return _INITIAL_DEVIATION * np.stack(noise)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _scaled(gradient: np.ndarray) -> np.ndarray:
    """Scales the gradient of each image to a mean square of 1 per pixel; zero stays zero."""
    size = np.sqrt(np.mean(np.square(gradient, dtype=np.float64), (1, 2, 3), keepdims=True))
    return gradient / np.maximum(size, 1e-30)
