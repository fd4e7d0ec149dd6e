"""Write a run, or a published network, for other programs: TensorFlow 2, TensorFlow Serving, ONNX.

    tfae export --logdir=runs/a --output=served/a/1
    tfae export --model=vgg16 --weights=vgg16.pth --output=vgg16 --format=onnx

What it can do are signatures: encode, decode, reconstruct, classify, score and sample, as many as
the model has; score is that of the detector of `tfae anomaly`, where the run keeps one of this
checkpoint. Of a run, encode_bytes and so on take the bytes of JPEG and PNG files and read them as
the training set was read. signatures.json lists all inputs and outputs, and how images are made of
files. No operation is of this package.
"""

import dataclasses
import pathlib
from typing import Any, Literal

from tfae.analysis import anomaly
from tfae.commands.shared import command_flags, image_scores
from tfae.core import atomic_files, errors, package
from tfae.core.config import option
from tfae.export import signatures
from tfae.runs import checkpoints, sessions

_DESCRIPTION = 'signatures.json'


@dataclasses.dataclass(frozen=True)
class Config(command_flags.Network, command_flags.Look):
    """What is written, and where to."""

    output: str = option('', 'Folder to write; it must be new or empty. Required.')
    format: Literal['saved_model', 'frozen_graph', 'onnx'] = option(
        'saved_model',
        'saved_model, whose variables are files of their own; frozen_graph, one GraphDef; onnx, a '
        f'file for each signature, which takes {package.install("onnx")}.',
    )


def main(argv: list[str]) -> int:
    """Runs `tfae export`; returns the exit code 0.

    Raises: UsageError or InputError for a wrong flag, run, network or folder, or a format that
      cannot be had; nothing is left then.
    """
    flags = command_flags.read('export', __doc__, Config, argv)
    flags.choose('export')
    if not flags.output:
        raise errors.UsageError('--output is empty; it must name a folder to write')
    path = pathlib.Path(flags.output)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise errors.InputError(
            f'--output {path} is there already; it must be new, or an empty folder'
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
    path = opened.folder.path / image_scores.DETECTOR
    detector = anomaly.load(path, opened.built.model.code_size) if path.is_file() else None
    if detector is not None and int(detector.step) != opened.step:
        print(
            f'score is left out: {path} is of step {int(detector.step):,}, the checkpoint of step '
            f'{opened.step:,}; choose another --checkpoint, or tfae anomaly '
            f'--logdir={opened.folder.path} makes it anew'
        )
        detector = None
    return signatures.of_run(opened, detector)


def _saved_model(folder: pathlib.Path, served: signatures.Served) -> dict[str, Any]:
    graph, values = signatures.variable_graph(served)
    # TensorFlow's writer takes a path for a pattern.
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
        print(f'{name} is left out: {reason}')
    for name, content in signatures.onnx(kept).items():
        (folder / f'{name}.onnx').write_bytes(content)
    return signatures.description(kept, 'onnx', onnx_names=True)


_WRITERS = {'saved_model': _saved_model, 'frozen_graph': _frozen_graph, 'onnx': _onnx}


def _print(found: dict[str, Any]) -> None:
    """A line for each signature: `encode  images [?, 8, 8, 1] -> code [?, 4]`."""
    for name, signature in found['signatures'].items():
        sides = [
            ', '.join(f'{key} {_shape(tensor["shape"])}' for key, tensor in signature[side].items())
            for side in ('inputs', 'outputs')
        ]
        print(f'{name:12} {" -> ".join(sides)}')


def _shape(lengths: list[int | None]) -> str:
    return f'[{", ".join("?" if n is None else str(n) for n in lengths)}]'
