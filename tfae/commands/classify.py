"""Classify image files with a published network and its weights, or with a run's classifier.

    tfae classify --model=vgg16 --weights=vgg16.pth [--class_names=names.txt] image.jpg ...
    tfae classify --logdir=runs/classifier image.png ...

Weights are torchvision's .pth, Keras's .h5, or arrays (.npz, .npy); no code in them is executed.
For a published network, the shorter side of an image is scaled to 256 pixels and the center is
cropped. For a run, images are preprocessed like its training images: same --crop, size and
channels. Prints the most probable classes of each image.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfae.commands.shared import chosen_images, command_flags, families
from tfae.core import names
from tfae.core.config import option

# Probabilities [N, K], logits [N, K] with --scores, and the names of the K classes or nothing.
_Classified = tuple[np.ndarray, np.ndarray | None, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Network, command_flags.Look):
    """The classifier, and how many classes to print."""

    top: int = option(
        5, 'Number of most probable classes to print for each image.', within='[1, inf) classes'
    )
    scores: bool = option(False, 'Also print the logit of each class, after its probability.')


def main(argv: list[str]) -> int:
    """Runs `tfae classify`; returns the exit code 0.

    Raises: UsageError or InputError for a wrong flag, file, network or image; all images are
      read before the first is classified.
    """
    flags, images = command_flags.read_words('classify', __doc__, Config, argv, 'IMAGE ...')
    flags.choose('classify')
    by = _by_run if flags.logdir else _by_network
    probabilities, logits, known = by(flags, images)
    for place, image in enumerate(images):
        print(f'{image}:')
        row = probabilities[place]
        for k in np.argsort(-row, kind='stable')[: flags.top]:
            score = f'  {logits[place][k]:9.4f}' if logits is not None else ''
            print(f'  {row[k]:.4f}{score}  {k:4}{f"  {known[k]}" if known else ""}')
    return 0


def _by_run(flags: Config, paths: Sequence[str]) -> _Classified:
    with flags.open(names.PROBABILITIES) as run:
        outputs = run.built.inference.outputs
        if flags.scores:
            families.require(run, names.CLASS_LOGITS)
        images = chosen_images.read(run, paths)
        logits = run.fetch(outputs.class_logits, images) if flags.scores else None
        return (
            run.fetch(outputs.probabilities, images),
            logits,
            run.experiment.signature.class_names,
        )


def _by_network(flags: Config, paths: Sequence[str]) -> _Classified:
    known = flags.known_classes()
    with flags.open_network() as network:
        images = chosen_images.cut(network, paths)
        logits = network.logits(images) if flags.scores else None
        return network.classify(images), logits, known
