"""Serves the modules of TF1 that today's TensorFlow has lost, under their old names.

One table says which module serves which old name. An old module is an attribute of `tensorflow` and
of `tensorflow.compat.v1`, and can be imported below both; what serves it is imported when one of
its names is first used.
"""

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence

from tfae.compat import gone

# The name below `tensorflow`: the module that serves it.
SERVED = {
    'contrib.cluster_resolver': 'tensorflow.distribute.cluster_resolver',
    'contrib.framework': 'tfae.compat.contrib.framework',
    'contrib.keras': 'tf_keras.api._v1.keras',
    'contrib.layers': 'tfae.compat.contrib.layers',
    'contrib.rnn': 'tfae.compat.contrib.rnn',
    'contrib.slim': 'tf_slim',
    'contrib.tensorboard.plugins.projector': 'tensorboard.plugins.projector',
    'estimator': 'tfae.compat.estimator',
    'examples.tutorials.mnist': 'tfae.compat.tutorials_mnist',
    'examples.tutorials.mnist.input_data': 'tfae.compat.input_data',
    'layers': 'tfae.layers',
    'nn.rnn_cell': 'tfae.compat.rnn_cell',
}
# The old modules that hold all others: attributes of modules that TensorFlow still has.
_ROOTS = ('contrib', 'estimator', 'examples', 'layers', 'nn.rnn_cell')
# How the names of TF1's interface end among the modules.
_V1 = 'compat.v1'


class OldModule(types.ModuleType):
    """A module of TF1, whose names come from the module that serves it."""

    def __init__(self, old: str):
        super().__init__(f'tensorflow.{old}', f'TF1 module `tf.{old}`, served by `tfae.compat`.')
        self.__path__: list[str] = []  # a package: its modules are imported by `Finder`

    def __getattr__(self, name: str) -> object:
        if name.startswith('__') and name != '__all__':
            raise AttributeError(name)
        old = self.__name__.partition('.')[2]
        if name == '__all__':
            value: object = dir(self)
        elif name in _children(old):
            value = find(f'{old}.{name}')
        elif hasattr(_serving(old), name):
            value = getattr(_serving(old), name)
        else:
            raise AttributeError(gone.line(f'{old}.{name}'))
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        old = self.__name__.partition('.')[2]
        return sorted({*_children(old), *(n for n in dir(_serving(old)) if not n.startswith('_'))})


def _serving(old: str) -> types.ModuleType | None:
    """Returns the module that serves an old one; None if it only holds others."""
    return importlib.import_module(SERVED[old]) if old in SERVED else None


def _children(old: str) -> set[str]:
    """Returns the names of the modules directly below an old module."""
    inside = f'{old}.'
    return {name[len(inside) :].split('.')[0] for name in SERVED if name.startswith(inside)}


@functools.cache
def find(old: str) -> types.ModuleType | None:
    """Returns the module of an old name below `tensorflow`; None if there is none.

    The files below `contrib.X.python` are found in `contrib.X`, which exported their names.
    """
    if old in SERVED or _children(old):
        return OldModule(old)
    subject, deep, _ = f'{old}.'.partition('.python.')
    parent, _, leaf = old.rpartition('.')
    holder = find(subject if deep else parent) if parent else None
    found = getattr(holder, leaf, None) if holder else None
    return found if isinstance(found, types.ModuleType) else holder if deep else None


def _old_name(name: str) -> str:
    """Returns the name below `tensorflow` or `tensorflow.compat.v1`; '' if it is neither's."""
    first, _, rest = name.partition('.')
    return rest.rpartition(f'{_V1}.')[2] if first == 'tensorflow' else ''


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports old modules by their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns how to import an old name; None for all other names."""
        old = _old_name(fullname)
        if not any(f'{old}.'.startswith(f'{root}.') for root in _ROOTS):
            return None
        if not find(old):
            raise ImportError(gone.line(old), name=fullname)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leaves it to Python to make a module, which `exec_module` replaces."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Puts the old module in the place of the one that Python made."""
        found = find(_old_name(module.__name__))
        assert found
        sys.modules[module.__name__] = found


def install() -> None:
    """Makes the old modules attributes of TensorFlow's, and importable."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder())
    # TensorFlow has several module objects of TF1's interface, depending on how it is imported.
    faces = [sys.modules[name] for name in list(sys.modules) if _is_face(name)]
    for root in _ROOTS:
        parent, _, leaf = root.rpartition('.')
        for face in faces:
            setattr(getattr(face, parent) if parent else face, leaf, find(root))
        # An empty folder of this name may have been imported before.
        for name in [n for n in sys.modules if _old_name(n) == root]:
            del sys.modules[name]


def _is_face(name: str) -> bool:
    return name == 'tensorflow' or (name.startswith('tensorflow.') and name.endswith(f'.{_V1}'))


def install_as_tensorflow(v1: types.ModuleType) -> None:
    """Lets `import tensorflow` return TF1's interface, with the private modules in their place."""
    whole = sys.modules['tensorflow']
    if whole is v1:
        return
    for private in ('python', 'core', 'compiler'):
        setattr(v1, private, sys.modules[f'tensorflow.{private}'])
    # The modules of TF1's interface under the short name; all others from where they were.
    for name in [n for n in sys.modules if n.startswith(f'{v1.nn.__name__.rpartition(".")[0]}.')]:
        short = f'tensorflow.{name.rpartition(f"{_V1}.")[2]}'
        sys.modules.setdefault(short, sys.modules[name])
    v1.__path__ += [place for place in whole.__path__ if place not in v1.__path__]
    sys.modules['tensorflow'] = v1
