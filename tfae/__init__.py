"""Autoencoders and representation learning as static TensorFlow graphs.

    with tfae.open('runs/deep') as run:
        codes = run.encode(images)

Submodules are imported on first use, so that `import tfae` alone does not bring in TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfae.core.package import VERSION as __version__  # noqa: F401

if TYPE_CHECKING:
    from tfae.runs.fit import open_run as open

_SUBMODULES = ('compat', 'data', 'layers', 'losses', 'models', 'ops')


def __getattr__(name: str) -> Any:
    if name == 'open':
        return importlib.import_module('tfae.runs.fit').open_run
    if name in _SUBMODULES:
        return importlib.import_module(f'tfae.{name}')
    raise AttributeError(f'module tfae has no attribute {name!r}')


__all__ = ['open', *_SUBMODULES]  # noqa: PLE0604
