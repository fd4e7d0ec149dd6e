"""`imp` of Python before 3.12: the functions that programs use."""

import importlib.util
import sys
import types
from importlib import reload

__all__ = ['load_source', 'reload']


def load_source(name: str, path: str) -> types.ModuleType:
    """Loads a module from a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'{path} is not a Python file')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
