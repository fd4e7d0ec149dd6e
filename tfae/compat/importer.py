"""Provides the modules of TF1 that TensorFlow has removed, under their old names.

One table says which module serves which old name. An old module is an attribute of `tensorflow` and
of `tensorflow.compat.v1`, and can be imported below both; what serves it is imported when one of
its names is first used.
"""

import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import operator
import sys
import types
from collections.abc import Iterator, Sequence

import tensorflow

from tfae.compat import gone, slim_source

# The old module that TensorFlow still has: Keras 3, which trains no model in a graph.
_KERAS = 'keras'
# The name below `tensorflow`: the modules that serve it, the first that has a name first. After a
# colon stands an attribute.
SERVED = {
    'contrib.autograph': 'tensorflow.compat.v1:autograph',
    'contrib.cluster_resolver': 'tensorflow.compat.v1:distribute.cluster_resolver',
    'contrib.crf': 'tfae.compat.contrib.crf',
    'contrib.data': 'tfae.compat.contrib.data tensorflow.compat.v1:data.experimental',
    'contrib.distribute': 'tensorflow.compat.v1:distribute',
    'contrib.distributions': 'tfae.compat.contrib.distributions tensorflow.compat.v1:distributions'
    ' tensorflow_probability:distributions',
    'contrib.factorization': 'tfae.compat.contrib.factorization',
    'contrib.framework': 'tfae.compat.contrib.framework tf_slim.ops.variables tf_slim.ops.arg_scope'
    ' tf_slim.ops.framework_ops',
    'contrib.framework.nest': 'tfae.compat.contrib.nest tensorflow.compat.v1:nest'
    ' tensorflow.compat.v2:__internal__.nest',
    'contrib.image': 'tfae.compat.contrib.image',
    'contrib.keras': 'tf_keras.api._v1.keras',
    'contrib.layers': 'tfae.compat.contrib.layers tf_slim.layers',
    'contrib.learn': 'tfae.compat.contrib.learn',
    'contrib.learn.datasets': 'tfae.compat.contrib.learn_datasets',
    'contrib.learn.datasets.base': 'tfae.compat.contrib.learn_datasets tfae.compat.input_data',
    'contrib.learn.datasets.mnist': 'tfae.compat.input_data',
    'contrib.learn.preprocessing': 'tfae.compat.contrib.learn_preprocessing',
    'contrib.legacy_seq2seq': 'tfae.compat.contrib.legacy_seq2seq',
    'contrib.lookup': 'tfae.compat.contrib.lookup',
    'contrib.losses': 'tf_slim.losses',
    'contrib.metrics': 'tfae.compat.contrib.metrics tf_slim.metrics',
    'contrib.opt': 'tfae.compat.contrib.opt',
    'contrib.rnn': 'tfae.compat.contrib.rnn',
    'contrib.seq2seq': 'tfae.compat.contrib.seq2seq tfae.compat.contrib.seq2seq_decoding'
    ' tfae.compat.contrib.seq2seq_attention',
    'contrib.signal': 'tensorflow.compat.v1:signal',
    'contrib.slim': 'tf_slim',
    'contrib.slim.nets': 'tf_slim.nets',
    'contrib.tensorboard.plugins.projector': 'tensorboard.plugins.projector',
    'contrib.tpu': 'tensorflow.compat.v1:tpu',
    'contrib.training': 'tfae.compat.contrib.training tf_slim.training.training'
    ' tf_slim.training.evaluation',
    'contrib.util': 'tfae.compat.contrib.util',
    'estimator': 'tfae.compat.estimator',
    'examples.tutorials.mnist': 'tfae.compat.tutorials_mnist',
    'examples.tutorials.mnist.input_data': 'tfae.compat.input_data',
    _KERAS: 'tf_keras.api._v1.keras',
    'layers': 'tfae.layers',
    'nn.rnn_cell': 'tf_keras.api._v1.keras.__internal__.legacy.rnn_cell',
}
# A package that serves where it is installed.
_OPTIONAL = 'tensorflow_probability'
# The old modules that hold all others: attributes of modules that TensorFlow still has.
_LOST = ('contrib', 'estimator', 'examples', 'layers', 'nn.rnn_cell')
# Where the private `tensorflow.python.layers` looked for layers; it is gone.
_LEGACY = 'tf_keras.legacy_tf_layers'
# The private module whose class read checkpoints in many programs.
_READER = 'python.pywrap_tensorflow'
# Private modules that keep a copy of TF1's classes -> the old module whose classes programs use.
_COPIES = {
    'python.layers.base': 'layers',
    'python.layers.convolutional': 'layers',
    'python.layers.core': 'layers',
    'python.layers.pooling': 'layers',
    'python.ops.rnn_cell': 'nn.rnn_cell',  # before the next, which it imports whole
    'python.ops.rnn_cell_impl': 'nn.rnn_cell',
}
# Where these classes are written.
_KERAS_COPY = f'{tensorflow.__name__}.python.keras.'
# Files below `contrib.X.python.ops`, which programs imported for a name in them.
_FILES = {
    'attention_wrapper', 'basic_decoder', 'beam_search_decoder', 'core_rnn_cell_impl', 'decoder',
    'helper', 'loss', 'rnn_cell',
}  # fmt: skip
# How the names of TF1's interface end among the modules.
_V1 = 'compat.v1'

_served: set[str] = set()  # the roots in this process


class OldModule(types.ModuleType):
    """A module of TF1, whose names come from the module that serves it."""

    def __init__(self, old: str):
        super().__init__(f'tensorflow.{old}', f'TF1 module `tf.{old}`, provided by `tfae.compat`.')
        self.__path__: list[str] = []  # a package: its modules are imported by `Finder`

    def __getattr__(self, name: str) -> object:
        if name.startswith('__') and name not in ('__all__', '__version__'):
            raise AttributeError(name)
        old = self.__name__.partition('.')[2]
        if name == '__all__':
            value: object = dir(self)
        elif name in _children(old):
            value = find(f'{old}.{name}')
        elif name == '__version__':
            package = SERVED.get(old, 'tensorflow').partition('.')[0]  # that serves it
            value = importlib.import_module(package).__version__
        elif name in {'python', 'ops', old.rpartition('.')[2]}:
            value = (
                self  # `contrib.X.python.X` and `contrib.X.python.ops` export what `contrib.X` does
            )
        else:
            found = (getattr(module, name) for module in _serving(old) if name in _public(module))
            value = next(found, None)
            if value is None and name in _FILES:
                value = self  # `from contrib.X.python.ops import FILE`
            if value is None:
                raise AttributeError(gone.line(f'{old}.{name}'))
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        old = self.__name__.partition('.')[2]
        return sorted(_children(old).union(*map(_public, _serving(old))))


def _public(module: object) -> set[str]:
    """Returns the names that a module exports, and those of modules below it."""
    names = set(getattr(module, '__all__', [name for name in dir(module) if name[0] != '_']))
    below = f'{getattr(module, "__name__", "")}.'
    held = vars(module).items()
    return names | {name for name, value in held if _module_name(value).startswith(below)}


def _module_name(value: object) -> str:
    return value.__name__ if isinstance(value, types.ModuleType) else ''


def _serving(old: str) -> Iterator[object]:
    """Yields the modules that serve an old one; none where it only holds others."""
    for name in SERVED.get(old, '').split():
        module, _, attribute = name.partition(':')
        if module == _OPTIONAL and not importlib.util.find_spec(module):
            continue
        served = importlib.import_module(module)
        yield operator.attrgetter(attribute)(served) if attribute else served


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
    parent, _, leaf = old.rpartition('.')
    holder = find(parent) if parent else None
    found = getattr(holder, leaf, None) if holder else None
    if isinstance(found, types.ModuleType):
        return found
    return holder if '.python.' in f'{old}.' else None


def _old_name(name: str) -> str:
    """Returns the name below `tensorflow` or `tensorflow.compat.v1`; '' if it is neither's."""
    if f'{name}.'.startswith(f'{_LEGACY}.'):
        return 'layers'
    first, _, rest = name.partition('.')
    return rest.rpartition(f'{_V1}.')[2] if first == 'tensorflow' else ''


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports old modules by their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns how to import an old name; None for all other names."""
        if fullname.split('.')[0] == 'tf_slim':
            return slim_source.find_spec(fullname, path, target)
        old = _old_name(fullname)
        if not any(f'{old}.'.startswith(f'{root}.') for root in _served):
            return None
        if not find(old):
            # Without a name: `from ... import` would replace the message of an error that has one.
            raise ModuleNotFoundError(gone.line(old))
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
    private = sys.modules[f'tensorflow.{_READER}']
    vars(private)['NewCheckpointReader'] = faces[0].train.NewCheckpointReader
    for face in faces:
        setattr(face, _READER.rpartition('.')[2], private)
    for root in _LOST:
        _serve(root, faces)
    for copy, old in _COPIES.items():
        with contextlib.suppress(ImportError):
            _replace_classes(importlib.import_module(f'{tensorflow.__name__}.{copy}'), old)


def _replace_classes(private: types.ModuleType, old: str) -> None:
    """Makes the classes of a private module those of an old one, as `isinstance` needs them."""
    own = {
        name: value
        for name, value in vars(private).items()
        if getattr(value, '__module__', '').startswith(_KERAS_COPY)
    }
    vars(private).setdefault('__all__', [name for name in vars(private) if name[0] != '_'])
    for name in own:
        delattr(private, name)

    def attribute(name: str) -> object:
        if name not in own:
            raise AttributeError(f'module {private.__name__!r} has no attribute {name!r}')
        return getattr(find(old), name, own[name])

    private.__getattr__ = attribute  # type: ignore[method-assign]


def install_keras() -> None:
    """Makes `tf.keras` that of TF1."""
    if _KERAS not in _served:
        _serve(_KERAS, [sys.modules[name] for name in list(sys.modules) if _is_face(name)])


def _serve(root: str, faces: list[types.ModuleType]) -> None:
    """Makes an old module an attribute of TensorFlow's, and importable."""
    _served.add(root)
    parent, _, leaf = root.rpartition('.')
    for face in faces:
        setattr(getattr(face, parent) if parent else face, leaf, find(root))
    # It, or an empty folder of this name, may have been imported before.
    own = [n for n in sys.modules if root in n and f'{_old_name(n)}.'.startswith(f'{root}.')]
    for name in own:
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
    inside = f'{v1.nn.__name__.rpartition(".")[0]}.'
    for name in [name for name in sys.modules if name.startswith(inside)]:
        short = name.removeprefix(inside)
        if short.partition('.')[0] != 'compat':  # the whole one has more
            sys.modules.setdefault(f'tensorflow.{short}', sys.modules[name])
    v1.__path__ += [place for place in whole.__path__ if place not in v1.__path__]
    v1.compat.v1 = v1  # which `import tensorflow.compat.v1` returns from now on
    sys.modules['tensorflow'] = v1
