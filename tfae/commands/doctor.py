"""Check the installation: versions, the sub-pixel op in use and why, and problems.

The exit code is 1 if there are problems.
"""

import dataclasses
import importlib.metadata
import os
import platform
import warnings
from typing import Any

import numpy as np
import tensorflow as tf2

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import json_text, package
from tfae.core.config import Part, option
from tfae.ops import op_library, subpixel
from tfae.training import memory

# The dependencies of pyproject.toml, except TensorFlow.
_NEEDED = (
    'tensorboard',
    'numpy',
    'h5py',
    'safetensors',
    'absl-py',
    'scikit-learn',
    'matplotlib',
    'jinja2',
    'pillow',
    'tqdm',
    'werkzeug',
    'tf-keras',
    'tf-slim',
)
_OPTIONAL = ('torch',)


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The output format."""

    json: bool = option(False, 'Print JSON.')


def main(argv: list[str]) -> int:
    """Runs `tfae doctor`; returns 0 if no problem is found, else 1."""
    flags = command_flags.read('doctor', __doc__, Config, argv)
    installed = _installed()
    op, troubles = _op()
    found = {'installed': installed, 'machine': _machine(), 'op': op, 'data': _data()}
    troubles += [f'{name} is not installed' for name in _NEEDED if installed[name] is None]
    troubles += _namesake()
    if flags.json:
        print(json_text.dumps({**found, 'troubles': troubles}, 2))
    else:
        for section, facts in found.items():
            print(f'{section}:')
            for name, value in facts.items():
                print(f'  {name:14} {value if value not in (None, []) else "none"}')
        print('no problems found' if not troubles else '\n'.join(f'problem: {t}' for t in troubles))
    return 1 if troubles else 0


def _installed() -> dict[str, str | None]:
    """Returns package -> version, None where it is not installed."""
    # TensorFlow may be installed under another name, such as tensorflow-cpu.
    found = {
        'tfae': package.VERSION,
        'python': platform.python_version(),
        'tensorflow': tf2.__version__,
    }
    return found | {name: _version(name) for name in (*_NEEDED, *_OPTIONAL)}


def _namesake() -> list[str]:
    """Returns a problem if the other project `tfae` of the index is installed in this folder."""
    try:
        other = importlib.metadata.distribution('tfae')
    except importlib.metadata.PackageNotFoundError:
        return []
    if not any(str(path) == 'tfae/__init__.py' for path in other.files or ()):
        return []
    return [
        f'the distribution tfae {other.version} is an unrelated project that installs its files '
        f'into the same folder: run pip uninstall -y tfae {package.NAME}, then pip install '
        f'{package.NAME}'
    ]


def _machine() -> dict[str, Any]:
    return {
        'processors': os.cpu_count(),
        'memory, GiB': round(memory.of_machine() / 2**30, 1),
        'GPUs': [device.name for device in tf2.config.list_physical_devices('GPU')],
    }


def _op() -> tuple[dict[str, Any], list[str]]:
    """Returns facts on the sub-pixel op, and its problems."""
    choice = os.environ.get(op_library.CHOICE) or 'auto'
    facts: dict[str, Any] = {op_library.CHOICE: choice, 'library': str(op_library.library())}
    made = op_library.stamp()
    if made:
        facts |= {'built for': f'TensorFlow {made.tensorflow}', 'built by': made.compiler}
        facts['CUDA kernels'] = made.cuda
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter('always')
            status = subpixel.status()
    except RuntimeError as error:
        return {**facts, 'in use': 'none'}, [str(error)]
    facts['in use'] = status.why
    troubles = [str(warning.message) for warning in said]
    wrong = _wrong()
    facts['check'] = wrong or 'equals the stock definition'
    return facts, troubles + ([f'{status.why}: {wrong}'] if wrong else [])


def _wrong() -> str:
    """Compares the op in use with depth_to_space and its inverse; empty if they agree."""
    x = np.random.RandomState(0).uniform(size=[2, 3, 5, 12]).astype(np.float32)
    try:
        with tf2.device('/cpu:0'):
            made = subpixel.shuffle(tf2.constant(x), 2)
            back = subpixel.unshuffle(made, 2)
            right = np.array_equal(made, tf2.nn.depth_to_space(x, 2)) and np.array_equal(back, x)
    except tf2.errors.OpError as error:
        return f'FAILS: {error.message}'
    return '' if right else 'DIFFERS from the stock definition'


def _data() -> dict[str, Any]:
    """Returns the default folders of the data sets that are files, with an empty `--data_dir`."""
    facts: dict[str, Any] = {'TFAE_DATA_DIR': os.environ.get('TFAE_DATA_DIR')}
    for name in data.names():
        if hasattr(data.module(name), 'SHA256'):
            place = data.folder('', name)
            there = place.is_dir()
            facts[name] = f'{place}{"" if there else f" (not there; tfae fetch {name} gets it)"}'
    return facts


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
