"""Imports a campaign as a module, whose flags are defined as long as it is used."""

import contextlib
import importlib.util
import sys

from absl import flags


@contextlib.contextmanager
def imported(path):
    """Yields the module; its flags are removed at the end, since campaigns share names."""
    before = set(flags.FLAGS)
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        yield module
    finally:
        sys.path.remove(str(path.parent))
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
