"""Images that a unit answers most to. Erhan, Bengio, Courville and Vincent, 2009.

Gradient ascent on the image x from noise, by Adam, on the slope of the unit, scaled to 1 a pixel:

    x = sigmoid(M F^-1(z / f))     z moves; F^-1 the inverse Fourier transform, f the frequency,
                                   M the root of the covariance of the channels
    slope of the unit at x, shifted at random  -  weight * slope of the total variation of x

In z, neighboring pixels and channels are decorrelated, so that ascent does not end in fine noise
(Olah, Mordvintsev and Schubert, Feature visualization, Distill 2017). The shift is their jitter;
every few steps x is blurred a little (Yosinski et al., 2015), a product in z.

B images, H W C image, margin of pixels around it that the shift may reach.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.analysis._slope import Fetch, slope

_START = 0.01  # standard deviation of z at first
_BLUR_STEPS = 4  # from one blur to the next
_DECAYS = (0.9, 0.999)  # of Adam


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of the ascent."""

    steps: int = 256
    rate: float = 0.05  # of Adam
    jitter: int = 2  # pixels, the most that an image is shifted either way
    blur: float = 0.4  # pixels, standard deviation
    total_variation: float = 0.3  # weight, beside a slope of 1 a pixel
    seed: int = 0


class Ascent(NamedTuple):
    """Where it led."""

    images: np.ndarray  # [B, H, W, C] in [0, 1]
    start: np.ndarray  # [B], the score of the noise
    end: np.ndarray  # [B], the score of the images


class Fourier:
    """Images `[B, H, W, C]` as numbers `[B, H, W // 2 + 1, C, 2]` of equal weight."""

    def __init__(self, height: int, width: int, colors: np.ndarray):
        """`colors` `[C, C]` mixes independent channels; see `color_root`."""
        self.height, self.width, self.colors = height, width, colors
        across = np.fft.rfftfreq(width)
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], across[None])
        self.frequency = frequency[..., None]  # cycles a pixel
        scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width))
        self._scale = scale[..., None]
        # Of a real image half the waves are left out: those that are there stand for two.
        twice = (across > 0) & (across < 0.5)
        self._weight = np.where(twice, 2, 1)[:, None] / (height * width)

    def image(self, z: np.ndarray) -> np.ndarray:
        """Numbers -> images, of any range."""
        waves = self._scale * (z[..., 0] + 1j * z[..., 1])
        return np.fft.irfft2(waves, (self.height, self.width), (1, 2)) @ self.colors.T

    def slope(self, images: np.ndarray) -> np.ndarray:
        """Slope of anything by the images -> its slope by the numbers."""
        waves = np.fft.rfft2(images @ self.colors, axes=(1, 2)) * self._weight * self._scale
        return np.stack([waves.real, waves.imag], -1)

    def blurred(self, z: np.ndarray, deviation: float) -> np.ndarray:
        """Numbers of the images after a Gaussian blur of `deviation` pixels."""
        kept = np.exp(-2 * np.square(np.pi * deviation * self.frequency))
        return z * kept[..., None]


def color_root(images: np.ndarray) -> np.ndarray:
    """Root `[C, C]` of the covariance of the channels of `[N, H, W, C]`; its norm is at most 1.

    Channels that never change count as independent.
    """
    channels = images.shape[-1]
    covariance = np.cov(images.reshape(-1, channels).T.astype(np.float64)).reshape(channels, -1)
    if not np.trace(covariance) > 0:
        return np.eye(channels)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    return root / np.linalg.norm(root, axis=1).max()


def total_variation(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum `[B]` over pixels of |x_right - x| and |x_below - x|, and its slope `[B, H, W, C]`.

    Each absolute value is rounded off where it is below 0.01.
    """
    value, slope = np.zeros(len(x)), np.zeros(x.shape)
    for axis in (1, 2):
        step = np.diff(x, axis=axis)
        length = np.sqrt(np.square(step) + 1e-4)
        value += np.sum(length - 1e-2, (1, 2, 3))
        back, on = [(0, 0)] * 4, [(0, 0)] * 4
        back[axis], on[axis] = (0, 1), (1, 0)
        slope += np.pad(step / length, on) - np.pad(step / length, back)
    return value, slope


def ascend(
    fetch: Fetch,
    score: tf.Tensor,
    images: tf.Tensor,
    numbers: Sequence[int],
    settings: Settings,
    colors: np.ndarray | None = None,
) -> Ascent:
    """Images of which each makes its own score large.

    Args:
      fetch: tensors and what is fed -> arrays, as a session's `run`.
      score: `[B]`, made of `images`.
      images: `[B, H, W, C]`, what images are fed as.
      numbers: one an image; the start is a function of it and the seed.
      settings: of the ascent.
      colors: `[C, C]` as `color_root` gives it; None: independent channels.
    Raises: ValueError if the shift takes in half of a side or more, and as `_slope.slope` does.
    """
    at = slope('activation maximization', score, images)
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
    first = _squashed(basis.image(z))[middle]
    shifts = np.random.RandomState(settings.seed).randint(0, 2 * margin + 1, [settings.steps, 2])
    move = _Adam(z, settings.rate)
    for step, (down, right) in enumerate(shifts):
        x = _squashed(basis.image(z))
        seen = (slice(None), slice(down, down + height), slice(right, right + width))
        by_pixel = np.zeros(x.shape)
        by_pixel[seen] = _scaled(fetch(at, {images: x[seen]}))
        by_pixel -= settings.total_variation * total_variation(x)[1]
        z = z + move(basis.slope(by_pixel * x * (1 - x)))
        if settings.blur and step % _BLUR_STEPS == 0:
            z = basis.blurred(z, settings.blur)
    last = _squashed(basis.image(z))[middle]
    return Ascent(last, fetch(score, {images: first}), fetch(score, {images: last}))


class _Adam:
    """Steps of Kingma and Ba's rule, ICLR 2015."""

    def __init__(self, z: np.ndarray, rate: float):
        self._rate, self._count = rate, 0
        self._mean, self._square = np.zeros_like(z), np.zeros_like(z)

    def __call__(self, slope: np.ndarray) -> np.ndarray:
        first, second = _DECAYS
        self._count += 1
        self._mean += (1 - first) * (slope - self._mean)
        self._square += (1 - second) * (np.square(slope) - self._square)
        mean = self._mean / (1 - first**self._count)
        return self._rate * mean / (np.sqrt(self._square / (1 - second**self._count)) + 1e-8)


def _start(basis: Fourier, numbers: Sequence[int], seed: int, channels: int) -> np.ndarray:
    shape = [basis.height, basis.width // 2 + 1, channels, 2]
    draws = [np.random.RandomState([seed, number]).normal(size=shape) for number in numbers]
    return _START * np.stack(draws)


def _squashed(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _scaled(slope: np.ndarray) -> np.ndarray:
    """Each image's slope with a mean square of 1 a pixel; none stays none."""
    size = np.sqrt(np.mean(np.square(slope, dtype=np.float64), (1, 2, 3), keepdims=True))
    return slope / np.maximum(size, 1e-30)
