"""Serve an interactive page on this machine: move through latent space and see the decoded images.

Drag over the latent plane, move along principal components, interpolate between two images, add the
direction of a class or of a file of `tfae morph`, and save images as PNG. A GAN has no encoder:
samples from its prior take the place of images.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tfae import data
from tfae.commands.shared import command_flags, families
from tfae.core import names
from tfae.core.config import option
from tfae.explorer import server, space
from tfae.explorer.application import Application
from tfae.report import captions
from tfae.runs.directory import FIGURES
from tfae.runs.saved_run import Run

_MORPHED = ('morph.npz', 'morph.json')


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The images to show, and the address of the page."""

    ALL_SHAPES: ClassVar[bool] = False

    count: int = option(
        5000,
        'Number of images in the latent plane, starting with the first.',
        within='[2, 100000] images',
    )
    port: int = option(0, 'Port of the page; 0: any free port.', within='[0, 65535]')
    host: str = option(
        '127.0.0.1',
        'Address to listen on; with any address other than the default, other machines can '
        'access the decoder.',
    )


def main(argv: list[str]) -> int:
    """Runs `tfae explore` until SIGINT or SIGTERM; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does, or where the run has no
      decoder, the file of `tfae morph` has another code size, or the port is taken.
    """
    flags = command_flags.read('explore', __doc__, Config, argv)
    with flags.open(names.DECODER) as run, server.listen(flags.host, flags.port) as listening:
        hosts = server.hosts(flags.host, listening.getsockname()[1])
        application = _application(flags, run, hosts)
        server.serve(listening, application, lambda: print(f'http://{hosts[0]}/', flush=True))
        application.close()  # before the session is
    return 0


def _application(flags: Config, run: Run, hosts: Sequence[str]) -> Application:
    """Returns the page of a run."""
    family, size = run.experiment.model, run.built.model.code_size
    dimensions = f'{size} latent dimension{"s" if size > 1 else ""}'
    about: dict[str, Any] = {
        'title': run.experiment.data.dataset,
        'model': f'{family}, {dimensions}, step {run.step:,}',
        'classes': [],
    }
    labels, attributes, repeated = None, {}, set()
    if families.has(run, names.CODE):
        loaded, part = flags.load(run)
        images = part.images[: flags.count]
        codes = run.encode(images)
        about |= {'images': f'{flags.split} images', 'classes': loaded.class_names}
        if part.labels is not None:
            labels = part.labels[: flags.count]
            attributes = space.of_classes(codes, labels, loaded.class_names)
            # `tfae morph` writes the directions of classes too, by name or number.
            present = np.unique(labels)
            words = (*present, *data.class_words(present, loaded.class_names))
            repeated = {f'class={word}' for word in words}
    else:
        codes = run.sample(flags.count)
        images = run.decode(codes)
        about |= {'images': 'samples from the prior'}
    stored = _directions(run, size)
    attributes |= {name: v for name, v in stored.items() if name not in repeated}
    run.decode(codes[:1])  # the first call prepares the graph, which takes far longer than one call
    known = space.Space(codes, attributes)
    return Application(about, known, images, labels, run.decode, hosts)


def _directions(run: Run, size: int) -> dict[str, np.ndarray]:
    """Returns name -> direction `[size]` as `tfae morph` wrote them for this checkpoint."""
    path, about = (run.folder.path / FIGURES / name for name in _MORPHED)
    step = captions.read(about).get('step', run.step)
    if path.exists() and step != run.step:
        print(f'{path} is ignored: it is from step {step}, the checkpoint is from step {run.step}')
        return {}
    return space.of_file(path, size)
