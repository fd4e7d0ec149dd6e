"""Classify image files with a published network and its weights, or with a run's classifier.

    tfae classify --model=vgg16 --weights=vgg16.pth [--class_names=names.txt] image.jpg ...
    tfae classify --logdir=runs/classifier image.png ...

Weights are torchvision's .pth, Keras's .h5, or arrays (.npz, .npy); no code in them is executed.
For a published network, the shorter side of an image is scaled to 256 pixels and the center is
cropped. For a run, images are preprocessed as its training images: same --crop, size and channels.
Prints the most probable classes of each image.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfae.commands.shared import chosen_images, command_flags
from tfae.core import names
from tfae.core.config import option


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Network, command_flags.Look):
    """The classifier, and how many classes to print."""

    top: int = option(
        5, 'Most probable classes to print for each image, at most all.', within='[1, inf) classes'
    )


def main(argv: list[str]) -> int:
    """Runs `tfae classify`; returns the exit code 0.

    Raises: UsageError or InputError for a wrong flag, file, network or image; all images are
      read before the first is classified.
    """
    flags, images = command_flags.read_words('classify', __doc__, Config, argv, 'IMAGE ...')
    flags.choose('classify')
    by = _by_run if flags.logdir else _by_network
    probabilities, known = by(flags, images)
    for image, row in zip(images, probabilities, strict=True):
        print(f'{image}:')
        for k in np.argsort(-row, kind='stable')[: flags.top]:
            print(f'  {row[k]:.4f}  {k:4}{f"  {known[k]}" if known else ""}')
    return 0


def _by_run(flags: Config, paths: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
    """Returns probabilities `[N, K]`, and the names of the K classes or nothing."""
    with flags.open(names.PROBABILITIES) as run:
        probabilities = run.built.inference.outputs.probabilities
        images = chosen_images.read(run, paths)
        return run.fetch(probabilities, images), run.experiment.signature.class_names


def _by_network(flags: Config, paths: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
    """As `_by_run`."""
    known = flags.known_classes()
    with flags.open_network() as network:
        return network.classify(chosen_images.cut(network, paths)), known
