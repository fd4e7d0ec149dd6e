"""Export a run or a published network to TensorFlow 2, TensorFlow Serving or ONNX.

    tfae export --logdir=runs/a --output=served/a/1
    tfae export --model=vgg16 --weights=vgg16.pth --output=vgg16 --format=onnx

The signatures are those of encode, decode, reconstruct, classify, score and sample that the model
supports. score is the anomaly score of `tfae anomaly`, if the run has a detector of this
checkpoint. For a run, encode_bytes and so on take the bytes of JPEG and PNG files and preprocess
them like the training images. signatures.json lists all inputs, outputs and the preprocessing.
Exported graphs contain no ops of this package.
"""

import dataclasses
import pathlib
from typing import Any, Literal

from tfae import data
from tfae.analysis import anomaly, table_anomaly
from tfae.commands.shared import command_flags
from tfae.core import atomic_files, errors, package
from tfae.core.config import option
from tfae.export import signatures
from tfae.runs import checkpoints, sessions
from tfae.runs.directory import DETECTOR

_DESCRIPTION = 'signatures.json'


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Network, command_flags.Look):
    """The output folder and the format."""

    output: str = option('', 'Output folder, new or empty. Required.')
    format: Literal['saved_model', 'frozen_graph', 'onnx'] = option(
        'saved_model',
        'saved_model stores the variables in separate files; frozen_graph is a single GraphDef; '
        f'onnx is one file per signature (requires {package.install("onnx")}).',
    )


def main(argv: list[str]) -> int:
    """Runs `tfae export`; returns the exit code 0.

    Raises: UsageError or InputError for a wrong flag, run, network or folder, or a format that
      is not available; nothing is written then.
    """
    flags = command_flags.read('export', __doc__, Config, argv)
    flags.choose('export')
    if not flags.output:
        raise errors.UsageError('--output is empty; it must name a folder to write')
    path = pathlib.Path(flags.output)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise errors.InputError(
            f'--output {path} already exists; it must be a new or an empty folder'
        )
    with flags.open() if flags.logdir else flags.open_network() as opened:
        served = _served(flags, opened)
        with atomic_files.new_folder(path) as folder, checkpoints.writing(f'--output {path}'):
            found = _WRITERS[flags.format](folder, served)
            atomic_files.write_json(folder / _DESCRIPTION, found)
    _print(found)
    print(path)
    return 0


def _served(flags: Config, opened: Any) -> signatures.Served:
    if not flags.logdir:
        return signatures.of_network(opened, flags.known_classes())
    path = opened.folder.path / DETECTOR
    shape = opened.experiment.signature.image_shape
    detector: anomaly.Detector | table_anomaly.Detector | None = None
    if path.is_file() and data.tabular(shape):
        detector = table_anomaly.load(path, shape[0])
    elif path.is_file():
        detector = anomaly.load(path, opened.built.model.code_size)
    if detector is not None and int(detector.step) != opened.step:
        print(
            f'score is not exported: {path} is from step {int(detector.step):,}, the checkpoint '
            f'from step {opened.step:,}; choose another --checkpoint, or run tfae anomaly '
            f'--logdir={opened.folder.path} to fit it again'
        )
        detector = None
    return signatures.of_run(opened, detector)


def _saved_model(folder: pathlib.Path, served: signatures.Served) -> dict[str, Any]:
    graph, values = signatures.variable_graph(served)
    # TensorFlow's writer reads a path as a glob pattern.
    with sessions.holding(graph, values) as session, atomic_files.plain_alias(folder) as plain:
        signatures.write_saved_model(plain, session, served)
    return signatures.description(served, 'saved_model')


def _frozen_graph(folder: pathlib.Path, served: signatures.Served) -> dict[str, Any]:
    content = signatures.frozen(served).SerializeToString(deterministic=True)
    (folder / signatures.FROZEN).write_bytes(content)
    return signatures.description(served, 'frozen_graph') | {'file': signatures.FROZEN}


def _onnx(folder: pathlib.Path, served: signatures.Served) -> dict[str, Any]:
    kept, lost = signatures.for_onnx(served)
    for name, reason in lost.items():
        print(f'{name} is not exported: {reason}')
    for name, content in signatures.onnx(kept).items():
        (folder / f'{name}.onnx').write_bytes(content)
    return signatures.description(kept, 'onnx', onnx_names=True)


_WRITERS = {'saved_model': _saved_model, 'frozen_graph': _frozen_graph, 'onnx': _onnx}


def _print(found: dict[str, Any]) -> None:
    """Prints a line for each signature: `encode  images [?, 8, 8, 1] -> code [?, 4]`."""
    for name, signature in found['signatures'].items():
        sides = [
            ', '.join(f'{key} {_shape(tensor["shape"])}' for key, tensor in signature[side].items())
            for side in ('inputs', 'outputs')
        ]
        print(f'{name:12} {" -> ".join(sides)}')


def _shape(lengths: list[int | None]) -> str:
    return f'[{", ".join("?" if n is None else str(n) for n in lengths)}]'
