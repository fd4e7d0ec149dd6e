"""Say what is installed, which definition of the sub-pixel op is in use and why, and what is wrong.

Ends with exit code 1 and the reasons where something is.
"""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import warnings
from typing import Any

import numpy as np
import tensorflow as tf2

from tfae import data, op_library, subpixel
from tfae.commands import _flags
from tfae.config import option

_PACKAGES = (
    'tfae',
    'tensorflow',
    'numpy',
    'absl-py',
    'tensorboard',
    'scikit-learn',
    'matplotlib',
    'pillow',
    'torch',
)


@dataclasses.dataclass(frozen=True)
class Config:
    """How it is said."""

    json: bool = option(False, 'Print JSON.')


def main(argv: list[str]) -> int:
    """Runs `tfae doctor`; returns 0 if all is well, else 1."""
    flags = _flags.read('doctor', __doc__, Config, argv)
    op, troubles = _op()
    found: dict[str, dict[str, Any]] = {
        'installed': {'python': platform.python_version()}
        | {name: _version(name) for name in _PACKAGES},
        'machine': {
            'processors': os.cpu_count(),
            'memory': f'{os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30:.1f} GiB',
            'gpus': [device.name for device in tf2.config.list_physical_devices('GPU')],
        },
        'op': op,
        'data': {name: _place(name) for name in ('mnist', 'fashion_mnist')},
    }
    if flags.json:
        print(json.dumps({**found, 'troubles': troubles}, indent=2))
    else:
        for section, facts in found.items():
            print(f'{section}:')
            for name, value in facts.items():
                print(f'  {name:14} {value if value not in (None, []) else "none"}')
        print('all is well' if not troubles else '\n'.join(f'trouble: {t}' for t in troubles))
    return 1 if troubles else 0


def _op() -> tuple[dict[str, Any], list[str]]:
    """What there is to say of the op, and what is wrong with it."""
    choice = os.environ.get(op_library.CHOICE) or 'auto'
    library = op_library.library()
    facts: dict[str, Any] = {op_library.CHOICE: choice, 'library': str(library)}
    made = op_library.builder().stamp(library)
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
    troubles = [str(warning.message).splitlines()[0] for warning in said]
    facts['check'] = 'equals the stock definition' if _agrees() else 'DIFFERS from the stock one'
    if not _agrees():
        troubles.append(f'{status.why}: it does not do what stock TensorFlow ops do')
    return facts, troubles


def _agrees() -> bool:
    """Whether the definition in use gives what depth_to_space gives."""
    x = np.random.RandomState(0).uniform(size=[2, 3, 5, 12]).astype(np.float32)
    with tf2.device('/cpu:0'):
        made = subpixel.shuffle(tf2.constant(x), 2)
        return bool(np.array_equal(made.numpy(), tf2.nn.depth_to_space(x, 2).numpy()))


def _place(name: str) -> str:
    folder: pathlib.Path = data.folder('', name)
    return f'{folder}{"" if folder.is_dir() else " (not there; tfae fetch gets it)"}'


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
