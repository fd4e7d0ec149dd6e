"""Sample new images by decoding codes from the prior or from a density fitted to codes.

Writes samples.png, samples.npz with all samples, and samples.json. --classifier counts the classes
that it predicts for the samples, and measures the Frechet distance in its latent space between
samples and --split. The same distance of as many real images of another split is the baseline; if
there are fewer real images, fewer samples are compared. --over_epochs plots samples of the same
random codes after several epochs side by side instead. --classes=0,1,2 generates these classes
in turn; class_accuracy is the fraction of samples that the classifier assigns to their class.
"""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tfae import data
from tfae.analysis import density, frechet
from tfae.commands.shared import command_flags, example_plots, families
from tfae.core import errors, names
from tfae.core.atomic_files import write_json, write_npz
from tfae.core.config import option
from tfae.plots import grids, profiles, sequences
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run, open_run
from tfae.training.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The distribution of codes, the number of samples, and their classifier."""

    kind: Literal['auto', 'prior', 'gaussian', 'mixture'] = option(
        'auto',
        "Distribution of the codes: the family's prior, or a Gaussian or a mixture of Gaussians "
        'fitted to the codes of training examples; auto: the prior if the family has one, else a '
        'mixture.',
    )
    components: int = option(
        10,
        'Maximum number of Gaussians in the mixture.',
        within='[1, 1000] components',
        needs=('--kind=auto,mixture',),
    )
    count: int = option(10_000, 'Number of samples.', within='[2, 100000] images')
    shown: int = option(
        100, 'Number of samples in the plot, starting with the first.', within='[1, 10000] images'
    )
    seed: int = option(0, 'Random seed of the codes.', within='[0, 4294967295]')
    classifier: str = option('', 'Run of a classifier that evaluates the samples (default: none).')
    classes: tuple[str, ...] = option(
        (),
        'Classes to sample in turn, by name or number, for a gan with --conditional (default: '
        'random classes).',
        needs=('--kind=auto,prior',),
    )
    over_epochs: tuple[int, ...] = option(
        (),
        'Plots samples of the models that `tfae train --keep_epochs` kept after these epochs.',
        within='[1, 1000000000] epochs',
        needs=('--kind=auto,prior',),
        excludes=('--checkpoint', '--classifier', '--components', '--count'),
    )
    output: str = option('', 'Output folder (default: figures/ in the run).')

    def __post_init__(self):
        super().__post_init__()
        if self.split != 'test' and not self.classifier:
            raise errors.UsageError('--split needs --classifier')


def main(argv: list[str]) -> int:
    """Runs `tfae sample`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, or where the run has no
      such distribution or the classifier does not fit the images.
    """
    flags = command_flags.read('sample', __doc__, Config, argv)
    with flags.open(names.DECODER) as run:
        if flags.kind == 'auto':
            # A density that is fitted to the codes of each epoch gives other codes for each.
            prior = families.has(run, families.PRIOR) or flags.over_epochs or flags.classes
            flags = dataclasses.replace(flags, kind='prior' if prior else 'mixture')
        if flags.kind == 'prior':
            otherwise = '' if flags.over_epochs or flags.classes else '--kind=mixture'
            families.require(run, names.DECODER, families.PRIOR, otherwise=otherwise)
        else:
            families.require(run, names.DECODER, names.CODE)
        if flags.over_epochs:
            for path in _over_epochs(flags, run):
                print(path)
            return 0
        classifier = _opened_classifier(flags, run)
        codes = _codes(flags, run, flags.count)
        images = _stored(run.decode(codes))
        found: dict[str, Any] = {'kind': flags.kind, 'count': len(images), 'seed': flags.seed}
        if classifier:
            with classifier:
                found |= _evaluated(flags, run, classifier, images)
        title = f'{run.experiment.data.dataset}, {run.experiment.model}: samples, {flags.kind}'
        folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
        shown = run.normalized(images[: flags.shown])
        columns = run.experiment.signature.columns
    _write(folder, images, shown, columns, title, found)
    return 0


def _stored(made: np.ndarray) -> np.ndarray:
    """Returns samples as they are written and measured: images in 8 bits, others as they are."""
    return np.rint(255 * made).astype(np.uint8) if data.is_image(made.shape[1:]) else made


def _over_epochs(flags: Config, run: Run) -> list[pathlib.Path]:
    """Writes samples after each epoch of `--over_epochs`; returns the paths.

    Raises: InputError if the samples are plotted as lines.
    """
    if example_plots.lined(run.experiment.signature.image_shape):
        noun = data.noun(run.experiment.signature.image_shape)
        raise errors.InputError(
            f'{run.folder.path} is a run on {noun}s; --over_epochs plots images and volumes'
        )
    epochs, made, steps = list(dict.fromkeys(flags.over_epochs)), [], []
    codes = run.sample(flags.shown, flags.seed, _labels(flags, run))
    for epoch in epochs:
        run.load_epoch(epoch)
        made.append(run.decode(codes))
        steps.append(run.step)
    folder = pathlib.Path(flags.output or run.folder.place(FIGURES))
    paths = [folder / f'samples_over_epochs.{kind}' for kind in ('png', 'npz', 'json')]
    labels = [f'epoch {epoch}\nstep {k:,}' for epoch, k in zip(epochs, steps, strict=True)]
    every = np.concatenate(made)  # one range of gray levels: noise looks as faint as it is
    shown = [example_plots.images(each, every) for each in made]
    sheets = dict(zip(labels, shown, strict=True))
    title = f'{run.experiment.data.dataset}, {run.experiment.model}: samples of the same codes'
    grids.save_sheets(paths[0], sheets, math.ceil(math.sqrt(flags.shown)), title)
    write_npz(paths[1], {'images': np.stack(list(map(_stored, made)))})
    found = {'kind': flags.kind, 'seed': flags.seed, 'over_epochs': epochs, 'steps': steps}
    write_json(paths[2], found)
    return paths


def _codes(flags: Config, run: Run, count: int) -> np.ndarray:
    """Returns new codes `[count, Z]`."""
    if flags.kind == 'prior':
        return run.sample(count, flags.seed, _labels(flags, run))
    codes = run.encode(flags.load(run)[0].train.images)
    components = flags.components if flags.kind == 'mixture' else 1
    return density.Density(codes, components, flags.seed).sample(count, flags.seed)


def _labels(flags: Config, run: Run) -> list[int] | None:
    """Returns the numbers of `--classes`; None without them."""
    known = run.experiment.signature
    numbers = [
        data.class_number('--classes', word, known.class_names, known.classes)
        for word in flags.classes
    ]
    return numbers or None


def _opened_classifier(flags: Config, run: Run) -> Run | None:
    """Opens the run of `--classifier`; None without one.

    Raises: InputError if it is not a classifier of such images.
    """
    if not flags.classifier:
        return None
    classifier = open_run(flags.classifier)
    if not hasattr(classifier.built.inference.outputs, names.PROBABILITIES):
        raise errors.InputError(
            f'--classifier {flags.classifier} is a run of the family '
            f'{classifier.experiment.model}; it must be a run of the family classifier'
        )
    mine, its = (_examples(of.experiment) for of in (run, classifier))
    if mine != its:
        raise errors.InputError(
            f'--classifier {flags.classifier} was trained on {its}; the samples are {mine}'
        )
    if flags.classes:
        own, others = (of.experiment.signature.class_names for of in (run, classifier))
        if own != others:
            raise errors.InputError(
                f'--classifier {flags.classifier} has other classes than the run: '
                f'{", ".join(others)[:200]}; --classes needs the same'
            )
    return classifier


def _examples(experiment: Experiment) -> str:
    """Describes the examples of a run: those of the same text fit together."""
    shape, crop = experiment.signature.image_shape, experiment.crop()
    cropped = f', cropped to {crop[0]} x {crop[1]}' if crop else ''
    sides = ' x '.join(map(str, shape))
    return f'{sides} {data.noun(shape)}s of {experiment.data.dataset}{cropped}'


def _evaluated(flags: Config, run: Run, classifier: Run, images: np.ndarray) -> dict[str, Any]:
    """Returns Frechet distances in the classifier's latent space, and counts of its predictions."""
    loaded, part = flags.load(run)
    wanted = _labels(flags, run)
    # As many real images, from a split that the samples are not compared with: the distance depends
    # on the number of images.
    other = loaded.test if flags.split == 'train' else loaded.train
    if wanted:
        part, other = (
            data.select(split, np.isin(np.asarray(split.labels), wanted)) for split in (part, other)
        )
    real = frechet.moments(classifier.encode(part.images))
    count = min(len(images), len(other.images))
    chosen = np.random.RandomState(flags.seed).permutation(len(other.images))[:count]
    predicted = classifier.fetch(classifier.built.inference.outputs.probabilities, images)
    classes = classifier.experiment.signature.classes
    counts = np.bincount(predicted.argmax(1), minlength=classes)
    labels = [*loaded.class_names, *map(str, range(len(loaded.class_names), classes))]
    right = {}
    if wanted:
        hits = predicted.argmax(1) == np.resize(wanted, len(predicted))
        right['class_accuracy'] = float(np.mean(hits))
    return {
        'split': flags.split,
        'classifier': flags.classifier,
        'frechet_count': count,
        'frechet': frechet.distance(frechet.moments(classifier.encode(images[:count])), real),
        'real_frechet': frechet.distance(
            frechet.moments(classifier.encode(other.images[chosen])), real
        ),
        **right,
        'classes_seen': int(np.count_nonzero(counts)),
        'classes': dict(zip(labels, counts.tolist(), strict=True)),
    }


def _write(
    folder: pathlib.Path,
    images: np.ndarray,
    shown: np.ndarray,
    columns: Sequence[str],
    title: str,
    found: dict[str, Any],
) -> None:
    """Prints and writes the measures, the plot and the samples.

    Args:
      folder: of the files.
      images: all samples, `[N, ...]` as they are stored.
      shown: those that are plotted, normalized.
      columns: names of the columns of a table, or none.
      title: of the plot.
      found: the measures.
    """
    for name, value in found.items():
        if isinstance(value, dict):
            value = '  '.join(f'{label} {count}' for label, count in value.items())
        print(f'{name:16} {value:.4f}' if isinstance(value, float) else f'{name:16} {value}')
    paths = [folder / f'samples.{kind}' for kind in ('png', 'npz', 'json')]
    _plot(paths[0], data.pixels(shown), columns, f'{len(shown):,} of {len(images):,}', title)
    write_npz(paths[1], {'images': images})
    write_json(paths[2], found)
    for path in paths:
        print(path)


def _plot(
    path: pathlib.Path, shown: np.ndarray, columns: Sequence[str], label: str, title: str
) -> None:
    """Plots samples: images and volumes on a sheet, sequences too, rows as lines of one panel."""
    across = math.ceil(math.sqrt(len(shown)))
    if data.tabular(shown.shape[1:]):
        names = columns or [str(k) for k in range(shown.shape[1])]
        profiles.save_panels(path, [profiles.Panel(label, {'': shown})], names, title, 'value')
    elif example_plots.lined(shown.shape[1:]):
        sequences.save_sheet(path, shown, across, f'{title}\n{label}')
    else:
        grids.save_sheets(path, {label: example_plots.images(shown)}, across, title)
