"""Explain a unit of the network by heat maps over images, or by an image that maximizes it.

gradcam (Selvaraju et al. 2017), saliency (Simonyan et al. 2014) and integrated_gradients
(Sundararajan et al. 2017) attribute a unit's value to the pixels of images. activation_maximization
(Erhan et al. 2009; Olah et al. 2017) needs no images: it generates them by gradient ascent from
noise. The unit may be of any tensor computed from the images; --list prints them.

    tfae explain --logdir=runs/classifier --method=gradcam
    tfae explain --logdir=runs/classifier --unit=3,5 --classes=3,5
    tfae explain --model=vgg16 --weights=vgg16.pth --images=a.jpg --tensor=conv5_3 --unit=7

Images for a published network are cropped as in `tfae classify`. Prints a table; writes it as JSON,
the maps as .npz, and a figure. TensorBoard shows the figures of a run.
"""

import dataclasses
import pathlib
from typing import Any, ClassVar, Literal

import numpy as np

from tfae import data
from tfae.analysis import activation_maximization, units
from tfae.commands.shared import attributions, chosen_images, command_flags
from tfae.core import errors, names
from tfae.core.config import option, text
from tfae.pretrained import imagenet
from tfae.pretrained.classifier import Reference
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_ASCENT = activation_maximization.Settings()
_LOOKS = '--method=auto,gradcam,saliency,integrated_gradients'
_ASCENDS = '--method=activation_maximization'
_STEPS = 64  # of integrated gradients
_ALL, _TOP = ('all',), ('top',)
_MAX_UNITS_PER_SHEET = 1024
_MAX_ASCENT_PIXELS = 4_000_000  # of all images of a sheet
_SHOWN = 10  # images by default
_MAX_COLOR_IMAGES = 2000  # for the covariance of the color channels
_BASELINES = {'black': 0.0, 'gray': 0.5, 'white': 1.0}

Source = Run | Reference  # where images, tensors and variables come from


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Network, command_flags.ChooseImages):
    """The unit, the images, and the method with its settings."""

    ALL_SHAPES: ClassVar[bool] = False

    method: Literal[
        'auto', 'gradcam', 'saliency', 'integrated_gradients', 'activation_maximization'
    ] = option(
        'auto',
        'Explanation method; auto: gradcam if the unit has feature maps larger than 1 x 1, else '
        'saliency.',
        former_values={'activation_maximisation': 'activation_maximization'},
    )
    classes: tuple[str, ...] = option(
        (),
        'Explain the first image of each of these classes, by name or number.',
        needs=('--logdir', _LOOKS),
        excludes=('--indices', '--images'),
    )
    indices: tuple[int, ...] = option(
        (),
        'Explain the images with these indices in the split, from 0.',
        within='[0, inf)',
        needs=('--logdir', _LOOKS),
        excludes=('--images',),
    )
    list: bool = option(
        False, 'List the tensors that --tensor accepts, with their shapes, and exit.'
    )
    tensor: str = option(
        '',
        'Tensor whose units are explained, by name or scope (default: the class logits if there '
        'are any, else the code).',
    )
    unit: tuple[str, ...] = option(
        (),
        'Units to explain, side by side for each image: indices or class names; all: a sheet of '
        'every unit; top: the largest of each image (default: top, or all with '
        'activation_maximization).',
    )
    place: tuple[int, ...] = option(
        (),
        'Row and column in the feature map of the unit (default: the mean over the map).',
        within='[0, inf)',
    )
    layer: str = option(
        '',
        'Feature maps for gradcam, by name or scope (default: those of the last convolution).',
        needs=('--method=auto,gradcam',),
    )
    images: tuple[str, ...] = option(
        (),
        'Image files to explain, preprocessed like the training images. Required with --model.',
        needs=(_LOOKS,),
        excludes=('--split', '--data_dir'),
        formerly='pictures',
    )
    baseline: Literal['black', 'gray', 'white'] = option(
        'black',
        'Baseline image of integrated_gradients.',
        needs=('--method=integrated_gradients',),
        formerly='base',
        former_values={'grey': 'gray'},
    )
    steps: int = option(
        0,
        f'Steps of the ascent (0: {_ASCENT.steps}) or of integrated_gradients (0: {_STEPS}).',
        within='[0, 100000] steps',
        needs=('--method=integrated_gradients,activation_maximization',),
    )
    rate: float = option(
        _ASCENT.rate, 'Step size of the ascent.', within='[0, 100]', needs=(_ASCENDS,)
    )
    jitter: int = option(
        _ASCENT.jitter,
        'Maximum random shift of the images in the ascent.',
        within='[0, 1000] pixels',
        needs=(_ASCENDS,),
    )
    blur: float = option(
        _ASCENT.blur,
        'Standard deviation of the blur that the ascent applies every few steps.',
        within='[0, inf) pixels',
        needs=(_ASCENDS,),
    )
    total_variation: float = option(
        _ASCENT.total_variation,
        'Penalty weight of the total variation of the images in the ascent.',
        within='[0, inf)',
        needs=(_ASCENDS,),
    )
    seed: int = option(
        _ASCENT.seed,
        'Seed of the noise and the shifts of the ascent.',
        within='[0, 4294967295]',
        needs=(_ASCENDS,),
    )
    output: str = option(
        '',
        'Output folder (default: figures/ in the run, or figures/NETWORK/ in the working '
        'directory).',
    )

    @property
    def ascends(self) -> bool:
        """Whether images are made by ascent, and none are explained."""
        return self.method == 'activation_maximization'

    def check(self) -> None:
        """Raises UsageError for flags that exclude each other or lack another."""
        self.choose('explain')
        if self.model and not (self.images or self.ascends or self.list):
            raise errors.UsageError(f'--model={self.model} needs --images=FILE,...')
        if len(self.unit) > 1 and {'all', 'top'} & set(self.unit):
            raise errors.UsageError(
                f'--unit is {text(self.unit)}; all and top cannot be combined with other units'
            )
        if self.ascends and self.unit == _TOP:
            raise errors.UsageError('--unit=top needs a method that explains images')
        count = len(self.images or self.classes or self.indices)
        if self.unit == _ALL and count > 1:
            raise errors.UsageError(f'--unit=all takes one image; {count} were chosen')


def main(argv: list[str]) -> int:
    """Runs `tfae explain`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` and `command_flags.Network` do,
      or for an unknown tensor, unit, layer or image.
    """
    flags = command_flags.read('explain', __doc__, Config, argv)
    flags.check()
    known = flags.known_classes()
    opened = flags.open() if flags.logdir else flags.open_network()
    with opened as source, source.graph.as_default():
        activations = _activations(source)
        if flags.list:
            for name, found in activations.names.items():
                print(f'{name:40} {" x ".join(map(str, found.shape[1:])) or 1}')
            return 0
        target = _target(flags, source, activations, known)
        if flags.method == 'auto':
            flags = dataclasses.replace(flags, method=_method(flags, target))
        attribution = (_ascent if flags.ascends else _maps)(flags, source, target)
        folder = pathlib.Path(flags.output) if flags.output else _folder(source)
        paths = attributions.write(
            folder,
            flags.method,
            target,
            attribution,
            columns=_columns(flags),
            step=None if isinstance(source, Reference) else source.step,
        )
        for path in paths:
            print(path)
    return 0


def _columns(flags: Config) -> int | None:
    """Returns the units that are shown next to each image; None: all of them for one image."""
    return None if flags.unit == _ALL else max(1, len(flags.unit))


def _activations(source: Source) -> units.Activations:
    """Returns the tensors between the images and the outputs."""
    if isinstance(source, Reference):
        outputs = source.outputs
        return units.Activations(source.images, [outputs.class_logits, outputs.probabilities])
    return units.Activations(source.built.inference.images, source.built.inference.outputs)


def _folder(source: Source) -> pathlib.Path:
    """Returns the default output folder."""
    if isinstance(source, Reference):
        return pathlib.Path(FIGURES) / source.name
    return source.folder.place(FIGURES)


def _target(
    flags: Config, source: Source, activations: units.Activations, known: tuple[str, ...]
) -> attributions.Target:
    """Returns the tensor of `--tensor`, else the class logits, the code or the first output.

    `known` are the class names of a published network.
    """
    if isinstance(source, Reference):
        network = f'{source.name}, {pathlib.Path(flags.weights).name}'
        weights: dict[str, Any] = {'model': source.name, 'weights': flags.weights}
        outputs, class_names = source.outputs, known
    else:
        network = f'{source.experiment.data.dataset}, {source.experiment.model}'
        weights = {'step': source.step}
        outputs = source.built.inference.outputs
        signature = source.experiment.signature
        class_names = signature.class_names or tuple(map(str, range(signature.classes)))
    if flags.tensor:
        tensor = activations.find('--tensor', flags.tensor)
    else:
        usual = ('class_logits', names.CODE, outputs._fields[0])
        tensor = next(getattr(outputs, name) for name in usual if hasattr(outputs, name))
    if flags.ascends:
        tensor = units.before_rectifier(tensor)
    of_classes = (getattr(outputs, name, None) for name in ('class_logits', names.PROBABILITIES))
    unit_names = class_names if any(tensor is found for found in of_classes) else ()
    return attributions.target(
        network, weights, source.session.run, activations, tensor, flags.place, unit_names
    )


def _method(flags: Config, target: attributions.Target) -> Literal['gradcam', 'saliency']:
    """Returns the method that `auto` stands for."""
    maps = units.last_maps(target.images, target.tensor)
    resolved = maps is not None and tuple(maps.shape[1:3]) != (1, 1)
    return 'gradcam' if flags.layer or resolved else 'saliency'


def _maps(flags: Config, source: Source, target: attributions.Target) -> attributions.Attribution:
    """Returns heat maps over images."""
    images, sources = _images(flags, source)
    values = attributions.values(target, images)
    chosen = values.argmax(1) if flags.unit in ((), _TOP) else _units(flags, target)
    for row, top in zip(sources, values.argmax(1), strict=True):
        if target.unit_names and 'class' in row:
            row['predicted'] = target.unit_names[top]
    if flags.unit not in ((), _TOP):
        count, images = len(images), np.repeat(images, len(chosen), 0)
        sources = [row for row in sources for _ in chosen]
        chosen = np.tile(chosen, count)
    if flags.method == 'gradcam':
        return attributions.by_gradcam(target, images, sources, chosen, flags.layer)
    if flags.method == 'saliency':
        return attributions.by_saliency(target, images, sources, chosen)
    baseline = flags.baseline, _BASELINES[flags.baseline]
    return attributions.by_integrated_gradients(
        target, images, sources, chosen, baseline, flags.steps or _STEPS
    )


def _ascent(flags: Config, source: Source, target: attributions.Target) -> attributions.Attribution:
    """Returns images made by gradient ascent."""
    height, width, _ = target.images.shape.as_list()[1:]
    errors.in_range('--jitter', flags.jitter, 0, (min(height, width) - 1) // 2)
    chosen = _units(flags, target)
    if len(chosen) * height * width > _MAX_ASCENT_PIXELS:
        raise errors.UsageError(
            f'{target.tensor.op.name} has {len(chosen)} units; a sheet of that many images of '
            f'{height} x {width} would take hours; --unit must select one'
        )
    fields = [field.name for field in dataclasses.fields(_ASCENT)]
    settings = activation_maximization.Settings(**{name: getattr(flags, name) for name in fields})
    settings = dataclasses.replace(settings, steps=flags.steps or _ASCENT.steps)
    return attributions.by_ascent(target, chosen, settings, _colors(flags, source))


def _units(flags: Config, target: attributions.Target) -> np.ndarray:
    """Returns the units `[N]` of `--unit`, all of them where it is empty."""
    count = int(target.values.shape[1])
    if flags.unit not in ((), _ALL):
        return np.array([_unit(word, target) for word in flags.unit])
    if count > _MAX_UNITS_PER_SHEET:
        raise errors.UsageError(
            f'{target.tensor.op.name} has {count} units; a sheet holds at most '
            f'{_MAX_UNITS_PER_SHEET}, so --unit must select one'
        )
    return np.arange(count)


def _unit(word: str, target: attributions.Target) -> int:
    """Returns the unit of a name or an index."""
    if word in target.unit_names:
        return target.unit_names.index(word)
    try:
        unit = int(word)
    except ValueError:
        words = ['all', 'top', *target.unit_names]
        raise errors.UsageError(
            f'--unit is {word!r}; it must be an integer or one of {", ".join(words)}'
            f'{errors.nearest(word, words)}'
        ) from None
    errors.in_range('--unit', unit, 0, int(target.values.shape[1]) - 1)
    return unit


def _images(flags: Config, source: Source) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Returns images `[N, H, W, C]` in [0, 1], and the table cells that identify each of them."""
    files = [{'image': pathlib.Path(path).name} for path in flags.images]
    if isinstance(source, Reference):
        return data.pixels(chosen_images.cut(source, flags.images)), files
    if flags.images:
        return chosen_images.read(source, flags.images), files
    loaded, split = flags.load(source)
    places = chosen_images.chosen(flags.classes, flags.indices, loaded, split)
    places = places or chosen_images.of_each_class(split, 1 if flags.unit == _ALL else _SHOWN)
    sources = [{'image': f'{flags.split} {place}'} for place in places]
    if split.labels is not None:
        for found, label in zip(sources, split.labels[places], strict=True):
            found['class'] = loaded.class_names[label] if loaded.class_names else str(label)
    return data.pixels(split.images[places]), sources


def _colors(flags: Config, source: Source) -> np.ndarray | None:
    """Returns the square root of the covariance of channels `[C, C]`; None for one channel."""
    if isinstance(source, Reference):
        return imagenet.color_root()
    if source.experiment.signature.image_shape[-1] == 1:
        return None
    train = flags.load(source)[0].train.images[:_MAX_COLOR_IMAGES]
    return activation_maximization.color_root(data.pixels(train))
