"""Say what picture files show: by a published network with its weights, or by a run's classifier.

    tfae classify --model=vgg16 --weights=vgg16.pth [--class_names=names.txt] picture.jpg ...
    tfae classify --logdir=runs/classifier picture.png ...

Weights are torchvision's .pth, Keras's .h5, or arrays (.npz, .npy); nothing in them is executed.
Of a picture for a published network, the shorter side is scaled to 256 pixels and the middle is
cut out; for a run it is scaled to the run's size. Prints, for each picture, the likeliest classes.
"""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfae import checks, imagenet, models, names, running
from tfae.commands import _flags, _pictures
from tfae.config import Part, option

_TOP = 5


@dataclasses.dataclass(frozen=True)
class Config(Part, _flags.Look):
    """Which classifier."""

    logdir: str = option('', 'Folder of a run that classifies; or --model and --weights.')
    model: str = option('', f'Published network: {", ".join(models.references())}.')
    weights: str = option('', 'File with its weights.')
    preprocessing: Literal['auto', 'torchvision', 'bgr', 'rgb'] = option(
        'auto',
        'What the network was trained to see: torchvision is less the mean, by the deviation; bgr '
        'and rgb are 0 to 255 less the mean, in this order of channels; auto is what goes with '
        'the layout of the weights.',
    )
    classes: int = option(1000, 'Classes of the network.')
    width: float = option(1.0, 'Factor of the filters and units of every layer but the last.')
    class_names: str = option(
        '', 'File of one name a line, or imagenet_class_index.json; empty: numbers.'
    )
    top: int = option(_TOP, 'Classes to print; no more than there are.')

    def __post_init__(self):
        super().__post_init__()
        checks.in_range('--classes', self.classes, 2, 2**20)
        checks.in_range('--top', self.top, 1, math.inf)
        if not 0 < self.width <= 8:
            raise checks.UsageError(f'--width is {self.width}; it must lie in (0, 8]')

    def check(self) -> None:
        """Raises UsageError for flags that do not go together; the defaults alone do not."""
        if bool(self.logdir) == bool(self.model):
            raise checks.UsageError('tfae classify needs either --logdir or --model with --weights')
        if self.logdir:
            of_networks = ('weights', 'preprocessing', 'classes', 'width', 'class_names')
            self.refuse_unread('--model', *of_networks)
        elif not self.weights:
            raise checks.UsageError(f'--model={self.model} needs --weights=FILE')
        else:
            self.refuse_unread('--logdir', 'checkpoint')


def main(argv: list[str]) -> int:
    """Runs `tfae classify`; returns the exit code 0.

    Raises: UsageError or InputError for a wrong flag, file, network or picture; all pictures are
      read before any is classified.
    """
    flags, pictures = _flags.read_words('classify', __doc__, Config, argv, 'PICTURE ...')
    flags.check()
    by = _by_run if flags.logdir else _by_network
    probabilities, known = by(flags, [pathlib.Path(picture) for picture in pictures])
    for picture, row in zip(pictures, probabilities, strict=True):
        print(f'{picture}:')
        for k in np.argsort(-row, kind='stable')[: flags.top]:
            print(f'  {row[k]:.4f}  {k:4}{f"  {known[k]}" if known else ""}')
    return 0


def _by_run(flags: Config, paths: Sequence[pathlib.Path]) -> tuple[np.ndarray, Sequence[str]]:
    """Probabilities `[N, K]` and the names of the K classes, if they have any."""
    with flags.open() as run:
        signature = run.experiment.signature
        outputs = run.built.inference.outputs
        if not hasattr(outputs, names.PROBABILITIES):
            raise checks.InputError(
                f'{flags.logdir} is a run of the family {run.experiment.model}, which does not '
                f'classify'
            )
        images = [_pictures.read(path, signature.image_shape) for path in paths]
        return run.fetch(outputs.probabilities, np.stack(images)), signature.class_names


def _by_network(flags: Config, paths: Sequence[pathlib.Path]) -> tuple[np.ndarray, Sequence[str]]:
    """As `_by_run`."""
    known: Sequence[str] = ()
    if flags.class_names:
        known = imagenet.class_names(flags.class_names, flags.classes)
    preprocessing = None if flags.preprocessing == 'auto' else flags.preprocessing
    with running.open_reference(
        flags.model,
        flags.weights,
        preprocessing=preprocessing,
        classes=flags.classes,
        width=flags.width,
    ) as network:
        height, width, _ = network.image_shape
        # One picture at a time: the files may be a hundred times what is cut out of them.
        images = [imagenet.cut(_pictures.opened(path, 'RGB'), height, width) for path in paths]
        return network.classify(np.stack(images)), known
