"""Draw what a unit of the network answers to: where it looks, or the picture that it wants.

Of pictures, gradcam (Selvaraju et al. 2017), saliency (Simonyan et al. 2014) and
integrated_gradients (Sundararajan et al. 2017) draw a heat map for one unit; without pictures,
activation_maximisation (Erhan et al. 2009; Olah et al. 2017) makes them by ascent from noise. Any
tensor that the pictures become may be named, and --list prints them.

    tfae explain --logdir=runs/classifier --method=gradcam
    tfae explain --model=vgg16 --weights=vgg16.pth --images=a.jpg --tensor=conv5_3 --unit=7

Pictures for a published network are cut as `tfae classify` cuts them. Prints a table and writes it
as JSON, with the maps as .npz and a figure, which TensorBoard shows too where there is a run.
"""

import contextlib
import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from tfae import data
from tfae.analysis import activation_maximisation, units
from tfae.commands.shared import attributions, chosen_images, command_flags
from tfae.core import errors, names
from tfae.core.config import option
from tfae.pretrained import imagenet
from tfae.pretrained.classifier import Reference
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_ASCENT = activation_maximisation.Settings()
_PARTS = 64  # of the way of integrated gradients
_MOST = 1024  # units of a sheet
_MOST_PIXELS = 4_000_000  # that ascent makes in one go, of a sheet
_SHOWN = 10  # pictures, where none are named
_COLOURED = 2000  # pictures whose channels tell how colours go together
_BASELINES = {'black': 0.0, 'gray': 0.5, 'white': 1.0}


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Network, command_flags.ChoosePictures):
    """What is explained, and how."""

    method: Literal['gradcam', 'saliency', 'integrated_gradients', 'activation_maximisation'] = (
        option('gradcam', 'How.')
    )
    list: bool = option(False, 'Only print the tensors that may be named, with their shapes.')
    tensor: str = option(
        '',
        "Whose units: a tensor's name or a scope's; empty: the classifier's logits, or the code.",
    )
    unit: str = option(
        '',
        'Index or class name; all for a sheet of every unit; top for the largest one of each '
        'picture. Empty: top, and all of activation_maximisation.',
    )
    place: tuple[int, ...] = option(
        (), 'Row and column of a feature map; empty: the mean over all of them.'
    )
    layer: str = option('', 'Feature maps of gradcam; empty: those of the last convolution.')
    images: tuple[str, ...] = option(
        (),
        "Image files, scaled to the run's size; of a published network, always.",
        formerly='pictures',
    )
    baseline: Literal['black', 'gray', 'white'] = option(
        'black',
        'Image that integrated_gradients starts from.',
        formerly='base',
        former_values={'grey': 'gray'},
    )
    steps: int = option(
        0, f'Of the ascent (0: {_ASCENT.steps}), or of integrated_gradients (0: {_PARTS}).'
    )
    rate: float = option(_ASCENT.rate, 'Step size of the ascent.')
    jitter: int = option(_ASCENT.jitter, 'Pixels that it shifts pictures by at most.')
    blur: float = option(_ASCENT.blur, 'Pixels that it blurs them by every few steps.')
    total_variation: float = option(
        _ASCENT.total_variation, 'Weight of their total variation, beside a slope of 1 a pixel.'
    )
    seed: int = option(_ASCENT.seed, 'Of the noise and the shifts of the ascent.')
    output: str = option(
        '', "Folder for what is written; empty: the run's figures/, or figures/NETWORK/ here."
    )

    def __post_init__(self):
        super().__post_init__()
        if self.ascends:
            self.refuse_unread('a method that looks at pictures', 'classes', 'indices', 'images')
        else:
            of_ascent = ('rate', 'jitter', 'blur', 'total_variation', 'seed')
            self.refuse_unread('--method=activation_maximisation', *of_ascent)
        if self.method != 'gradcam':
            self.refuse_unread('--method=gradcam', 'layer')
        if self.method != 'integrated_gradients':
            self.refuse_unread('--method=integrated_gradients', 'baseline')
            if not self.ascends:
                self.refuse_unread('a method that goes step by step', 'steps')
        errors.in_range('--steps', self.steps, 0, 100_000)
        errors.in_range('--rate', self.rate, 0, 100)
        errors.in_range('--jitter', self.jitter, 0, 1000)
        errors.in_range('--seed', self.seed, 0, 2**32 - 1)
        for name in ('blur', 'total_variation'):
            errors.in_range(f'--{name}', getattr(self, name), 0, math.inf)

    @property
    def ascends(self) -> bool:
        """Whether pictures are made instead of looked at."""
        return self.method == 'activation_maximisation'

    def check(self) -> None:
        """Raises UsageError for flags that do not go together; the defaults alone do not."""
        self.choose('explain', 'checkpoint', 'split', 'data_dir', 'classes', 'indices')
        if self.model and not (self.images or self.ascends or self.list):
            raise errors.UsageError(f'--model={self.model} needs --images=FILE,...')


def main(argv: list[str]) -> int:
    """Runs `tfae explain`; returns the exit code 0.

    Raises: UsageError or InputError as `_flags.LookAtData` and `_flags.Network` do, or where there
      is no such tensor, unit, layer or picture.
    """
    flags = command_flags.read('explain', __doc__, Config, argv)
    flags.check()
    with _opened(flags) as opened:
        ways = units.Ways(opened.images, opened.outputs)
        if flags.list:
            for name, found in ways.names.items():
                print(f'{name:40} {" x ".join(map(str, found.shape[1:])) or 1}')
            return 0
        tensor = ways.find('--tensor', flags.tensor) if flags.tensor else opened.usual
        if flags.ascends:
            tensor = units.before_rectifier(tensor)
        of = attributions.subject(opened, ways, tensor, flags.place)
        explained = (_ascents if flags.ascends else _maps)(flags, opened, of)
        folder = pathlib.Path(flags.output) if flags.output else opened.folder
        for path in attributions.write(folder, flags.method, of, opened, explained):
            print(path)
    return 0


@contextlib.contextmanager
def _opened(flags: Config) -> Iterator[attributions.Opened]:
    """What is looked into, whose graph new tensors go into."""
    if flags.logdir:
        with flags.open() as run, run.graph.as_default():
            yield _of_run(flags, run)
    else:
        known = flags.known_classes()
        with flags.open_network() as network, network.graph.as_default():
            yield _of_network(flags, network, known)


def _of_run(flags: Config, run: Run) -> attributions.Opened:
    outputs = run.built.inference.outputs
    found = [getattr(outputs, name, None) for name in ('class_logits', names.CODE)]
    classes = [getattr(outputs, name, None) for name in ('class_logits', names.PROBABILITIES)]
    return attributions.Opened(
        what=f'{run.experiment.data.dataset}, {run.experiment.model}',
        origin={'step': run.step},
        step=run.step,
        folder=run.folder.path / FIGURES,
        run=run.session.run,
        images=run.built.inference.images,
        outputs=outputs,
        usual=next(tensor for tensor in [*found, *outputs] if tensor is not None),
        classes=[tensor for tensor in classes if tensor is not None],
        class_names=run.experiment.signature.class_names,
        pictures=lambda: _looked_at(flags, run),
        colours=lambda: _colours(flags, run),
    )


def _of_network(flags: Config, network: Reference, known: tuple[str, ...]) -> attributions.Opened:
    height, width, _ = network.image_shape

    def cut(path: pathlib.Path) -> np.ndarray:
        return data.pixels(imagenet.cut(chosen_images.opened(path, 'RGB'), height, width))

    logits, probabilities = network.outputs.class_logits, network.outputs.probabilities
    return attributions.Opened(
        what=f'{network.name}, {pathlib.Path(flags.weights).name}',
        origin={'model': network.name, 'weights': flags.weights},
        step=None,
        folder=pathlib.Path(FIGURES) / network.name,
        run=network.session.run,
        images=network.images,
        outputs=[logits, probabilities],
        usual=logits,
        classes=[logits, probabilities],
        class_names=known,
        pictures=lambda: _files(flags, cut),
        colours=imagenet.colour_root,
    )


def _maps(
    flags: Config, opened: attributions.Opened, of: attributions.Subject
) -> attributions.Explained:
    """Heat maps over pictures."""
    pictures, words = opened.pictures()
    if flags.unit == 'all' and len(pictures) > 1:
        raise errors.UsageError(f'--unit=all takes one picture; {len(pictures)} are named')
    values = attributions.values(of, pictures)
    chosen = values.argmax(1) if flags.unit in ('', 'top') else _units(flags, of)
    if flags.method == 'gradcam':
        explain = attributions.by_gradcam(of, flags.layer)
    elif flags.method == 'saliency':
        explain = attributions.by_saliency(of)
    else:
        steps = flags.steps or _PARTS
        explain = attributions.by_integrated_gradients(
            of, flags.baseline, _BASELINES[flags.baseline], steps
        )
    if flags.unit == 'all':
        pictures, words = np.repeat(pictures, len(chosen), 0), words * len(chosen)
    elif len(chosen) == 1:
        chosen = np.repeat(chosen, len(pictures))
    sheet = flags.unit == 'all'
    return attributions.maps(of, explain, pictures, words, chosen, sheet)


def _ascents(
    flags: Config, opened: attributions.Opened, of: attributions.Subject
) -> attributions.Explained:
    """Pictures made by ascent."""
    height, width, _ = of.images.shape.as_list()[1:]
    errors.in_range('--jitter', flags.jitter, 0, (min(height, width) - 1) // 2)
    if flags.unit == 'top':
        raise errors.UsageError('--unit=top needs a method that looks at pictures')
    chosen = _units(flags, of)
    if len(chosen) * height * width > _MOST_PIXELS:
        raise errors.UsageError(
            f'{of.tensor.op.name} has {len(chosen)} units; a sheet of so many pictures of '
            f'{height} x {width} would take hours, --unit must name one'
        )
    fields = [field.name for field in dataclasses.fields(_ASCENT)]
    settings = activation_maximisation.Settings(**{name: getattr(flags, name) for name in fields})
    settings = dataclasses.replace(settings, steps=flags.steps or _ASCENT.steps)
    return attributions.ascents(of, chosen, settings, opened.colours())


def _units(flags: Config, of: attributions.Subject) -> np.ndarray:
    """The units that `--unit` names, all of them where it is empty."""
    count = int(of.values.shape[1])
    if flags.unit in of.unit_names:
        return np.array([of.unit_names.index(flags.unit)])
    if flags.unit not in ('', 'all'):
        try:
            unit = int(flags.unit)
        except ValueError:
            words = ['all', 'top', *of.unit_names]
            raise errors.UsageError(
                f'--unit is {flags.unit!r}; it must be a whole number or one of {", ".join(words)}'
                f'{errors.nearest(flags.unit, words)}'
            ) from None
        errors.in_range('--unit', unit, 0, count - 1)
        return np.array([unit])
    if count > _MOST:
        raise errors.UsageError(
            f'{of.tensor.op.name} has {count} units, a sheet takes {_MOST}; --unit must name one'
        )
    return np.arange(count)


def _looked_at(flags: Config, run: Run) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Pictures of a run `[N, H, W, C]` in [0, 1], and of each where it is from and its class."""
    if flags.images:
        if flags.classes or flags.indices:
            raise errors.UsageError('--images excludes --classes and --indices')
        shape = run.experiment.signature.image_shape
        return _files(flags, lambda path: chosen_images.read(path, shape))
    loaded, part = flags.load(run)
    places = chosen_images.chosen(flags.classes, flags.indices, loaded, part)
    places = places or _first_ones(part, 1 if flags.unit == 'all' else _SHOWN)
    words = [{'picture': f'{flags.split} {place}'} for place in places]
    if part.labels is not None:
        for word, label in zip(words, part.labels[places], strict=True):
            word['class'] = loaded.class_names[label] if loaded.class_names else str(label)
    return data.pixels(part.images[places]), words


def _files(
    flags: Config, read: Callable[[pathlib.Path], np.ndarray]
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """As `_looked_at`, of the files of `--images`."""
    paths = [pathlib.Path(path) for path in flags.images]
    return np.stack([read(path) for path in paths]), [{'picture': path.name} for path in paths]


def _colours(flags: Config, run: Run) -> np.ndarray | None:
    """How the channels of the training pictures go together, `[C, C]`; None for a single one."""
    if run.experiment.signature.image_shape[-1] == 1:
        return None
    train = flags.load(run)[0].train.images[:_COLOURED]
    return activation_maximisation.colour_root(data.pixels(train))


def _first_ones(part: data.Split, count: int) -> list[int]:
    """Places of the first picture of each class, or, without labels, of the first pictures."""
    if part.labels is None:
        return list(range(min(count, len(part.images))))
    return np.unique(part.labels, return_index=True)[1][:count].tolist()
